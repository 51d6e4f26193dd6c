package docs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/itchyny/gojq"
	"golang.org/x/net/html"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// parsed fetches a page.
func parsed(t *testing.T, url string) *html.Node {
	t.Helper()
	res, body := harness.Fetched(t, "GET", url, "", "")
	if res.StatusCode != 200 {
		t.Fatalf("%s: %d", url, res.StatusCode)
	}
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// all finds the elements of a class, from the top to the bottom; "" for any.
func all(root *html.Node, element, class string) (found []*html.Node) {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == element &&
			(class == "" || slices.Contains(strings.Fields(attr(n, "class")), class)) {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// words is the text of an element.
func words(n *html.Node) string {
	var b strings.Builder
	for inner := range n.Descendants() {
		if inner.Type == html.TextNode {
			b.WriteString(inner.Data)
		}
	}
	return b.String()
}

// TestDocs_Hostile shows a file whose every text is a script: all of it arrives as text.
func TestDocs_Hostile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const evil = `"<script>alert(1)</script><img src=x onerror=alert(2)>'\"&{{.}}"`
	file := `dialect: evil-api
title: ` + evil + `
about: ` + evil + `
successor: "/a'%22b(c)"
mounts: [/evil]
errors:
  body: {e: =.message, raw: ` + evil + `}
  BAD_USER_INPUT: {status: 400, message: ` + evil + `}
fixtures:
  ` + evil + `: {call: POST /x, json: {a: b}, keep: {token: '=.e? // "<script>alert(3)</script>"'}}
routes:
  - route: POST /x
    title: ` + evil + `
    about: ` + evil + `
    accepts: [json]
    fields: {a: string!}
    document: |
      query X { __typename } # <script>alert(4)</script>
    status: 200
    body: {x: ` + evil + `}
    examples:
      - title: ` + evil + `
        headers: {X-Evil: ` + evil + `}
        json: {a: ` + evil + `}
        answer: {json: {x: ` + evil + `}}
      - title: t
        raw: ` + evil + `
        headers: {Content-Type: ` + evil + `}
        answer: {status: 415, text: ` + evil + `}
`
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+dir, "DRAGOMAN_DIALECTS=evil-api")
	for _, path := range []string{"/docs", "/docs/evil-api", "/docs/graphql"} {
		page := parsed(t, s.URL+path)
		for _, script := range all(page, "script", "") {
			if src := attr(script, "src"); words(script) != "" || !strings.HasPrefix(src, "/docs/_/") &&
				!strings.HasPrefix(src, "/_/") {
				t.Errorf("%s: the script %q %q", path, src, words(script))
			}
		}
		for n := range page.Descendants() {
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || strings.Contains(a.Key, "<") || a.Key == "style" {
					t.Errorf("%s: <%s %s=%q>", path, n.Data, a.Key, a.Val)
				}
			}
		}
		if path != "/docs/graphql" && !strings.Contains(words(page), `<script>alert(1)</script><img src=x `+
			`onerror=alert(2)>'"&{{.}}`) {
			t.Errorf("%s: the title does not stand there as it is", path)
		}
	}
	openAPIOf(t, s, "evil-api")
}

// openAPIOf reads the OpenAPI document of a dialect and holds it against the specification.
func openAPIOf(t *testing.T, s *harness.Instance, name string) *openapi3.T {
	t.Helper()
	res, body := harness.Fetched(t, "GET", s.URL+"/docs/"+name+"/openapi.json", "", "")
	if res.StatusCode != 200 {
		t.Fatalf("%s: %d", name, res.StatusCode)
	}
	doc := parsedOpenAPI(t, body)
	if err := doc.Validate(t.Context()); err != nil || !doc.IsOpenAPI31OrLater() || doc.OpenAPI != "3.1.0" {
		t.Errorf("%s, OpenAPI %s: %v", name, doc.OpenAPI, err)
	}
	return doc
}

