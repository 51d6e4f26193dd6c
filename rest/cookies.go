package rest

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/site"
)

// cookie is a cookie of a dialect. Several names hold the same value.
type cookie struct {
	at       *node
	name     string   // its key in the file
	names    []string // in requests and answers
	path     string
	sameSite http.SameSite
	open     bool          // scripts may read it: no HttpOnly
	maxAge   time.Duration // 0 for a cookie that ends with the browser's session
	expires  bool          // Expires is sent as well as Max-Age

	secure bool             // set by with
	now    func() time.Time // set by with
}

var (
	cookieName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	cookiePath = regexp.MustCompile(`^/[A-Za-z0-9_./~-]*$`)
)

func (d *Dialect) decodeCookie(m member) error {
	c := &cookie{at: m.value, name: m.key, names: []string{m.key}, path: "/", sameSite: http.SameSiteLaxMode}
	httpOnly := true
	err := m.value.decode("a cookie", keys{
		"names":    texts(&c.names),
		"path":     text(&c.path),
		"httpOnly": boolean(&httpOnly),
		"expires":  boolean(&c.expires),
		"maxAge":   duration(&c.maxAge, time.Second, 400*24*time.Hour),
		"sameSite": oneOf(func(s string) {
			c.sameSite = map[string]http.SameSite{
				"lax":    http.SameSiteLaxMode,
				"strict": http.SameSiteStrictMode,
				"none":   http.SameSiteNoneMode,
			}[s]
		}, "lax", "strict", "none"),
	})
	c.open = !httpOnly
	if err != nil {
		return err
	}
	if len(c.names) == 0 {
		return m.at.fault("Leave names: out, or name at least one.", "the cookie %q has no name", m.key)
	}
	if c.expires && c.maxAge == 0 {
		return m.value.fault("Add maxAge:; the date is computed from it.",
			"the cookie %q has expires and no maxAge", m.key)
	}
	if !cookiePath.MatchString(c.path) {
		return m.value.fault("Write it like / or /api.", "%q cannot be the path of a cookie", c.path)
	}
	if name := c.hostBound(); name != "" && c.path != "/" {
		return m.value.fault("Leave path: out.", "browsers accept the cookie %s only for the path /", name)
	}
	for _, name := range c.names {
		if !cookieName.MatchString(name) {
			return m.at.fault("Use letters, digits, _, . and -.", "%q cannot be the name of a cookie", name)
		}
	}
	d.cookies = append(d.cookies, c)
	return nil
}

// hostBound returns a name that browsers accept only for the path /, "" for none (RFC 6265bis, section 4.1.3.2).
func (c *cookie) hostBound() string {
	for _, name := range c.names {
		if len(name) >= len("__Host-") && strings.EqualFold(name[:len("__Host-")], "__Host-") {
			return name
		}
	}
	return ""
}

// with returns a copy of the dialect for one engine: it knows where the engine's server is, and its cookies the clock.
// Browsers keep the cookies below the path prefix of the server. Engines share the rest of a dialect and never change
// it.
func (d *Dialect) with(at site.Site, now func() time.Time) *Dialect {
	own := *d
	own.site, own.cookies = at, nil
	for _, c := range d.cookies {
		one := *c
		one.secure, one.now, one.path = at.HTTPS(), now, at.Path(c.path)
		own.cookies = append(own.cookies, &one)
	}
	return &own
}

func (d *Dialect) cookie(name string) *cookie {
	for _, c := range d.cookies {
		if c.name == name {
			return c
		}
	}
	return nil
}

// set returns the cookies of an answer, one for each name. An empty value clears them, with the attributes that they
// were set with (HT-02).
func (c *cookie) set(value string) []*http.Cookie {
	var out []*http.Cookie
	for _, name := range c.names {
		one := &http.Cookie{ //nolint:gosec // the file decides the attributes; Secure is on under https
			Name:     name,
			Value:    value,
			Path:     c.path,
			HttpOnly: !c.open,
			Secure:   c.secure || c.sameSite == http.SameSiteNoneMode, // browsers reject SameSite=None without Secure
			SameSite: c.sameSite,
		}
		switch {
		case value == "":
			one.MaxAge = -1
		case c.maxAge > 0:
			one.MaxAge = int(c.maxAge / time.Second)
		}
		if c.expires { // in the past if the cookie is cleared: MaxAge is -1
			one.Expires = c.now().Add(time.Duration(one.MaxAge) * time.Second)
		}
		out = append(out, one)
	}
	return out
}

// read returns the value that a request presents, "" for none or for two different ones.
func (c *cookie) read(sent []*http.Cookie) string {
	value, found := "", false
	for _, s := range sent {
		for _, name := range c.names {
			if s.Name != name || s.Value == "" {
				continue
			}
			if found && s.Value != value {
				return ""
			}
			value, found = s.Value, true
		}
	}
	return value
}
