package contracts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// prober stands between an example and its server. When the example's own request comes by, everything that can be
// wrong about it is sent first.
type prober struct {
	*harness.ExampleServer
	t     *testing.T
	file  *dialectFile
	route *routeFile
	front *httptest.Server
	other harness.Account // of nobody in the example
	key   string          // an API key of that account

	last, seen int // the number of the example's own request, and of those that came
	plain      *http.Request
	body       []byte
	asked      int
}

func (p *prober) start() {
	p.t.Helper()
	p.other = p.Register(p.t, "somebody.else@example.com")
	p.key = p.GraphQL(p.t, p.other.Access, harness.CreateKey, nil).Text("createApiKey", "secret")
	back, err := url.Parse(p.URL)
	if err != nil {
		p.t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(back) }}
	p.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p.seen++
		if p.seen != p.last {
			forward.ServeHTTP(w, req)
			return
		}
		p.plain = req.Clone(req.Context())
		p.body, _ = io.ReadAll(req.Body)
		p.refused()
		req.Body = io.NopCloser(bytes.NewReader(p.body))
		forward.ServeHTTP(w, req)
		p.answered()
	}))
	p.t.Cleanup(p.front.Close)
}

// variant is a request that differs from the plain one.
type variant struct {
	name   string
	body   []byte
	query  string
	header http.Header
}

func (p *prober) variant(name string) variant {
	return variant{name, p.body, p.plain.URL.RawQuery, p.plain.Header.Clone()}
}

// ask sends a variant. Whatever it answers, it is no failure of the server, and has the form of the dialect.
func (p *prober) ask(v variant) int {
	p.t.Helper()
	p.asked++
	target := p.URL + p.plain.URL.EscapedPath()
	if v.query != "" {
		target += "?" + v.query
	}
	req, err := http.NewRequest(p.plain.Method, target, bytes.NewReader(v.body))
	if err != nil {
		p.t.Error(err)
		return 0
	}
	req.Header = v.header
	res, err := harness.Client.Do(req)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Error(err)
		return 0
	}
	r := harness.Reply{
		Asked: p.route.Route + ", " + v.name, Status: res.StatusCode, Header: res.Header,
		Body: string(body),
	}
	if r.Status >= 400 {
		r.Sound(p.t)
		p.formed(r)
	}
	return r.Status
}

// refuse demands that a variant is refused.
func (p *prober) refuse(v variant) {
	p.t.Helper()
	if status := p.ask(v); status < 400 {
		p.t.Errorf("%s, %s: %d", p.route.Route, v.name, status)
	}
}

// refused sends everything for which there is no answer but a refusal, and demands that it changed nothing.
func (p *prober) refused() {
	before := p.Side.Census(p.t)
	for _, name := range slices.Sorted(maps.Keys(p.route.Fields)) {
		kind, required := strings.CutSuffix(p.route.Fields[name], "!")
		if required {
			p.refuse(p.without(name))
		}
		if v, ok := p.mistyped(name, kind); ok {
			p.refuse(v)
		}
	}
	for _, v := range p.bodies() {
		if p.takes("json") || p.takes("form") {
			p.refuse(v)
		}
	}
	if v := p.variant("no body"); p.requires() && len(p.body) > 0 {
		v.body = nil
		p.refuse(v)
	}
	p.credentials()
	if after := p.Side.Census(p.t); after != before {
		p.t.Errorf("%s: %s became %s", p.route.Route, before, after)
	}
}

// answered sends what may be answered either way, behind the plain request, because it may have an effect.
func (p *prober) answered() {
	for _, name := range slices.Sorted(maps.Keys(p.route.Fields)) {
		p.ask(p.without(name))
	}
	for _, v := range p.bodies() {
		p.ask(v)
	}
	v := p.variant("no body")
	v.body = nil
	p.ask(v)
	if place, _ := p.credential(p.plain.Header); place != "" {
		p.ask(p.with("an API key that may read", p.key))
	}
}

