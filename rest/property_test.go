package rest

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// jsonValue draws a value of a request or a result.
func jsonValue(number *rapid.Generator[any]) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }), number,
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom([]string{"", "</script>", "\u2028", `"\`, "\x1f\x7f", "é😀"}),
			func(s string) any { return s }),
	)
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf,
			rapid.Map(rapid.SliceOfN(value(depth-1), 0, 4), func(l []any) any {
				if l == nil {
					l = []any{}
				}
				return l
			}),
			rapid.Map(rapid.MapOfN(rapid.String(), value(depth-1), 0, 4), func(m map[string]any) any { return m }))
	}
	return value(3)
}

// ordered draws the value of a tree: ordered objects and lists with values of jq in them.
func ordered(inner *rapid.Generator[any]) *rapid.Generator[any] {
	objects := func(inner *rapid.Generator[any]) *rapid.Generator[any] {
		return rapid.Map(rapid.MapOfN(rapid.String(), inner, 0, 4), func(m map[string]any) any {
			o := object{}
			for key, value := range m {
				o = append(o, pair{key, value})
			}
			return o
		})
	}
	lists := rapid.Map(rapid.SliceOfN(rapid.OneOf(inner, objects(inner)), 0, 3),
		func(l []any) any { return append([]any{}, l...) })
	return rapid.OneOf(inner, objects(rapid.OneOf(inner, lists, objects(inner))), lists)
}

var resultNumber = rapid.OneOf(
	rapid.Map(rapid.Int(), func(n int) any { return n }),
	rapid.Map(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), func(f float64) any { return f }),
)

// encode writes valid JSON that decodes to the same value.
func TestEncode(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := ordered(jsonValue(resultNumber)).Draw(t, "value")
		text, err := encode(value)
		if err != nil || !stdjson.Valid(text) || !utf8.Valid(text) {
			t.Fatalf("%q %v", text, err)
		}
		want, err := stdjson.Marshal(plain(value))
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := errors.Join(stdjson.Unmarshal(text, &a), stdjson.Unmarshal(want, &b)); err != nil ||
			!reflect.DeepEqual(a, b) {
			t.Fatalf("%s, want %s (%v)", text, want, err)
		}
	})
}

// encode keeps the order of ordered objects, and adds no white space.
func TestEncode_Order(t *testing.T) {
	t.Parallel()
	value := object{
		{"z", 1},
		{"a", object{{"y", nil}, {"b", []any{object{}, []any{}, "<&>é"}}}},
		{"", 1.5},
		{"m", map[string]any{"d": 1, "c": 2}},
	}
	const want = `{"z":1,"a":{"y":null,"b":[{},[],"<&>é"]},"":1.5,"m":{"c":2,"d":1}}`
	if text, err := encode(value); err != nil || string(text) != want {
		t.Errorf("%s, want %s (%v)", text, want, err)
	}
}

// anyRoute draws a route with fields.
func anyRoute(t *rapid.T) *route {
	r := &route{params: map[string]string{}}
	name := rapid.SampledFrom([]string{"a", "A", "b", "data", "n"})
	for _, path := range rapid.SliceOfN(rapid.SliceOfN(name, 1, 3), 0, 5).Draw(t, "fields") {
		r.fields = append(r.fields, &field{
			path: path, kind: rapid.SampledFrom(fieldKinds).Draw(t, "kind"), required: rapid.Bool().Draw(t, "required"),
		})
	}
	return r
}

// HT-11, HT-12: reading any body gives parameters that fit the fields, or an error.
func TestHT11_ReadAnything(t *testing.T) {
	t.Parallel()
	texts := rapid.OneOf(rapid.String(), rapid.StringMatching(`(([abnAB]|data)=[-.0-9a-z%+]{0,6}&?){0,4}`),
		rapid.StringMatching(`\{("([abnA]|data)":(1|-0|1\.5|1e3|"x"|null|true|\[\]|\{\}|\{"a":("y"|2)\}),?){0,3}\}?`))
	rapid.Check(t, func(t *rapid.T) {
		r, text := anyRoute(t), texts.Draw(t, "text")
		for _, textual := range []bool{true, false} {
			params, apiErr := parseJSON([]byte(text))
			if textual {
				params, apiErr = parseForm(text)
			}
			if (params == nil) == (apiErr == nil) {
				t.Fatalf("%q: %v and %v", text, params, apiErr)
			}
			if apiErr != nil || r.typed(params, textual) != nil || r.missing(params) != nil {
				continue
			}
			for _, f := range r.fields {
				value := f.parent(params)[f.path[len(f.path)-1]]
				if f.required && (value == nil || value == "") || value != nil && !fits(value, f.kind) {
					t.Fatalf("%q: %v is %v, which is not of type %s", text, f.path, value, f.kind)
				}
			}
			encoded, err := encode(params)
			if err != nil || !stdjson.Valid(encoded) {
				t.Fatalf("%q: its parameters come out as %s (%v)", text, encoded, err)
			}
		}
	})
}

// Once typed has accepted the parameters, an expression can read a nested field. A text in the place of an object is an
// error of the caller, and never a 500.
func TestTyped_StepsAreObjects(t *testing.T) {
	t.Parallel()
	r := &route{
		params: map[string]string{},
		fields: []*field{{path: []string{"data", "attributes", "email"}, kind: "string"}},
	}
	e, err := compile(&node{}, ".data.attributes.email")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{}`, `{"data":null}`, `{"data":{}}`, `{"data":{"attributes":null}}`, `{"data":{"attributes":{"email":"x"}}}`,
		`{"data":1}`, `{"data":"x"}`, `{"data":[]}`, `{"data":[{"attributes":{}}]}`, `{"data":true}`,
		`{"data":{"attributes":"x"}}`, `{"data":{"attributes":[1]}}`,
	} {
		params, apiErr := parseJSON([]byte(text))
		if apiErr != nil {
			t.Fatal(text, apiErr)
		}
		if r.typed(params, false) != nil {
			continue
		}
		if _, _, err := e.first(scope{ctx: context.Background(), dot: params}); err != nil {
			t.Errorf("%s passes, and then %v", text, err)
		}
	}
}

