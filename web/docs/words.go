package docs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/rest"
)

// fact is a property of a whole API.
type fact struct {
	Name  string
	Lines []line
}

// line is a code followed by words. Either may be "".
type line struct{ Code, Words string }

func factsOf(cfg Config, d *rest.Description) []fact {
	var mounts []line
	for _, m := range d.Mounts {
		mounts = append(mounts, line{Code: strings.TrimSuffix(cfg.Site.URL("")+m, "/")})
	}
	facts := []fact{{"Base URL", mounts}, {"Credentials", credentialsOf(d)}, {"Tokens", tokensOf(cfg, d)}}
	var cookies []line
	for _, c := range d.Cookies {
		words := "for " + c.Path + ", SameSite=" + c.SameSite
		if c.HTTPOnly {
			words += ", HttpOnly"
		}
		if c.MaxAge > 0 {
			words += ", for " + formatDuration(c.MaxAge)
		} else {
			words += ", until the browser is closed"
		}
		for _, name := range c.Names {
			cookies = append(cookies, line{name, words})
		}
	}
	if cookies != nil {
		facts = append(facts, fact{"Cookies", cookies})
	}
	least := cfg.MinPassword
	if d.MinPassword > 0 {
		least = d.MinPassword
	}
	return append(facts,
		fact{"Passwords", []line{{Words: "at least " + strconv.Itoa(least) + " characters"}}},
		fact{"Answers", []line{{Code: d.JSONType}}},
	)
}

func credentialsOf(d *rest.Description) []line {
	var all []line
	for _, c := range d.Credentials {
		switch c.Kind {
		case "bearer":
			all = append(all, line{"Authorization: Bearer …", ""})
		case "token":
			all = append(all, line{"Authorization: Token …", ""})
		case "bare":
			all = append(all, line{"Authorization: …", "the token and nothing else"})
		case "api-key":
			all = append(all, line{"X-API-Key: …", "for API keys"})
		case "header":
			all = append(all, line{c.Names[0] + ": …", ""})
		case "cookie":
			for _, name := range c.Names {
				all = append(all, line{"Cookie: " + name + "=…", ""})
			}
		}
	}
	return all
}

func tokensOf(cfg Config, d *rest.Description) []line {
	t := d.Tokens
	or := func(own, server time.Duration) string {
		if own > 0 {
			return formatDuration(own)
		}
		return formatDuration(server)
	}
	access := "Access tokens live for " + or(t.Access, cfg.Access)
	if t.Alg == "HS256" {
		access += ", signed by HS256"
	}
	if len(t.Claims) > 0 {
		access += "; they carry " + strings.Join(t.Claims, ", ")
	}
	refresh := "A session ends when it is not used for " + or(t.Refresh, cfg.Idle) +
		", and after " + or(t.Session, cfg.Session) + " in any case"
	lines := []line{{Words: access}, {Words: refresh}}
	if t.SingleUse {
		lines = append(lines, line{Words: "A refresh token works once"})
	}
	if t.Sudo > 0 {
		words := "What is sensitive stays open for " + formatDuration(t.Sudo) + " after a sign-in"
		lines = append(lines, line{Words: words})
	}
	return lines
}

// formatDuration writes a duration for people: 90 seconds, 30 minutes, 1 hour, 14 days.
func formatDuration(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		if d >= unit.length && d%unit.length == 0 {
			if n := int64(d / unit.length); n != 1 {
				return strconv.FormatInt(n, 10) + " " + unit.name + "s"
			}
			return "1 " + unit.name
		}
	}
	return d.String()
}

func acceptsOf(r *rest.Route) string {
	var kinds []string
	for _, k := range []struct {
		is   bool
		name string
	}{{r.JSON, "JSON"}, {r.Form, "a form"}, {r.Query, "the query string"}} {
		if k.is && len(r.Fields) > 0 {
			kinds = append(kinds, k.name)
		}
	}
	if len(kinds) > 1 {
		last := len(kinds) - 1
		return strings.Join(kinds[:last], ", ") + " or " + kinds[last]
	}
	return strings.Join(kinds, "")
}

func placeOf(r *rest.Route) string {
	switch {
	case (r.JSON || r.Form) && r.Query:
		return "body or query"
	case r.Query:
		return "query"
	}
	return "body"
}

// notice announces the end of an API or a route. The zero value announces nothing.
type notice struct {
	Since, Until, Successor string
	External                bool // the successor is on another server
}

// Any tells whether the notice announces anything.
func (n notice) Any() bool { return n != notice{} }

func noticeOf(s rest.Sunset) notice {
	day := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format("2 January 2006")
	}
	return notice{day(s.Deprecated), day(s.At), s.Successor, s.Successor != "" && !strings.HasPrefix(s.Successor, "/")}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
