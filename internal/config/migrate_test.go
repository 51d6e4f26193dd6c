package config

import (
	"errors"
	"strings"
	"testing"
)

// MI-10: both settings or none, TLS or this machine, and a secret that is no other one of the server.
func TestMI10_Settings(t *testing.T) {
	t.Parallel()
	const (
		secret = "whsec_c2lnbnMgcXVlc3Rpb25zIGZvciB0aGUgb2xkIHN5c3RlbSE3"
		inside = "signs questions for the old system!7"
		url    = "DRAGOMAN_MIGRATE_URL="
		signs  = "DRAGOMAN_MIGRATE_SECRET="
	)
	for _, good := range []string{
		"https://old.example.com", "https://old.example.com:8443/a/b?c=d", "http://localhost:8090/", "http://127.0.0.1",
		"http://[::1]:80/x",
	} {
		s := mustLoad(t, url+good, signs+secret)
		if s.MigrateURL.Reveal() != good || s.MigrateSecret.Reveal() != secret {
			t.Errorf("%s: %v", good, s)
		}
	}
	if s := mustLoad(t); s.MigrateURL != "" {
		t.Error("it is on by default")
	}
	for name, env := range map[string][]string{
		"DRAGOMAN_MIGRATE_SECRET": {url + "https://old.example.com"},
		"DRAGOMAN_MIGRATE_URL":    {signs + secret},
	} {
		if _, err := load(env...); !named(err, name) || !strings.Contains(err.Error(), "set both or none") {
			t.Errorf("%s: %v", env, err)
		}
	}
	for _, wrong := range []string{
		"http://old.example.com", "http://10.0.0.1/", "http://localhost.example.com/", "http://127.0.0.1.example.com/",
		"https://", "https:old.example.com", "//old.example.com", "https://u:canary@old.example.com/",
		"https://old.example.com/#canary", "https://old.example.com/a b", "file:///canary", "https://old\n.example.com",
	} {
		if _, err := load(url+wrong, signs+secret); !named(err, "DRAGOMAN_MIGRATE_URL") ||
			strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for _, other := range []string{
		"DRAGOMAN_SECRET=" + inside, "DRAGOMAN_SECRET=" + secret[6:], "DRAGOMAN_SECRET=" + secret,
		"DRAGOMAN_SECRET_PREVIOUS=" + inside, "DRAGOMAN_JWT_HS256_SECRET=" + secret[6:],
	} {
		if _, err := load(url+"https://old.example.com", signs+secret, other); !named(err, "DRAGOMAN_MIGRATE_SECRET") ||
			strings.Contains(err.Error(), secret[6:]) {
			t.Errorf("%s: %v", other, err)
		}
	}
}

// named tells whether an error is about a setting.
func named(err error, name string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Name == name
}
