package credential

import (
	"testing"

	"github.com/dragoman-auth/dragoman/internal/site"
)

// HT-01, HT-02: the cookie by the address of the server; cleared with the attributes that it was set with.
func TestHT01_SessionCookie(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][2]string{
		"https://auth.example.com": {
			"__Host-dragoman_session=t; Path=/; Max-Age=90; HttpOnly; Secure; SameSite=Lax",
			"__Host-dragoman_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
		"https://localhost:8443": {
			"__Host-dragoman_session=t; Path=/; Max-Age=90; HttpOnly; Secure; SameSite=Lax",
			"__Host-dragoman_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax",
		},
		"http://localhost:8080": {
			"dragoman_session=t; Path=/; Max-Age=90; HttpOnly; SameSite=Lax",
			"dragoman_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		"http://127.0.0.1:8080": {
			"dragoman_session=t; Path=/; Max-Age=90; HttpOnly; SameSite=Lax",
			"dragoman_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		"http://[::1]:8080": {
			"dragoman_session=t; Path=/; Max-Age=90; HttpOnly; SameSite=Lax",
			"dragoman_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax",
		},
		"http://auth.example.com": {},
		"http://192.168.0.7:8080": {},
		"http://localhost.evil":   {},
		"":                        {},
		"%":                       {},
	} {
		c := NewSessionCookie(site.Parse(url))
		if c.Name == "" {
			if want[0] != "" {
				t.Errorf("%s: no cookie", url)
			}
			continue
		}
		if got := [2]string{c.Set("t", 90_900_000_000).String(), c.Clear().String()}; got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
		if got := c.Set("t", 1).MaxAge; got != 1 {
			t.Errorf("%s: a session at its end: Max-Age %d", url, got)
		}
	}
}
