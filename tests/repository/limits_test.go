package repository

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// limitsTable makes the table of limits of the documents.
func limitsTable() string {
	var table strings.Builder
	table.WriteString("| setting | default | for each | what is counted | instances over one Postgres |\n|---|---|---|---|---|\n")
	for _, e := range limit.Table() {
		together := "each for itself"
		if e.Shared {
			together = "together"
		}
		fmt.Fprintf(&table, "| `%s` | `%s` | %s | %s | %s |\n", e.Setting, e.Rule, e.By, e.Counts, together)
	}
	return table.String()
}

// TestLG27_TablesOfLimits holds the tables of the documents to the rules of the program. DRAGOMAN_TEST_WRITE=1 writes
// them anew.
func TestLG27_TablesOfLimits(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- limits -->\n", "<!-- end of limits -->\n"
	for _, file := range []string{"SECURITY.md", "docs/operations.md"} {
		before, rest, found := strings.Cut(harness.ReadFile(t, file), begin)
		got, after, ended := strings.Cut(rest, end)
		switch want := limitsTable(); {
		case !found || !ended:
			t.Errorf("%s has no place for the table of limits", file)
		case got == want:
		case os.Getenv("DRAGOMAN_TEST_WRITE") != "1":
			t.Errorf("the table of limits in %s is out of date: run DRAGOMAN_TEST_WRITE=1 go test -run "+
				"TestLG27_TablesOfLimits ./tests/repository", file)
		default:
			if err := os.WriteFile(harness.Path(file), []byte(before+begin+want+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
