package harness

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// Limited starts a server with limits, behind a proxy on this machine, so that tests come from any address.
func Limited(t *testing.T, c *Clock, dsn string, env ...string) *Instance {
	t.Helper()
	return StartWithClock(t, c, dsn, append(env, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_TRUSTED_PROXIES=127.0.0.0/8")...)
}

// LoginFrom signs in from an address.
func (i *Instance) LoginFrom(t testing.TB, address, field, identifier, password string) *Answer {
	t.Helper()
	return Asked(t, i.URL, "", LoginDoc, InputOf(field, identifier, "password", password), "X-Forwarded-For", address)
}

// LoginOn signs in by email from an address, with a device token in the header; "" for none.
func (i *Instance) LoginOn(t testing.TB, address, device, email, password string) *Answer {
	t.Helper()
	return Asked(t, i.URL, "", LoginDoc, InputOf("email", email, "password", password), "X-Forwarded-For", address,
		"X-Device-Token", device)
}

const (
	Owner    = "203.0.113.5"
	Attacker = "198.51.100.7"
)

// Counted is a request for a limited field that counts against its limit, and may be sent again and again: a sign-in of
// nobody, a registration of an address that is taken after the first, a genuine refresh token of no session.
func Counted(t testing.TB, field string) (document string, variables map[string]any) {
	t.Helper()
	switch field {
	case "login":
		return LoginDoc, InputOf("email", "nobody@example.com", "password", WrongPass)
	case "register":
		return RegisterDoc, InputOf("email", "taken@example.com", "password", GoodPass)
	}
	return RefreshDoc, map[string]any{"token": RefreshOfNobody(t)}
}

// RefreshOfNobody is a refresh token that the servers of tests could have made, of a session that never was.
func RefreshOfNobody(t testing.TB) string {
	t.Helper()
	master, err := secret.New([]byte(Secret))
	if err != nil {
		t.Fatal(err)
	}
	return token.NewCodec(master, time.Now).Refresh(db.NewSessionID().UUID, 0).Reveal()
}
