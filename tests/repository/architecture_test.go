package repository

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const module = "github.com/dragoman-auth/dragoman"

// listed is a package as go list shows it.
type listed struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// packages lists the packages of the module, by their path below it; "" is the program itself.
func packages(t *testing.T) map[string]listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]listed{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")] = p
	}
	for _, name := range []string{
		"", "app", "db", "graph", "resolvers", "web/docs", "operator", "rest",
		"internal/gqlhttp", "tests/harness",
	} {
		if _, ok := all[name]; !ok {
			t.Fatalf("there is no package %q", name)
		}
	}
	return all
}

// TestArchitecture_Imports is who may import whom, of the packages of this module.
func TestArchitecture_Imports(t *testing.T) {
	t.Parallel()
	inside := func(parts ...string) *regexp.Regexp {
		return regexp.MustCompile(`^(` + strings.Join(parts, "|") + `)$`)
	}
	rules := []struct{ who, may *regexp.Regexp }{ // the first that fits counts
		{inside(``), inside(`.*`)},
		{inside(`resolvers`), inside(`graph`, `db`, `db/userimport`, `internal/[a-z]+`)},
		{inside(`graph`), inside(`db`, `internal/fault`)},
		{inside(`db/userimport`), inside(`db`, `internal/[a-z]+`)},
		{inside(`app`), inside(`db`, `graph`, `resolvers`, `db/userimport`, `rest`,
			`web/(assets|docs|pages|playground|start)`,
			`internal/[a-z]+`)},
		{inside(`operator`), inside(`app`, `db`, `db/userimport`, `rest`, `internal/[a-z]+`)},
		{inside(`rest`), inside(`internal/gqlhttp`, `internal/fault`, `internal/visit`, `internal/token`,
			`internal/identity`, `internal/profile`,
			`internal/credential`, `internal/site`, `internal/strictjson`)},
		{inside(`db`), inside(`db/outbox`, `internal/fault`, `internal/visit`, `internal/token`)},
		{inside(`db/outbox`), inside(`nothing`)},
		{inside(`db/dbtest`), inside(`db`)},
		{inside(`rest/openapi`), inside(`rest`)},
		{inside(`web/assets`), inside(`internal/edge`, `internal/site`)},
		{inside(`web/docs`), inside(`web/assets`, `web/playground`, `rest`, `rest/openapi`, `internal/gqlhttp`,
			`internal/fault`, `internal/edge`, `internal/site`, `internal/limit`, `docs`)},
		{inside(`docs`), inside(`nothing`)},
		{inside(`web/pages`), inside(`web/assets`, `internal/gqlhttp`, `internal/fault`, `internal/visit`,
			`internal/edge`, `internal/mail`, `internal/site`, `internal/returnurl`)},
		{inside(`web/playground`), inside(`web/assets`, `internal/edge`, `internal/site`)},
		{inside(`web/start`), inside(`web/assets`, `rest`, `internal/edge`, `internal/site`)},
		{inside(`web/webtest`), inside(`nothing`)},
		{inside(`docs/examples/.*`), inside(`nothing`)},
		{inside(`internal/.*`), inside(`internal/[a-z]+`)},
		{inside(`tests/.*`), inside(`.*`)},
	}
	// The libraries of one layer: bun and the drivers belong to db, River to db/outbox, the GraphQL engine to graph,
	// resolvers and gqlhttp.
	libraries := []struct {
		library *regexp.Regexp
		who     *regexp.Regexp
	}{
		{
			regexp.MustCompile(`^(github\.com/uptrace/bun|github\.com/jackc/pgx|modernc\.org/sqlite)`),
			inside(`db`, `db/dbtest`, `internal/userfile`), // which reads SQLite files of other systems
		},
		{regexp.MustCompile(`^database/sql`), inside(`db`, `db/dbtest`, `db/outbox`, `internal/userfile`)},
		{regexp.MustCompile(`^github\.com/riverqueue`), inside(`db/outbox`)},
		{regexp.MustCompile(`^github\.com/wneessen/go-mail`), inside(`internal/mail`)},
		{
			regexp.MustCompile(`^(github\.com/99designs/gqlgen|github\.com/vektah/gqlparser)`),
			inside(`graph`, `resolvers`, `internal/gqlhttp`),
		},
		{
			regexp.MustCompile(`^github\.com/golang-jwt|^github\.com/go-jose`),
			inside(`internal/token`, `docs/examples/.*`),
		},
		{
			regexp.MustCompile(`^github\.com/prometheus|^go\.opentelemetry\.io|^google\.golang\.org`),
			inside(`internal/observe`),
		},
		// 2.3 MB; addresses in spans
		{regexp.MustCompile(`^google\.golang\.org/grpc|otlptracehttp|otelhttp`), inside(`nobody`)},
		{regexp.MustCompile(`^golang\.org/x/crypto/argon2`), inside(`internal/password`)},
		{regexp.MustCompile(`^github\.com/alecthomas/kong|^os/signal`), inside(``)},
		{regexp.MustCompile(`^github\.com/chromedp`), inside(`web/webtest`)},
		{regexp.MustCompile(`^github\.com/itchyny/gojq`), inside(`rest`)},
		{regexp.MustCompile(`^github\.com/goccy/go-yaml`), inside(`rest`, `app`)}, // app: the file of former tokens
		{regexp.MustCompile(`^testing$`), inside(`web/webtest`, `db/dbtest`)},
		{regexp.MustCompile(
			`^(math/rand|math/rand/v2|net/http/pprof|expvar|log|unsafe|plugin|github\.com/99designs/gqlgen/graphql/handler.*|` +
				`github\.com/uptrace/bun/driver/pgdriver)$`), inside(`nobody`)}, // KE-04, KE-06, SC-06
	}
	for name, p := range packages(t) {
		i := slices.IndexFunc(rules, func(r struct{ who, may *regexp.Regexp }) bool { return r.who.MatchString(name) })
		if i < 0 {
			t.Errorf("%s: no rule says what this package may import", name)
			continue
		}
		black := strings.HasPrefix(name, "tests/")
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if strings.HasPrefix(imported, module+"/tests/") && !black {
				t.Errorf("the tests of %s import %s, which is for black-box tests alone", name, imported)
			}
		}
		for _, imported := range p.Imports {
			if own, ok := strings.CutPrefix(imported, module+"/"); ok && !rules[i].may.MatchString(own) {
				t.Errorf("%s imports %s", name, own)
			}
			for _, rule := range libraries {
				if rule.library.MatchString(imported) && !rule.who.MatchString(name) && !black {
					t.Errorf("%s imports %s", name, imported)
				}
			}
			own, _ := strings.CutPrefix(imported, module+"/")
			if !black && (own == "resolvers" && name != "app" || own == "operator" && name != "") {
				t.Errorf("%s imports %s, which is for app or server.go alone", name, own)
			}
		}
	}
}

