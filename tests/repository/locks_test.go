package repository

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestLG24_Table holds the table of locks in SECURITY.md to its form: what each lock stops, what an attacker does to an
// owner with it, the way round, and tests that exist. Every limit that is a setting has a row.
func TestLG24_Table(t *testing.T) {
	t.Parallel()
	_, rest, found := strings.Cut(harness.ReadFile(t, "SECURITY.md"), "<!-- locks -->\n")
	table, _, ended := strings.Cut(rest, "<!-- end of locks -->")
	if !found || !ended {
		t.Fatal("SECURITY.md has no table of locks")
	}
	var sources strings.Builder
	for name, text := range repositoryTexts(t) {
		if strings.HasSuffix(name, "_test.go") {
			sources.WriteString(text)
		}
	}
	tests := map[string]bool{}
	for _, m := range testFunc.FindAllStringSubmatch(sources.String(), -1) {
		tests[m[1]] = true
	}
	rows := strings.Split(strings.TrimSpace(table), "\n")[2:]
	locks := ""
	for _, row := range rows {
		cells := strings.Split(strings.Trim(row, "|"), "|")
		if len(cells) != 5 {
			t.Errorf("%d cells, want 5: %s", len(cells), row)
			continue
		}
		for n, cell := range cells {
			if strings.TrimSpace(cell) == "" {
				t.Errorf("cell %d is empty: %s", n+1, row)
			}
		}
		locks += cells[0]
		names := testName.FindAllStringSubmatch(cells[4], -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", row)
		}
		for _, name := range names {
			if !tests[name[1]] {
				t.Errorf("there is no %s: %s", name[1], row)
			}
		}
	}
	for _, e := range limit.Table() {
		if strings.Count(locks, "`"+e.Setting+"`") != 1 {
			t.Errorf("SECURITY.md: %s has no row in the table of locks, or several", e.Setting)
		}
	}
	for _, lock := range []string{"by a name", "by a device", "by a session", "hundred", "codes", "mails", "queue"} {
		if !strings.Contains(locks, lock) {
			t.Errorf("SECURITY.md: the table of locks has no row for %q", lock)
		}
	}
}
