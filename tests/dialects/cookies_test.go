package dialects

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// serves demands that a route answers one of the two, and not the other.
func serves(t testing.TB, b *harness.Shared, route, body, who, whoNot string) {
	t.Helper()
	if r := b.Asks(t, route, body); r.Status != http.StatusOK || !strings.Contains(r.Body, who) ||
		strings.Contains(r.Body, whoNot) {
		t.Errorf("%s: %d %s", route, r.Status, r.Body)
	}
}

// HT-05: two APIs of one host have a cookie of one name. Where the one put its own over the other's, nobody goes on as
// somebody else, and no session ends of it; a login mends it.
func TestHT05_CookiesOfOneName(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		b := s.Shared(t, "a@example.com", "z@example.com")
		b.EnterService(t)
		b.EnterCompanion(t) // refreshToken is a's now, and session is z's
		serves(t, b, "GET /user", "", b.Z, b.A)
		for range 2 {
			s.Clock.Add(16 * time.Minute)
			b.Asks(t, "GET /user", "").Says(t, http.StatusUnauthorized, harness.BadSession)
			b.Asks(t, "POST /user", `{"email":"n@example.com"}`).Says(t, http.StatusUnauthorized, harness.BadSession)
			serves(t, b, "POST "+harness.Companion+"/refresh", "{}", b.A, b.Z)
		}
		b.Asks(t, "GET /token/revoke", "").Says(t, http.StatusOK, harness.LoggedOut) // and a is still there, below
		serves(t, b, "POST "+harness.Companion+"/refresh", "{}", b.A, b.Z)
		b.EnterService(t) // refreshToken is z's now, and userRefreshToken a's
		b.Asks(t, "POST "+harness.Companion+"/refresh", "{}").Says(t, http.StatusBadRequest,
			harness.CompanionNotRefreshed)
		s.Clock.Add(16 * time.Minute)
		serves(t, b, "GET /user", "", b.Z, b.A)
		b.Asks(t, "DELETE "+harness.Companion+"/refresh", "").Says(t, http.StatusBadRequest,
			harness.CompanionNotRefreshed)
		conn := harness.OpenSide(t, dsn)
		if n := conn.Count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"); n != 0 {
			t.Errorf("%d sessions ended", n)
		}
		b.EnterCompanion(t)
		serves(t, b, "POST "+harness.Companion+"/refresh", "{}", b.A, b.Z)
		// The token of z is good still, but its session has ended: that is no reason to go on as a.
		b.EnterService(t)
		b.EnterCompanion(t)
		conn.MustExec(t, "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'session.ended' WHERE "+
			"user_id IN (SELECT id FROM users WHERE email = 'z@example.com')")
		b.Asks(t, "GET /user", "").Says(t, http.StatusUnauthorized, harness.BadSession)
	})
}

// With a name of its own for its cookie, as docs/dialects.md has it, each API is served beside the other.
func TestHT05_CookiesOfTheirOwn(t *testing.T) {
	t.Parallel()
	dir := harness.CompanionCopy(t, "names: [refreshToken, userRefreshToken]", "names: [userRefreshToken]")
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+dir)
	b := s.Shared(t, "a@example.com", "z@example.com")
	for _, enter := range [][]func(testing.TB){{b.EnterCompanion, b.EnterService}, {b.EnterService, b.EnterCompanion}} {
		for _, one := range enter {
			one(t)
		}
		for range 2 {
			s.Clock.Add(16 * time.Minute)
			serves(t, b, "GET /user", "", b.Z, b.A)
			serves(t, b, "POST "+harness.Companion+"/refresh", "{}", b.A, b.Z)
		}
	}
	b.Asks(t, "GET /token/revoke", "").Says(t, http.StatusOK, harness.LoggedOut)
	serves(t, b, "POST "+harness.Companion+"/refresh", "{}", b.A, b.Z)
	b.Asks(t, "GET /user", "").Says(t, http.StatusUnauthorized, harness.NoSession)
}