// takes tells whether the route reads bodies of this kind.
func (p *prober) takes(kind string) bool { return slices.Contains(p.route.Accepts, kind) }

func (p *prober) requires() bool {
	for _, kind := range p.route.Fields {
		if strings.HasSuffix(kind, "!") {
			return true
		}
	}
	return false
}

// bodies are requests with a body that is not one of the route.
func (p *prober) bodies() (list []variant) {
	for _, b := range []struct{ name, media, body string }{
		{"cut JSON", "application/json", `{"a":`},
		{"a JSON list", "application/json", `[{}]`},
		{"a JSON text", "application/json", `"x"`},
		{"JSON null", "application/json", `null`},
		{"a name twice", "application/json", `{"a":1,"a":2}`},
		{"two bodies", "application/json", `{}{}`},
		{"bytes that are no text", "application/json", "{\"a\":\"\xff\"}"},
		{"a form in pieces", "application/x-www-form-urlencoded", "a=%zz"},
		{"text/plain", "text/plain", `{}`},
		{"no type", "", `{}`},
		{"XML", "application/xml", `<a/>`},
		{"another charset", "application/json; charset=iso-8859-1", `{}`},
		{"too much", "application/json", `{"a":"` + strings.Repeat("x", 70_000) + `"}`},
	} {
		v := p.variant(b.name)
		v.body = []byte(b.body)
		v.header.Del("Content-Type")
		if b.media != "" {
			v.header.Set("Content-Type", b.media)
		}
		list = append(list, v)
	}
	return list
}

// isJSON tells how the plain request gives its parameters; else it is by a form, or in the query string.
func (p *prober) isJSON() bool {
	return strings.Contains(p.plain.Header.Get("Content-Type"), "json") || len(p.body) == 0 && p.takes("json")
}

// change gives the plain request with another value of a parameter; nil takes it away.
func (p *prober) change(name string, value any) variant {
	v := p.variant("")
	if !p.isJSON() {
		text := string(p.body)
		if len(p.body) == 0 {
			text = v.query
		}
		values, _ := url.ParseQuery(text)
		if values.Del(name); value != nil {
			values.Set(name, fmt.Sprint(value))
		}
		if len(p.body) == 0 {
			v.query = values.Encode()
		} else {
			v.body = []byte(values.Encode())
		}
		return v
	}
	root := map[string]any{}
	_ = json.Unmarshal(p.body, &root) // the body of an example, or none
	steps, inside := strings.Split(name, "."), root
	for _, step := range steps[:len(steps)-1] {
		next, ok := inside[step].(map[string]any)
		if !ok {
			next = map[string]any{}
			inside[step] = next
		}
		inside = next
	}
	if inside[steps[len(steps)-1]] = value; value == nil {
		delete(inside, steps[len(steps)-1])
	}
	v.body, _ = json.Marshal(root)
	v.header.Set("Content-Type", "application/json")
	return v
}

func (p *prober) without(name string) variant {
	v := p.change(name, nil)
	v.name = "without " + name
	return v
}

// mistyped gives a parameter a value that its type does not have; ok is false where there is none, as for text in a
// form.
func (p *prober) mistyped(name, kind string) (v variant, ok bool) {
	var value any = "x"
	switch {
	case kind == "any", !p.isJSON() && kind == "string":
		return v, false
	case kind == "string":
		value = []any{map[string]any{"$ne": ""}}
	}
	v = p.change(name, value)
	v.name = fmt.Sprintf("%s as %v", name, value)
	return v, true
}

// credential finds what a request presents, and in which header.
func (p *prober) credential(h http.Header) (place, value string) {
	places := []string{"Authorization", "X-Api-Key", "Cookie"}
	for _, source := range p.file.Credentials {
		if name, ok := strings.CutPrefix(source, "header "); ok {
			places = append(places, name)
		}
	}
	for _, place := range places {
		if whole := h.Get(place); whole != "" {
			return place, whole[strings.LastIndexAny(whole, " =")+1:]
		}
	}
	return "", ""
}

