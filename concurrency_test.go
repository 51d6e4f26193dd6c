package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// together runs n calls at the same moment and gives their answers; nil where the connection failed. A 503 that says when
// to come back is the hash queue's, and is sent again.
func together(n int, call func(n int) (*answer, error)) []*answer {
	answers := make([]*answer, n)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			<-begin
			for {
				a, err := call(i)
				if err == nil && a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "" {
					continue
				}
				if err == nil {
					answers[i] = a
				}
				return
			}
		})
	}
	close(begin)
	wg.Wait()
	return answers
}

// KE-07 end to end: 64 sessions of one account write side by side, over and over, and nothing fails.
func TestKE07_ParallelWriters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		tokens := make([]string, 64)
		for n := range tokens {
			tokens[n] = s.cheapSession(t, ada).Refresh
		}
		for round := range amount(4, 100) {
			for n, a := range together(len(tokens), func(n int) (*answer, error) {
				return send(s.URL, "", refreshDoc, map[string]any{"token": tokens[n]})
			}) {
				next := ""
				if a != nil {
					next = a.text("refresh", "tokens", "refreshToken")
				}
				if next == "" || next == tokens[n] {
					t.Fatalf("round %d: %+v", round, a)
				}
				tokens[n] = next
			}
		}
		if strings.Contains(s.log.String(), `"level":"ERROR"`) {
			t.Errorf("log: %s", s.log)
		}
	})
}

// Several servers start at once on a database without tables: one makes the schema and the key, all come up, all agree.
func TestStart_ThreeAtOnce(t *testing.T) {
	t.Parallel()
	rows := map[string]func(t *testing.T) []string{
		"postgres": func(t *testing.T) []string {
			return []string{"DATABASE_URL=" + dbtest.EmptyPostgres(t), "DRAGOMAN_SECRET=" + testSecret}
		},
		"sqlite": func(t *testing.T) []string {
			return []string{"DRAGOMAN_DATA_DIR=" + filepath.Join(t.TempDir(), "data"), "DRAGOMAN_SECRET=" + testSecret}
		},
		"sqlite and a secret that is not there yet": func(t *testing.T) []string {
			return []string{"DRAGOMAN_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
		},
	}
	for name, env := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := append(env(t), "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
			servers := make([]*process, 3)
			var wg sync.WaitGroup
			for n := range servers {
				wg.Go(func() { servers[n] = spawn(t, settings...) })
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
				a, err := receive(r)
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
			ada := (&instance{URL: servers[0].URL}).register(t, "ada@example.com")
			for _, p := range servers[1:] {
				i := &instance{URL: p.URL}
				if !i.is(t, ada.Access, ada) || i.refresh(t, ada.Refresh).code() != "" {
					t.Error("a server does not know what another has issued")
				}
			}
		})
	}
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
			s := start(t, dsn+join+"pool_max_conns=1", "DRAGOMAN_RATE_LIMITS=on")
			var wg sync.WaitGroup
			for n := range 6 {
				wg.Go(func() {
					email := fmt.Sprintf("u%d@example.com", n)
					steps := s.tourOf(email)
					for step, err := range steps {
						if err != nil {
							t.Errorf("%s: step %d: %v", email, step, err)
						}
					}
				})
			}
			wg.Wait()
			one := mustCount(t, dbtest.Beside(t, dsn), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'dragoman'`)
			if one != 1 {
				t.Errorf("%d connections", one)
			}
		})
	}
}

// tourOf does everything that a newcomer can, and gives what went wrong at each step.
func (i *instance) tourOf(email string) (failures []error) {
	do := func(credential, document string, variables map[string]any, want string) *answer {
		a := together(1, func(int) (*answer, error) { return send(i.URL, credential, document, variables) })[0]
		var err error
		if a == nil || a.code() != want || a.Status != http.StatusOK {
			err = fmt.Errorf("wanted %q: %+v", want, a)
		}
		failures = append(failures, err)
		if a == nil {
			a = &answer{}
		}
		return a
	}
	credentials := map[string]any{"email": email, "password": goodPass}
	a := do("", registerDoc, map[string]any{"input": credentials}, "")
	do("", registerDoc, map[string]any{"input": credentials}, "ALREADY_EXISTS")
	access, refresh := a.text("register", "tokens", "accessToken"), a.text("register", "tokens", "refreshToken")
	do(access, `{ me { id } sessions { id isCurrent } keys { id } currentCredential { kind session { id } } }`, nil, "")
	made := do(access, createKey, nil, "")
	key := made.text("createApiKey", "secret")
	do(key, meDoc, nil, "")
	do(key, `{ me { id } sessions { id isCurrent } keys { id } }`, nil, "")
	do(access, deleteKeyDoc, map[string]any{"id": made.text("createApiKey", "apiKey", "id")}, "")
	next := do("", refreshDoc, map[string]any{"token": refresh}, "").text("refresh", "tokens", "refreshToken")
	do("", refreshDoc, map[string]any{"token": refresh}, "")
	do("", refreshDoc, map[string]any{"token": next}, "")
	do("", refreshDoc, map[string]any{"token": refresh}, "TOKEN_REUSED")
	do("", loginDoc, map[string]any{"input": map[string]any{"email": email, "password": "wrong password"}}, "INVALID_CREDENTIALS")
	in := do("", loginDoc, map[string]any{"input": credentials}, "").text("login", "tokens", "accessToken")
	do(in, revokeOthersDoc, nil, "")
	do(in, `mutation { a: revokeOtherSessions { revokedCount } b: logout { userErrors { code } } c: revokeOtherSessions { revokedCount } }`, nil, "UNAUTHENTICATED")
	do(in, logoutDoc, nil, "UNAUTHENTICATED")
	return failures
}

// statements counts what a database was asked during f, from the log of the server.
func statements(t *testing.T, dsn string, f func()) (n int, lines []string) {
	t.Helper()
	path := dbtest.PostgresLog(t)
	name := regexp.MustCompile(`/(\w+)(\?|$)`).FindStringSubmatch(dsn)[1]
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	from := size()
	f()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	written := make([]byte, size()-from)
	if _, err := file.ReadAt(written, from); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^` + name + ` LOG:  (execute [^:]*|statement): (.*)`)
	for text := range strings.SplitSeq(string(written), "\n") {
		if m := line.FindStringSubmatch(text); m != nil {
			lines = append(lines, m[2])
		}
	}
	return len(lines), lines
}

