package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// companionCopy is a directory with a copy of the dialect's file, in which one text is another.
func companionCopy(t testing.TB, old, replacement string) string {
	t.Helper()
	text, err := os.ReadFile("rest/dialects/authcompanion.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("the file has %q not once", old)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "own.yaml"), []byte(strings.Replace(string(text), old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A refresh by either cookie rotates. SE-10, SE-24: within the grace a second tab gets the same cookies; beyond it the
// session ends.
func TestSE24_CompanionRefresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := s.companionJoins(t, companionEmail)
		swap := func(header ...string) companionUser {
			t.Helper()
			r := s.companionAsks(t, "POST "+companion+"/refresh", "{}", header...)
			next := s.companionSays(t, r, http.StatusOK, companionRefresh, `"Authy Person"`, companionEmail)
			if next.ID != u.ID || next.Session != u.Session || next.Created != u.Created || !s.is(t, next.Access, u.account) {
				t.Errorf("%+v beside %+v", next, u)
			}
			return next
		}
		refused := func(header ...string) {
			t.Helper()
			s.companionAsks(t, "POST "+companion+"/refresh", "{}", header...).says(t, 400, companionNotRefreshed)
		}
		s.clock.add(time.Minute)
		second := swap(companionCookie(u.Refresh)...)
		s.clock.add(9 * time.Second)
		for _, header := range [][]string{
			{"Cookie", "userRefreshToken=" + u.Refresh},
			{"Cookie", "refreshToken=" + u.Refresh + "; userRefreshToken=" + u.Refresh},
			{"Cookie", "a=b; Fgp=0123456789abcdef; userRefreshToken=" + u.Refresh + "; refreshToken="},
			append(companionCookie(u.Refresh), "Authorization", "Bearer stale"),
		} {
			if tab := swap(header...); tab.Refresh != second.Refresh {
				t.Error("a second tab got another cookie")
			}
		}
		if second.Refresh == u.Refresh {
			t.Error("nothing rotated")
		}
		for _, header := range [][]string{ // none of these ends anything
			nil,
			{"Cookie", ""},
			{"Cookie", "refreshToken="},
			companionCookie("nonsense"), companionCookie("rt1.nonsense"), companionCookie(u.Access), companionCookie(second.Refresh + "x"),
			companionCookie(second.Refresh[:len(second.Refresh)-2]), companionCookie(strings.ToUpper(second.Refresh)), companionCookie("\xff\xfe"), companionCookie(`"`), companionCookie(strings.Repeat("x", 4000)),
			{"Cookie", "refreshToken=" + second.Refresh + "; userRefreshToken=" + u.Refresh},
			{"Authorization", "Bearer " + second.Access},
			{"Authorization", "Bearer " + second.Refresh},
			{"Cookie", "RefreshToken=" + second.Refresh},
		} {
			refused(header...)
		}
		s.clock.add(2 * time.Second)
		third := swap(companionCookie(second.Refresh)...)
		refused(companionCookie(u.Refresh)...) // SE-11
		refused(companionCookie(third.Refresh)...)
		if s.is(t, third.Access, u.account) {
			t.Error("the session outlived a use of its first token")
		}
		idle := s.companionEnters(t, companionEmail)
		s.clock.add(7*24*time.Hour + time.Second)
		refused(companionCookie(idle.Refresh)...)
	})
}