// sources gives every Go file of the module that people wrote, without tests and what is for them alone.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	generated := regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	all := map[string][]byte{}
	err := harness.Folders(func(folder string) error {
		files, err := filepath.Glob(harness.Path(folder) + "/*.go")
		if err != nil {
			return err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if !generated.Match(text) {
				all[path.Join(folder, filepath.Base(file))] = text
			}
		}
		return nil
	})
	if err != nil || all["server.go"] == nil || all["db/session_login.go"] == nil {
		t.Fatalf("the sources were not found: %v", err)
	}
	return all
}

// named tells whether a text holds a word. A mount counts where a path can begin: https://auth.example.com is none.
func named(text []byte, word string) bool {
	if strings.HasPrefix(word, "/") {
		return regexp.MustCompile(`(?i)(^|[^/a-z0-9])` + regexp.QuoteMeta(word) + `\b`).Match(text)
	}
	return bytes.Contains(bytes.ToLower(text), bytes.ToLower([]byte(word)))
}

// TestArchitecture_DialectsAreData demands that the engine knows no dialect: neither by name nor by mount. The recipes
// of userfile bear the names of the systems whose exports they read.
func TestArchitecture_DialectsAreData(t *testing.T) {
	t.Parallel()
	dialects, err := rest.Load("", nil)
	if err != nil || len(dialects) == 0 {
		t.Fatalf("%d dialects, %v", len(dialects), err)
	}
	reader := regexp.MustCompile(`^internal/userfile/(recipe_\w+|file)\.go$`)
	for name, text := range sources(t) {
		for _, d := range dialects {
			for _, word := range append([]string{d.Name, d.Title}, d.Mounts...) {
				if len(word) > 1 && name != "server.go" && !reader.MatchString(name) && named(text, word) {
					t.Errorf("%s names %q of the dialect %s", name, word, d.Name)
				}
			}
		}
	}
}

// TestArchitecture_Sizes bounds files by 400 lines and functions by 60.
func TestArchitecture_Sizes(t *testing.T) {
	t.Parallel()
	for name, text := range sources(t) {
		if n := bytes.Count(text, []byte("\n")); n > 400 {
			t.Errorf("%s has %d lines", name, n)
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			// with its first and last line
			if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > 62 {
				t.Errorf("%s: %s has %d lines", name, f.Name.Name, n)
			}
		}
	}
}

