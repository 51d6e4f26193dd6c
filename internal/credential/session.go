package credential

import (
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// ServerCookie is a cookie of the server itself: for session tokens in browsers (HT-01), or for device tokens. The zero
// value is for a server that cannot set one.
type ServerCookie struct {
	Name   string
	secure bool
}

// NewSessionCookie returns the cookie for session tokens of a server at this public URL. Under https its name begins
// with `__Host-`, so that no other host of the site can set it. Over http on this machine it has neither the prefix nor
// Secure, because browsers would reject it. Over http on another host there is no cookie.
func NewSessionCookie(publicURL string) ServerCookie {
	return newServerCookie(publicURL, "dragoman_session")
}

func newServerCookie(publicURL, name string) ServerCookie {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ServerCookie{}
	}
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme == "https":
		return ServerCookie{Name: "__Host-" + name, secure: true}
	case u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback()):
		return ServerCookie{Name: name}
	}
	return ServerCookie{}
}

// Set returns the cookie with a token and its lifetime.
func (c ServerCookie) Set(token string, life time.Duration) *http.Cookie {
	return c.with(token, max(int(life/time.Second), 1))
}

// Clear returns the cookie that deletes it. It has the attributes of Set (HT-02).
func (c ServerCookie) Clear() *http.Cookie { return c.with("", -1) }

func (c ServerCookie) with(value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure is left out over http on this machine alone
		Name: c.Name, Value: value, Path: "/", MaxAge: maxAge, Secure: c.secure, HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}
