package sessions

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// KE-07 end to end: 64 sessions of one account write side by side, over and over, and nothing fails.
func TestKE07_ParallelWriters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		tokens := make([]string, 64)
		for n := range tokens {
			tokens[n] = s.CheapSession(t, ada).Refresh
		}
		for round := range harness.Amount(4, 100) {
			for n, a := range harness.Together(len(tokens), func(n int) (*harness.Answer, error) {
				return harness.Send(s.URL, "", harness.RefreshDoc, map[string]any{"token": tokens[n]})
			}) {
				next := ""
				if a != nil {
					next = a.Text("refresh", "tokens", "refreshToken")
				}
				if next == "" || next == tokens[n] {
					t.Fatalf("round %d: %+v", round, a)
				}
				tokens[n] = next
			}
		}
		if strings.Contains(s.Logged.String(), `"level":"ERROR"`) {
			t.Errorf("log: %s", s.Logged)
		}
	})
}

// AV-03: one connection is enough for everything, with limits on, under load; nothing waits for itself.
func TestAV03_PoolOfOne(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	join := "?"
	if strings.Contains(dsn, "?") {
		join = "&"
	}
	// A clone is migrated already; an empty database is migrated through that one connection.
	for name, dsn := range map[string]string{"migrated": dsn, "empty": dbtest.EmptyPostgres(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := harness.Start(t, dsn+join+"pool_max_conns=1", "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_MIGRATE=on")
			var wg sync.WaitGroup
			for n := range 6 {
				wg.Go(func() {
					email := fmt.Sprintf("u%d@example.com", n)
					steps := tourOf(s, email)
					for step, err := range steps {
						if err != nil {
							t.Errorf("%s: step %d: %v", email, step, err)
						}
					}
				})
			}
			wg.Wait()
			one := harness.MustCount(t, dbtest.Beside(t, dsn), `SELECT count(*) FROM pg_stat_activity WHERE datname `+
				`= current_database() AND application_name = 'dragoman'`)
			if one != 1 {
				t.Errorf("%d connections", one)
			}
		})
	}
}

// tourOf does everything that a newcomer can, and gives what went wrong at each step.
func tourOf(i *harness.Instance, email string) (failures []error) {
	do := func(credential, document string, variables map[string]any, want string) *harness.Answer {
		a := harness.Together(1, func(int) (*harness.Answer,
			error,
		) {
			return harness.Send(i.URL, credential, document, variables)
		})[0]
		var err error
		if a == nil || a.Code() != want || a.Status != http.StatusOK {
			err = fmt.Errorf("wanted %q: %+v", want, a)
		}
		failures = append(failures, err)
		if a == nil {
			a = &harness.Answer{}
		}
		return a
	}
	credentials := map[string]any{"email": email, "password": harness.GoodPass}
	a := do("", harness.RegisterDoc, map[string]any{"input": credentials}, "")
	do("", harness.RegisterDoc, map[string]any{"input": credentials}, "ALREADY_EXISTS")
	access, refresh := a.Text("register", "tokens", "accessToken"), a.Text("register", "tokens", "refreshToken")
	do(access, `{ me { id } sessions { id isCurrent } keys { id } currentCredential { kind session { id } } }`, nil, "")
	made := do(access, harness.CreateKey, nil, "")
	key := made.Text("createApiKey", "secret")
	do(key, harness.MeDoc, nil, "")
	do(key, `{ me { id } sessions { id isCurrent } keys { id } }`, nil, "")
	do(access, harness.DeleteKeyDoc, map[string]any{"id": made.Text("createApiKey", "apiKey", "id")}, "")
	next := do("", harness.RefreshDoc, map[string]any{"token": refresh}, "").Text("refresh", "tokens", "refreshToken")
	do("", harness.RefreshDoc, map[string]any{"token": refresh}, "")
	do("", harness.RefreshDoc, map[string]any{"token": next}, "")
	do("", harness.RefreshDoc, map[string]any{"token": refresh}, "TOKEN_REUSED")
	do("", harness.LoginDoc, map[string]any{"input": map[string]any{"email": email, "password": "wrong password"}},
		"INVALID_CREDENTIALS")
	in := do("", harness.LoginDoc, map[string]any{"input": credentials}, "").Text("login", "tokens", "accessToken")
	do(in, harness.RevokeOthersDoc, nil, "")
	do(in, `mutation { a: revokeOtherSessions { revokedCount } b: logout { userErrors { code } } c: `+
		`revokeOtherSessions { revokedCount } }`, nil, "UNAUTHENTICATED")
	do(in, harness.LogoutDoc, nil, "UNAUTHENTICATED")
	return failures
}

