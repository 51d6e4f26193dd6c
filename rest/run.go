package rest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

// Server is a fresh server that runs one example.
type Server struct {
	URL     string
	Wait    func(time.Duration)                         // advances the server's clock
	Promote func(ctx context.Context, who string) error // makes an account (email address or username) admin

	// Mail reads the newest mail of a kind to an address, both as in a MailStep. It fails if there is none.
	Mail func(ctx context.Context, kind, to string) (MailSecrets, error)

	// TOTP gives the code that an authenticator app with this secret in Base32 shows, by the server's clock.
	TOTP func(secret string) (string, error)

	Client *http.Client // asks the server; nil for one that follows no redirects and keeps no cookies

	Stop func()
}

// Examples returns the examples of all routes, in the order of the file.
func (d *Dialect) Examples() []*Example {
	var all []*Example
	for _, r := range d.routes {
		all = append(all, r.examples...)
	}
	return all
}

// Run runs an example on a fresh server, which start makes with the example's settings. It returns nil if the answer is
// the one in the file, otherwise an error that lists every difference.
func (d *Dialect) Run(ctx context.Context, e *Example, start func(settings map[string]string) (*Server, error)) error {
	server, err := start(e.Settings)
	if err != nil {
		return err
	}
	defer server.Stop()
	r := &runner{dialect: d, server: server, captured: map[string]string{}, done: map[string]bool{}}
	if err := r.setup(ctx, &e.Step); err != nil {
		return err
	}
	answer, err := r.do(ctx, &e.Step)
	if err != nil {
		return err
	}
	return e.Want.compare(answer, r.captured)
}

// runner runs the steps of one example, each fixture once.
type runner struct {
	dialect  *Dialect
	server   *Server
	captured map[string]string
	done     map[string]bool
}

// stepAnswer is the answer to one step.
type stepAnswer struct {
	status int
	header http.Header
	body   []byte
}

func (r *runner) setup(ctx context.Context, s *Step) error {
	for _, name := range s.Given {
		if r.done[name] {
			continue
		}
		r.done[name] = true
		before := r.dialect.Fixtures[name]
		if err := r.setup(ctx, before); err != nil {
			return err
		}
		answer, err := r.do(ctx, before)
		if err != nil {
			return err
		}
		if answer != nil && answer.status >= 300 {
			return fmt.Errorf("the fixture %s: status %d: %s", name, answer.status, answer.body)
		}
		if err := r.capture(ctx, before, answer); err != nil {
			return err
		}
	}
	return nil
}

