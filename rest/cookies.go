package rest

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

// cookie is a cookie of a dialect, under one name or under several that always hold the same.
type cookie struct {
	name     string // in the file
	names    []string
	path     string
	sameSite http.SameSite
	open     bool // whether scripts of a page may read it
	maxAge   time.Duration
	expires  bool             // whether the end is said as a date too
	secure   bool             // of an engine's, see with
	now      func() time.Time // likewise
}

var (
	cookieName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	cookiePath = regexp.MustCompile(`^/[A-Za-z0-9_./~-]*$`)
)

func (d *Dialect) decodeCookie(m member) error {
	c := &cookie{name: m.key, names: []string{m.key}, path: "/", sameSite: http.SameSiteLaxMode}
	httpOnly := true
	err := m.value.decode("a cookie", keys{
		"names":    texts(&c.names),
		"path":     text(&c.path),
		"httpOnly": boolean(&httpOnly),
		"expires":  boolean(&c.expires),
		"maxAge":   duration(&c.maxAge, time.Second, 400*24*time.Hour),
		"sameSite": oneOf(func(s string) {
			c.sameSite = map[string]http.SameSite{
				"lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode,
				"none": http.SameSiteNoneMode,
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
		return m.value.fault("Add maxAge:, from which the date is counted.", "the cookie %q has expires and no maxAge",
			m.key)
	}
	if !cookiePath.MatchString(c.path) {
		return m.value.fault("Write it like / or /api.", "%q is not possible as the path of a cookie", c.path)
	}
	for _, name := range c.names {
		if strings.HasPrefix(name, "__Host-") && c.path != "/" {
			return m.value.fault("Leave path: out.", "browsers take a cookie %s for the path / alone", name)
		}
		if !cookieName.MatchString(name) {
			return m.at.fault("Use letters, digits, _, . and -.", "%q is not possible as the name of a cookie", name)
		}
	}
	d.cookies = append(d.cookies, c)
	return nil
}

// with is the dialect as an engine has it, with the clock and the scheme of its server. Engines share all else of a
// dialect, and change nothing in it.
func (d *Dialect) with(secure bool, now func() time.Time) *Dialect {
	own := *d
	own.cookies = nil
	for _, c := range d.cookies {
		one := *c
		one.secure, one.now = secure, now
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

// set makes the cookies of an answer; an empty value clears them, with the attributes that they were set with (HT-02).
func (c *cookie) set(value string) []*http.Cookie {
	var out []*http.Cookie
	for _, name := range c.names {
		one := &http.Cookie{ //nolint:gosec // the attributes are those of the file; Secure is on under https
			Name: name, Value: value, Path: c.path, HttpOnly: !c.open, Secure: c.secure ||
				c.sameSite == http.SameSiteNoneMode,
			SameSite: c.sameSite,
		}
		switch {
		case value == "":
			one.MaxAge = -1
		case c.maxAge > 0:
			one.MaxAge = int(c.maxAge / time.Second)
		}
		if c.expires { // in the form of RFC 9110; one that is over where the cookie is cleared
			one.Expires = c.now().Add(time.Duration(one.MaxAge) * time.Second)
		}
		out = append(out, one)
	}
	return out
}

// read finds the value that a request presents: "" for none, and for two that differ.
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
