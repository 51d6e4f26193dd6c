package repository

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// contract is the schema that we ship.
func contract(t *testing.T) *ast.Schema {
	t.Helper()
	names, err := filepath.Glob(harness.Path("graph/schema/*.graphqls"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no schema was found: %v", err)
	}
	var sources []*ast.Source
	for _, name := range names {
		sources = append(sources, &ast.Source{
			Name:  name,
			Input: harness.ReadFile(t, "graph/schema/"+filepath.Base(name)),
		})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestMutations_Documented finds every mutation in the audit table of SECURITY.md, in docs/features.md,
// and in an example of the playground. The exceptions are decisions.
func TestMutations_Documented(t *testing.T) {
	t.Parallel()
	noExample := map[string]string{
		"retryMailDelivery": "nothing is there to retry on a new server",
		"cancelEmailChange": "the token comes from a mail to the former address, whose link does it",
	}
	security, features := harness.ReadFile(t, "SECURITY.md"), harness.ReadFile(t, "docs/features.md")
	examples := ""
	names, _ := filepath.Glob(harness.Path("web/playground/examples/*.graphql"))
	for _, name := range names {
		examples += harness.ReadFile(t, "web/playground/examples/"+filepath.Base(name))
	}
	for _, field := range contract(t).Mutation.Fields {
		name := "`" + field.Name + "`"
		if !regexp.MustCompile(`(?m)^\|[^|]*` + name + `[^|]*\|`).MatchString(security) {
			t.Errorf("SECURITY.md: the audit table has no row for %s", field.Name)
		}
		if !strings.Contains(features, field.Name) {
			t.Errorf("docs/features.md lacks %s", field.Name)
		}
		has := regexp.MustCompile(`(?m)^\s*` + field.Name + `\b`).MatchString(examples)
		if has == (noExample[field.Name] != "") {
			t.Errorf("web/playground/examples: %s has an example: %v, excepted: %q", field.Name, has,
				noExample[field.Name])
		}
	}
}

// TestActions_Documented finds every action of the audit log in SECURITY.md, and both of its names in a test of the
// log.
func TestActions_Documented(t *testing.T) {
	t.Parallel()
	security := harness.ReadFile(t, "SECURITY.md")
	var tests strings.Builder
	texts := repositoryTexts(t)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "tests/repository/") {
			tests.WriteString(texts[name])
		}
	}
	form := regexp.MustCompile(`^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for _, a := range db.Actions() {
		if !strings.Contains(tests.String(), `"`+a.Done+`"`) && !strings.Contains(tests.String(), `'`+a.Done+`'`) {
			t.Errorf("no test names %s", a.Done)
		}
		for _, name := range []string{a.Done, a.Failed} {
			if name == "" {
				continue
			}
			if !form.MatchString(name) || seen[name] {
				t.Errorf("%s is not subject.verb, or stands twice", name)
			}
			seen[name] = true
			recorded := a != db.ActionTokenChecked && a != db.ActionAccessGranted || name == a.Failed
			if recorded && !strings.Contains(security, "`"+name+"`") {
				t.Errorf("SECURITY.md does not name %s", name)
			}
		}
	}
}
