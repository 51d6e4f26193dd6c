package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// nextOf refreshes and gives the successor; the test ends when there is none.
func (i *instance) nextOf(t testing.TB, refreshToken string) (access, next string) {
	t.Helper()
	a := i.refresh(t, refreshToken)
	access, next = a.text("refresh", "tokens", "accessToken"), a.text("refresh", "tokens", "refreshToken")
	if a.code() != "" || access == "" || next == "" {
		t.Fatalf("refresh: %s", a.Raw)
	}
	return access, next
}

// SE-09: many callers with one token get one successor, over one instance and over three.
func TestSE09_ConcurrentRefreshHasOneSuccessor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := cluster(t, dsn, 3)
		ada := instances[0].register(t, "ada@example.com")
		current := ada.Refresh
		for round := range amount(8, 1000) {
			answers := make([]*answer, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range answers {
				wg.Go(func() {
					<-begin
					answers[n], _ = send(instances[n%len(instances)].URL, "", refreshDoc, map[string]any{"token": current})
				})
			}
			close(begin)
			wg.Wait()
			successors := map[string]int{}
			var access string
			for _, a := range answers {
				if a == nil || a.Status != http.StatusOK || a.code() != "" {
					t.Fatalf("round %d: %+v", round, a)
				}
				successors[a.text("refresh", "tokens", "refreshToken")]++
				access = a.text("refresh", "tokens", "accessToken")
			}
			if len(successors) != 1 || successors[""] > 0 || successors[current] > 0 {
				t.Fatalf("round %d: successors %v", round, successors)
			}
			for next := range successors {
				current = next
			}
			for _, i := range instances {
				if !i.is(t, access, ada) {
					t.Fatalf("round %d: the session is over", round)
				}
			}
		}
		conn := dbtest.Beside(t, dsn)
		if n := mustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'refresh' AND outcome = 'failed'`); n > 0 {
			t.Errorf("%d failures on record", n)
		}
		if n := mustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'refresh' AND reason IS NULL`); n != amount(8, 1000) {
			t.Errorf("%d rotations on record, not one for each round", n)
		}
	})
}

// SE-10: the predecessor gets the same successor within the grace, and ends the session after it.
func TestSE10_Grace(t *testing.T) {
	t.Parallel()
	const us = time.Microsecond
	rows := map[string]struct {
		setting string
		after   time.Duration
		same    bool
	}{
		"at once":              {"", 0, true},
		"9 s":                  {"", 9 * time.Second, true},
		"at the bound":         {"", 10 * time.Second, true},
		"just past the bound":  {"", 10*time.Second + us, false},
		"11 s":                 {"", 11 * time.Second, false},
		"days":                 {"", 72 * time.Hour, false},
		"long grace":           {"DRAGOMAN_REFRESH_GRACE=60s", time.Minute, true},
		"past a long grace":    {"DRAGOMAN_REFRESH_GRACE=60s", time.Minute + us, false},
		"past no grace at all": {"DRAGOMAN_REFRESH_GRACE=0s", us, false},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for name, row := range rows {
			s := start(t, dsn, row.setting)
			ada := s.register(t, strings.ReplaceAll(name, " ", "-")+"@example.com")
			access, next := s.nextOf(t, ada.Refresh)
			s.clock.add(row.after)
			a := s.refresh(t, ada.Refresh)
			if row.same {
				if got := a.text("refresh", "tokens", "refreshToken"); got != next {
					t.Errorf("%s: another successor: %s", name, a.Raw)
				}
				if after := s.refresh(t, next).code(); after != "" {
					t.Errorf("%s: the successor then: %q", name, after)
				}
				continue
			}
			if a.code() != "TOKEN_REUSED" || a.at("refresh", "tokens") != nil || a.at("refresh", "session") != nil || a.at("refresh", "user") != nil {
				t.Errorf("%s: %s", name, a.Raw)
			}
			for which, dead := range map[string]string{"first": ada.Access, "second": access} {
				if s.is(t, dead, ada) {
					t.Errorf("%s: the %s access token lives", name, which)
				}
			}
			if code := s.refresh(t, next).code(); code != "INVALID_TOKEN" {
				t.Errorf("%s: the successor then: %q", name, code)
			}
		}
	})
}

