package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A check that fails says why: what the answer was, and what the server's log has to say of it.
func TestDialectCheck_SaysWhy(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "shelf.yaml")
	text := `dialect: shelf
title: Shelf API
mounts: [/shelf]
errors:
  body: {error: =.message}
routes:
  - route: GET /a
    body:
      x: '=$request.params.n + 1'
    examples:
      - {title: adds, query: {n: two}, answer: {json: {x: 3}}}
  - route: GET /b
    body: {x: 1}
    examples:
      - {title: shows, answer: {json: {x: 2}}}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := command(t, t.TempDir(), nil, "dialect", "check", file)
	if got.code != 1 {
		t.Errorf("the check says that all is well: %+v", got)
	}
	for _, want := range []string{
		"FAIL  GET /a: adds", "status 500, want 200",
		"shelf.yaml:9: an expression failed: cannot add", "FAIL  GET /b: shows", "x: 1, want 2",
		"2 routes, 2 examples, 2 failed",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("%q is missing in:\n%s", want, got.stdout)
		}
	}
}
