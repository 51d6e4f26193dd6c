package rest

import (
	"bytes"
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

// Server is a fresh one, of its own, on which an example is run.
type Server struct {
	URL     string
	Wait    func(time.Duration)                         // moves the server's clock
	Promote func(ctx context.Context, who string) error // gives an account, by email address or username, the role admin

	// Mail reads the newest mail of a kind to an address, both as in a MailStep. It is an error when there is none.
	Mail func(ctx context.Context, kind, to string) (Mailed, error)

	Stop func()
}

// Examples are those of all routes, in the order of the file.
func (d *Dialect) Examples() []*Example {
	var all []*Example
	for _, r := range d.routes {
		all = append(all, r.examples...)
	}
	return all
}

// Run runs an example on a server of its own, which start makes with the settings that it needs. It gives nil when the answer is
// as the file has it, else everything that is different.
func (d *Dialect) Run(ctx context.Context, e *Example, start func(settings map[string]string) (*Server, error)) error {
	server, err := start(e.Settings)
	if err != nil {
		return err
	}
	defer server.Stop()
	p := &player{dialect: d, server: server, kept: map[string]string{}, done: map[string]bool{}}
	if err := p.given(ctx, &e.Step); err != nil {
		return err
	}
	answer, err := p.play(ctx, &e.Step)
	if err != nil {
		return err
	}
	return e.Want.compare(answer, p.kept)
}

// player runs the steps of one example.
type player struct {
	dialect *Dialect
	server  *Server
	kept    map[string]string
	done    map[string]bool
}

// played is an answer.
type played struct {
	status int
	header http.Header
	body   []byte
}

func (p *player) given(ctx context.Context, s *Step) error {
	for _, name := range s.Given {
		if p.done[name] {
			continue
		}
		p.done[name] = true
		before := p.dialect.Fixtures[name]
		if err := p.given(ctx, before); err != nil {
			return err
		}
		answer, err := p.play(ctx, before)
		if err != nil {
			return err
		}
		if answer != nil && answer.status >= 300 {
			return fmt.Errorf("the fixture %s: status %d: %s", name, answer.status, answer.body)
		}
		if err := p.keep(ctx, before, answer); err != nil {
			return err
		}
	}
	return nil
}

// keep evaluates what a step keeps: `.` is the JSON of the answer, or the data of GraphQL, and $request has its headers and cookies.
func (p *player) keep(ctx context.Context, s *Step, answer *played) error {
	if len(s.keep) == 0 {
		return nil
	}
	var dot any
	if err := json.Unmarshal(answer.body, &dot); err != nil && len(answer.body) > 0 {
		return fmt.Errorf("the fixture %s: the answer is not JSON: %s", s.Name, answer.body)
	}
	if s.GraphQL != "" {
		dot, _ = dot.(map[string]any)["data"]
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	for _, k := range s.keep {
		value, present, err := k.value.text(scope{ctx: ctx, dot: dot, request: answer.visible()})
		if err != nil {
			return err
		}
		if !present || value == "" {
			return fmt.Errorf("the fixture %s: there is nothing to keep as %s in: %s", s.Name, k.key, answer.body)
		}
		p.kept[k.key] = value
	}
	return nil
}

// visible is $request where a step keeps something: the headers of the answer, and the values of the cookies that it sets.
func (a *played) visible() map[string]any {
	cookies := map[string]any{}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		cookies[c.Name] = c.Value
	}
	return map[string]any{"headers": headerMap(a.header), "cookies": cookies}
}

// play does one step; nil for one that only waits.
func (p *player) play(ctx context.Context, s *Step) (*played, error) {
	if s.Wait > 0 {
		p.server.Wait(s.Wait)
	}
	if s.Promote != "" {
		if err := p.server.Promote(ctx, s.Promote); err != nil {
			return nil, fmt.Errorf("the fixture %s: %w", s.Name, err)
		}
	}
	if s.Mail != nil {
		return p.look(ctx, s)
	}
	if s.GraphQL == "" && s.Call == "" {
		return nil, nil
	}
	req, err := p.request(ctx, s)
	if err != nil {
		return nil, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err == nil && s.GraphQL != "" && (bytes.Contains(body, []byte(`"errors":[`)) || bytes.Contains(body, []byte(`"userErrors":[{`))) {
		err = fmt.Errorf("the fixture %s: %s", s.Name, body)
	}
	return &played{res.StatusCode, res.Header, body}, err
}

var placeholder = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9_]*)\}`)

// fill puts what was kept into a text.
func (p *player) fill(s string) string { return fill(s, p.kept) }

func fill(s string, kept map[string]string) string {
	return placeholder.ReplaceAllStringFunc(s, func(found string) string {
		if value, ok := kept[found[1:len(found)-1]]; ok {
			return value
		}
		return found
	})
}

// request makes the request of a step.
func (p *player) request(ctx context.Context, s *Step) (*http.Request, error) {
	method, path, body, media := http.MethodPost, "/graphql", "", "application/json"
	switch {
	case s.GraphQL != "":
		text, err := json.Marshal(map[string]string{"query": p.fill(s.GraphQL)})
		if err != nil {
			return nil, err
		}
		body = string(text)
	default:
		method, path, _ = strings.Cut(s.Call, " ")
		path = parameter.ReplaceAllStringFunc(path, func(name string) string {
			return url.PathEscape(p.fill(s.Params[name[1:len(name)-1]]))
		})
		path = strings.TrimSuffix(p.dialect.mountOf(s.Call), "/") + path
		var err error
		if body, media, err = p.body(s); err != nil {
			return nil, err
		}
	}
	if len(s.Query) > 0 {
		path += "?" + p.form(s.Query)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.server.URL+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, p.fill(value))
	}
	return req, nil
}

func (p *player) body(s *Step) (body, media string, err error) {
	switch {
	case s.JSON != nil:
		text, err := encode(fillAll(s.JSON, p.kept))
		return string(text), "application/json", err
	case s.Form != nil:
		return p.form(s.Form), "application/x-www-form-urlencoded", nil
	}
	return p.fill(s.Raw), "", nil
}

func (p *player) form(given map[string]string) string {
	values := url.Values{}
	for name, value := range given {
		values.Set(name, p.fill(value))
	}
	return values.Encode()
}

// fillAll is fill for every text of a value.
func fillAll(v any, kept map[string]string) any {
	switch v := v.(type) {
	case string:
		return fill(v, kept)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fillAll(v[i], kept)
		}
		return out
	case object:
		out := make(object, len(v))
		for i, p := range v {
			out[i] = pair{p.key, fillAll(p.value, kept)}
		}
		return out
	}
	return v
}

// mountOf is where a call of this dialect is sent: the first mount of its route.
func (d *Dialect) mountOf(call string) string {
	method, path, _ := strings.Cut(call, " ")
	for _, r := range d.routes {
		if r.method == method && r.path == path {
			return r.mounts[0]
		}
	}
	return d.Mounts[0]
}

// compare tells every way in which an answer is not what the file says.
func (w *Want) compare(got *played, kept map[string]string) error {
	var problems []error
	if got.status != w.Status {
		problems = append(problems, fmt.Errorf("status %d, want %d", got.status, w.Status))
	}
	for name, want := range w.Headers {
		have := got.header.Get(name)
		if slices.Contains(w.Varies, "header "+name) {
			if have == "" {
				problems = append(problems, fmt.Errorf("there is no header %s", name))
			}
			continue
		}
		if want = fill(want, kept); have != want {
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
			problems = append(problems, w.differ("", fillAll(w.JSON, kept), value)...)
		}
	case len(got.body) > 0:
		problems = append(problems, errors.New("a body, want none"))
	}
	if len(problems) > 0 {
		problems = append(problems, fmt.Errorf("it answered %d %s", got.status, got.body))
	}
	return errors.Join(problems...)
}

// differ compares two values, at a path such as user.id or [0].name; [] in Varies stands for any index.
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

// shape is what counts of a value that varies.
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