// Every dialect has a valid OpenAPI document, with every route at every mount, each of its examples, each code that it
// can end with, and one name for each operation that is the same each time.
func TestDocs_OpenAPI(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	again := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	for _, d := range harness.AllDialects(t) {
		doc := openAPIOf(t, s, d.Name)
		_, one := harness.Fetched(t, "GET", s.URL+"/docs/"+d.Name+"/openapi.json", "", "")
		_, other := harness.Fetched(t, "GET", again.URL+"/docs/"+d.Name+"/openapi.json", "", "")
		if one != strings.ReplaceAll(other, again.URL, s.URL) {
			t.Errorf("%s: another start gives another document", d.Name)
		}
		if doc.Info.Title != d.Title || len(doc.Servers) != 1 || doc.Servers[0].URL != s.URL ||
			len(doc.Components.SecuritySchemes) == 0 {
			t.Errorf("%s: %+v %+v", d.Name, doc.Info, doc.Servers)
		}
		ids := map[string]bool{}
		operations := 0
		for _, item := range doc.Paths.Map() {
			for _, op := range item.Operations() {
				operations++
				if op.OperationID == "" || ids[op.OperationID] || len(op.Tags) != 1 {
					t.Errorf("%s: the operation %q", d.Name, op.OperationID)
				}
				ids[op.OperationID] = true
			}
		}
		if want := len(d.Calls()); operations != want || want < d.Routes() {
			t.Errorf("%s: %d operations, want %d", d.Name, operations, want)
		}
		for _, e := range d.Examples() {
			for _, mount := range mountsOf(d, e.Call) {
				op := operationAt(doc, mount, e.Call)
				if op == nil {
					t.Errorf("%s has no %s at %s", d.Name, e.Call, mount)
					continue
				}
				answer := op.Responses.Value(strconv.Itoa(e.Want.Status))
				if answer == nil {
					t.Errorf("%s: %s: %s: no answer %d", d.Name, e.Call, e.Title, e.Want.Status)
					continue
				}
				shown := !e.Want.HasJSON && e.Want.Text == nil
				for _, media := range answer.Value.Content {
					for _, example := range media.Examples {
						shown = shown || example.Value.Summary == e.Title
					}
				}
				if !shown {
					t.Errorf("%s: %s: %s: the example is not there", d.Name, e.Call, e.Title)
				}
				if e.Want.Status == 401 && len(op.Responses.Value("401").Value.Content) == 0 {
					t.Errorf("%s: %s: 401 without a body", d.Name, e.Call)
				}
			}
		}
	}
}

func parsedOpenAPI(t *testing.T, text string) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func operationAt(doc *openapi3.T, mount, call string) *openapi3.Operation {
	method, path, _ := strings.Cut(call, " ")
	item := doc.Paths.Value(strings.TrimSuffix(mount, "/") + path)
	if item == nil {
		return nil
	}
	return item.GetOperation(method)
}

