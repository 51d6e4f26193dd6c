package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// jarred keeps the cookies of one person across the APIs of one server.
type jarred struct {
	*instance
	cookies http.CookieJar
}

func (i *instance) jarred(t testing.TB) *jarred {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &jarred{i, jar}
}

func (b *jarred) asks(t testing.TB, route, body string, header ...string) reply {
	t.Helper()
	_, path, _ := strings.Cut(route, " ")
	at, err := url.Parse(b.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, c := range b.cookies.Cookies(at) {
		sent = append(sent, c.Name+"="+c.Value)
	}
	if len(sent) > 0 {
		header = append(header, "Cookie", strings.Join(sent, "; "))
	}
	r, err := b.call(route, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	b.cookies.SetCookies(at, (&http.Response{Header: r.Header}).Cookies())
	return r
}

// shared is a browser in which one person is signed in at one API, and another person at another API of the same host.
type shared struct {
	*jarred
	a, z string // their addresses
}

func (i *instance) shared(t testing.TB, a, z string) *shared {
	t.Helper()
	i.companionToken(t, a)
	i.service(t, z)
	return &shared{i.jarred(t), a, z}
}

func (b *shared) enterCompanion(t testing.TB) {
	t.Helper()
	if r := b.asks(t, "POST "+companion+"/login", companionBody("email", b.a, "password", companionPass)); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

func (b *shared) enterService(t testing.TB) {
	t.Helper()
	if r := b.asks(t, "POST /login", fmt.Sprintf(`{"email":%q,"password":%q}`, b.z, servicePass)); r.Status != http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// serves demands that a route answers one of the two, and not the other.
func (b *shared) serves(t testing.TB, route, body, who, whoNot string) {
	t.Helper()
	if r := b.asks(t, route, body); r.Status != http.StatusOK || !strings.Contains(r.Body, who) || strings.Contains(r.Body, whoNot) {
		t.Errorf("%s: %d %s", route, r.Status, r.Body)
	}
}

// HT-05: two APIs of one host have a cookie of one name. Where the one put its own over the other's, nobody goes on as
// somebody else, and no session ends of it; a login mends it.
func TestHT05_CookiesOfOneName(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		b := s.shared(t, "a@example.com", "z@example.com")
		b.enterService(t)
		b.enterCompanion(t) // refreshToken is a's now, and session is z's
		b.serves(t, "GET /user", "", b.z, b.a)
		for range 2 {
			s.clock.add(16 * time.Minute)
			b.asks(t, "GET /user", "").says(t, http.StatusUnauthorized, badSession)
			b.asks(t, "POST /user", `{"email":"n@example.com"}`).says(t, http.StatusUnauthorized, badSession)
			b.serves(t, "POST "+companion+"/refresh", "{}", b.a, b.z)
		}
		b.asks(t, "GET /token/revoke", "").says(t, http.StatusOK, loggedOut) // and a is still there, below
		b.serves(t, "POST "+companion+"/refresh", "{}", b.a, b.z)
		b.enterService(t) // refreshToken is z's now, and userRefreshToken a's
		b.asks(t, "POST "+companion+"/refresh", "{}").says(t, http.StatusBadRequest, companionNotRefreshed)
		s.clock.add(16 * time.Minute)
		b.serves(t, "GET /user", "", b.z, b.a)
		b.asks(t, "DELETE "+companion+"/refresh", "").says(t, http.StatusBadRequest, companionNotRefreshed)
		conn := openSide(t, dsn)
		if n := conn.count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"); n != 0 {
			t.Errorf("%d sessions ended", n)
		}
		b.enterCompanion(t)
		b.serves(t, "POST "+companion+"/refresh", "{}", b.a, b.z)
		// The token of z is good still, but its session has ended: that is no reason to go on as a.
		b.enterService(t)
		b.enterCompanion(t)
		conn.exec(t, "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'logout' WHERE user_id IN (SELECT id FROM users WHERE email = 'z@example.com')")
		b.asks(t, "GET /user", "").says(t, http.StatusUnauthorized, badSession)
	})
}

// With a name of its own for its cookie, as docs/dialects.md has it, each API is served beside the other.
func TestHT05_CookiesOfTheirOwn(t *testing.T) {
	t.Parallel()
	dir := companionCopy(t, "names: [refreshToken, userRefreshToken]", "names: [userRefreshToken]")
	s := start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+dir)
	b := s.shared(t, "a@example.com", "z@example.com")
	for _, enter := range [][]func(testing.TB){{b.enterCompanion, b.enterService}, {b.enterService, b.enterCompanion}} {
		for _, one := range enter {
			one(t)
		}
		for range 2 {
			s.clock.add(16 * time.Minute)
			b.serves(t, "GET /user", "", b.z, b.a)
			b.serves(t, "POST "+companion+"/refresh", "{}", b.a, b.z)
		}
	}
	b.asks(t, "GET /token/revoke", "").says(t, http.StatusOK, loggedOut)
	b.serves(t, "POST "+companion+"/refresh", "{}", b.a, b.z)
	b.asks(t, "GET /user", "").says(t, http.StatusUnauthorized, noSession)
}
