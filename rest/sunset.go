package rest

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/site"
)

// Sunset announces the end of a dialect or a route. All fields are optional.
type Sunset struct {
	Deprecated time.Time // the start of the deprecation (RFC 9745), at 0:00 UTC
	At         time.Time // the sunset (RFC 8594): it may be gone from then on, at 0:00 UTC; never before Deprecated
	Successor  string    // the replacement: an absolute URL or a path of this server
}

// IsZero tells whether nothing is announced.
func (s Sunset) IsZero() bool { return s == Sunset{} }

// Past tells whether the day of the sunset has come.
func (s Sunset) Past(now time.Time) bool { return !s.At.IsZero() && !now.Before(s.At) }

// dateForm is the format of dates in files.
const dateForm = time.DateOnly

func date(to *time.Time) func(*node) error {
	return func(n *node) error {
		s, _ := n.text()
		day, err := time.Parse(dateForm, s)
		if err != nil || day.Year() < 1970 {
			return n.fault("Write it like 2027-01-31.", "this is not a date")
		}
		*to = day
		return nil
	}
}

// keys returns the keys of a mapping that can have a sunset.
func (s *Sunset) keys() keys {
	return keys{"deprecated": date(&s.Deprecated), "sunset": date(&s.At), "successor": s.decodeSuccessor}
}

// inLink are the characters of a URI (RFC 3986, section 2). Other characters cannot be in the <…> of a Link header.
const inLink = "-._~:/?#[]@!$&'()*+,;=%0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func (s *Sunset) decodeSuccessor(n *node) error {
	if err := text(&s.Successor)(n); err != nil {
		return err
	}
	u, err := url.Parse(s.Successor)
	switch {
	case err != nil, strings.ContainsFunc(s.Successor, notInLink), u.User != nil:
	case (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "":
		return nil
	case u.Scheme == "" && u.Host == "" && strings.HasPrefix(u.Path, "/") && !strings.HasPrefix(s.Successor, "//"):
		return nil
	}
	return n.fault(
		"Write it like https://api.example.com/v2, or /graphql for a path of this server; percent-encode other "+
			"characters.",
		"%q is not the URL of a successor", s.Successor)
}

func notInLink(r rune) bool { return !strings.ContainsRune(inLink, r) }

// within fills the empty fields of a route's Sunset from its dialect.
func (s Sunset) within(d Sunset) Sunset {
	if s.Deprecated.IsZero() {
		s.Deprecated = d.Deprecated
	}
	if s.At.IsZero() {
		s.At = d.At
	}
	if s.Successor == "" {
		s.Successor = d.Successor
	}
	return s
}

// On returns the Sunset of a dialect of the server at a site: a successor that is a path gets the prefix of the site.
func (s Sunset) On(at site.Site) Sunset {
	if strings.HasPrefix(s.Successor, "/") {
		s.Successor = at.Path(s.Successor)
	}
	return s
}

// check rejects a sunset before the deprecation (RFC 9745, section 4).
func (s Sunset) check(at *node) error {
	if s.At.IsZero() || s.Deprecated.IsZero() || !s.At.Before(s.Deprecated) {
		return nil
	}
	n := at.get("sunset")
	if n == nil {
		n = at.get("deprecated") // the sunset is the dialect's
	}
	return n.fault("Let sunset come later; a route without deprecated: or sunset: inherits that of its dialect.",
		"the sunset, %s, is before the date of the deprecation, %s",
		s.At.Format(dateForm), s.Deprecated.Format(dateForm))
}

// notice returns the headers Deprecation (RFC 9745), Sunset (RFC 8594) and Link. Deprecation needs a date. Without
// Deprecated it is the date of the sunset, and not the current time: every server with this file sends the same.
func (s Sunset) notice() [][2]string {
	var headers [][2]string
	since := s.Deprecated
	if since.IsZero() {
		since = s.At
	}
	if !since.IsZero() {
		headers = append(headers, [2]string{"Deprecation", "@" + strconv.FormatInt(since.Unix(), 10)})
	}
	if !s.At.IsZero() {
		headers = append(headers, [2]string{"Sunset", s.At.UTC().Format(http.TimeFormat)})
	}
	if s.Successor != "" {
		headers = append(headers, [2]string{"Link", "<" + s.Successor + `>; rel="successor-version"`})
	}
	return headers
}

// announce sets the headers of notice first of all, so that every answer has them. r is nil if no route serves the
// request.
func announce(h http.Header, d *Dialect, r *route) {
	notice := d.notice
	if r != nil {
		notice = r.notice
	}
	for _, pair := range notice {
		h.Add(pair[0], d.links(pair[0], pair[1]))
	}
}

// links returns the value of a header. In Link, paths of this server get its prefix (RFC 8288, section 3).
func (d *Dialect) links(name, value string) string {
	if !d.site.Shared() || !strings.EqualFold(name, "Link") {
		return value
	}
	return linkedPath.ReplaceAllString(value, "<"+d.site.Path("/")+"$1")
}

var linkedPath = regexp.MustCompile(`</([^/])`)

// Call is one method and path that a dialect serves.
type Call struct {
	Name   string // with one mount, and {name} for parameters: POST /api/v1/login
	Sunset Sunset
}

// Calls returns all calls, in the order of the file. A route has one for each of its mounts.
func (d *Dialect) Calls() []Call {
	var all []Call
	for _, r := range d.routes {
		for _, prefix := range r.mounts {
			all = append(all, Call{r.name(prefix), r.sunset})
		}
	}
	return all
}

func (r *route) name(prefix string) string {
	return r.method + " " + strings.TrimSuffix(prefix, "/") + r.path
}
