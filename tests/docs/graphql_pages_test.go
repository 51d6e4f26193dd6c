package docs

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"golang.org/x/net/html"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// spoken is the text of an element or a description, without the marks of code and with single spaces.
func spoken(text string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "")), " ")
}

// TestPG06_Operations finds on the page of every operation what the schema says of it: its description, every
// field that it takes with its type, default and meaning, every field of its answer, every refusal with what it means,
// who may call it, and its limits.
func TestPG06_Operations(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_LIMIT_LOGIN=7/3m")
	schema := harness.Schema()
	start := spoken(words(parsed(t, s.URL+"/docs/graphql")))
	codes := schema.Types["ErrorCode"].EnumValues
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation} {
		for _, op := range root.Fields {
			if strings.HasPrefix(op.Name, "__") {
				continue
			}
			if !strings.Contains(start, op.Name) {
				t.Errorf("/docs/graphql does not list %s", op.Name)
			}
			page := parsed(t, s.URL+"/docs/graphql/"+op.Name)
			text := spoken(words(all(page, "main", "")[0]))
			says := func(what string) {
				t.Helper()
				if !strings.Contains(text, spoken(what)) {
					t.Errorf("%s: the page does not say %q", op.Name, what)
				}
			}
			says(op.Description)
			for _, a := range op.Arguments {
				if def := schema.Types[a.Type.Name()]; def.Kind == ast.InputObject && len(op.Arguments) == 1 {
					saysFields(says, def.Fields)
				} else {
					says(a.Name + " " + a.Type.String())
					says(a.Description)
				}
			}
			saysFields(says, schema.Types[op.Type.Name()].Fields)
			if d := op.Directives.ForName("refuses"); d != nil {
				for _, code := range d.Arguments.ForName("codes").Value.Children {
					says(code.Value.Raw)
					if value := codes.ForName(code.Value.Raw); value != nil {
						says(value.Name + value.Description)
					}
				}
			}
			if d := op.Directives.ForName("requiresPermission"); d != nil {
				says("whose role holds " + d.Arguments.ForName("permission").Value.Raw)
			}
			if d := op.Directives.ForName("credential"); d != nil {
				says(d.Arguments.ForName("limit").Value.Raw)
			}
			for _, heading := range []string{"Who may call it", "Input", "Answer", "Refusals", "Limits", "Example"} {
				says(heading)
			}
		}
	}
	login := spoken(words(all(parsed(t, s.URL+"/docs/graphql/login"), "main", "")[0]))
	for _, want := range []string{
		"Everybody: no credential is needed.", "login 7 in 3 minutes by address block",
		"DRAGOMAN_LIMIT_LOGIN", "tokenDelivery TokenDelivery! default BODY", "password String! required",
	} {
		if !strings.Contains(login, want) {
			t.Errorf("login: the page does not say %q", want)
		}
	}
}

func saysFields(says func(string), fields ast.FieldList) {
	for _, f := range fields {
		says(f.Name + " " + f.Type.String())
		if f.DefaultValue != nil {
			says("default " + f.DefaultValue.String())
		}
		says(f.Description)
	}
}

// TestPG06_Types finds every type described in one place, with all of its fields and values, and no name that
// leads elsewhere than to its description.
func TestPG06_Types(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	schema := harness.Schema()
	page := parsed(t, s.URL+"/docs/graphql/types")
	described := map[string]string{}
	for _, article := range all(page, "article", "typedef") {
		described[attr(article, "id")] = spoken(words(article))
	}
	elsewhere := map[string]string{}
	for _, a := range all(all(page, "aside", "")[0], "a", "") {
		if href := attr(a, "href"); !strings.HasPrefix(href, "#") {
			elsewhere[words(a)] = href
		}
	}
	for name, def := range schema.Types {
		if strings.HasPrefix(name, "__") || def == schema.Query || def == schema.Mutation {
			continue
		}
		text, here := described[name]
		if !here {
			if elsewhere[name] == "" {
				t.Errorf("%s is described nowhere", name)
			}
			continue
		}
		says := func(what string) {
			if !strings.Contains(text, spoken(what)) {
				t.Errorf("%s: it does not say %q", name, what)
			}
		}
		if def.Kind != ast.Scalar {
			says(def.Description)
		}
		saysFields(says, def.Fields)
		for _, v := range def.EnumValues {
			says(v.Name + v.Description)
		}
	}
}

