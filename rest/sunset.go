package rest

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Sunset is what a file says of the end of a dialect or of a route. Everything is optional; the zero value says
// nothing.
type Sunset struct {
	Deprecated time.Time // since when nobody should begin to use it, at 0:00 UTC; zero for not said
	At         time.Time // from when on it may be gone, at 0:00 UTC; zero for not said, else never before Deprecated
	Successor  string    // what to use instead: an absolute URL, or a path of this server; "" for not said
}

// IsZero tells whether nothing is said.
func (s Sunset) IsZero() bool { return s == Sunset{} }

// Past tells whether the day of the sunset has come.
func (s Sunset) Past(now time.Time) bool { return !s.At.IsZero() && !now.Before(s.At) }

// dateForm is that of the dates in files.
const dateForm = time.DateOnly

func date(to *time.Time) func(*node) error {
	return func(n *node) error {
		s, _ := n.text()
		day, err := time.Parse(dateForm, s)
		if err != nil || day.Year() < 1970 {
			return n.fault("Write it like 2027-01-31.", "this is no date")
		}
		*to = day
		return nil
	}
}

// keys are those of a mapping that may have an end.
func (s *Sunset) keys() keys {
	return keys{"deprecated": date(&s.Deprecated), "sunset": date(&s.At), "successor": s.decodeSuccessor}
}

// inLink are the characters of a URL (RFC 3986). Any other would end the <…> of a Link header, or is not allowed in
// one.
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
	return n.fault("Write it like https://api.example.com/v2, or /graphql for a path of this server; percent-encode "+
		"other characters.",
		"%q is no URL that can follow", s.Successor)
}

func notInLink(r rune) bool { return !strings.ContainsRune(inLink, r) }

// within fills in what the dialect says where a route says nothing.
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

// check refuses an end that comes before its announcement (RFC 9745, section 4).
func (s Sunset) check(at *node) error {
	if s.At.IsZero() || s.Deprecated.IsZero() || !s.At.Before(s.Deprecated) {
		return nil
	}
	n := at.get("sunset")
	if n == nil {
		n = at.get("deprecated") // of a route, beside the sunset of the dialect
	}
	return n.fault("Let sunset come later; a route that does not say one of the two has that of its dialect.",
		"the sunset, %s, is before the date from which it is deprecated, %s", s.At.Format(dateForm),
		s.Deprecated.Format(dateForm))
}

// notice is the headers that say it. RFC 9745 has a date alone for Deprecation: where a file gives none, it is that of
// the sunset, by which at the latest it holds. So every server that runs the file says the same.
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

// announce puts the notice onto an answer before anything else is known of it, so that no way out is without; r is nil
// where no route is.
func announce(h http.Header, d *Dialect, r *route) {
	notice := d.notice
	if r != nil {
		notice = r.notice
	}
	for _, pair := range notice {
		h.Add(pair[0], pair[1])
	}
}

// Call is one method and path that a dialect serves.
type Call struct {
	Name   string // for example POST /api/v1/login, below one mount, with {name} for parameters
	Sunset Sunset
}

// Calls are all of them, in the order of the file; a route with several mounts is there once for each.
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
