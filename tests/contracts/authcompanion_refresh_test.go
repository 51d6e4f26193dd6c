package contracts

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// A refresh by either cookie rotates. SE-10, SE-24: within the grace a second tab gets the same cookies; beyond it the
// session ends.
func TestSE24_CompanionRefresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		swap := func(header ...string) companionUser {
			t.Helper()
			r := s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}", header...)
			next := companionSays(t, s, r, http.StatusOK, companionRefresh, `"Authy Person"`, companionEmail)
			if next.ID != u.ID || next.Session != u.Session || next.Created != u.Created ||
				!s.Is(t, next.Access, u.Account) {
				t.Errorf("%+v beside %+v", next, u)
			}
			return next
		}
		refused := func(header ...string) {
			t.Helper()
			s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}", header...).Says(t, 400,
				harness.CompanionNotRefreshed)
		}
		s.Clock.Add(time.Minute)
		second := swap(companionCookie(u.Refresh)...)
		s.Clock.Add(9 * time.Second)
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
			companionCookie("nonsense"), companionCookie("rt1.nonsense"), companionCookie(u.Access),
			companionCookie(second.Refresh + "x"),
			companionCookie(second.Refresh[:len(second.Refresh)-2]), companionCookie(strings.ToUpper(second.Refresh)),
			companionCookie("\xff\xfe"), companionCookie(`"`), companionCookie(strings.Repeat("x", 4000)),
			{"Cookie", "refreshToken=" + second.Refresh + "; userRefreshToken=" + u.Refresh},
			{"Authorization", "Bearer " + second.Access},
			{"Authorization", "Bearer " + second.Refresh},
			{"Cookie", "RefreshToken=" + second.Refresh},
		} {
			refused(header...)
		}
		s.Clock.Add(2 * time.Second)
		third := swap(companionCookie(second.Refresh)...)
		refused(companionCookie(u.Refresh)...) // SE-11
		refused(companionCookie(third.Refresh)...)
		if s.Is(t, third.Access, u.Account) {
			t.Error("the session outlived a use of its first token")
		}
		idle := companionEnters(t, s, companionEmail)
		s.Clock.Add(7*24*time.Hour + time.Second)
		refused(companionCookie(idle.Refresh)...)
	})
}

// SE-25: DELETE ends the session at once, and can be repeated, whoever comes first; what is no refresh token is
// refused.
func TestSE25_CompanionRevoke(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u, other := companionJoins(t, s, companionEmail), companionEnters(t, s, companionEmail)
		revoke := func(body string, header ...string) harness.Reply {
			t.Helper()
			return s.CompanionAsks(t, "DELETE "+harness.Companion+"/refresh", body, header...)
		}
		for _, header := range [][]string{
			nil, companionCookie("nonsense"), companionCookie("rt1.nonsense"),
			companionCookie(u.Access), companionCookie("\xff"),
			{"Authorization", "Bearer " + u.Access},
		} {
			for _, body := range []string{"", "{}"} {
				revoke(body, header...).Says(t, 400, harness.CompanionNotRefreshed)
			}
		}
		revoke(`{"a":1}`, companionCookie(u.Refresh)...).Says(t, 400, companionInvalid("body must NOT have more than "+
			"0 properties"))
		revoke("[]", companionCookie(u.Refresh)...).Says(t, 400, companionInvalid("body must be object"))
		if !s.Is(t, u.Access, u.Account) {
			t.Fatal("a refusal ended the session")
		}
		results := make([]harness.Reply, 16)
		var all sync.WaitGroup
		for n := range results {
			all.Go(func() {
				results[n], _ = s.Call("DELETE "+harness.Companion+"/refresh", "{}", companionCookie(u.Refresh)...)
			})
		}
		all.Wait()
		for _, r := range append(results, revoke("{}", "Cookie", "userRefreshToken="+u.Refresh),
			revoke("", companionCookie(u.Refresh)...)) {
			r.Empty(t)
			if r.Header.Get("Set-Cookie") != "" || r.Header.Get("Content-Type") != "" {
				t.Errorf("DELETE: %v", r.Header)
			}
		}
		s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}", companionCookie(u.Refresh)...).Says(t, 400,
			harness.CompanionNotRefreshed)
		if s.Is(t, u.Access, u.Account) || !s.Is(t, other.Access, other.Account) {
			t.Error("the wrong session is over")
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM audit_events WHERE action = 'session.ended' `+
			`AND outcome = 'ok'`); n != 1 {
			t.Errorf("%d sessions were ended, by the log", n)
		}
		// A spent token ends its session too, and that is what was asked for.
		next := companionSays(t, s, s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}",
			companionCookie(other.Refresh)...), 200, companionRefresh, `"Authy Person"`, companionEmail)
		s.Clock.Add(11 * time.Second)
		revoke("", companionCookie(other.Refresh)...).Empty(t)
		if s.Is(t, next.Access, next.Account) {
			t.Error("the session outlived its revocation by a spent token")
		}
		// One that ran out was not ended by anybody.
		idle := companionEnters(t, s, companionEmail)
		s.Clock.Add(7*24*time.Hour + time.Second)
		revoke("", companionCookie(idle.Refresh)...).Says(t, 400, harness.CompanionNotRefreshed)
	})
}

// SE-25 in GraphQL: allowEnded is for a genuine refresh token of a session that was ended, and for nothing else.
func TestSE25_AllowEnded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		one, two := s.LoginAs(t, ada, "BODY"), s.LoginAs(t, ada, "BODY")
		out := func(credential string, fields ...any) string {
			t.Helper()
			return s.GraphQL(t, credential, harness.LogoutDoc, harness.InputOf(fields...)).Code()
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
			// the others are not over
			{"", []any{"refreshToken", one.Refresh, "allowEnded", true, "everywhere", true}, "INVALID_TOKEN"},
			{one.Access, []any{"allowEnded", true}, "UNAUTHENTICATED"},
			{two.Access, []any{"refreshToken", one.Refresh, "allowEnded", true}, ""},
		} {
			if code := out(row.credential, row.fields...); code != row.want {
				t.Errorf("%d: %q, want %q", n, code, row.want)
			}
		}
		if !s.Is(t, two.Access, ada) || !s.Is(t, ada.Access, ada) || s.Is(t, one.Access, ada) {
			t.Error("the wrong sessions are over")
		}
		s.Clock.Add(31 * 24 * time.Hour)
		if code := out("", "refreshToken", two.Refresh, "allowEnded", true); code != "INVALID_TOKEN" {
			t.Errorf("a session that ran out: %q", code)
		}
	})
}
