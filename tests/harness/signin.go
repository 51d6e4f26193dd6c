package harness

import (
	"strings"
	"testing"
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

const (
	Owner    = "203.0.113.5"
	Attacker = "198.51.100.7"
)

// Cheap is a request for a limited field that is refused before it costs a hash.
func Cheap(field string) (document string, variables map[string]any) {
	switch field {
	case "login":
		return LoginDoc, InputOf("email", "ada@example.com", "password", strings.Repeat("x", 300))
	case "register":
		return RegisterDoc, InputOf("email", "not an address", "password", "x")
	}
	return RefreshDoc, map[string]any{"token": "junk"}
}
