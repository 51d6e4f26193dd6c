package credential

import (
	"net/http"
	"time"

	"github.com/dragoman-auth/dragoman/internal/site"
)

// ServerCookie is a cookie of the server itself: for session tokens in browsers (HT-01), or for device tokens. Its name
// is "" for a server that cannot set one: see site.Site.Cookie.
type ServerCookie struct{ site.Cookie }

// NewSessionCookie returns the cookie for session tokens of a server.
func NewSessionCookie(at site.Site) ServerCookie { return ServerCookie{at.Cookie("dragoman_session")} }

// Set returns the cookie with a token and its lifetime.
func (c ServerCookie) Set(token string, life time.Duration) *http.Cookie {
	return c.with(token, max(int(life/time.Second), 1))
}

// Clear returns the cookie that deletes it. It has the attributes of Set (HT-02).
func (c ServerCookie) Clear() *http.Cookie { return c.with("", -1) }

func (c ServerCookie) with(value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is left out over http on this machine alone
		Name: c.Name, Value: value, Path: c.Path, MaxAge: maxAge, Secure: c.Secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}