// SE-25: DELETE ends the session at once, and can be repeated, whoever comes first; what is no refresh token is refused.
func TestSE25_CompanionRevoke(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u, other := s.companionJoins(t, companionEmail), s.companionEnters(t, companionEmail)
		revoke := func(body string, header ...string) reply {
			t.Helper()
			return s.companionAsks(t, "DELETE "+companion+"/refresh", body, header...)
		}
		for _, header := range [][]string{nil, companionCookie("nonsense"), companionCookie("rt1.nonsense"), companionCookie(u.Access), companionCookie("\xff"), {"Authorization", "Bearer " + u.Access}} {
			for _, body := range []string{"", "{}"} {
				revoke(body, header...).says(t, 400, companionNotRefreshed)
			}
		}
		revoke(`{"a":1}`, companionCookie(u.Refresh)...).says(t, 400, companionInvalid("body must NOT have more than 0 properties"))
		revoke("[]", companionCookie(u.Refresh)...).says(t, 400, companionInvalid("body must be object"))
		if !s.is(t, u.Access, u.account) {
			t.Fatal("a refusal ended the session")
		}
		results := make([]reply, 16)
		var all sync.WaitGroup
		for n := range results {
			all.Go(func() { results[n], _ = s.call("DELETE "+companion+"/refresh", "{}", companionCookie(u.Refresh)...) })
		}
		all.Wait()
		for _, r := range append(results, revoke("{}", "Cookie", "userRefreshToken="+u.Refresh), revoke("", companionCookie(u.Refresh)...)) {
			r.empty(t)
			if r.Header.Get("Set-Cookie") != "" || r.Header.Get("Content-Type") != "" {
				t.Errorf("DELETE: %v", r.Header)
			}
		}
		s.companionAsks(t, "POST "+companion+"/refresh", "{}", companionCookie(u.Refresh)...).says(t, 400, companionNotRefreshed)
		if s.is(t, u.Access, u.account) || !s.is(t, other.Access, other.account) {
			t.Error("the wrong session is over")
		}
		if n := openSide(t, dsn).count(t, `SELECT count(*) FROM audit_events WHERE action = 'logout' AND outcome = 'ok'`); n != 1 {
			t.Errorf("%d sessions were ended, by the log", n)
		}
		// A spent token ends its session too, and that is what was asked for.
		next := s.companionSays(t, s.companionAsks(t, "POST "+companion+"/refresh", "{}", companionCookie(other.Refresh)...), 200, companionRefresh, `"Authy Person"`, companionEmail)
		s.clock.add(11 * time.Second)
		revoke("", companionCookie(other.Refresh)...).empty(t)
		if s.is(t, next.Access, next.account) {
			t.Error("the session outlived its revocation by a spent token")
		}
		// One that ran out was not ended by anybody.
		idle := s.companionEnters(t, companionEmail)
		s.clock.add(7*24*time.Hour + time.Second)
		revoke("", companionCookie(idle.Refresh)...).says(t, 400, companionNotRefreshed)
	})
}

// SE-25 in GraphQL: allowEnded is for a genuine refresh token of a session that was ended, and for nothing else.
func TestSE25_AllowEnded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		one, two := s.loginAs(t, ada, "BODY"), s.loginAs(t, ada, "BODY")
		out := func(credential string, fields ...any) string {
			t.Helper()
			return s.graphql(t, credential, logoutDoc, inputOf(fields...)).code()
		}
		for n, row := range []struct {
			credential string
			fields     []any
			want       string
		}{
			{"", []any{"refreshToken", "nonsense", "allowEnded", true}, "INVALID_TOKEN"},
			{"", []any{"refreshToken", one.Refresh, "allowEnded", true}, ""},
			{"", []any{"refreshToken", one.Refresh, "allowEnded", true}, ""},
			{"", []any{"refreshToken", one.Refresh}, "INVALID_TOKEN"},
			{"", []any{"refreshToken", one.Refresh, "allowEnded", true, "everywhere", true}, "INVALID_TOKEN"}, // the others are not over
			{one.Access, []any{"allowEnded", true}, "UNAUTHENTICATED"},
			{two.Access, []any{"refreshToken", one.Refresh, "allowEnded", true}, ""},
		} {
			if code := out(row.credential, row.fields...); code != row.want {
				t.Errorf("%d: %q, want %q", n, code, row.want)
			}
		}
		if !s.is(t, two.Access, ada) || !s.is(t, ada.Access, ada) || s.is(t, one.Access, ada) {
			t.Error("the wrong sessions are over")
		}
		s.clock.add(31 * 24 * time.Hour)
		if code := out("", "refreshToken", two.Refresh, "allowEnded", true); code != "INVALID_TOKEN" {
			t.Errorf("a session that ran out: %q", code)
		}
	})
}
