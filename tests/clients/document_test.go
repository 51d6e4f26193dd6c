package clients

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

const document = "docs/frontend.md"

var (
	// snippet is where the document shows a file of docs/examples, or a region of one, with what stands there now.
	snippet = regexp.MustCompile("(?m)^<!-- (docs/examples/[^ #]+)(?:#([a-z-]+))? -->\n(?:```[a-z]+\n(?s:.*?)\n```\n)?")
	region  = regexp.MustCompile(`(?ms)^// #region ([a-z-]+)\n(.*?)^// #endregion$`)
	regions = regexp.MustCompile(`(?m)^// #region ([a-z-]+)$`)
)

// cut gives a region of a file, or the whole file.
func cut(t *testing.T, file, name string) string {
	t.Helper()
	text := harness.ReadFile(t, file)
	if name == "" {
		return text
	}
	for _, m := range region.FindAllStringSubmatch(text, -1) {
		if m[1] == name {
			return m[2]
		}
	}
	t.Errorf("%s has no region %s", file, name)
	return ""
}

// TestFrontend_Snippets holds the code in docs/frontend.md to the files that tests run. DRAGOMAN_TEST_WRITE=1 writes it
// anew.
func TestFrontend_Snippets(t *testing.T) {
	t.Parallel()
	got := harness.ReadFile(t, document)
	shown := map[string]bool{}
	want := snippet.ReplaceAllStringFunc(got, func(block string) string {
		m := snippet.FindStringSubmatch(block)
		shown[m[1]+"#"+m[2]] = true
		language := strings.TrimPrefix(strings.TrimPrefix(filepath.Ext(m[1]), "."), "m")
		head, _, _ := strings.Cut(block, "\n")
		return head + "\n```" + language + "\n" + cut(t, m[1], m[2]) + "```\n"
	})
	switch {
	case got == want:
	case os.Getenv("DRAGOMAN_TEST_WRITE") != "1":
		t.Errorf("the code in %s is out of date: run DRAGOMAN_TEST_WRITE=1 go test -run TestFrontend_Snippets "+
			"./tests/clients", document)
	default:
		if err := os.WriteFile(harness.Path(document), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	rest := snippet.ReplaceAllString(want, "")
	for _, m := range regexp.MustCompile("(?m)^```(\\w+)$").FindAllStringSubmatch(rest, -1) {
		if m[1] != "sh" {
			t.Errorf("%s has code in %s that is cut from no example", document, m[1])
		}
	}
	err := filepath.WalkDir(harness.Path("docs/examples"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return err
		}
		name, err := filepath.Rel(harness.Path("."), file)
		if err != nil {
			return err
		}
		for _, m := range regions.FindAllStringSubmatch(harness.ReadFile(t, name), -1) {
			if !shown[name+"#"+m[1]] {
				t.Errorf("%s does not show the region %s of %s", document, m[1], name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestFrontend_Versions holds what docs/frontend.md says of versions to those that tests install, and its links to
// files that are there.
func TestFrontend_Versions(t *testing.T) {
	t.Parallel()
	text := harness.ReadFile(t, document)
	majors := func(versions, name string) string {
		var listed struct{ DevDependencies map[string]string }
		file := "tests/clients/" + versions + "/package.json"
		if err := json.Unmarshal([]byte(harness.ReadFile(t, file)), &listed); err != nil {
			t.Fatal(err)
		}
		major, _, _ := strings.Cut(listed.DevDependencies[name], ".")
		return major
	}
	for _, c := range []struct{ title, name, says string }{
		{"Apollo Client", "@apollo/client", "Versions %s and %s"},
		{"urql", "urql", "Versions %s and %s"},
		{"urql", "@urql/exchange-auth", "`@urql/exchange-auth` %s or %s"},
		{"graphql-request", "graphql-request", "Versions %s and %s"},
		{"TanStack Query", "@tanstack/react-query", "Versions %s and %s"},
		{"Relay", "relay-runtime", "Versions %s and %s"},
		{"GraphQL Code Generator", "@graphql-codegen/cli", "Versions %s and %s"},
		{"A backend", "jose", "jose %s or %s"},
	} {
		_, section, found := strings.Cut(text, "\n## "+c.title+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		want := fmt.Sprintf(c.says, majors("previous", c.name), majors("current", c.name))
		if !found || !strings.Contains(section, want) {
			t.Errorf("the section %s does not say %q", c.title, want)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([a-z][^):#]*)(#[^)]*)?\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(harness.Path("docs/" + m[1])); err != nil {
			t.Errorf("a link leads nowhere: %s", m[1])
		}
	}
	lists, err := filepath.Glob(harness.Path("*/*/*/package-lock.json"))
	if err != nil || len(lists) < 6 {
		t.Fatalf("%d lock files were found: %v", len(lists), err)
	}
	for _, list := range lists { // the registry is that of who installs
		name, _ := filepath.Rel(harness.Path("."), list)
		if strings.Contains(harness.ReadFile(t, name), `"resolved"`) {
			t.Errorf("%s names a registry: .npmrc with omit-lockfile-registry-resolved=true leaves it out", name)
		}
	}
}
