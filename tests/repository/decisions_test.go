package repository

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestDecisions demands of each decision a number without a gap before it, a date, a status, and a row in the list.
func TestDecisions(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(harness.Path("docs/decisions/[0-9]*.md"))
	if err != nil || len(names) < 18 {
		t.Fatalf("%d decisions were found: %v", len(names), err)
	}
	head := regexp.MustCompile(`^# (\d{4}): (.+)\n\nDate: (\d{4}-\d\d-\d\d)\. Status: (.+)\.\n`)
	list := harness.ReadFile(t, "docs/decisions/README.md")
	rows := 0
	for i, path := range names {
		name := filepath.Base(path)
		m := head.FindStringSubmatch(harness.ReadFile(t, "docs/decisions/"+name))
		if m == nil {
			t.Errorf("%s: it does not begin with `# NNNN: title`, an empty line and `Date: YYYY-MM-DD. Status: …`: "+
				"write it so", name)
			continue
		}
		if want := fmt.Sprintf("%04d", i+1); m[1] != want || !strings.HasPrefix(name, want+"-") {
			t.Errorf("%s has the number %s: the next one is %s", name, m[1], want)
		}
		if row := fmt.Sprintf("| [%s](%s) | %s | %s | %s |\n", m[1], name, m[2], m[3], m[4]); !strings.Contains(list,
			row) {
			t.Errorf("%s is not in the list: give it the row %s", name, row)
		}
		rows++
	}
	if n := strings.Count(list, "\n| [0"); n != rows {
		t.Errorf("the list has %d rows for %d decisions", n, rows)
	}
}
