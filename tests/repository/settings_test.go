package repository

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// settingsTable makes the table of docs/operations.md out of what --help prints.
func settingsTable(t *testing.T) string {
	t.Helper()
	var printed, table bytes.Buffer
	config.Print(&printed)
	table.WriteString("| setting | meaning | expected | default |\n|---|---|---|---|\n")
	rows := regexp.MustCompile(
		`\n  (\S.*)\n      (.*)\n      Expected: (.*?)\.(?: Default: (.*)\.)?\n`).FindAllStringSubmatch(
		printed.String(), -1)
	if len(rows) != len(harness.SettingNames(t)) {
		t.Fatalf("%d settings are printed, of %d", len(rows), len(harness.SettingNames(t)))
	}
	for _, row := range rows {
		names := "`" + strings.ReplaceAll(row[1], ", ", "`, `") + "`"
		standard := ""
		if row[4] != "" {
			standard = "`" + row[4] + "`"
		}
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", names, row[2], strings.ReplaceAll(row[3], "|", `\|`), standard)
	}
	return table.String()
}

// TestSettings_Documented holds the table of docs/operations.md to what --help prints. DRAGOMAN_TEST_WRITE=1 writes it
// anew.
func TestSettings_Documented(t *testing.T) {
	t.Parallel()
	const file, begin, end = "docs/operations.md", "<!-- settings -->\n", "<!-- end of settings -->\n"
	doc, want := harness.ReadFile(t, file), settingsTable(t)
	before, rest, found := strings.Cut(doc, begin)
	got, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the settings", file)
	}
	if got == want {
		return
	}
	if os.Getenv("DRAGOMAN_TEST_WRITE") != "1" {
		t.Fatalf("the table of settings in %s is out of date: run DRAGOMAN_TEST_WRITE=1 go test -run "+
			"TestSettings_Documented ./tests/repository", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSettings_UsedAndTested looks for every setting in a test, beside the ones that go through all names, and for
// every field of the settings where something is done with it.
func TestSettings_UsedAndTested(t *testing.T) {
	t.Parallel()
	tests := map[string]string{}
	used := map[string]bool{}
	for _, pattern := range []string{"*.go", "*/*.go", "internal/*/*.go", "tests/*/*.go"} {
		files, err := filepath.Glob(harness.Path(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := strings.TrimPrefix(file, harness.Path(".")+"/")
			switch {
			case strings.HasSuffix(name, "_test.go"):
				tests[name] = harness.ReadFile(t, name)
			case !slices.Contains([]string{"internal/config/config.go", "internal/config/keys.go"}, name):
				for _, field := range regexp.MustCompile(
					`\b(?:settings|set|s|temporary|on|local)\.([A-Z]\w+)`).FindAllStringSubmatch(harness.ReadFile(t,
					name), -1) {
					used[field[1]] = true
				}
			}
		}
	}
	all := regexp.MustCompile(`(?s)// TestKE03_WrongValues.*?\n}\n`) // goes through all names
	for _, name := range harness.SettingNames(t) {
		form := regexp.MustCompile(`"` + name + `(_FILE)?(=|":)`)
		tested := false
		for _, text := range tests {
			tested = tested || form.MatchString(all.ReplaceAllString(text, ""))
		}
		if !tested {
			t.Errorf("%s is not tried in any test", name)
		}
	}
	for _, field := range settingsFields(t) {
		if !used[field] {
			t.Errorf("nobody reads Settings.%s", field)
		}
	}
}

// settingsFields are the names of the fields of config.Settings.
func settingsFields(t *testing.T) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), harness.Path("internal/config/config.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == "Settings" {
			for _, field := range spec.Type.(*ast.StructType).Fields.List {
				for _, name := range field.Names {
					names = append(names, name.Name)
				}
			}
		}
		return true
	})
	if len(names) < 20 {
		t.Fatalf("fields %s", names)
	}
	return names
}
