package program

import (
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// Several servers start at once on a database without tables: one makes the schema and the key, all come up, all agree.
func TestStart_ThreeAtOnce(t *testing.T) {
	t.Parallel()
	rows := map[string]func(t *testing.T) []string{
		"postgres": func(t *testing.T) []string {
			return []string{"DATABASE_URL=" + dbtest.EmptyPostgres(t), "DRAGOMAN_SECRET=" + harness.Secret}
		},
		"sqlite": func(t *testing.T) []string {
			return []string{"DRAGOMAN_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "DRAGOMAN_SECRET=" +
				harness.Secret}
		},
		"sqlite and a secret that is not there yet": func(t *testing.T) []string {
			return []string{"DRAGOMAN_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
		},
	}
	for name, env := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := append(env(t), "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
			servers := make([]*harness.Process, 3)
			var wg sync.WaitGroup
			for n := range servers {
				wg.Go(func() { servers[n] = harness.Spawn(t, settings...) })
			}
			wg.Wait()
			if slices.Contains(servers, nil) {
				t.FailNow() // spawn has said why
			}
			var first string
			for _, p := range servers {
				r, err := http.NewRequest(http.MethodGet, p.URL+"/.well-known/jwks.json", nil)
				if err != nil {
					t.Fatal(err)
				}
				a, err := harness.Receive(r)
				if err != nil || !strings.Contains(a.Raw, `"kid"`) {
					t.Fatalf("key set: %+v %v", a, err)
				}
				if first == "" {
					first = a.Raw
				}
				if a.Raw != first {
					t.Errorf("two key sets: %s and %s", first, a.Raw)
				}
			}
			ada := (&harness.Instance{URL: servers[0].URL}).Register(t, "ada@example.com")
			for _, p := range servers[1:] {
				i := &harness.Instance{URL: p.URL}
				if !i.Is(t, ada.Access, ada) || i.Refresh(t, ada.Refresh).Code() != "" {
					t.Error("a server does not know what another has issued")
				}
			}
		})
	}
}
