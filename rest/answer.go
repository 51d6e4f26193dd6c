package rest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// answer describes an HTTP answer. It has at most one of body, plain, empty and redirect.
type answer struct {
	at       *node
	status   *tree
	body     *tree // JSON
	plain    *tree // the key text:
	empty    bool
	redirect *tree
	headers  []pairTree
	cookies  []pairTree
}

// keys returns the keys of a mapping that describes an answer.
func (a *answer) keys() keys {
	return keys{
		"status":   treeOf(&a.status),
		"body":     treeOf(&a.body),
		"text":     treeOf(&a.plain),
		"empty":    boolean(&a.empty),
		"redirect": treeOf(&a.redirect),
		"headers":  pairsOf(&a.headers),
		"cookies":  pairsOf(&a.cookies),
	}
}

func pairsOf(to *[]pairTree) func(*node) error {
	return entries(func(m member) error {
		value, err := compileTree(m.value)
		*to = append(*to, pairTree{m.key, value})
		return err
	})
}

func (a *answer) hasBody() bool {
	return a.body != nil || a.plain != nil || a.empty || a.redirect != nil
}

// check rejects an answer that contradicts itself, or that HTTP does not allow.
func (a *answer) check(d *Dialect) error {
	if a.at == nil {
		return nil
	}
	n := 0
	for _, given := range []bool{a.body != nil, a.plain != nil, a.empty, a.redirect != nil} {
		if given {
			n++
		}
	}
	if n > 1 {
		return a.at.fault("Keep one of body, text, empty and redirect.", "an answer cannot be several things at once")
	}
	if a.redirect != nil && a.redirect.expr == nil {
		if _, err := d.target(fmt.Sprint(a.redirect.literal)); err != nil {
			return a.redirect.at.fault("Name its origin under redirects:, or lead to a path of this server.", "%v", err)
		}
	}
	if a.status != nil && a.status.expr == nil {
		status, ok := a.status.literal.(int)
		if !ok || status < 200 || status > 599 {
			return a.status.at.fault("Write a number from 200 to 599.", "this is not the status of an answer")
		}
		if (status == http.StatusNoContent || status == http.StatusNotModified) && (a.body != nil || a.plain != nil) {
			return a.at.fault("Take away body: or text:.", "an answer with status %d has no body", status)
		}
	}
	for _, h := range a.headers {
		if err := checkHeader(h); err != nil {
			return err
		}
	}
	for _, c := range a.cookies {
		if d.cookie(c.key) == nil {
			return c.value.at.fault("Describe it under cookies: of the dialect.", "there is no cookie %q", c.key)
		}
	}
	return nil
}

// serverHeaders are the headers that the engine or net/http sets itself.
var serverHeaders = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Trailer", "Date",
	"Connection", "Keep-Alive", "Upgrade",
	"Set-Cookie", "Location", "Retry-After", "Allow", "Cache-Control",
	"RateLimit", "RateLimit-Policy", "X-Request-Id",
	"Content-Security-Policy", "Referrer-Policy", "Strict-Transport-Security", "X-Content-Type-Options",
	"Deprecation", "Sunset",
}

func checkHeader(h pairTree) error {
	for _, r := range h.key {
		if !strings.ContainsRune("-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", r) {
			return h.value.at.fault("Use letters, digits and -.", "%q is not the name of a header", h.key)
		}
	}
	for _, own := range serverHeaders {
		if strings.EqualFold(own, h.key) || strings.HasPrefix(strings.ToLower(h.key), "access-control-") {
			return h.value.at.fault(
				"Use contentType:, cookies:, redirect:, deprecated: or sunset:, or leave it to the server.",
				"the header %s is set by the server itself", h.key)
		}
	}
	return nil
}

// reply is an answer whose expressions are all evaluated, so writing it cannot fail.
type reply struct {
	status   int
	media    string // "" for no body
	body     []byte
	headers  [][2]string
	cookies  []*http.Cookie
	location string
	retry    int    // seconds for Retry-After, 0 for none
	message  string // the message of an error; the page that reports the outcome shows it
}

func (a *answer) statusOf(s scope) (int, error) {
	value, _, err := a.status.eval(s)
	if err != nil {
		return 0, err
	}
	text, err := encode(value) // int, float64 and json.Number get the same text
	if err != nil {
		return 0, err
	}
	if status, err := strconv.Atoi(string(text)); err == nil && status >= 200 && status <= 599 {
		return status, nil
	}
	return 0, fmt.Errorf("%s:%d: the status is not a number from 200 to 599", a.status.at.file, a.status.at.line)
}