// with gives the plain request with another credential; "" takes it away.
func (p *prober) with(name, credential string) variant {
	v := p.variant("with " + name)
	place, old := p.credential(v.header)
	if credential == "" {
		v.header.Del(place)
	} else {
		v.header.Set(place, strings.Replace(v.header.Get(place), old, credential, 1))
	}
	return v
}

// credentials takes away what the plain request presents, if anything, and puts other things in its place.
func (p *prober) credentials() {
	place, good := p.credential(p.plain.Header)
	if place == "" {
		return
	}
	p.refuse(p.with("no credential", ""))
	unfit := p.other.Refresh // of another person, and of a kind that is not asked for
	if strings.HasPrefix(good, "rt1.") {
		unfit = p.other.Access
	}
	for _, garbage := range []string{"garbage", "eyJhbGciOiJub25lIn0.e30.", "st1.garbage", good[:len(good)-2], good +
		"x", unfit} {
		p.refuse(p.with("garbage "+garbage, garbage))
	}
	if strings.HasPrefix(strings.TrimSpace(p.route.Document), "mutation") {
		p.refuse(p.with("an API key", p.key))
	}
	twice := p.variant("with two credentials")
	if second := twice.header.Get(place); place == "Cookie" { // which may stand twice, with the same value
		twice.header.Set(place, second+"; "+strings.Replace(second, good, p.other.Refresh, 1))
	} else {
		twice.header.Add(place, second)
	}
	p.refuse(twice)
	after := 25 * time.Hour // an access token lives 24 hours at most
	if !strings.HasPrefix(good, "eyJ") {
		after = 2 * 8760 * time.Hour
	}
	p.Clock.Add(after)
	p.refuse(p.variant("expired"))
	p.Clock.Add(-after)
}

// formed demands that a refusal has a form that the file gives: the type, and for JSON the names.
func (p *prober) formed(r harness.Reply) {
	p.t.Helper()
	text, empty, bodies := false, false, []any{}
	rows := []any{map[string]any{"body": p.file.Errors["body"]}, map[string]any{"body": p.route.Errors["body"]}}
	for _, table := range []map[string]any{p.file.Errors, p.route.Errors} {
		for code, row := range table {
			if code != "body" {
				rows = append(rows, row)
			}
		}
	}
	for _, more := range slices.Concat(p.route.Checks, p.route.Outcomes) {
		rows = append(rows, more)
	}
	for _, row := range rows {
		row, _ := row.(map[string]any)
		text = text || row["text"] != nil
		empty = empty || row["empty"] == true
		bodies = append(bodies, row["body"])
	}
	switch kind := r.Header.Get("Content-Type"); {
	case kind == "text/plain; charset=utf-8" && text, kind == "" && r.Body == "" && empty:
	case kind == p.file.ContentType && slices.ContainsFunc(bodies,
		func(body any) bool { return sameNames(body, r.Body) }):
	default:
		p.t.Errorf("%s: %d %q %.300s is no form of the dialect", r.Asked, r.Status, kind, r.Body)
	}
}

// sameNames tells whether an answer can come from a body of the file.
func sameNames(body any, answer string) bool {
	var got any
	if json.Unmarshal([]byte(answer), &got) != nil || body == nil {
		return false
	}
	want, isObject := body.(map[string]any)
	object, gotObject := got.(map[string]any)
	if !isObject || !gotObject {
		_, isText := body.(string) // an expression can give anything
		return isText
	}
	want = maps.Clone(want)
	for name, value := range want { // what an expression may leave out
		if text, _ := value.(string); object[name] == nil && strings.HasSuffix(text, "// empty") {
			delete(want, name)
		}
	}
	return slices.Equal(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(object)))
}
