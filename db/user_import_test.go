package db_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

func pointer[T any](v T) *T { return &v }

// imported is an account with every column.
func imported(email string) *db.ImportedUser {
	at := time.Date(2019, 5, 4, 3, 2, 1, 123456000, time.UTC)
	u := &db.ImportedUser{
		User: db.User{
			ID: db.NewUserIDAt(at), Number: 77, ExternalID: pointer("auth0|" + email), Email: pointer(email),
			EmailCanonical: email, EmailVerifiedAt: pointer(at.Add(time.Hour)), Username: pointer("U-" + email[:3]),
			UsernameCanonical: pointer("u-" + email[:3]), Name: pointer("Ada \"Ä\" Example"),
			Phone:  pointer("+4930123456"),
			Locale: pointer("de-AT"), Metadata: db.JSONObject{
				"plan": "pro", "n": 1.5,
				"deep": map[string]any{"a": true},
			},
			Role: "user", Status: db.UserSuspended, PasswordHash: "$2b$10$abc", Invited: true,
			PendingEmail: pointer("p" + email), PendingEmailCanonical: pointer("p" + email), PendingShown: true,
			CreatedAt: at, UpdatedAt: at.Add(2 * time.Hour), LastLoginAt: pointer(at.Add(3 * time.Hour)),
			PasswordDisabledAt: pointer(at.Add(4 * time.Hour)), DevicesClearedAt: pointer(at.Add(5 * time.Hour)),
		},
		AppMetadata: db.JSONObject{"tier": "gold"},
		TakenOverAt: pointer(at.Add(6 * time.Hour)),
		TOTP:        []byte{1, 2, 3},
		Identities: []db.LinkedIdentity{
			{Provider: "github", Subject: "9" + email}, {Provider: "google", Subject: "1" + email, Email: email},
		},
		KeepsID: true,
	}
	return u
}

func importAll(t *testing.T, d *db.DB, batch ...*db.ImportedUser) []db.ImportResult {
	t.Helper()
	results, err := d.ImportUsers(t.Context(), batch, noon())
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// MI-01: what is imported comes out again as it went in, and the same batch twice changes nothing.
func TestMI01_ImportExport(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		first, second := imported("ada@example.com"), imported("bob@example.com")
		second.KeepsID, second.Number, second.Identities, second.TOTP, second.AppMetadata = false, 77, nil, nil, nil
		second.CreatedAt = second.CreatedAt.Add(time.Minute)
		second.ID = db.NewUserIDAt(second.CreatedAt)
		results := importAll(t, d, first, second)
		if results[0] != (db.ImportResult{}) {
			t.Errorf("%+v", results[0])
		}
		if results[1] != (db.ImportResult{Renumbered: true}) {
			t.Errorf("%+v", results[1])
		}
		if second.Number == 77 {
			t.Error("two accounts have one number")
		}
		for _, r := range importAll(t, d, first, second) {
			if r.Outcome != db.There {
				t.Errorf("again: %+v", r)
			}
		}
		out, err := d.ExportUsers(t.Context(), db.UserID{}, 10)
		if err != nil || len(out) != 2 {
			t.Fatalf("%d %v", len(out), err)
		}
		second.KeepsID = true // an export has ids of ours
		for i, want := range []*db.ImportedUser{first, second} {
			if got, want := asJSON(t, out[i]), asJSON(t, want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		if out, err = d.ExportUsers(t.Context(), first.ID, 10); err != nil || len(out) != 1 || out[0].ID != second.ID {
			t.Errorf("the second page: %v %v", out, err)
		}
	})
}

// MI-02: an account that needs what another one has is passed over, by its column and holder; the others are made.
func TestMI02_ImportTaken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		there := imported("ada@example.com")
		importAll(t, d, there)
		for column, change := range map[string]func(*db.ImportedUser){
			"externalId":   func(u *db.ImportedUser) { u.ExternalID = there.ExternalID },
			"email":        func(u *db.ImportedUser) { u.EmailCanonical = there.EmailCanonical },
			"username":     func(u *db.ImportedUser) { u.UsernameCanonical = there.UsernameCanonical },
			"pendingEmail": func(u *db.ImportedUser) { u.PendingEmailCanonical = there.PendingEmailCanonical },
			"identities":   func(u *db.ImportedUser) { u.Identities[1] = there.Identities[0] },
		} {
			u, free := imported("bob@example.com"), imported(column+"@example.com")
			change(u)
			free.Number = 0
			results := importAll(t, d, u, free)
			if want := (db.ImportResult{Outcome: db.ImportTaken, Column: column, Holder: there.ID}); results[0] !=
				want {
				t.Errorf("%s: %+v", column, results[0])
			}
			if results[1].Outcome != db.Imported {
				t.Errorf("%s: the other one: %+v", column, results[1])
			}
		}
	})
}

