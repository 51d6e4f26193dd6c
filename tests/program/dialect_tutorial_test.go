package program

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// docs/dialects.md is played from its first block to its last. What its blocks are stands behind their language, where
// a reader of the page does not see it:
//
//	yaml title=PATH          the whole of a file
//	yaml at=end              goes to the end of the file
//	yaml below="LINE"        goes below that line of the file; above= and instead-of= likewise
//	yaml part=dialect|route  shows keys of a dialect, or of a route, and is loaded in a file around it
//	sh                       is typed; a block of text right behind it is what comes out

const tutorial = "docs/dialects.md"

// block is a fenced block of the page.
type block struct {
	line       int
	kind       string // yaml, sh, text …
	attributes map[string]string
	text       string
	output     *string // of sh
}

var (
	fenced    = regexp.MustCompile("(?ms)^```(\\w*)([^\n]*)\n(.*?)^```$\n?")
	attribute = regexp.MustCompile(`([\w-]+)=(?:"([^"]*)"|(\S+))`)
)

// blocksOf reads a page.
func blocksOf(page string) []block {
	var all []block
	end := 0
	for _, at := range fenced.FindAllStringSubmatchIndex(page, -1) {
		b := block{
			line: 1 + strings.Count(page[:at[0]], "\n"), kind: page[at[2]:at[3]],
			attributes: map[string]string{}, text: page[at[6]:at[7]],
		}
		for _, a := range attribute.FindAllStringSubmatch(page[at[4]:at[5]], -1) {
			b.attributes[a[1]] = a[2] + a[3]
		}
		if b.kind == "text" && end == at[0] && len(all) > 0 && all[len(all)-1].kind == "sh" {
			all[len(all)-1].output = &b.text
		} else {
			all = append(all, b)
		}
		end = at[1]
	}
	return all
}

// typist does what the page says, in a folder of its own.
type typist struct {
	t       *testing.T
	dsn     string
	checks  bool // whether `dragoman dialect check` is typed too
	dir     string
	path    string // the file that the page builds, in dir
	server  *harness.Instance
	program string // the folder with `dragoman`
}

func newTypist(t *testing.T, dsn string, checks bool) *typist {
	t.Helper()
	harness.NeedCurl(t)
	return &typist{t: t, dsn: dsn, checks: checks, dir: t.TempDir(), program: filepath.Dir(harness.ProgramPath(t))}
}

func (r *typist) do(b block) {
	r.t.Helper()
	switch {
	case b.kind == "yaml" && b.attributes["part"] != "":
	case b.kind == "yaml":
		r.write(b)
	case b.kind == "sh" && strings.HasSuffix(strings.TrimSpace(b.text), " dragoman"):
		settings := strings.Fields(b.text)
		settings = settings[:len(settings)-1]
		for i, setting := range settings {
			if name, dir, _ := strings.Cut(setting, "="); strings.HasSuffix(name, "_DIR") {
				settings[i] = name + "=" + filepath.Join(r.dir, dir)
			}
		}
		r.server = harness.Start(r.t, r.dsn, append(settings, "DRAGOMAN_PUBLIC_URL=http://localhost:8080")...)
	case b.kind == "sh" && strings.HasPrefix(b.text, "dragoman ") && !r.checks:
	case b.kind == "sh":
		r.run(b)
	default:
		r.t.Fatalf("%s:%d: nothing plays a block of %q", tutorial, b.line, b.kind)
	}
}

