package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake gives every request the same answer, and records the requests.
type fake struct {
	mu      sync.Mutex
	asked   []string
	waited  time.Duration
	stopped int

	status int
	header http.Header
	body   string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method+" "+r.RequestURI)
	for name, values := range f.header {
		w.Header()[name] = values
	}
	w.WriteHeader(f.status)
	_, _ = w.Write([]byte(f.body))
}

// result is the outcome of one example: Err is nil if it passed.
type result struct {
	*Example
	Err error
}

// run runs the examples of a dialect against the fake.
func (f *fake) run(t *testing.T, text string) (results []result) {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	d := mustParse(t, text)
	for _, e := range d.Examples() {
		results = append(results, result{e, d.Run(context.Background(), e, func(map[string]string) (*Server, error) {
			return &Server{
				URL:  server.URL,
				Wait: func(d time.Duration) { f.waited += d },
				Stop: func() { f.stopped++ },
			}, nil
		})})
	}
	return results
}

// example returns the shelf with one example of GET /me.
func example(answer string) string {
	answer = strings.ReplaceAll(strings.TrimSpace(answer), "\n", "\n          ")
	return strings.Replace(shelf, "    body: {id: =.me.id}\n", "    body: {id: =.me.id}\n    examples:\n      - "+
		"title: shows me\n        answer:\n          "+answer+"\n", 1)
}

