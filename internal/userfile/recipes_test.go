package userfile

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sampleTime is when the samples are read: bans of theirs end later.
var sampleTime = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// sampleFirebase are the parameters of the project of the sample of Firebase.
var sampleFirebase = FirebaseHash{
	SignerKey: "0CtIkKk1Q+sp1jHXAdRujsqygZb1Am7k9TskbW0v2gdLsWuI2SWPx1BVxl1Dp8OaRtDtcoSXrNJ5Z39KoeDR8A==", Rounds: 8,
	SaltSeparator: "Bw==", MemoryCost: 14,
}

// samples are the exports below testdata, each with the file that holds what they give.
var samples = []struct{ recipe, path, want string }{
	{"auth0", "auth0/export", "auth0/want.json"},
	{"auth0", "auth0/export/users.json", "auth0/want_users.json"},
	{"auth0", "auth0/export/hashes.json", "auth0/want_hashes.json"},
	{"authcompanion", "authcompanion/sqlite_authc_database.db", "authcompanion/want.json"},
	{"authentication-zero", "authentication-zero/users.csv", "authentication-zero/want.json"},
	{"devise", "devise/users.csv", "devise/want.json"},
	{"django", "django/users.json", "django/want.json"},
	{"django", "django/users.csv", "django/want_csv.json"},
	{"firebase", "firebase/users.json", "firebase/want.json"},
	{"keycloak", "keycloak/harbour.json", "keycloak/want.json"},
	{"keycloak", "keycloak/export", "keycloak/want_directory.json"},
	{"laravel", "laravel/users.csv", "laravel/want.json"},
	{"supabase", "supabase/users.csv", "supabase/want.json"},
	{"supabase", "supabase/users.ndjson", "supabase/want_ndjson.json"},
	{"wolfpal", "wolfpal/users.json", "wolfpal/want.json"},
}

// readAll gives everything that a source gives, as JSON for people: the records with their places and notes, the
// problems, and the rows that were passed over.
func readAll(t *testing.T, s Source) string {
	t.Helper()
	type shown struct {
		Where string `json:"where"`
		*Record
		Notes    []string `json:"notes,omitempty"`
		Dropped  []string `json:"dropped,omitempty"`
		HashOnly bool     `json:"hashOnly,omitempty"`
	}
	var all struct {
		Records    []shown        `json:"records"`
		Problems   []string       `json:"problems,omitempty"`
		PassedOver map[string]int `json:"passedOver,omitempty"`
	}
	err := Each(s, func(r *Record, p *Problem) error {
		if p != nil {
			all.Problems = append(all.Problems, p.Error())
			return nil
		}
		if r.PassedOver != "" {
			if all.PassedOver == nil {
				all.PassedOver = map[string]int{}
			}
			all.PassedOver[r.PassedOver]++
			return nil
		}
		all.Records = append(all.Records, shown{r.Where, r, r.Notes, r.Dropped, r.HashOnly})
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(all); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func open(t *testing.T, path, recipe string) Source {
	t.Helper()
	s, err := Open(path, recipe, Options{Firebase: sampleFirebase, Now: sampleTime})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMI20_Samples holds the recipes to what they make of an export of each system, record by record.
func TestMI20_Samples(t *testing.T) {
	t.Parallel()
	covered := map[string]bool{}
	for _, sample := range samples {
		covered[sample.recipe] = true
		t.Run(strings.ReplaceAll(sample.path, "/", " "), func(t *testing.T) {
			t.Parallel()
			got := readAll(t, open(t, filepath.Join("testdata", sample.path), sample.recipe))
			want, err := os.ReadFile(filepath.Join("testdata", sample.want))
			if err != nil || got != string(want) {
				t.Errorf("testdata/%s: %v; want what the sample gives:\n%s", sample.want, err, got)
			}
		})
	}
	for _, r := range Recipes() {
		if !covered[r[0]] {
			t.Errorf("no sample of the recipe %s", r[0])
		}
	}
}