// write changes the file of the page, which must be one after each step.
func (r *typist) write(b block) {
	r.t.Helper()
	if title := b.attributes["title"]; title != "" {
		r.path = filepath.Join(r.dir, title)
	}
	old, err := os.ReadFile(r.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	text, ok := edited(string(old), b)
	if !ok {
		r.t.Fatalf("%s:%d: the file has no such line, or several: %v", tutorial, b.line, b.attributes)
	}
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// edited is the file with a block in it. The line that the block names must stand there once.
func edited(file string, b block) (string, bool) {
	switch {
	case b.attributes["title"] != "":
		return b.text, true
	case b.attributes["at"] == "end":
		return file + b.text, true
	}
	for place, line := range b.attributes {
		if strings.Count("\n"+file, "\n"+line+"\n") != 1 {
			return "", false
		}
		put := map[string]string{
			"below": line + "\n" + b.text, "above": b.text + line + "\n",
			"instead-of": b.text,
		}[place]
		return strings.TrimPrefix(strings.Replace("\n"+file, "\n"+line+"\n", "\n"+put, 1), "\n"), put != ""
	}
	return "", false
}

// run types a block and compares what comes out.
func (r *typist) run(b block) {
	r.t.Helper()
	text := b.text
	if r.server != nil {
		text = strings.ReplaceAll(text, "http://localhost:8080", r.server.URL)
	}
	c := exec.Command("sh", "-c", text)
	c.Dir = r.dir
	// what tests are told is no setting
	ours := func(entry string) bool { return strings.HasPrefix(entry, "DRAGOMAN_") }
	c.Env = append(slices.DeleteFunc(os.Environ(), ours), "PATH="+r.program+":"+os.Getenv("PATH"), "TMPDIR="+
		r.t.TempDir())
	out, _ := c.CombinedOutput() // a refused file is an exit status that the page shows on purpose
	want := ""
	if b.output != nil {
		want = *b.output
	}
	out = bytes.ReplaceAll(out, []byte(r.dir+"/"), nil)
	if shapeOf(string(out)) != shapeOf(want) {
		r.t.Errorf("%s:%d: it printed\n%s\nand the page has\n%s", tutorial, b.line, out, want)
	}
}

// shapes are the values that are others each time.
var shapes = []struct {
	what *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+|eyJ[\w-]*\.\.\.`), "<token>"},
	{regexp.MustCompile(`dt1\.[\w.-]+`), "<device>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "<second>"},
	{regexp.MustCompile(`":\d{4,}\b`), `":<number>`},
	{regexp.MustCompile(`\s+\n|\s+$`), "\n"},
}

func shapeOf(text string) string {
	for _, s := range shapes {
		text = s.what.ReplaceAllString(text, s.name)
	}
	return text
}

func pageOf(t *testing.T) []block {
	t.Helper()
	page, err := os.ReadFile(harness.Path(tutorial))
	if err != nil {
		t.Fatal(err)
	}
	return blocksOf(string(page))
}

// Whoever types what the page says gets what the page shows, on both databases, and ends with the file that lies beside
// it.
func TestDialectTutorial(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		r := newTypist(t, dsn, strings.HasPrefix(dsn, "sqlite:")) // a check makes databases of its own
		for _, b := range pageOf(t) {
			r.do(b)
		}
		built, err := os.ReadFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		beside, err := os.ReadFile(filepath.Join(harness.TutorialFiles, filepath.Base(r.path)))
		if err != nil {
			t.Fatal(err)
		}
		blank := regexp.MustCompile(`\n\s*\n`)
		if got, want := blank.ReplaceAllString(string(built), "\n"),
			blank.ReplaceAllString(string(beside), "\n"); got != want {
			t.Errorf("the steps end with\n%s\nand docs/examples has\n%s", got, want)
		}
	})
}

// Each step leaves a file that can be read, and is checked by the page itself.
func TestDialectTutorial_Steps(t *testing.T) {
	t.Parallel()
	r := &typist{t: t, dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(r.dir, "dialects"), 0o700); err != nil {
		t.Fatal(err)
	}
	blocks := pageOf(t)
	for i, b := range blocks {
		if b.kind != "yaml" || b.attributes["part"] != "" {
			continue
		}
		r.write(b)
		text, err := os.ReadFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rest.Parse(r.path, text); err != nil {
			t.Errorf("%s:%d: %v", tutorial, b.line, err)
		}
		next := slices.IndexFunc(blocks[i+1:], func(b block) bool { return b.kind == "sh" })
		if next < 0 || !strings.HasPrefix(blocks[i+1+next].text, "dragoman dialect check") {
			t.Errorf("%s:%d: the page does not check this step", tutorial, b.line)
		}
	}
}

// around is a file in which a part of one is loaded.
func around(part, text string) string {
	const head, body = "dialect: part-of\ntitle: A Part\nmounts: [/part]\n", "errors:\n  body: {error: =.message}\n"
	if part == "dialect" {
		return text + head + body + "routes: [{route: GET /nothing, status: 204, empty: true}]\n"
	}
	return head + "cookies: {session: {}}\n" + body + "routes:\n  - " +
		strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n    "), "    ")
}

// The parts of files that the reference shows load, and their documents pass the schema.
func TestDialectTutorial_Parts(t *testing.T) {
	t.Parallel()
	for _, b := range pageOf(t) {
		part := b.attributes["part"]
		if b.kind != "yaml" || part == "" {
			continue
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "part.yaml"), []byte(around(part, b.text)), 0o600); err != nil {
			t.Fatal(err)
		}
		harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+dir, "DRAGOMAN_DIALECTS=part-of")
	}
}