// An example passes only with the answer that it shows. The error names every difference.
func TestRun_Honest(t *testing.T) {
	t.Parallel()
	const want = `
status: 200
headers: {X-A: a}
json: {id: user_1, n: 1, f: 1.5, yes: true, none: null, at: "2022-03-04T17:20:33Z", list: [{id: 1}, {id: 2}], deep: ` +
		`{a: {b: c}}}
varies: [id, at, "list[].id", header X-Request-Id]
`
	const good = `{"id":"user_77","n":1,"f":1.5,"yes":true,"none":null,"at":"2026-11-22T01:02:03Z","list":[{"id":8},` +
		`{"id":9}],"deep":{"a":{"b":"c"}}}`
	headers := http.Header{"X-A": {"a"}, "Content-Type": {"application/json"}}
	for _, c := range []struct {
		name, old, new string
		status         int
		header         http.Header
		says           string // part of the error, "" if the example passes
	}{
		{"as it is", "", "", 200, headers, ""},
		{"spaces and another order", `{"id":"user_77","n":1,`, ` {"n": 1, "id":"user_77",`, 200, headers, ""},
		{"another status", "", "", 201, headers, "status 201, want 200"},
		{"another value of a header", "", "", 200, http.Header{"X-A": {"b"}}, `header X-A: "b", want "a"`},
		{"no header", "", "", 200, http.Header{}, `header X-A: "", want "a"`},
		{"another text", `"c"`, `"d"`, 200, headers, "deep.a.b: d, want c"},
		{"another number", `"n":1`, `"n":2`, 200, headers, "n: 2, want 1"},
		{"another fraction", `1.5`, `1.25`, 200, headers, "f: 1.25, want 1.5"},
		{"a number as text", `"n":1`, `"n":"1"`, 200, headers, "n: 1, want 1"},
		{"a truth that is none", `true`, `false`, 200, headers, "yes: false, want true"},
		{"a truth as text", `true`, `"true"`, 200, headers, "yes: true, want true"},
		{"something for null", `null`, `""`, 200, headers, "none: , want <nil>"},
		{"null for something", `"n":1`, `"n":null`, 200, headers, "n: <nil>, want 1"},
		{"a member is missing", `"n":1,`, ``, 200, headers, "n is missing"},
		{"a member that may be null is missing", `"none":null,`, ``, 200, headers, "none is missing"},
		{"a member that varies is missing", `"id":"user_77",`, ``, 200, headers, "id is missing"},
		{
			"a member too many", `"n":1`, `"n":1,"password_digest":"x"`, 200, headers,
			"password_digest is not in the example",
		},
		{"a member too many, deep", `"b":"c"`, `"b":"c","x":1`, 200, headers, "deep.a.x is not in the example"},
		{"an object for a text", `"c"`, `{}`, 200, headers, "deep.a.b"},
		{"a text for an object", `{"b":"c"}`, `"c"`, 200, headers, "deep.a: it is a text, want an object"},
		{"a list for an object", `{"b":"c"}`, `["c"]`, 200, headers, "deep.a: it is a list, want an object"},
		{"an item too few", `,{"id":9}`, ``, 200, headers, "list: it is not a list of 2"},
		{"an item too many", `{"id":9}`, `{"id":9},{"id":10}`, 200, headers, "list: it is not a list of 2"},
		{"an object for a list", `[{"id":8},{"id":9}]`, `{"0":1}`, 200, headers, "list: it is not a list of 2"},
		{"what varies is of another type", `"user_77"`, `77`, 200, headers, "id: it is a number, want a text"},
		{"what varies is null", `"user_77"`, `null`, 200, headers, "id: it is null, want a text"},
		{
			"what varies in a list is of another type", `{"id":9}`, `{"id":"9"}`, 200, headers,
			"list[1].id: it is a text, want a number",
		},
		{"a timestamp with milliseconds", `03Z`, `03.123Z`, 200, headers, "at: it is a timestamp"},
		{"a timestamp with an offset", `03Z`, `03+00:00`, 200, headers, "at: it is a timestamp"},
		{
			"a timestamp in words", `2026-11-22T01:02:03Z`, `22 November`, 200, headers,
			"at: it is a text, want a timestamp",
		},
		{
			"a timestamp as a number", `"2026-11-22T01:02:03Z"`, `1700000000`, 200, headers,
			"at: it is a number, want a timestamp",
		},
		{"a timestamp with a space", `22T01`, `22 01`, 200, headers, "at: it is a text, want a timestamp"},
		{"no JSON", `}}}`, `}}`, 200, headers, "the answer is not JSON"},
		{"two values", `}}}`, `}}} {}`, 200, headers, "the answer is not JSON"},
		{"a member twice", `"n":1`, `"n":2,"n":1`, 200, headers, "n"},
		{"nothing", good, ``, 200, headers, "the answer is not JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{status: c.status, header: c.header, body: strings.Replace(good, c.old, c.new, 1)}
			if c.old != "" && !strings.Contains(good, c.old) {
				t.Fatalf("%q is not in the answer", c.old)
			}
			results := f.run(t, example(want))
			if len(results) != 1 || results[0].Call != "GET /me" || results[0].Title != "shows me" ||
				results[0].Line() == 0 || f.stopped != 1 {
				t.Fatalf("%+v, stopped %d times", results, f.stopped)
			}
			err := results[0].Err
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v, want %q", err, c.says)
			}
		})
	}
}

// Examples can expect a text, a JSON scalar or no body.
func TestRun_Texts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want, body string
		status           int
		fine             bool
	}{
		{"empty as it should", "status: 204", "", 204, true},
		{"a body where none should be", "status: 200", "x", 200, false},
		{"a text", "text: \"hello\\n\"", "hello\n", 200, true},
		{"a text with less", "text: \"hello\\n\"", "hello", 200, false},
		{"no text", "text: hello", "", 200, false},
		{"an empty text", "text: \"\"", "", 200, true},
		{"the JSON null", "json: null", "null", 200, true},
		{"nothing for the JSON null", "json: null", "", 200, false},
		{"a scalar", "json: 1", "1", 200, true},
		{"an empty list", "json: []", "[]", 200, true},
		{"an object for an empty list", "json: []", "{}", 200, false},
		{"null for an empty list", "json: []", "null", 200, false},
		{"an empty object", "json: {}", "{}", 200, true},
		{"a list for an empty object", "json: {}", "[]", 200, false},
		{"the plain status is 200", "json: {}", "{}", 201, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{status: c.status, body: c.body}
			if results := f.run(t, example(c.want)); len(results) != 1 || (results[0].Err == nil) != c.fine {
				t.Errorf("%+v", results)
			}
		})
	}
}

