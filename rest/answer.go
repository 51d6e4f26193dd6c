package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// answer is how an outcome goes out: at most one of body, text, empty and redirect.
type answer struct {
	at       *node
	status   *tree
	body     *tree
	plain    *tree
	empty    bool
	redirect *tree
	headers  []pairTree
	cookies  []pairTree
}

// keys are those of a mapping that describes an answer.
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

// check refuses an answer that says two things, or what HTTP does not allow.
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
	if a.status != nil && a.status.expr == nil {
		status, ok := a.status.literal.(int)
		if !ok || status < 200 || status > 599 {
			return a.status.at.fault("Write a number from 200 to 599.", "this is no status of an answer")
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

// framing are the headers that the engine or net/http sets itself.
var framing = []string{
	"Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Set-Cookie", "Location", "Retry-After", "Date", "X-Request-Id",
}

func checkHeader(h pairTree) error {
	for _, r := range h.key {
		if !strings.ContainsRune("-_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", r) {
			return h.value.at.fault("Use letters, digits and -.", "%q is no name of a header", h.key)
		}
	}
	for _, own := range framing {
		if strings.EqualFold(own, h.key) {
			return h.value.at.fault("Use contentType:, cookies: or redirect:, or leave it to the server.", "the header %s is set by the server itself", own)
		}
	}
	return nil
}

// reply is an answer whose expressions have all been evaluated, so that nothing can fail while it is written.
type reply struct {
	status   int
	media    string // "" for no body
	body     []byte
	headers  [][2]string
	cookies  []*http.Cookie
	location string
	retry    int
	message  string // of a refusal, for pages
}

func (a *answer) statusOf(s scope) (int, error) {
	value, _, err := a.status.eval(s)
	if err != nil {
		return 0, err
	}
	switch v := value.(type) {
	case int:
		if v >= 200 && v <= 599 {
			return v, nil
		}
	case float64:
		if v >= 200 && v <= 599 {
			return int(v), nil
		}
	}
	return 0, fmt.Errorf("%s:%d: the status is not a number from 200 to 599", a.status.at.file, a.status.at.line)
}

// reply evaluates an answer. body is what it falls back to where it says nothing of a body itself.
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
		}
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
			out.headers = append(out.headers, [2]string{h.key, headerText(value)})
		}
	}
	for _, c := range a.cookies {
		value, present, err := c.value.text(s)
		if err != nil {
			return err
		}
		if present {
			out.cookies = append(out.cookies, d.cookie(c.key).set(value)...)
		}
	}
	return nil
}

// headerText leaves out what would end a header field.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// redirectTo allows paths of this server, and the origins that the file names: an expression must not become an open
// redirect.
func (d *Dialect) redirectTo(a *answer, s scope, out *reply) error {
	target, _, err := a.redirect.text(s)
	if err != nil {
		return err
	}
	u, err := url.Parse(target)
	own := err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") && !strings.HasPrefix(target, "//") && !strings.Contains(target, `\`)
	allowed := own
	for _, origin := range d.redirects {
		allowed = allowed || err == nil && u.User == nil && u.Scheme+"://"+u.Host == origin
	}
	if !allowed {
		return fmt.Errorf("%s:%d: the redirect leads to a place that is not among redirects", a.redirect.at.file, a.redirect.at.line)
	}
	out.location = u.String()
	if out.status == http.StatusOK {
		out.status = http.StatusSeeOther
	}
	return nil
}

// write sends a reply.
func (out *reply) write(w http.ResponseWriter) {
	h := w.Header()
	for _, pair := range out.headers {
		h.Set(pair[0], pair[1])
	}
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
		_, _ = w.Write(out.body) //nolint:gosec // JSON or plain text, by its Content-Type and nosniff; the caller may have hung up
	}
}

// AnswerHeaders are the headers that the files of these dialects answer with, sorted: pages of trusted origins may read them.
func AnswerHeaders(dialects []*Dialect) []string {
	var names []string
	for _, d := range dialects {
		answers := []*answer{}
		for _, row := range d.errors.rows {
			answers = append(answers, row.answer)
		}
		for _, r := range d.routes {
			answers = append(answers, r.answers()...)
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