// budgetServer starts a server on a Postgres whose log can be read. One connection, so that everything is prepared after
// one warm-up.
func budgetServer(t *testing.T, env ...string) (s *instance, dsn string) {
	t.Helper()
	if dsn = dbtest.Postgres(t); dbtest.PostgresLog(t) == "" {
		t.Skip("TEST_DATABASE_URL: the log of that server can not be read")
	}
	return start(t, dsn+"&pool_max_conns=1", append(env, mailWaits)...), dsn
}

// The statement budget of data.md. AU-04 follows from it: what is one statement is one transaction, event and all.
func TestStatements_Budget(t *testing.T) {
	t.Parallel()
	type shape struct {
		name string
		want int
		do   func() *answer
	}
	operations := func(t *testing.T, s *instance, round int) []shape {
		ada := s.register(t, fmt.Sprintf("ada%d@example.com", round))
		other := s.loginAs(t, ada, "SESSION_TOKEN")
		last := s.loginAs(t, ada, "BODY")
		keyID, key := s.newKey(t, ada.Access, nil)
		s.is(t, key, ada) // the first use is written at once
		ask := func(credential, document string, variables map[string]any) func() *answer {
			return func() *answer { return s.graphql(t, credential, document, variables) }
		}
		input := func(m map[string]any) map[string]any { return map[string]any{"input": m} }
		return []shape{
			{"me by access token", 1, ask(ada.Access, meDoc, nil)},
			{"me by session token", 1, ask(other.Refresh, meDoc, nil)},
			{"me by key", 1, ask(key, meDoc, nil)},
			{"currentCredential", 1, ask(ada.Access, currentDoc, nil)},
			{"me twice and the credential", 1, ask(ada.Access, `{ a: me { id } b: me { email } currentCredential { kind session { isCurrent } } }`, nil)},
			{"sessions", 2, ask(ada.Access, sessionsDoc, nil)},
			{"session", 2, ask(ada.Access, oneSessionDoc, map[string]any{"id": ada.Session})},
			{"keys", 2, ask(ada.Access, keysDoc, nil)},
			{"createApiKey", 5, ask(ada.Access, createKey, nil)},
			{"deleteApiKey", 2, ask(ada.Access, deleteKeyDoc, map[string]any{"id": keyID})},
			{"refresh", 1, ask("", refreshDoc, map[string]any{"token": ada.Refresh})},
			{"refresh within the grace", 2, ask("", refreshDoc, map[string]any{"token": ada.Refresh})},
			{"login", 2, ask("", loginDoc, input(map[string]any{"email": ada.Email, "password": goodPass}))},
			{"register", 5, ask("", registerDoc, input(map[string]any{"email": fmt.Sprintf("n%d@example.com", round), "password": goodPass}))},
			{"revokeSession", 2, ask(ada.Access, revokeSessionDoc, input(map[string]any{"id": other.Session}))},
			{"revokeOtherSessions", 2, ask(ada.Access, revokeOthersDoc, nil)},
			{"logout by a refresh token that is over", 2, ask("", logoutDoc, input(map[string]any{"refreshToken": last.Refresh}))},
			{"logout", 1, ask(ada.Access, logoutDoc, nil)},
			{"serverInfo", 0, ask("", `{ serverInfo { version } }`, nil)},
		}
	}
	// With limits the one more is the token of the limiter.
	for name, more := range map[string]map[string]int{
		"limits off": {}, "limits on": {"login": 1, "register": 1, "refresh": 1, "refresh within the grace": 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setting := "DRAGOMAN_RATE_LIMITS=" + strings.TrimPrefix(name, "limits ")
			s, dsn := budgetServer(t, setting)
			for _, warm := range operations(t, s, 0) {
				warm.do()
			}
			for _, op := range operations(t, s, 1) {
				var a *answer
				n, lines := statements(t, dsn, func() { a = op.do() })
				if code := a.code(); code != "" && !strings.HasSuffix(op.name, "is over") {
					t.Errorf("%s: %s", op.name, a.Raw)
				}
				if want := op.want + more[op.name]; n != want {
					t.Errorf("%s: %d statements, not %d:\n  %s", op.name, n, want, strings.Join(lines, "\n  "))
				}
			}
		})
	}
}