// An example of a route with two methods runs once for each method.
func TestRun_EachMethod(t *testing.T) {
	t.Parallel()
	text := strings.Replace(shelf, "  - route: POST /loans/{number}/end\n",
		"  - route: PUT, PATCH /loans/{number}/end\n", 1)
	text = strings.Replace(text, "    status: 204\n", `    status: 204
    examples:
      - title: ends
        params: {number: 7}
        answer: {status: 204}
`, 1)
	f := &fake{status: 204}
	results := f.run(t, text)
	if len(results) != 2 || strings.Join(f.asked, ", ") != "PUT /shelf/loans/7/end, PATCH /shelf/loans/7/end" {
		t.Errorf("%+v\nit asked %v", results, f.asked)
	}
}

// Each fixture runs once, before the example, and its captured values are available afterwards.
func TestRun_Fixtures(t *testing.T) {
	t.Parallel()
	text := strings.Replace(shelf, "fixtures: {}", `fixtures:
  one:
    call: GET /me
    keep: {id: =.id, token: '=$request.headers["x-token"]'}
  time: {wait: 2h}
  two:
    given: [one, time]
    call: POST /loans/{number}/end
    params: {number: "{id}"}`, 1)
	text = strings.Replace(text, "    status: 204\n", `    status: 204
    examples:
      - title: ends
        given: [two, one, time]
        params: {number: "{id}"}
        headers: {X-Token: "{token}"}
        answer: {json: {id: "{id}"}}
`, 1)
	f := &fake{status: 200, header: http.Header{"X-Token": {"secret"}}, body: `{"id":"7 8"}`}
	results := f.run(t, text)
	if len(results) != 1 || results[0].Err != nil || f.waited != 2*time.Hour ||
		strings.Join(f.asked, ", ") != "GET /shelf/me, POST /shelf/loans/7%208/end, POST /shelf/loans/7%208/end" {
		t.Errorf("%+v\nwaited %v, asked %v", results, f.waited, f.asked)
	}
	f = &fake{status: 401, body: `{"id":"7"}`}
	if results = f.run(t, text); results[0].Err == nil ||
		!strings.Contains(results[0].Err.Error(), "the fixture one: status 401") {
		t.Errorf("a fixture that fails: %+v", results)
	}
	f = &fake{status: 200, body: `{"id":"7"}`}
	if results = f.run(t, text); results[0].Err == nil ||
		!strings.Contains(results[0].Err.Error(), "keep: token finds nothing") {
		t.Errorf("a fixture without what is to be kept: %+v", results)
	}
}

// A fixture that keeps something without a call is rejected, and does not crash.
func TestRun_KeepOfNothing(t *testing.T) {
	t.Parallel()
	text := strings.Replace(shelf, "fixtures: {}", "fixtures:\n  time: {wait: 2h, keep: {id: =.id}}", 1)
	text = strings.Replace(text, "    status: 204\n", `    status: 204
    examples:
      - {title: ends, given: [time], params: {number: 7}, answer: {status: 204}}
`, 1)
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("a panic: %v", p)
		}
	}()
	d, err := load("shelf.yaml", text)
	if err != nil {
		return // rejecting the file is fine too
	}
	server := httptest.NewServer(&fake{status: 204})
	defer server.Close()
	err = d.Run(context.Background(), d.Examples()[0], func(map[string]string) (*Server, error) {
		return &Server{URL: server.URL, Wait: func(time.Duration) {}, Stop: func() {}}, nil
	})
	if err == nil {
		t.Error("it is accepted")
	}
}