// TestPG06_Links follows every link between the pages of the documentation: the page is there, and has the place.
func TestPG06_Links(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	pages := map[string]*html.Node{}
	var names []string
	for _, d := range s.App.Dialects {
		names = append(names, "/docs/"+d.Name)
	}
	for _, name := range operationNames() {
		names = append(names, "/docs/graphql/"+name)
	}
	for _, path := range append(names, "/docs", "/docs/graphql", "/docs/graphql/types", "/docs/graphql/frontend") {
		pages[path] = parsed(t, s.URL+path)
	}
	ids := map[string]bool{}
	for path, page := range pages {
		for n := range page.Descendants() {
			if id := attr(n, "id"); n.Type == html.ElementNode && id != "" {
				if ids[path+"#"+id] {
					t.Errorf("%s has two of %s", path, id)
				}
				ids[path+"#"+id] = true
			}
		}
	}
	seen := map[string]bool{}
	for path, page := range pages {
		for _, a := range all(page, "a", "") {
			target, err := url.Parse(attr(a, "href"))
			if err != nil || target.Host != "" {
				continue
			}
			if target.Path == "" {
				target.Path = path
			}
			if target.Fragment != "" && pages[target.Path] != nil && !ids[target.Path+"#"+target.Fragment] {
				t.Errorf("%s leads to %s, and nothing is there", path, target)
			}
			if pages[target.Path] == nil && !seen[target.Path] {
				seen[target.Path] = true
				if res, _ := harness.Fetched(t, "GET", s.URL+target.Path, "", ""); res.StatusCode != 200 {
					t.Errorf("%s leads to %s: %d", path, target, res.StatusCode)
				}
			}
		}
	}
	if !slices.Contains(names, "/docs/graphql/login") {
		t.Error("no page was read")
	}
}

// TestPG06_Schema fetches the schema as the command prints it, with introspection switched off too. DRAGOMAN_DOCS
// hides it.
func TestPG06_Schema(t *testing.T) {
	t.Parallel()
	dsn := dbtest.SQLite(t)
	open := harness.Start(t, dsn, "DRAGOMAN_INTROSPECTION=off")
	res, body := harness.Fetched(t, "GET", open.URL+"/docs/schema.graphql", "", "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || body != graph.SDL() {
		t.Errorf("%d %s, %d bytes, and the command prints %d", res.StatusCode, res.Header.Get("Content-Type"),
			len(body),
			len(graph.SDL()))
	}
	for _, path := range []string{"/docs", "/docs/graphql"} {
		linked := slices.ContainsFunc(all(parsed(t, open.URL+path), "a", ""), func(a *html.Node) bool {
			return attr(a, "href") == "/docs/schema.graphql"
		})
		if !linked {
			t.Errorf("%s has no link to the schema", path)
		}
	}
	hidden := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DOCS=off")
	if res, _ := harness.Fetched(t, "GET", hidden.URL+"/docs/schema.graphql", "", ""); res.StatusCode != 404 {
		t.Errorf("without documentation: %d", res.StatusCode)
	}
}

// TestPG06_Guide finds every section and every piece of code of docs/frontend.md on the page that shows it, with the
// address of this server, and no link to a file of the source.
func TestPG06_Guide(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	page := all(parsed(t, s.URL+"/docs/graphql/frontend"), "main", "")[0]
	var codes, headings []string
	for _, code := range all(page, "code", "") {
		codes = append(codes, words(code))
	}
	for _, h := range all(page, "h2", "") {
		headings = append(headings, words(h))
	}
	source := strings.ReplaceAll(harness.ReadFile(t, "docs/frontend.md"), "http://localhost:8080", s.URL)
	parts := strings.Split(source, "\n```")
	for i := 1; i+1 < len(parts); i += 2 {
		_, code, _ := strings.Cut(parts[i], "\n")
		if !slices.Contains(codes, code+"\n") {
			t.Errorf("the page lacks this code:\n%s", code)
		}
	}
	for i := 0; i < len(parts); i += 2 {
		for line := range strings.Lines(parts[i]) {
			if title, is := strings.CutPrefix(strings.TrimSpace(line), "## "); is && !slices.Contains(headings, title) {
				t.Errorf("the page lacks the section %s", title)
			}
		}
	}
	if len(codes) < 20 || len(headings) < 5 {
		t.Errorf("the page has %d pieces of code and %d sections", len(codes), len(headings))
	}
	for _, a := range all(page, "a", "") {
		if href := attr(a, "href"); !strings.HasPrefix(href, "#") && !strings.HasPrefix(href, "http") &&
			!strings.HasPrefix(href, "/docs/") {
			t.Errorf("the page links to %s", href)
		}
	}
}

// TestPG06_Bounds finds, at every text that an account or a key is made of, how long it may be, or where that stands.
func TestPG06_Bounds(t *testing.T) {
	t.Parallel()
	kept := []string{"email", "username", "name", "password", "newPassword", "metadata", "locale"}
	for _, input := range []string{
		"RegisterInput", "CreateUserInput", "UpdateUserInput", "UpdateMeInput", "ChangePasswordInput", "ChangeEmailInput",
		"CreateApiKeyInput", "UpdateApiKeyInput",
	} {
		for _, field := range harness.Schema().Types[input].Fields {
			if slices.Contains(kept, field.Name) && !strings.ContainsAny(field.Description, "0123456789`") {
				t.Errorf("%s.%s: the schema does not say how long it may be: %s", input, field.Name, field.Description)
			}
		}
	}
}