// capture evaluates the keep: of a step. There `.` is the JSON of the answer (for GraphQL its data), and $request holds
// the answer's headers and cookies.
func (r *runner) capture(ctx context.Context, s *Step, answer *stepAnswer) error {
	if len(s.keep) == 0 {
		return nil
	}
	var dot any
	if err := json.Unmarshal(answer.body, &dot); err != nil && len(answer.body) > 0 {
		return fmt.Errorf("the fixture %s: keep: needs JSON, and the answer is %s", s.Name, answer.body)
	}
	if s.GraphQL != "" {
		dot, _ = dot.(map[string]any)["data"]
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	for _, k := range s.keep {
		value, present, err := k.value.text(scope{ctx: ctx, dot: dot, request: answer.asRequest()})
		if err != nil {
			return err
		}
		if !present || value == "" {
			return fmt.Errorf("the fixture %s: keep: %s finds nothing in: %s", s.Name, k.key, answer.body)
		}
		r.captured[k.key] = value
	}
	return nil
}

// asRequest is $request in keep: expressions: the headers of the answer, and the cookies that it sets.
func (a *stepAnswer) asRequest() map[string]any {
	cookies := map[string]any{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		cookies[c.Name] = c.Value
	}
	return map[string]any{"headers": headerMap(a.header), "cookies": cookies}
}

// plainClient follows no redirects and keeps no cookies.
var plainClient = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do runs one step. It returns nil for a step that only waits or promotes.
func (r *runner) do(ctx context.Context, s *Step) (*stepAnswer, error) {
	if s.Wait > 0 {
		r.server.Wait(s.Wait)
	}
	if s.Promote != "" {
		if err := r.server.Promote(ctx, s.Promote); err != nil {
			return nil, fmt.Errorf("the fixture %s: %w", s.Name, err)
		}
	}
	if s.Mail != nil {
		return r.readMail(ctx, s)
	}
	if s.TOTP != "" {
		return r.readTOTP(s)
	}
	if s.GraphQL == "" && s.Call == "" {
		return nil, nil
	}
	req, err := r.request(ctx, s)
	if err != nil {
		return nil, err
	}
	res, err := cmp.Or(r.server.Client, plainClient).Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	failed := bytes.Contains(body, []byte(`"errors":[`)) || bytes.Contains(body, []byte(`"userErrors":[{`))
	if err == nil && s.GraphQL != "" && failed {
		err = fmt.Errorf("the fixture %s: %s", s.Name, body)
	}
	return &stepAnswer{res.StatusCode, res.Header, body}, err
}

var placeholder = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9_]*)\}`)

// fill replaces {name} by the captured value of that name.
func (r *runner) fill(s string) string { return fill(s, r.captured) }

func fill(s string, captured map[string]string) string {
	return placeholder.ReplaceAllStringFunc(s, func(found string) string {
		if value, ok := captured[found[1:len(found)-1]]; ok {
			return value
		}
		return found
	})
}

// request builds the request of a step.
func (r *runner) request(ctx context.Context, s *Step) (*http.Request, error) {
	method, path, body, media := http.MethodPost, "/graphql", "", "application/json"
	switch {
	case s.GraphQL != "":
		text, err := json.Marshal(map[string]string{"query": r.fill(s.GraphQL)})
		if err != nil {
			return nil, err
		}
		body = string(text)
	default:
		method, path, _ = strings.Cut(s.Call, " ")
		path = parameter.ReplaceAllStringFunc(path, func(name string) string {
			return url.PathEscape(r.fill(s.Params[name[1:len(name)-1]]))
		})
		path = strings.TrimSuffix(r.dialect.mountOf(s.Call), "/") + path
		var err error
		if body, media, err = r.body(s); err != nil {
			return nil, err
		}
	}
	if len(s.Query) > 0 {
		path += "?" + r.form(s.Query)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, r.fill(value))
	}
	return req, nil
}

func (r *runner) body(s *Step) (body, media string, err error) {
	switch {
	case s.JSON != nil:
		text, err := encode(fillAll(s.JSON, r.captured))
		return string(text), "application/json", err
	case s.Form != nil:
		return r.form(s.Form), "application/x-www-form-urlencoded", nil
	}
	return r.fill(s.Raw), "", nil
}

func (r *runner) form(given map[string]string) string {
	values := url.Values{}
	for name, value := range given {
		values.Set(name, r.fill(value))
	}
	return values.Encode()
}

// fillAll applies fill to every text in a value.
func fillAll(v any, captured map[string]string) any {
	switch v := v.(type) {
	case string:
		return fill(v, captured)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fillAll(v[i], captured)
		}
		return out
	case object:
		out := make(object, len(v))
		for i, p := range v {
			out[i] = pair{p.key, fillAll(p.value, captured)}
		}
		return out
	}
	return v
}

// compare lists every difference between an answer and the file.
func (w *Want) compare(got *stepAnswer, captured map[string]string) error {
	var problems []error
	if got.status != w.Status {
		problems = append(problems, fmt.Errorf("status %d, want %d", got.status, w.Status))
	}
	for name, want := range w.Headers {
		have := got.header.Get(name)
		if slices.Contains(w.Varies, "header "+name) {
			if have == "" {
				problems = append(problems, fmt.Errorf("header %s: missing", name))
			}
			continue
		}
		if want = fill(want, captured); have != want {
			problems = append(problems, fmt.Errorf("header %s: %q, want %q", name, have, want))
		}
	}
	switch {
	case w.Text != nil:
		if string(got.body) != *w.Text {
			problems = append(problems, errors.New("another text"))
		}
	case w.HasJSON:
		var value any
		if _, err := strictjson.Decode(got.body); err != nil || json.Unmarshal(got.body, &value) != nil {
			problems = append(problems, errors.New("the answer is not JSON"))
		} else {
			problems = append(problems, w.differ("", fillAll(w.JSON, captured), value)...)
		}
	case len(got.body) > 0:
		problems = append(problems, errors.New("a body, want none"))
	}
	if len(problems) > 0 {
		problems = append(problems, fmt.Errorf("it answered %d %s", got.status, got.body))
	}
	return errors.Join(problems...)
}

// differ compares two values at a path, for example user.id or [0].name. In Varies, [] stands for any index.
func (w *Want) differ(path string, want, got any) (problems []error) {
	if slices.Contains(w.Varies, anyIndex.ReplaceAllString(path, "[]")) {
		if shape(want) != shape(got) {
			return []error{fmt.Errorf("%s: it is %s, want %s", path, shape(got), shape(want))}
		}
		return nil
	}
	switch want := want.(type) {
	case object:
		have, ok := got.(map[string]any)
		if !ok {
			return []error{fmt.Errorf("%s: it is %s, want an object", path, shape(got))}
		}
		for _, p := range want {
			inner, there := have[p.key]
			if !there {
				problems = append(problems, fmt.Errorf("%s is missing", below(path, p.key)))
				continue
			}
			problems = append(problems, w.differ(below(path, p.key), p.value, inner)...)
		}
		for key := range have {
			if !slices.ContainsFunc(want, func(p pair) bool { return p.key == key }) {
				problems = append(problems, fmt.Errorf("%s is not in the example", below(path, key)))
			}
		}
		return problems
	case []any:
		have, ok := got.([]any)
		if !ok || len(have) != len(want) {
			return []error{fmt.Errorf("%s: it is not a list of %d", path, len(want))}
		}
		for i := range want {
			problems = append(problems, w.differ(fmt.Sprintf("%s[%d]", path, i), want[i], have[i])...)
		}
		return problems
	case int:
		if number, ok := got.(float64); ok && number == float64(want) {
			return nil
		}
	default:
		if want == got {
			return nil
		}
	}
	return []error{fmt.Errorf("%s: %v, want %v", path, got, want)}
}

var (
	anyIndex  = regexp.MustCompile(`\[[0-9]+\]`)
	timestamp = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T`)
	digit     = regexp.MustCompile(`[0-9]`)
)

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// shape describes the part of a varying value that must stay the same: its type, and the form of a timestamp.
func shape(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if timestamp.MatchString(v) {
			return "a timestamp like " + digit.ReplaceAllString(v, "0")
		}
		return "a text"
	case bool:
		return "true or false"
	case int, float64:
		return "a number"
	case []any:
		return "a list"
	}
	return "an object"
}