// AK-03 and data.md: what is no credential of ours costs no statement.
func TestStatements_Junk(t *testing.T) {
	t.Parallel()
	s, dsn := budgetServer(t)
	ada := s.register(t, "ada@example.com")
	st := s.loginAs(t, ada, "SESSION_TOKEN")
	_, key := s.newKey(t, ada.Access, nil)
	spoilt := func(text string) string {
		if strings.HasSuffix(text, "A") {
			return text[:len(text)-2] + "BB"
		}
		return text[:len(text)-2] + "AA"
	}
	n, lines := statements(t, dsn, func() {
		for range amount(20, 10_000) {
			for _, text := range []string{ada.Access, st.Refresh, key, ada.Refresh} {
				if a := s.graphql(t, spoilt(text), meDoc, nil); a.at("me") != nil || len(a.Errors) > 0 {
					t.Fatalf("me: %s", a.Raw)
				}
				if code := s.refresh(t, spoilt(text)).code(); code != "INVALID_TOKEN" {
					t.Fatalf("refresh: %q", code)
				}
				a := s.graphql(t, "", logoutDoc, map[string]any{"input": map[string]any{"refreshToken": spoilt(text)}})
				if a.code() != "INVALID_TOKEN" {
					t.Fatalf("logout: %s", a.Raw)
				}
			}
		}
	})
	if n > 0 {
		t.Errorf("%d statements: %s", n, lines[0])
	}
}

// data.md: a refresh writes nothing that an index holds, so on Postgres it is a heap-only update.
func TestRefreshIsHeapOnly(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	s := start(t, dsn)
	ada := s.register(t, "ada@example.com")
	for range 5 {
		next := s.loginAs(t, ada, "BODY").Refresh
		for range 10 {
			s.clock.add(time.Minute)
			_, next = s.nextOf(t, next)
		}
	}
	// A backend hands in its figures when it ends.
	if err := s.app.DB.Close(); err != nil {
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
		mustExec(t, conn, `SELECT pg_sleep(0.02)`) // the server's own clock: there is nothing to be told by
	}
}

func updatesOf(t *testing.T, conn *sql.DB) (updates, hot int) {
	t.Helper()
	err := conn.QueryRowContext(t.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'`).Scan(&updates, &hot)
	if err != nil {
		t.Fatal(err)
	}
	return updates, hot
}