// MI-03: several imports of one file at once make each account once.
func TestMI03_ImportParallel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		var wait sync.WaitGroup
		var mu sync.Mutex
		made := map[string]int{}
		for range 8 {
			wait.Go(func() {
				var batch []*db.ImportedUser
				for _, name := range []string{"ada", "bob", "cat", "dan", "eve"} {
					u := imported(name + "@example.com")
					u.KeepsID, u.Number = false, 0
					batch = append(batch, u)
				}
				results, err := d.ImportUsers(t.Context(), batch, noon())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for i, r := range results {
					if r.Outcome == db.Imported {
						made[batch[i].EmailCanonical]++
					} else if r.Outcome != db.There {
						t.Errorf("%+v", r)
					}
				}
			})
		}
		wait.Wait()
		out, err := d.ExportUsers(t.Context(), db.UserID{}, 100)
		if err != nil || len(out) != 5 {
			t.Errorf("%d accounts, %v", len(out), err)
		}
		for _, u := range out {
			if len(u.Identities) != 2 || u.TOTP == nil {
				t.Errorf("half an account: %+v", u)
			}
		}
	})
}

// MI-09: of several imports at once, one gives an account the hash, once, and none where the account chose a password.
func TestMI09_HashesParallel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		bare := func(name string) *db.ImportedUser {
			u := imported(name + "@example.com")
			u.PasswordHash, u.PasswordDisabledAt, u.TakenOverAt, u.Number = "", nil, nil, 0
			u.PendingEmail, u.PendingEmailCanonical, u.PendingShown = nil, nil, false
			return u
		}
		importAll(t, d, bare("ada"), bare("bob"), bare("cat"))
		var wait sync.WaitGroup
		var mu sync.Mutex
		taken, left := 0, 0
		for n := range 8 {
			wait.Go(func() {
				var batch []*db.ImportedUser
				for _, name := range []string{"ada", "bob", "cat"} {
					u := bare(name)
					u.ID, u.KeepsID, u.GivesHash, u.HashOnly = db.NewUserID(), false, true, n%2 == 0
					u.PasswordHash, u.Hash = "$2b$10$abc", db.ForeignHash{Kind: "bcrypt 10", Sample: "s"}
					batch = append(batch, u)
				}
				if n%4 > 1 {
					slices.Reverse(batch)
				}
				results, err := d.ImportUsers(t.Context(), batch, noon())
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for _, r := range results {
					if r.Outcome != db.There || r.HashTaken && r.HashLeft {
						t.Errorf("%+v", r)
					}
					if r.HashTaken {
						taken++
					}
					if r.HashLeft {
						left++
					}
				}
			})
		}
		wait.Wait()
		mix, err := d.HashMix(t.Context())
		if err != nil || taken != 3 || mix.Foreign != 3 || len(mix.Kinds) != 1 || mix.Kinds[0].Imported != 3 {
			t.Errorf("%d hashes were taken and %d left, %+v %v", taken, left, mix, err)
		}
		for _, name := range []string{"ada", "bob", "cat"} {
			u := bare(name)
			u.PasswordHash = "$2b$10$other"
			u.GivesHash = true
			if r := importAll(t, d, u)[0]; r.HashTaken || r.HashLeft {
				t.Errorf("over a password: %+v", r)
			}
		}
	})
}
