package repository

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// catalogue is where the rules stand.
const catalogue = "docs/rules.md"

// rule is a row of the catalogue.
type rule struct {
	id, state, note string
	line            int
	tests           []string
	decisions       []string // the names of the decisions that it comes from
}

var (
	ruleID   = regexp.MustCompile(`\b[A-Z]{2}-\d{2}\b`)
	ruleRow  = regexp.MustCompile(`^\| ([A-Z]{2}-\d{2}) \| (.+) \| (.+) \| (.+) \| \*\*(.+?)\*\*(.*) \|$`)
	testName = regexp.MustCompile("`(Test\\w+)`")
	testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(\w+ \*testing\.T\)`)
	decision = regexp.MustCompile(`decision ([a-z-]+)`)
)

// rules reads the catalogue. A line that begins like a row and is none fails the test.
func rules(t *testing.T) (all []rule) {
	t.Helper()
	for n, text := range strings.Split(harness.ReadFile(t, catalogue), "\n") {
		m := ruleRow.FindStringSubmatch(text)
		if m == nil {
			if ruleID.MatchString(strings.SplitN(text+"|", "|", 3)[1]) && strings.HasPrefix(text, "|") {
				t.Errorf("%s:%d: this row does not read `| id | rule | why | source | **state**: note; tests |`: "+
					"write it so", catalogue, n+1)
			}
			continue
		}
		r := rule{id: m[1], state: m[5], line: n + 1}
		for _, name := range testName.FindAllStringSubmatch(m[6], -1) {
			r.tests = append(r.tests, name[1])
		}
		r.note, _, _ = strings.Cut(strings.TrimPrefix(m[6], ": "), "`Test")
		r.note = strings.Trim(r.note, " ;")
		for _, name := range decision.FindAllStringSubmatch(m[4], -1) {
			r.decisions = append(r.decisions, name[1])
		}
		all = append(all, r)
	}
	if len(all) < 200 {
		t.Fatalf("%s: %d rows were read: the test looks for another form of row", catalogue, len(all))
	}
	return all
}

// repositoryTexts gives the files that may cite a rule. Of what begins with a dot, .ci, .github and files of the root
// belong to it.
func repositoryTexts(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	root := harness.Path(".")
	err := filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && !slices.Contains([]string{".", ".ci", ".github"}, name)
			if hidden || slices.Contains([]string{"node_modules", "data", "secrets"}, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		// has catalogues and tests of its own invention
		if strings.HasPrefix(name, ".ci/") && strings.HasSuffix(name, "_test.go") {
			return nil
		}
		if slices.Contains([]string{".go", ".yaml", ".yml", ".md", ".graphqls"}, path.Ext(d.Name())) {
			all[filepath.ToSlash(name)] = harness.ReadFile(t, name)
		}
		return nil
	})
	if err != nil || all["server.go"] == "" || all["SECURITY.md"] == "" || all[".golangci.yml"] == "" {
		t.Fatalf("the files were not found: %v", err)
	}
	return all
}

// declaredTests gives the tests of the repository and where each is; two packages may have one of the same name.
func declaredTests(texts map[string]string) map[string]string {
	all := map[string]string{}
	for name, text := range texts {
		if strings.HasSuffix(name, "_test.go") {
			for _, m := range testFunc.FindAllStringSubmatch(text, -1) {
				all[m[1]] = name
			}
		}
	}
	return all
}

// idsIn gives the rules in the name of a test: TestSE08_SE20_ChangeEndsOtherSessions is about SE-08 and SE-20.
func idsIn(test string) (ids []string) {
	for part := range strings.SplitSeq(strings.TrimPrefix(test, "Test"), "_") {
		if len(part) == 4 && ruleID.MatchString(part[:2]+"-"+part[2:]) {
			ids = append(ids, part[:2]+"-"+part[2:])
		}
	}
	return ids
}

// TestRules_Rows demands of each row what its state promises, and that every test and decision that it names exists.
func TestRules_Rows(t *testing.T) {
	t.Parallel()
	declared := declaredTests(repositoryTexts(t))
	seen := map[string]int{}
	for _, r := range rules(t) {
		at := fmt.Sprintf("%s:%d: %s", catalogue, r.line, r.id)
		if first := seen[r.id]; first > 0 {
			t.Errorf("%s stands in line %d already: give the later rule an id of its own", at, first)
		}
		seen[r.id] = r.line
		switch r.state {
		case "held":
			if len(r.tests) == 0 {
				t.Errorf("%s is held and names no test: name one that proves it, or make it **held in part** or "+
					"**not held** with what lacks", at)
			}
		case "held in part":
			if len(r.tests) == 0 || r.note == "" {
				t.Errorf("%s is held in part: name the tests of that part and say what lacks", at)
			}
		case "planned":
			if len(r.tests) > 0 {
				t.Errorf("%s is planned and names %s: a rule that has tests is held, or held in part", at, r.tests)
			}
		case "not held":
			if r.note == "" {
				t.Errorf("%s is not held: say why", at)
			}
		default:
			t.Errorf("%s: %q is no state: write held, held in part, planned or not held", at, r.state)
		}
		for n, name := range r.tests {
			if declared[name] == "" {
				t.Errorf("%s names %s, which is no test of this repository: write its present name, or take it out", at,
					name)
			}
			if slices.Contains(r.tests[:n], name) {
				t.Errorf("%s names %s twice: take one out", at, name)
			}
		}
		for _, name := range r.decisions {
			if found, err := filepath.Glob(harness.Path("docs/decisions/[0-9][0-9][0-9][0-9]-" + name + ".md")); err !=
				nil || len(found) != 1 {
				t.Errorf("%s comes from the decision %s, and docs/decisions has %d of that name: write the name of "+
					"the file without its number", at, name, len(found))
			}
		}
	}
}

// TestRules_Cited demands a row for every rule that a file cites, and for every rule in the name of a test a row that
// names the test.
func TestRules_Cited(t *testing.T) {
	t.Parallel()
	named := map[string][]string{}
	for _, r := range rules(t) {
		named[r.id] = append(named[r.id], r.tests...)
		if named[r.id] == nil {
			named[r.id] = []string{}
		}
	}
	texts, cited := repositoryTexts(t), 0
	for name, text := range texts {
		for n, line := range strings.Split(text, "\n") {
			for _, id := range ruleID.FindAllString(line, -1) {
				if cited++; named[id] == nil {
					t.Errorf("%s:%d cites %s, which %s does not define: correct the id, or add a row to the table of "+
						"its area", name, n+1, id, catalogue)
				}
			}
		}
	}
	for test, file := range declaredTests(texts) {
		for _, id := range idsIn(test) {
			if !slices.Contains(named[id], test) {
				t.Errorf("%s: %s is about %s by its name, and the row of %s in %s does not name it: add it there", file,
					test, id, id, catalogue)
			}
		}
	}
	if cited < 500 {
		t.Errorf("only %d citations were found: the test looks for the wrong thing", cited)
	}
}