// HT-11: the objects that hold a field have declared names too, and another spelling of them is rejected.
func TestHT11_CaseOfSteps(t *testing.T) {
	t.Parallel()
	r := &route{params: map[string]string{}, fields: []*field{{path: []string{"data", "email"}, kind: "string"}}}
	for text, fine := range map[string]bool{
		`{"data":{"email":"x"}}`:                 true,
		`{"data":{"email":"x","other":1}}`:       true,
		`{"data":{"email":"x","Email":"y"}}`:     false,
		`{"data":{"EMAIL":"y"}}`:                 false,
		`{"data":{"email":"x"},"Data":{}}`:       false,
		`{"DATA":{"email":"x"}}`:                 false,
		`{"data":{"email":"x","e\u006dail2":1}}`: true,
	} {
		params, apiErr := parseJSON([]byte(text))
		if apiErr == nil {
			apiErr = r.typed(params, false)
		}
		if (apiErr == nil) != fine {
			t.Errorf("%s: %+v", text, apiErr)
		}
	}
	other := &route{params: map[string]string{}, fields: []*field{
		{path: []string{"email"}, kind: "string"},
		{path: []string{"EMAIL"}, kind: "string"},
	}}
	if apiErr := other.typed(map[string]any{"email": "x", "EMAIL": "y"}, false); apiErr != nil {
		t.Errorf("two fields that are both declared: %+v", apiErr)
	}
}

// Forms accept exactly the numbers of JSON.
func TestFromText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"0": true, "7": true, "-7": true, "1.5": true, "-0.5": true,
		"007": false, "1.": false, ".5": false, "-.5": false, "-": false, "--1": false, "1-1": false, "": false,
		"1e3": false, "0x1": false,
		"+1": false, " 1": false, "1 ": false, "Infinity": false, "NaN": false, "١": false,
	} {
		value := fromText(text, "number")
		if number, ok := value.(stdjson.Number); ok != want || ok && !stdjson.Valid([]byte(number)) {
			t.Errorf("%q is %T %v", text, value, value)
		}
	}
	for text, want := range map[string]any{
		"true": true, "1": true, "on": true, "false": false, "0": false,
		"off": false, "yes": "yes", "TRUE": "TRUE", "": "",
	} {
		if got := fromText(text, "boolean"); got != want {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// merge merges objects and joins lists. For other values the second one wins.
func TestMerge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ into, value, want string }{
		{`null`, `{"a":["x"]}`, `{"a":["x"]}`},
		{`{"a":["x"]}`, `{"a":["y"],"b":["z"]}`, `{"a":["x","y"],"b":["z"]}`},
		{`{"a":{"b":["x"]}}`, `{"a":{"b":["y"],"c":1}}`, `{"a":{"b":["x","y"],"c":1}}`},
		{`["x"]`, `["y"]`, `["x","y"]`},
		{`"x"`, `"y"`, `"y"`},
		{`["x"]`, `{"a":1}`, `{"a":1}`},
	} {
		var into, value any
		if err := errors.Join(stdjson.Unmarshal([]byte(c.into), &into),
			stdjson.Unmarshal([]byte(c.value), &value)); err != nil {
			t.Fatal(err)
		}
		got, err := encode(merge(into, value))
		if err != nil || string(got) != c.want {
			t.Errorf("%s and %s: %s, want %s (%v)", c.into, c.value, got, c.want, err)
		}
	}
}

