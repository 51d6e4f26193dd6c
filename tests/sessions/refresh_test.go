package sessions

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// SE-09: many callers with one token get one successor, over one instance and over three.
func TestSE09_ConcurrentRefreshHasOneSuccessor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 3)
		ada := instances[0].Register(t, "ada@example.com")
		current := ada.Refresh
		for round := range harness.Amount(8, 1000) {
			answers := make([]*harness.Answer, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range answers {
				wg.Go(func() {
					<-begin
					answers[n], _ = harness.Send(instances[n%len(instances)].URL, "", harness.RefreshDoc,
						map[string]any{"token": current})
				})
			}
			close(begin)
			wg.Wait()
			successors := map[string]int{}
			var access string
			for _, a := range answers {
				if a == nil || a.Status != http.StatusOK || a.Code() != "" {
					t.Fatalf("round %d: %+v", round, a)
				}
				successors[a.Text("refresh", "tokens", "refreshToken")]++
				access = a.Text("refresh", "tokens", "accessToken")
			}
			if len(successors) != 1 || successors[""] > 0 || successors[current] > 0 {
				t.Fatalf("round %d: successors %v", round, successors)
			}
			for next := range successors {
				current = next
			}
			for _, i := range instances {
				if !i.Is(t, access, ada) {
					t.Fatalf("round %d: the session is over", round)
				}
			}
		}
		conn := dbtest.Beside(t, dsn)
		if n := harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = `+
			`'session.refresh_failed' AND outcome = 'failed'`); n > 0 {
			t.Errorf("%d failures on record", n)
		}
		if n := harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'session.refreshed' AND `+
			`reason IS NULL`); n != harness.Amount(8, 1000) {
			t.Errorf("%d rotations on record, not one for each round", n)
		}
	})
}

// SE-10: the predecessor gets the same successor within the grace, and ends the session after it, when what came with
// the successor was used.
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
			s := harness.Start(t, dsn, row.setting)
			ada := s.Register(t, strings.ReplaceAll(name, " ", "-")+"@example.com")
			access, next := s.NextOf(t, ada.Refresh)
			if !s.Is(t, access, ada) {
				t.Fatal("the new access token does not work")
			}
			s.Clock.Add(row.after)
			a := s.Refresh(t, ada.Refresh)
			if row.same {
				if got := a.Text("refresh", "tokens", "refreshToken"); got != next {
					t.Errorf("%s: another successor: %s", name, a.Raw)
				}
				if after := s.Refresh(t, next).Code(); after != "" {
					t.Errorf("%s: the successor then: %q", name, after)
				}
				continue
			}
			if a.Code() != "TOKEN_REUSED" || a.At("refresh", "tokens") != nil || a.At("refresh", "session") != nil ||
				a.At("refresh", "user") != nil {
				t.Errorf("%s: %s", name, a.Raw)
			}
			for which, dead := range map[string]string{"first": ada.Access, "second": access} {
				if s.Is(t, dead, ada) {
					t.Errorf("%s: the %s access token lives", name, which)
				}
			}
			if code := s.Refresh(t, next).Code(); code != "INVALID_TOKEN" {
				t.Errorf("%s: the successor then: %q", name, code)
			}
		}
	})
}