// TestStatements_Budget counts the statements of each operation on Postgres. AU-04 follows from it: what is one
// statement is one transaction, event and all.
func TestStatements_Budget(t *testing.T) {
	t.Parallel()
	type shape struct {
		name string
		want int
		do   func() *harness.Answer
	}
	operations := func(t *testing.T, s *harness.Instance, round int) []shape {
		ada := s.Register(t, fmt.Sprintf("ada%d@example.com", round))
		other := s.LoginAs(t, ada, "SESSION_TOKEN")
		last := s.LoginAs(t, ada, "BODY")
		keyID, key := s.NewKey(t, ada.Access, nil)
		s.Is(t, key, ada) // the first use is written at once
		ask := func(credential, document string, variables map[string]any) func() *harness.Answer {
			return func() *harness.Answer { return s.GraphQL(t, credential, document, variables) }
		}
		input := func(m map[string]any) map[string]any { return map[string]any{"input": m} }
		var newest string
		return []shape{
			{"me by access token", 1, ask(ada.Access, harness.MeDoc, nil)},
			{"me by session token", 1, ask(other.Refresh, harness.MeDoc, nil)},
			{"me by key", 1, ask(key, harness.MeDoc, nil)},
			{"currentCredential", 1, ask(ada.Access, harness.CurrentDoc, nil)},
			{"me twice and the credential", 1, ask(ada.Access, `{ a: me { id } b: me { email } currentCredential { `+
				`kind session { isCurrent } } }`, nil)},
			{"sessions", 2, ask(ada.Access, harness.SessionsDoc, nil)},
			{"session", 2, ask(ada.Access, harness.OneSessionDoc, map[string]any{"id": ada.Session})},
			{"keys", 2, ask(ada.Access, harness.KeysDoc, nil)},
			{"a page of sessions", 2, ask(ada.Access, `{ sessionConnection { nodes { id } } }`, nil)},
			{"a page of sessions, counted", 3, ask(ada.Access, `{ sessionConnection { totalCount nodes { id } } }`, nil)},
			{"a page of keys", 2, ask(ada.Access, `{ keyConnection { nodes { id } } }`, nil)},
			{"createApiKey", 7, ask(ada.Access, harness.CreateKey, nil)},
			{"deleteApiKey", 2, ask(ada.Access, harness.DeleteKeyDoc, map[string]any{"id": keyID})},
			{"refresh", 1, ask("", harness.RefreshDoc, map[string]any{"token": ada.Refresh})},
			{"refresh within the grace", 2, ask("", harness.RefreshDoc, map[string]any{"token": ada.Refresh})},
			{"refresh after a lost answer", 3, func() *harness.Answer {
				s.Clock.Add(11 * time.Second)
				a := s.Refresh(t, ada.Refresh)
				newest = a.Text("refresh", "tokens", "accessToken")
				return a
			}},
			{"me by the first access token of a generation", 1, func() *harness.Answer {
				return s.GraphQL(t, newest, harness.MeDoc, nil)
			}},
			{"login", 2, ask("", harness.LoginDoc,
				input(map[string]any{"email": ada.Email, "password": harness.GoodPass}))},
			{"register", 5, ask("", harness.RegisterDoc,
				input(map[string]any{"email": fmt.Sprintf("n%d@example.com", round), "password": harness.GoodPass}))},
			{"revokeSession", 2, ask(ada.Access, harness.RevokeSessionDoc, input(map[string]any{"id": other.Session}))},
			{"revokeOtherSessions", 2, ask(ada.Access, harness.RevokeOthersDoc, nil)},
			{
				"logout by a refresh token that is over", 2,
				ask("", harness.LogoutDoc, input(map[string]any{"refreshToken": last.Refresh})),
			},
			{"logout", 1, ask(ada.Access, harness.LogoutDoc, nil)},
			{"serverInfo", 0, ask("", `{ serverInfo { version } }`, nil)},
		}
	}
	// With limits the one more is the token of the limiter.
	for name, more := range map[string]map[string]int{
		"limits off": {}, "limits on": {
			"login": 1, "register": 1, "refresh": 1, "refresh within the grace": 1,
			"refresh after a lost answer": 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setting := "DRAGOMAN_RATE_LIMITS=" + strings.TrimPrefix(name, "limits ")
			s, dsn := harness.BudgetServer(t, setting)
			for _, warm := range operations(t, s, 0) {
				warm.do()
			}
			for _, op := range operations(t, s, 1) {
				var a *harness.Answer
				n, lines := harness.Statements(t, dsn, func() { a = op.do() })
				if code := a.Code(); code != "" && !strings.HasSuffix(op.name, "is over") {
					t.Errorf("%s: %s", op.name, a.Raw)
				}
				if want := op.want + more[op.name]; n != want {
					t.Errorf("%s: %d statements, not %d:\n  %s", op.name, n, want, strings.Join(lines, "\n  "))
				}
			}
		})
	}
}