// reply evaluates an answer. status and body apply if the answer has none of its own.
func (d *Dialect) reply(a *answer, s scope, status int, body *tree) (*reply, error) {
	out := &reply{status: status}
	var err error
	if a.status != nil {
		if out.status, err = a.statusOf(s); err != nil {
			return nil, err
		}
	}
	if err := d.headersOf(a, s, out); err != nil {
		return nil, err
	}
	switch {
	case a.redirect != nil:
		err = d.redirectTo(a, s, out)
	case a.plain != nil:
		var text string
		text, _, err = a.plain.text(s)
		out.media, out.body = "text/plain; charset=utf-8", []byte(text)
	case a.empty || a.body == nil && body == nil:
	default:
		if a.body != nil {
			body = a.body
		}
		var value any
		if value, _, err = body.eval(s); err == nil {
			out.media = d.jsonType
			out.body, err = encode(value)
			out.body = append(out.body, '\n') // white space to a program, and the end of the line in a terminal
		}
	}
	if out.status == http.StatusNoContent || out.status == http.StatusNotModified {
		out.media, out.body = "", nil // check cannot see a status that an expression gives
	}
	return out, err
}

func (d *Dialect) headersOf(a *answer, s scope, out *reply) error {
	for _, h := range a.headers {
		value, present, err := h.value.text(s)
		if err != nil {
			return err
		}
		if present {
			out.headers = append(out.headers, [2]string{h.key, d.links(h.key, headerText(value))})
		}
	}
	for _, c := range a.cookies {
		value, present, err := c.value.text(s)
		if err != nil {
			return err
		}
		if !present {
			continue
		}
		for _, one := range d.cookie(c.key).set(value) {
			if one.Valid() != nil { // net/http would drop the invalid bytes
				return fmt.Errorf("%s:%d: the value of the cookie %s has invalid characters; encode it with @uri",
					c.value.at.file, c.value.at.line, c.key)
			}
			out.cookies = append(out.cookies, one)
		}
	}
	return nil
}

// headerText drops control characters: a line break would end the header field.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

func (d *Dialect) redirectTo(a *answer, s scope, out *reply) error {
	text, _, err := a.redirect.text(s)
	if err != nil {
		return err
	}
	if out.location, err = d.target(text); err != nil {
		return fmt.Errorf("%s:%d: %w", a.redirect.at.file, a.redirect.at.line, err)
	}
	if out.status == http.StatusOK {
		out.status = http.StatusSeeOther
	}
	return nil
}

var errTarget = errors.New("the target is not a path of this server, and its origin is not among redirects")

// target returns the normalised URL of a redirect. It allows paths of this server, which get its prefix, and the
// origins under redirects:, so that no expression becomes an open redirect. The error is errTarget.
func (d *Dialect) target(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", errTarget
	}
	if u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") && !strings.HasPrefix(text, "//") &&
		!strings.Contains(text, `\`) && !dotSegment.MatchString(u.Path) {
		return d.site.Path(u.String()), nil
	}
	for _, origin := range d.redirects {
		if u.User == nil && u.Scheme+"://"+u.Host == origin {
			return u.String(), nil
		}
	}
	return "", errTarget
}

// dotSegment matches a segment that browsers resolve, encoded or not, and that could lead out of a path prefix.
var dotSegment = regexp.MustCompile(`/\.\.?(/|$)`)

// setHeaders sets the headers of the file. It adds a Link, because announce may have set the Link to the successor.
func (out *reply) setHeaders(h http.Header) {
	for _, pair := range out.headers {
		if strings.EqualFold(pair[0], "Link") {
			h.Add(pair[0], pair[1])
			continue
		}
		h.Set(pair[0], pair[1])
	}
}

func (out *reply) write(w http.ResponseWriter) {
	h := w.Header()
	out.setHeaders(h)
	for _, c := range out.cookies {
		http.SetCookie(w, c)
	}
	if out.location != "" {
		h.Set("Location", out.location)
	}
	if out.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(out.retry))
	}
	if out.media != "" {
		h.Set("Content-Type", out.media)
		h.Set("Content-Length", strconv.Itoa(len(out.body)))
	}
	w.WriteHeader(out.status)
	if out.media != "" {
		// An error means that the caller hung up.
		_, _ = w.Write(out.body) //nolint:gosec // JSON or plain text, by its Content-Type and nosniff
	}
}

// AnswerHeaders returns the canonical names of the headers that the dialects' files set, sorted. Scripts of trusted
// origins may read them (Access-Control-Expose-Headers).
func AnswerHeaders(dialects []*Dialect) []string {
	var names []string
	for _, d := range dialects {
		answers := []*answer{}
		for _, row := range d.errors.rows {
			answers = append(answers, row.answer)
		}
		for _, pair := range d.notice {
			names = append(names, pair[0])
		}
		for _, r := range d.routes {
			answers = append(answers, r.answers()...)
			for _, v := range r.variants {
				answers = append(answers, v.route.answers()...)
			}
			for _, pair := range r.notice {
				names = append(names, pair[0])
			}
		}
		for _, a := range answers {
			for _, h := range a.headers {
				names = append(names, http.CanonicalHeaderKey(h.key))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