// SE-10: a replay within the grace does not move the grace on.
func TestSE10_GraceIsNotProlonged(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		access, next := s.NextOf(t, ada.Refresh)
		if !s.Is(t, access, ada) {
			t.Fatal("the new access token does not work")
		}
		for range 2 {
			s.Clock.Add(5 * time.Second)
			if _, again := s.NextOf(t, ada.Refresh); again != next {
				t.Fatal("another successor")
			}
		}
		s.Clock.Add(time.Second)
		if code := s.Refresh(t, ada.Refresh).Code(); code != "TOKEN_REUSED" {
			t.Errorf("11 s after the rotation, 1 s after the last replay: %q", code)
		}
		conn := dbtest.Beside(t, dsn)
		if n := harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = `+
			`'session.refresh_failed' AND reason = 'token_reused'
AND outcome = 'failed' AND user_id IS NOT NULL AND session_id IS NOT NULL`); n != 1 {
			t.Errorf("%d events of the reuse", n)
		}
	})
}

// SE-11 and SE-12: any older generation ends the session at once, the newest token with it; other sessions live.
func TestSE11_SE12_GrandparentEndsTheFamily(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		bystander := s.LoginAs(t, ada, "BODY")
		for _, generations := range []int{2, 3, 10} {
			family := s.LoginAs(t, ada, "BODY")
			tokens, accesses := []string{family.Refresh}, []string{family.Access}
			for range generations {
				access, next := s.NextOf(t, tokens[len(tokens)-1])
				tokens, accesses = append(tokens, next), append(accesses, access)
			}
			if code := s.Refresh(t, tokens[len(tokens)-3]).Code(); code != "TOKEN_REUSED" {
				t.Errorf("%d generations: the grandparent at once: %q", generations, code)
			}
			for n, dead := range tokens {
				if code := s.Refresh(t, dead).Code(); code != "INVALID_TOKEN" {
					t.Errorf("%d generations: token %d afterwards: %q", generations, n, code)
				}
			}
			for n, dead := range accesses {
				if s.Is(t, dead, ada) {
					t.Errorf("%d generations: access token %d lives", generations, n)
				}
			}
		}
		if !s.Is(t, bystander.Access, ada) || s.Refresh(t, bystander.Refresh).Code() != "" {
			t.Error("another session of the person ended too")
		}
	})
}

// A refresh gives what it gave at sign-in: the person, the session, fresh tokens; a stale credential beside it is no
// harm.
func TestRefresh_Answer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=1m")
		ada := s.Register(t, "ada@example.com")
		s.Clock.Add(5 * time.Minute)
		a := s.GraphQL(t, ada.Access, harness.RefreshDoc, map[string]any{"token": ada.Refresh})
		if a.Text("refresh", "user", "id") != ada.ID || a.Text("refresh", "session", "id") != ada.Session ||
			a.At("refresh", "tokens", "sessionToken") != nil ||
			!s.Is(t, a.Text("refresh", "tokens", "accessToken"), ada) {
			t.Errorf("refresh: %s", a.Raw)
		}
		if s.Is(t, ada.Access, ada) {
			t.Error("the old access token did not end")
		}
	})
}

// SE-14: nothing but a refresh token is swapped for tokens, whatever else the request carries.
func TestSE14_NothingElseRefreshes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.Register(t, "ada@example.com")
		st := s.LoginAs(t, ada, "SESSION_TOKEN")
		keyID, key := s.NewKey(t, ada.Access, nil)
		for _, credential := range []string{"", ada.Access, st.Refresh, key} {
			for _, input := range []string{
				"", "null", ada.Access, st.Refresh, key, keyID, ada.Session, ada.ID,
				strings.Replace(st.Refresh, "st1.", "rt1.", 1), " " + ada.Refresh, ada.Refresh + " ", "Bearer " +
					ada.Refresh,
				strings.ToUpper(ada.Refresh), strings.Replace(ada.Refresh, ".0.", ".1.", 1),
				strings.Replace(ada.Refresh, ".0.", ".00.", 1),
			} {
				a := s.GraphQL(t, credential, harness.RefreshDoc, map[string]any{"token": input})
				if a.Code() != "INVALID_TOKEN" || a.At("refresh", "tokens") != nil {
					t.Errorf("%.20q beside %.8q: %s", input, credential, a.Raw)
				}
			}
		}
		// The refresh token as the credential of the request, and no input.
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
			for _, path := range []string{
				"/graphql", "/refresh", "/token",
				"/graphql?query=mutation%7Brefresh(input%3A%7BrefreshToken%3A%22%22%7D)%7Btokens%7BaccessToken%7D%7D%7D",
			} {
				r, err := http.NewRequest(method, s.URL+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+ada.Access)
				a, err := harness.Receive(r)
				if err != nil {
					t.Fatal(err)
				}
				if a.Status < 400 && a.At("refresh", "tokens") != nil || strings.Contains(a.Raw, "eyJ") ||
					strings.Contains(a.Raw, "rt1.") {
					t.Errorf("%s %s: %d %s", method, path, a.Status, a.Raw)
				}
			}
		}
		if n := harness.MustCount(t, conn, `SELECT count(*) FROM sessions WHERE generation > 0 OR revoked_at IS NOT `+
			`NULL`); n > 0 {
			t.Errorf("%d sessions were rotated or ended", n)
		}
	})
}