// AK-03: what is no credential of ours costs no statement.
func TestStatements_Junk(t *testing.T) {
	t.Parallel()
	s, dsn := harness.BudgetServer(t)
	ada := s.Register(t, "ada@example.com")
	st := s.LoginAs(t, ada, "SESSION_TOKEN")
	_, key := s.NewKey(t, ada.Access, nil)
	spoilt := func(text string) string {
		if strings.HasSuffix(text, "A") {
			return text[:len(text)-2] + "BB"
		}
		return text[:len(text)-2] + "AA"
	}
	n, lines := harness.Statements(t, dsn, func() {
		for range harness.Amount(20, 10_000) {
			for _, text := range []string{ada.Access, st.Refresh, key, ada.Refresh} {
				if a := s.GraphQL(t, spoilt(text), harness.MeDoc, nil); a.At("me") != nil || a.Code() != "UNAUTHENTICATED" {
					t.Fatalf("me: %s", a.Raw)
				}
				if code := s.Refresh(t, spoilt(text)).Code(); code != "INVALID_TOKEN" {
					t.Fatalf("refresh: %q", code)
				}
				a := s.GraphQL(t, "", harness.LogoutDoc,
					map[string]any{"input": map[string]any{"refreshToken": spoilt(text)}})
				if a.Code() != "INVALID_TOKEN" {
					t.Fatalf("logout: %s", a.Raw)
				}
			}
		}
	})
	if n > 0 {
		t.Errorf("%d statements: %s", n, lines[0])
	}
}

// TestRefreshIsHeapOnly: a refresh writes nothing that an index holds, so on Postgres it is a heap-only update.
func TestRefreshIsHeapOnly(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	s := harness.Start(t, dsn)
	ada := s.Register(t, "ada@example.com")
	for range 5 {
		next := s.LoginAs(t, ada, "BODY").Refresh
		for range 10 {
			s.Clock.Add(time.Minute)
			_, next = s.NextOf(t, next)
		}
	}
	// A backend hands in its figures when it ends.
	if err := s.App.DB.Close(); err != nil {
		t.Fatal(err)
	}
	conn := dbtest.Beside(t, dsn)
	conn.SetMaxOpenConns(1)
	for deadline := time.Now().Add(10 * time.Second); ; {
		updates, hot := updatesOf(t, conn)
		if updates == 50 && hot == updates {
			return
		}
		if updates >= 50 || time.Now().After(deadline) {
			t.Fatalf("%d updates, %d of them heap-only", updates, hot)
		}
		harness.MustExec(t, conn, `SELECT pg_sleep(0.02)`) // the server's own clock: there is nothing to be told by
	}
}

func updatesOf(t *testing.T, conn *sql.DB) (updates, hot int) {
	t.Helper()
	err := conn.QueryRowContext(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname `+
		`= 'sessions'`).Scan(&updates, &hot)
	if err != nil {
		t.Fatal(err)
	}
	return updates, hot
}
