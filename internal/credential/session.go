package credential

import (
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// SessionCookie is the cookie that brings a session token to browsers and back (HT-01). The zero value stands for a server
// that can set none.
type SessionCookie struct {
	Name   string
	secure bool
}

// NewSessionCookie is the cookie of a server at this public URL. Under https its name begins with `__Host-`, so that no
// other host of the site can set it. Over http on this machine it has neither that prefix nor Secure, with which browsers would
// throw it away; over http beyond this machine there is none.
func NewSessionCookie(publicURL string) SessionCookie {
	const name = "dragoman_session"
	u, err := url.Parse(publicURL)
	if err != nil {
		return SessionCookie{}
	}
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme == "https":
		return SessionCookie{Name: "__Host-" + name, secure: true}
	case u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback()):
		return SessionCookie{Name: name}
	}
	return SessionCookie{}
}

// Set delivers a token that lives for a time.
func (c SessionCookie) Set(token string, life time.Duration) *http.Cookie {
	return c.with(token, max(int(life/time.Second), 1))
}

// Clear takes the cookie away. It has the attributes that the cookie was set with (HT-02).
func (c SessionCookie) Clear() *http.Cookie { return c.with("", -1) }

func (c SessionCookie) with(value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is left out over http on this machine alone
		Name: c.Name, Value: value, Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}