// The findings of one request are not there in the next one. jq returns the same object each time for an object
// literal, so findings must be copies.
func TestFindAll_ForgetsRequests(t *testing.T) {
	t.Parallel()
	d := mustParse(t, strings.Replace(shelf, "    status: 204\n", `    status: 204
    checks:
      - all:
          - {when: '1 == 1', add: '={a: ["x"]}'}
          - {when: .params.b, add: '={b: ["y"]}'}
        body: =.found
`, 1))
	check := d.routes[1].checks[0]
	ask := func(b any) string {
		err := check.try(scope{ctx: context.Background(), dot: map[string]any{"params": map[string]any{"b": b}}})
		apiErr, ok := errors.AsType[*apiError](err)
		if !ok {
			t.Fatal(err)
		}
		text, err := encode(apiErr.found)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	first, both, last := ask(false), ask(true), ask(false)
	if first != `{"a":["x"]}` || both != `{"a":["x"],"b":["y"]}` || last != first {
		t.Errorf("%s, then %s, then %s", first, both, last)
	}
}

// AU-02: errors of jq quote values, which may be secrets. Our errors do not, because they are logged.
func TestAU02_ExpressionErrors(t *testing.T) {
	t.Parallel()
	const secret = "cAnArY-7731"
	dot := map[string]any{
		"s": secret,
		"o": map[string]any{secret: secret},
		"l": []any{secret},
		"n": stdjson.Number("1"),
	}
	failed := 0
	for _, source := range []string{
		".s | fromjson", ".s | tonumber", ".s | @base64d", ".s | @base32d", ".s.x", ".s[0:1].x", ".s + 1", "1 - .s",
		".s * .o", ".s / 1", ".s % 1",
		"{(.o): 1}", ".l | implode", ".s | fromdate", ".s | strptime(.s)", `.s | test("(")`, `"a" | test(.s + "(")`,
		`"a" | test("a"; .s)`, ".s | error", "error(.o)", ".s | halt_error",
		".o | has(1)", ".l | has(.s)", ".s | keys", ".s | join(.s)", ".l[.s]", ".o[0]", ".s | splits(.o)",
		".s | ltrimstr(1) | .x", ".l | @csv | .x", "[.o] | @csv", "[.o] | @sh",
		`.s | @json | fromjson | .x`, ".s | seconds", ".s | epoch", ".s | mktime", ".s | todate", ".s | strftime(.s)",
		".l | tojson | tonumber", ".o | tostring | tonumber", ".s | ascii",
		".s | getpath([.s])", `.s | getpath(["a", "b"])`, ".s as [$x] | $x", ".s | limit(.s; 1)", ".s | range(.)",
		".s | .[1:.s]", ".s | sub(.s; 1)", `.s | sub("(?<x>.)"; .o)`, ".s | from_entries",
		".s | to_entries", ".s | flatten", ".l | flatten(.[0])", ".s | min_by(.x)", ".s | add",
		".s | tojson | tojson | fromjson | tonumber", "input_line_number", ".s | ltrimstr(.o) | tonumber",
		".s | split(1)", ".s | split(.s; .s)", ".s | pow(.; 2)", ".s | floor", ".s | sqrt", ".s | tojson | .[.o]",
		".s | not | .x", ".s | ascii_downcase | .x", ".o | ascii_downcase", ".s | explode | .x", ".l | transpose",
	} {
		e, err := compile(&node{file: "f.yaml", line: 3}, source)
		if err != nil {
			continue
		}
		_, _, err = e.first(scope{ctx: context.Background(), dot: dot})
		if err == nil {
			continue
		}
		failed++
		text := err.Error()
		if strings.Contains(text, secret) || strings.Contains(text, secret[:5]) ||
			!strings.HasPrefix(text, "f.yaml:3: an expression failed: ") {
			t.Errorf("%s: %s", source, text)
		}
	}
	if failed < 30 {
		t.Errorf("only %d failed", failed)
	}
}

// Expressions cannot read the environment of the server.
func TestExpressions_SeeNoEnvironment(t *testing.T) {
	t.Setenv("DRAGOMAN_SECRET", "cAnArY-7731")
	for _, source := range []string{"$ENV", "env", "$ENV.DRAGOMAN_SECRET", "env.PATH", "[$ENV, env] | tojson"} {
		e, err := compile(&node{}, source)
		if err != nil {
			continue
		}
		value, _, err := e.first(scope{ctx: context.Background()})
		if text, _ := encode(value); err != nil || strings.Contains(string(text), "PATH") ||
			strings.Contains(string(text), "cAnArY") {
			t.Errorf("%s: %s %v", source, text, err)
		}
	}
}

// Evaluating a tree on any data gives an error or a value that encodes.
func TestTree_Anything(t *testing.T) {
	t.Parallel()
	root, err := parseYAML("t.yaml", []byte(`
a: =.a
b: [=.b, {c: '=.c // empty'}, '=empty']
d: {=each: '.d', =item: {id: =., again: '=$request.a'}}
e: {f: '=.a.b.c?', g: "=[.. | numbers] | add", h: =$request.x.y}
i: =.
j: {k: =tojson}
`))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := compileTree(root)
	if err != nil {
		t.Fatal(err)
	}
	number := rapid.OneOf(resultNumber, rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,4})?`),
		func(s string) any { return stdjson.Number(s) }))
	rapid.Check(t, func(t *rapid.T) {
		dot := map[string]any{}
		for _, key := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), rapid.ID).Draw(t,
			"keys") {
			dot[key] = jsonValue(number).Draw(t, key)
		}
		ctx, cancel := bound(context.Background())
		defer cancel()
		value, _, err := tree.eval(scope{ctx: ctx, dot: dot, request: jsonValue(number).Draw(t, "request")})
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			return
		}
		if text, err := encode(value); err != nil || !stdjson.Valid(text) {
			t.Fatalf("%s %v", text, err)
		}
	})
}

// Every set of routes that is accepted is served: ServeMux does not panic, and a request reaches each route.
func TestOverlaps(t *testing.T) {
	t.Parallel()
	segment := rapid.SampledFrom([]string{"a", "b", "api", "{x}", "{y}"})
	mount := rapid.SampledFrom([]string{"/", "/a", "/api", "/a/b"})
	method := rapid.SampledFrom([]string{"GET", "POST", "DELETE"})
	rapid.Check(t, func(t *rapid.T) {
		var dialects []*Dialect
		for i := range rapid.IntRange(1, 3).Draw(t, "dialects") {
			var b strings.Builder
			mounts := rapid.SliceOfNDistinct(mount, 1, 2, rapid.ID).Draw(t, "mounts")
			fmt.Fprintf(&b, "dialect: d%d\ntitle: D\nmounts: [%s]\nerrors: {body: =.message}\nroutes:\n", i,
				strings.Join(mounts, ", "))
			for range rapid.IntRange(1, 4).Draw(t, "routes") {
				path := rapid.SliceOfN(segment, 1, 3).Draw(t, "path")
				for at := range path {
					path[at] = strings.Replace(path[at], "}", fmt.Sprint(at)+"}", 1)
				}
				fmt.Fprintf(&b, "  - {route: '%s /%s', accepts: [], body: 1, errors: {NOT_FOUND: {status: 404}}}\n",
					method.Draw(t, "method"), strings.Join(path, "/"))
			}
			d, err := Parse(fmt.Sprintf("d%d.yaml", i), []byte(b.String()))
			if err != nil {
				t.Fatalf("%v\n%s", err, b.String())
			}
			dialects = append(dialects, d)
		}
		e, err := engine(dialects...)
		if err != nil {
			if _, ok := errors.AsType[*Fault](err); !ok {
				t.Fatal(err)
			}
			return
		}
		for _, d := range dialects {
			for _, r := range d.routes {
				for _, prefix := range r.mounts {
					reach(t, e, r, strings.TrimSuffix(prefix, "/")+r.path)
				}
			}
		}
	})
}

// reach calls a route with parameters that no other route has as a segment.
func reach(t *rapid.T, e *Engine, r *route, path string) {
	target := parameter.ReplaceAllString(path, "zz")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(r.method, target, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%s %s: %d %s", r.method, target, w.Code, w.Body)
	}
}

// A path of one file is never answered by another file, whatever the method.
func TestOverlaps_Methods(t *testing.T) {
	t.Parallel()
	one := func(name, route string) *Dialect {
		d, err := Parse(name+".yaml", []byte("dialect: "+name+"\ntitle: D\nmounts: [/]\nerrors: {body: =.message, "+
			"NOT_FOUND: {status: 404}}\nroutes:\n  - {route: '"+route+"', accepts: [], body: "+name+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first, second := one("first", "GET /users/me"), one("second", "POST /users/{id}")
	e, err := engine(first, second)
	if err != nil {
		return // rejecting the files is fine too
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/users/me", nil))
	if w.Body.String() != `"second"` {
		t.Errorf("a route of one file hides one of another: %d %s", w.Code, w.Body)
	}
}

// Parse does not panic on any text.
func FuzzParse(f *testing.F) {
	f.Add(shelf)
	for _, s := range []string{
		"a: &x [*x]", "? a\n: b", "<<: 1", "- - - 1", "a: !!x y", "%YAML 1.2\n---\na",
		"{a: {b: [}", "a: |\n  x\n y", "'", "\ufeff", "a: *", "&a", "a:\n\t b",
	} {
		f.Add(s)
		f.Add(shelf + s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		d, err := Parse("f.yaml", []byte(text))
		lines := 1 + strings.Count(text, "\n")
		if fault, ok := errors.AsType[*Fault](err); err != nil &&
			(!ok || fault.Mend == "" || fault.Reason == "" || fault.Line < 0 || fault.Line > lines) {
			t.Fatalf("%q: %v", text, err)
		}
		if err == nil {
			if _, err := engine(d); err != nil && strings.Contains(err.Error(), "a panic") {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}

// knownCodes is sorted, so messages that list the codes are the same each time.
func TestMessagesAreStable(t *testing.T) {
	t.Parallel()
	text := strings.Replace(shelf, "    status: 204\n",
		"    status: 204\n    outcomes:\n      - {when: .a, error: GONE}\n", 1)
	var seen []string
	for range 8 {
		_, err := load("shelf.yaml", text)
		if err == nil {
			t.Fatal("it is accepted")
		}
		seen = append(seen, err.Error())
	}
	if slices.Sort(seen); seen[0] != seen[len(seen)-1] {
		t.Errorf("%s\nor\n%s", seen[0], seen[len(seen)-1])
	}
}

// The shortcut for plain paths gives the same as jq.
func TestPlainPaths(t *testing.T) {
	t.Parallel()
	dot := map[string]any{
		"a":   map[string]any{"b": map[string]any{"c": 1, "n": nil}, "t": "x"},
		"l":   []any{1},
		"_x1": true,
	}
	for _, text := range []string{
		".a", ".a.b", ".a.b.c", ".a.b.n", ".a.b.n.m", ".a.none.c", ".a.t.c", ".l.a", "._x1",
		".none", " .a.b.c ", ".a.b.c.d",
	} {
		e, err := compile(&node{file: "f.yaml", line: 3}, text)
		if err != nil {
			t.Fatal(err)
		}
		slow := &expr{at: e.at, text: e.text, code: e.code}
		s := scope{ctx: context.Background(), dot: dot}
		got, _, gotErr := e.first(s)
		want, _, wantErr := slow.first(s)
		if e.path == nil || !reflect.DeepEqual(got, want) || (gotErr == nil) != (wantErr == nil) {
			t.Errorf("%s: %v, %v; jq says %v, %v", text, got, gotErr, want, wantErr)
		}
	}
	for _, text := range []string{".", "..", ".a[]", ".a?", ".a | .b", `."a"`, ".a.b, .a", "$request.a", ".a-b"} {
		if plainPath.MatchString(text) {
			t.Errorf("%q counts as a plain path", text)
		}
	}
}