// What a file says of its end stands on the page and in the document.
func TestDocs_Sunset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, err := os.ReadFile(filepath.Join(harness.TutorialFiles, "library-card.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(file), "\nmounts: [/desk]", "\ndeprecated: 2026-11-01\nsunset: "+
		"2027-06-30\nsuccessor: /graphql\nmounts: [/desk, /api/desk]", 1)
	text = strings.Replace(text, "  - route: POST /Close\n", "  - route: POST /Close\n    sunset: 2027-01-31\n", 1)
	if err := os.WriteFile(filepath.Join(dir, "library-card.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+dir)
	var notices []string
	for _, n := range all(parsed(t, s.URL+"/docs/library-card"), "p", "notice") {
		notices = append(notices, strings.Join(strings.Fields(words(n)), " "))
	}
	want := []string{
		"Ends on 30 June 2027. Deprecated since 1 November 2026. Use /graphql instead.",
		"Ends on 31 January 2027. Deprecated since 1 November 2026. Use /graphql instead.",
	}
	if !slices.Equal(notices, want) {
		t.Errorf("the page says %q", notices)
	}
	if _, body := harness.Fetched(t, "GET", s.URL+"/docs", "", ""); !strings.Contains(body, "ends 30 June 2027") {
		t.Error("the start says nothing of the end")
	}
	doc := openAPIOf(t, s, "library-card")
	for call, day := range map[string]string{"POST /Close": "2027-01-31", "GET /Card": "2027-06-30"} {
		for _, mount := range []string{"/desk", "/api/desk"} {
			op := operationAt(doc, mount, call)
			if !op.Deprecated || op.Extensions["x-sunset"] != day || op.Extensions["x-successor"] != "/graphql" {
				t.Errorf("%s at %s: %t %v", call, mount, op.Deprecated, op.Extensions)
			}
		}
	}
}

// shownExample is an example as the page has it.
type shownExample struct {
	commands []string   // of the steps before, "" for one that only waits, and its own last
	keeps    [][]string // name and where it comes from, by step
	status   int
}

func exampleOn(t *testing.T, page *html.Node, call, title string) shownExample {
	t.Helper()
	for _, route := range all(page, "article", "route") {
		head := all(route, "h3", "")[0]
		if words(all(head, "span", "method")[0])+" "+words(all(head, "span", "path")[0]) != call {
			continue
		}
		for _, e := range all(route, "details", "example") {
			summary := all(e, "summary", "")[0]
			status := words(all(summary, "span", "status")[0])
			if strings.TrimSpace(strings.TrimPrefix(words(summary), status)) != title {
				continue
			}
			out := shownExample{}
			out.status, _ = strconv.Atoi(status)
			own := all(e, "div", "command")
			for _, before := range all(e, "details", "before") {
				for _, step := range all(before, "li", "") {
					text, kept := "", []string{}
					for _, c := range all(step, "div", "command") {
						text, own = words(all(c, "code", "")[0]), own[1:]
					}
					for _, k := range all(step, "p", "keep") {
						codes := all(k, "code", "")
						from := words(codes[1])
						for _, place := range []string{"header", "cookie"} {
							if strings.Contains(words(k), "the "+place) {
								from = place + " " + from
							}
						}
						kept = append(kept, words(codes[0]), from)
					}
					out.commands, out.keeps = append(out.commands, text), append(out.keeps, kept)
				}
			}
			if len(own) != 1 {
				t.Fatalf("%s: %s: %d commands", call, title, len(own))
			}
			out.commands = append(out.commands, words(all(own[0], "code", "")[0]))
			return out
		}
	}
	t.Fatalf("the page has no %s: %s", call, title)
	return shownExample{}
}

// waits gives how long the clock stands on before each step of an example, in the order of the page.
func waits(d *rest.Dialect, e *rest.Example) []*rest.Step {
	var steps []*rest.Step
	seen := map[string]bool{}
	var given func(names []string)
	given = func(names []string) {
		for _, name := range names {
			if !seen[name] {
				seen[name] = true
				given(d.Fixtures[name].Given)
				steps = append(steps, d.Fixtures[name])
			}
		}
	}
	given(e.Given)
	if e.Wait > 0 {
		steps = append(steps, &rest.Step{Wait: e.Wait})
	}
	return steps
}

// TestDocs_Commands types every command of every example of every dialect: those of the steps before, with the values
// that the page says to keep in the variables that it names, and then its own. The answer has the status of the page,
// and is one that the OpenAPI document describes.
func TestDocs_Commands(t *testing.T) {
	t.Parallel()
	harness.NeedCurl(t)
	shared := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	for _, d := range harness.AllDialects(t) {
		_, text := harness.Fetched(t, "GET", shared.URL+"/docs/"+d.Name+"/openapi.json", "", "")
		document := parsedOpenAPI(t, text)
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			servers, pages := harness.SQLiteExampleServers(d.Name), map[*harness.ExampleServer]*html.Node{}
			for _, e := range d.Examples() {
				s := servers.For(t, e.Settings)
				if pages[s] == nil {
					pages[s] = parsed(t, s.URL+"/docs/"+d.Name)
				}
				t.Run(e.Call+"/"+e.Title, func(t *testing.T) {
					shown := exampleOn(t, pages[s], e.Call, e.Title)
					res, body := typed(t, s, waits(d, e), shown)
					if res.StatusCode != e.Want.Status || shown.status != e.Want.Status {
						t.Errorf("%s\n%d %s, want %d", shown.commands[len(shown.commands)-1], res.StatusCode, body,
							e.Want.Status)
					}
					describes(t, document, d, e, res, body)
				})
			}
		})
	}
}