// TestArchitecture_Root is what may lie in the root of the repository: at most 24 entries beside dot-files, and no
// test.
func TestArchitecture_Root(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(harness.Path("."))
	if err != nil {
		t.Fatal(err)
	}
	rooms := strings.Fields(`app graph resolvers operator rest web db internal tests docs packaging`)
	files := strings.Fields(`server.go go.mod go.sum gqlgen.yml README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md ` +
		`LICENSE Containerfile compose.yaml`)
	made := strings.Fields(`data dragoman`) // by the program, and by whoever builds it
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") &&
			!slices.Contains(slices.Concat(rooms, files, made), name) {
			t.Errorf("%s does not belong in the root", name)
		}
	}
	if n := len(rooms) + len(files) + len(made); n > 24 {
		t.Errorf("%d entries", n)
	}
}

var looksLikeSQL = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|VALUES|CREATE ` +
	`TABLE|ALTER|DROP|PRAGMA)\b`)

// TestKE06_NoSQLIsPutTogether finds SQL that is made at run time: formatted, or joined with anything but a constant.
// Outside of db there is no SQL, but for the constants that read an SQLite file of another system.
func TestKE06_NoSQLIsPutTogether(t *testing.T) {
	t.Parallel()
	found := 0
	constants := map[string]bool{}
	files := token.NewFileSet()
	parsed := map[string]*ast.File{}
	for name, text := range sources(t) {
		file, err := parser.ParseFile(files, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		parsed[name] = file
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST && strings.HasPrefix(name, "db/") {
				for _, s := range g.Specs {
					for _, n := range s.(*ast.ValueSpec).Names {
						constants[n.Name] = true
					}
				}
			}
		}
	}
	isSQL := func(e ast.Expr) (sql bool) {
		ast.Inspect(e, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING && looksLikeSQL.MatchString(l.Value) {
				sql = true
			}
			return true
		})
		return sql
	}
	for name, file := range parsed {
		if strings.HasPrefix(name, "db/dbtest/") {
			continue // its names are made there and nowhere else
		}
		ast.Inspect(file, func(n ast.Node) bool {
			at := func() string { return files.Position(n.Pos()).String() }
			switch n := n.(type) {
			case *ast.BasicLit:
				if n.Kind == token.STRING && looksLikeSQL.MatchString(n.Value) {
					found++
					if !strings.HasPrefix(name, "db/") && !strings.HasPrefix(name, "internal/userfile/recipe_") {
						t.Errorf("%s: SQL outside of db: %.60s", at(), n.Value)
					}
				}
			case *ast.BinaryExpr:
				if n.Op != token.ADD || !isSQL(n) {
					return true
				}
				for _, side := range []ast.Expr{n.X, n.Y} {
					switch side := side.(type) {
					case *ast.BasicLit, *ast.BinaryExpr:
					case *ast.Ident:
						if !constants[side.Name] {
							t.Errorf("%s: SQL is joined with %s", at(), side.Name)
						}
					default:
						t.Errorf("%s: SQL is joined with %T", at(), side)
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && slices.ContainsFunc(n.Args, isSQL) {
					if p, ok := f.X.(*ast.Ident); ok && (p.Name == "fmt" || p.Name == "strings") &&
						!strings.HasPrefix(f.Sel.Name, "Error") {
						t.Errorf("%s: SQL goes through %s.%s", at(), p.Name, f.Sel.Name)
					}
				}
			}
			return true
		})
	}
	if found < 30 {
		t.Errorf("only %d pieces of SQL were found: the test looks for the wrong thing", found)
	}
}

// TestArchitecture_Words looks for what the house rules forbid by name.
func TestArchitecture_Words(t *testing.T) {
	t.Parallel()
	forbidden := map[string]*regexp.Regexp{
		"gqlgen's own server": regexp.MustCompile(`NewDefaultServer|omit_panic_handler: true`),
		"TODO":                regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`),
		"an unchecked file server": regexp.MustCompile(
			`http\.(FileServer|ServeFile|DefaultServeMux|ListenAndServe)\b`),
		"the default HTTP client":   regexp.MustCompile(`http\.(Get\(|Post\(|Head\(|DefaultClient)`),
		"printing to the terminal":  regexp.MustCompile(`fmt\.Print(ln|f)?\(|\bprintln\(`),
		"a switch to skip TLS":      regexp.MustCompile(`InsecureSkipVerify`),
		"a setting read on the way": regexp.MustCompile(`os\.(Getenv|LookupEnv|Environ)\(`),
	}
	allowed := map[string]string{
		"server.go": "a setting read on the way", "web/webtest/browser.go": "a setting read on the way",
		"db/dbtest/postgres.go": "a setting read on the way",
	}
	for name, text := range sources(t) {
		for what, form := range forbidden {
			if form.Match(text) && allowed[name] != what && !strings.Contains(name, "/gen/") {
				t.Errorf("%s: %s", name, what)
			}
		}
	}
	if config := harness.ReadFile(t, "gqlgen.yml"); regexp.MustCompile(`(?m)^resolver:|omit_panic_handler`).MatchString(
		config) {
		t.Errorf("gqlgen.yml: %s", config)
	}
}