// SE-10: a replay within the grace does not move the grace on.
func TestSE10_GraceIsNotProlonged(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		_, next := s.nextOf(t, ada.Refresh)
		for range 2 {
			s.clock.add(5 * time.Second)
			if _, again := s.nextOf(t, ada.Refresh); again != next {
				t.Fatal("another successor")
			}
		}
		s.clock.add(time.Second)
		if code := s.refresh(t, ada.Refresh).code(); code != "TOKEN_REUSED" {
			t.Errorf("11 s after the rotation, 1 s after the last replay: %q", code)
		}
		conn := dbtest.Beside(t, dsn)
		if n := mustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'refresh' AND reason = 'token_reused'
AND outcome = 'failed' AND user_id IS NOT NULL AND session_id IS NOT NULL`); n != 1 {
			t.Errorf("%d events of the reuse", n)
		}
	})
}

// SE-11 and SE-12: any older generation ends the session at once, the newest token with it; other sessions live.
func TestSE11_SE12_GrandparentEndsTheFamily(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		bystander := s.loginAs(t, ada, "BODY")
		for _, generations := range []int{2, 3, 10} {
			family := s.loginAs(t, ada, "BODY")
			tokens, accesses := []string{family.Refresh}, []string{family.Access}
			for range generations {
				access, next := s.nextOf(t, tokens[len(tokens)-1])
				tokens, accesses = append(tokens, next), append(accesses, access)
			}
			if code := s.refresh(t, tokens[len(tokens)-3]).code(); code != "TOKEN_REUSED" {
				t.Errorf("%d generations: the grandparent at once: %q", generations, code)
			}
			for n, dead := range tokens {
				if code := s.refresh(t, dead).code(); code != "INVALID_TOKEN" {
					t.Errorf("%d generations: token %d afterwards: %q", generations, n, code)
				}
			}
			for n, dead := range accesses {
				if s.is(t, dead, ada) {
					t.Errorf("%d generations: access token %d lives", generations, n)
				}
			}
		}
		if !s.is(t, bystander.Access, ada) || s.refresh(t, bystander.Refresh).code() != "" {
			t.Error("another session of the person ended too")
		}
	})
}

// A refresh gives what it gave at sign-in: the person, the session, fresh tokens; a stale credential beside it is no harm.
func TestRefresh_Answer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_ACCESS_TTL=1m")
		ada := s.register(t, "ada@example.com")
		s.clock.add(5 * time.Minute)
		a := s.graphql(t, ada.Access, refreshDoc, map[string]any{"token": ada.Refresh})
		if a.text("refresh", "user", "id") != ada.ID || a.text("refresh", "session", "id") != ada.Session ||
			a.at("refresh", "tokens", "sessionToken") != nil || !s.is(t, a.text("refresh", "tokens", "accessToken"), ada) {
			t.Errorf("refresh: %s", a.Raw)
		}
		if s.is(t, ada.Access, ada) {
			t.Error("the old access token did not end")
		}
	})
}

// SE-13: what was used before a crash stays used after it.
func TestSE13_CrashDoesNotReviveTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := []string{"DRAGOMAN_SECRET=" + testSecret, "DRAGOMAN_REFRESH_GRACE=0s", "DRAGOMAN_PUBLIC_URL=http://auth.example.com"}
		if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
			env = append(env, "DRAGOMAN_DATA_DIR="+filepath.Dir(path))
		} else {
			env = append(env, "DATABASE_URL="+dsn)
		}
		p := spawn(t, env...)
		s := &instance{URL: p.URL}
		ada := s.register(t, "ada@example.com")
		loggedOut := s.loginAs(t, ada, "BODY")
		access, next := s.nextOf(t, ada.Refresh)
		if code := s.graphql(t, loggedOut.Access, logoutDoc, nil).code(); code != "" {
			t.Fatalf("logout: %q", code)
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.cmd.Wait()

		s = &instance{URL: spawn(t, env...).URL}
		if !s.is(t, access, ada) {
			t.Fatal("a live session did not survive the crash")
		}
		if s.is(t, loggedOut.Access, ada) || s.refresh(t, loggedOut.Refresh).code() != "INVALID_TOKEN" {
			t.Error("the crash revived an ended session")
		}
		if code := s.refresh(t, ada.Refresh).code(); code != "TOKEN_REUSED" {
			t.Errorf("the used token after the crash: %q", code)
		}
		if code := s.refresh(t, next).code(); code != "INVALID_TOKEN" {
			t.Errorf("the newest token after the reuse: %q", code)
		}
	})
}

// SE-14: nothing but a refresh token is swapped for tokens, whatever else the request carries.
func TestSE14_NothingElseRefreshes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.register(t, "ada@example.com")
		st := s.loginAs(t, ada, "SESSION_TOKEN")
		keyID, key := s.newKey(t, ada.Access, nil)
		for _, credential := range []string{"", ada.Access, st.Refresh, key} {
			for _, input := range []string{
				"", "null", ada.Access, st.Refresh, key, keyID, ada.Session, ada.ID,
				strings.Replace(st.Refresh, "st1.", "rt1.", 1), " " + ada.Refresh, ada.Refresh + " ", "Bearer " + ada.Refresh,
				strings.ToUpper(ada.Refresh), strings.Replace(ada.Refresh, ".0.", ".1.", 1), strings.Replace(ada.Refresh, ".0.", ".00.", 1),
			} {
				a := s.graphql(t, credential, refreshDoc, map[string]any{"token": input})
				if a.code() != "INVALID_TOKEN" || a.at("refresh", "tokens") != nil {
					t.Errorf("%.20q beside %.8q: %s", input, credential, a.Raw)
				}
			}
		}
		// The refresh token as the credential of the request, and no input.
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			for _, path := range []string{"/graphql", "/refresh", "/token", "/graphql?query=mutation%7Brefresh(input%3A%7BrefreshToken%3A%22%22%7D)%7Btokens%7BaccessToken%7D%7D%7D"} {
				r, err := http.NewRequest(method, s.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+ada.Access)
				a, err := receive(r)
				if err != nil {
					t.Fatal(err)
				}
				if a.Status < 400 && a.at("refresh", "tokens") != nil || strings.Contains(a.Raw, "eyJ") || strings.Contains(a.Raw, "rt1.") {
					t.Errorf("%s %s: %d %s", method, path, a.Status, a.Raw)
				}
			}
		}
		if n := mustCount(t, conn, `SELECT count(*) FROM sessions WHERE generation > 0 OR revoked_at IS NOT NULL`); n > 0 {
			t.Errorf("%d sessions were rotated or ended", n)
		}
	})
}