// typed goes through the steps of an example by the commands that the page shows, and gives the answer to the last one.
func typed(t *testing.T, s *harness.ExampleServer, steps []*rest.Step, shown shownExample) (*http.Response, []byte) {
	t.Helper()
	env := os.Environ()
	enter := func(text string) (*http.Response, []byte) {
		return entered(t, strings.ReplaceAll(text, s.App.PublicURL, s.URL), env)
	}
	if len(steps) != len(shown.commands)-1 {
		t.Fatalf("%d steps, and the page has %d", len(steps), len(shown.commands)-1)
	}
	for i, step := range steps {
		if step.Wait > 0 {
			s.Clock.Add(step.Wait)
		}
		if step.Promote != "" {
			if err := harness.Promoter(t, s.Side)(t.Context(), step.Promote); err != nil {
				t.Fatal(err)
			}
		}
		var res *http.Response
		var body []byte
		switch {
		case step.Mail != nil:
			body = readFor(t, s.Instance, step.Mail)
			res = &http.Response{StatusCode: http.StatusOK}
		case step.TOTP != "":
			body = codeFor(t, s.Instance, step.TOTP, env)
			res = &http.Response{StatusCode: http.StatusOK}
		case shown.commands[i] == "":
			continue
		default:
			res, body = enter(shown.commands[i])
		}
		if res.StatusCode >= 300 {
			t.Fatalf("%s: %d %s", shown.commands[i], res.StatusCode, body)
		}
		for k := 0; k < len(shown.keeps[i]); k += 2 {
			env = append(env, shown.keeps[i][k]+"="+keptOf(t, shown.keeps[i][k+1], res, body))
		}
	}
	return enter(shown.commands[len(shown.commands)-1])
}

// entered runs a curl command in a shell and gives the answer.
func entered(t *testing.T, text string, env []string) (*http.Response, []byte) {
	t.Helper()
	c := exec.Command("bash", "-c", strings.Replace(text, "curl ", "curl -q -s -i ", 1))
	c.Env = env
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
	if err != nil {
		t.Fatalf("%s: %v: %s", text, err, out)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// keptOf takes a value out of an answer, as the page says.
func keptOf(t *testing.T, from string, res *http.Response, body []byte) string {
	t.Helper()
	if name, ok := strings.CutPrefix(from, "header "); ok {
		return res.Header.Get(name)
	}
	if name, ok := strings.CutPrefix(from, "cookie "); ok {
		for _, c := range res.Cookies() {
			if c.Name == name {
				return c.Value
			}
		}
		t.Fatalf("no cookie %s", name)
	}
	query, err := gojq.Parse(from)
	if err != nil {
		t.Fatal(err)
	}
	var dot any
	if err := json.Unmarshal(body, &dot); err != nil {
		t.Fatal(err)
	}
	value, _ := query.Run(dot).Next()
	if text, ok := value.(string); ok {
		return text
	}
	text, _ := json.Marshal(value)
	return string(text)
}

// mountsOf are the places where a route is: those of its dialect, or its own.
func mountsOf(d *rest.Dialect, call string) (mounts []string) {
	method, path, _ := strings.Cut(call, " ")
	for _, c := range d.Calls() {
		if full, ok := strings.CutPrefix(c.Name, method+" "); ok && strings.HasSuffix(full, path) {
			mounts = append(mounts, strings.TrimSuffix(full, path))
		}
	}
	return mounts
}

// describes holds an answer against the OpenAPI document.
func describes(t *testing.T, doc *openapi3.T, d *rest.Dialect, e *rest.Example, res *http.Response, body []byte) {
	t.Helper()
	method, path, _ := strings.Cut(e.Call, " ")
	mount := mountsOf(d, e.Call)[0]
	path = strings.TrimSuffix(mount, "/") + path
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: &http.Request{Method: method, Header: http.Header{}},
			Route: &routers.Route{
				Spec: doc, Path: path, PathItem: doc.Paths.Value(path), Method: method,
				Operation: operationAt(doc, mount, e.Call),
			},
		},
		Status: res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if input.RequestValidationInput.Route.Operation == nil {
		t.Fatalf("the document has no %s %s", method, path)
	}
	if len(body) == 0 && res.Header.Get("Content-Type") == "" {
		if answer := input.RequestValidationInput.Route.Operation.Responses.Value(
			strconv.Itoa(res.StatusCode)); answer == nil {
			t.Errorf("the document has no answer %d", res.StatusCode)
		}
		return
	}
	if err := openapi3filter.ValidateResponse(t.Context(), input.SetBodyBytes(body)); err != nil {
		t.Errorf("the document does not describe the answer %d %s: %v", res.StatusCode, body, err)
	}
}
