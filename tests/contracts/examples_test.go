package contracts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// runExample runs one of them on a server.
func runExample(t *testing.T, d *rest.Dialect, e *rest.Example, s *harness.ExampleServer, url string,
	client ...*http.Client,
) {
	t.Helper()
	err := d.Run(t.Context(), e, func(map[string]string) (*rest.Server, error) {
		return &rest.Server{
			URL: url, Wait: s.Clock.Add, Promote: harness.Promoter(t, s.Side), Mail: s.MailReader(t),
			TOTP: s.CodeOf, Stop: func() {}, Client: cmp.Or(client...),
		}, nil
	})
	if err != nil {
		t.Errorf("%s:%d: %v", d.File, e.Line(), err)
	}
}

func TestDialectExamples(t *testing.T) {
	t.Parallel()
	for _, d := range harness.AllDialects(t) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			harness.EachExampleServers(t, d.Name, func(t *testing.T, servers *harness.ExampleServers) {
				for _, example := range d.Examples() {
					s := servers.For(t, example.Settings)
					t.Run(example.Call+"/"+example.Title, func(t *testing.T) { runExample(t, d, example, s, s.URL) })
				}
			})
		})
	}
}

// dialectFile is what these tests read in a file themselves.
type dialectFile struct {
	ContentType string
	Credentials []string
	Errors      map[string]any
	Fixtures    map[string]struct {
		Given         []string
		Call, GraphQL string
	}
	Routes []*routeFile
}

type routeFile struct {
	Route, Document  string
	Accepts          []string
	Fields           map[string]string
	Checks, Outcomes []map[string]any
	Errors           map[string]any
	Examples         []exampleFile
}

type exampleFile struct {
	Title   string
	Given   []string
	Headers map[string]string
	Answer  struct{ Status int }
}

func (e exampleFile) isError() bool { return e.Answer.Status >= 400 }

func readDialect(t *testing.T, text []byte) *dialectFile {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	f := &dialectFile{ContentType: "application/json; charset=utf-8"}
	if err := json.Unmarshal(asJSON, f); err != nil { // takes names in any case
		t.Fatal(err)
	}
	return f
}

// undocumented finds what the examples of a file leave out: each route has a success, and a refusal where it can refuse
// for a reason of its own.
func (f *dialectFile) undocumented() (missing []string) {
	for _, r := range f.Routes {
		needsToken := false
		for _, e := range r.Examples {
			needsToken = needsToken || !e.isError() && len(e.Headers) > 0
		}
		required := slices.ContainsFunc(slices.Collect(maps.Values(r.Fields)),
			func(kind string) bool { return strings.HasSuffix(kind, "!") })
		if !slices.ContainsFunc(r.Examples, func(e exampleFile) bool { return !e.isError() }) {
			missing = append(missing, r.Route+" has no example of its success")
		}
		refuses := needsToken || required || len(r.Checks)+len(r.Outcomes)+len(r.Errors) > 0
		if refuses && !slices.ContainsFunc(r.Examples, exampleFile.isError) {
			missing = append(missing, r.Route+" has no example of a refusal")
		}
	}
	return missing
}

// A route without examples is not documented, and nothing of it is proven.
func TestDialectExamples_Complete(t *testing.T) {
	t.Parallel()
	for _, d := range harness.AllDialects(t) {
		for _, missing := range readDialect(t, d.Text).undocumented() {
			t.Errorf("%s: %s", d.File, missing)
		}
	}
	for text, want := range map[string]string{
		`{route: GET /x}`: "[GET /x has no example of its success]",
		`{route: GET /x, examples: [{title: t, answer: {}}]}`:                                                  "[]",
		`{route: GET /x, examples: [{title: t, answer: {status: 400}}]}`:                                       "[GET /x has no example of its success]",
		`{route: GET /x, fields: {a: string!}, examples: [{title: t, answer: {}}]}`:                            "[GET /x has no example of a refusal]",
		`{route: GET /x, errors: {CONFLICT: {status: 409}}, examples: [{title: t, answer: {}}]}`:               "[GET /x has no example of a refusal]",
		`{route: GET /x, examples: [{title: t, headers: {Authorization: x}, answer: {}}]}`:                     "[GET /x has no example of a refusal]",
		`{route: GET /x, checks: [{}], examples: [{title: t, answer: {}}, {title: u, answer: {status: 422}}]}`: "[]",
	} {
		if got := fmt.Sprint(readDialect(t, []byte("routes: ["+text+"]")).undocumented()); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// steps is how many requests an example makes, with those of its fixtures.
func (f *dialectFile) steps(e exampleFile) int {
	done := map[string]bool{}
	var count func(given []string) int
	count = func(given []string) (n int) {
		for _, name := range given {
			if done[name] {
				continue
			}
			done[name] = true
			before := f.Fixtures[name]
			n += count(before.Given)
			if before.Call+before.GraphQL != "" {
				n++
			}
		}
		return n
	}
	return count(e.Given) + 1
}

// Each route refuses what is wrong about a request, in the form of its dialect, and nothing of it has an effect: the
// plain example, which comes behind all that on the same server, still gives its answer (HT-09, HT-11, HT-12, ID-07,
// SE-09).
func TestDialectRefusals(t *testing.T) {
	t.Parallel()
	for _, d := range harness.AllDialects(t) {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			harness.EachExampleServers(t, d.Name,
				func(t *testing.T, servers *harness.ExampleServers) { refusals(t, d, servers) })
		})
	}
}

func refusals(t *testing.T, d *rest.Dialect, servers *harness.ExampleServers) {
	file, number := readDialect(t, d.Text), -1
	for _, r := range file.Routes {
		methods := strings.Fields(strings.ReplaceAll(r.Route[:strings.LastIndexByte(r.Route, ' ')], ",", " "))
		for _, method := range methods {
			first := number + 1
			number += len(r.Examples)
			plain := slices.IndexFunc(r.Examples, func(e exampleFile) bool { return !e.isError() })
			if plain < 0 {
				continue // TestDialectExamples_Complete says so
			}
			example := d.Examples()[first+plain]
			s := servers.For(t, example.Settings)
			t.Run(method+r.Route[strings.LastIndexByte(r.Route, ' '):], func(t *testing.T) {
				p := &prober{ExampleServer: s, t: t, file: file, route: r, last: file.steps(r.Examples[plain])}
				p.start()
				runExample(t, d, example, s, p.front.URL)
				if p.asked == 0 {
					t.Error("nothing was asked")
				}
			})
		}
	}
}
