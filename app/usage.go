package app

import (
	"context"
	"strconv"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/visit"
	"github.com/dragoman-auth/dragoman/rest"
)

// countUse counts a request of a dialect in the metrics, and by its caller in the database. The caller is the API key
// only if it was valid, else the user agent: anybody can invent the prefix of a key.
func (s *Server) countUse(ctx context.Context, u rest.Use) {
	s.Observer.DialectUsed(u.Dialect, u.Route, u.Refused)
	v := visit.From(ctx)
	use := db.Use{
		Dialect: u.Dialect,
		Route:   u.Route,
		Refused: u.Refused,
		At:      s.options.Now(),
		Kind:    db.CallerAPIKey,
		Caller:  v.APIKey(),
	}
	if use.Caller == "" {
		use.Kind, use.Caller, use.Block = db.CallerUserAgent, v.UserAgent, v.Network()
	}
	if v.LegacyToken() {
		use.Kind = db.CallerLegacy
	}
	s.DB.CountUse(use)
}

// Routes lists the routes of dialects of the server at a site, without counts, for db.DialectUsage.
func Routes(dialects []*rest.Dialect, at site.Site) (all []db.DialectUsage) {
	date := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	for _, d := range dialects {
		for _, call := range d.Calls() {
			u := db.DialectUsage{
				Dialect:      d.Name,
				Route:        call.Name,
				DeprecatedAt: date(call.Sunset.Deprecated),
				SunsetAt:     date(call.Sunset.At),
			}
			if successor := call.Sunset.On(at).Successor; successor != "" {
				u.Successor = &successor
			}
			all = append(all, u)
		}
	}
	return all
}

// WarnSunsets logs every dialect past its sunset, and every route past a sunset of its own. They are served until
// somebody switches them off.
func (s *Server) WarnSunsets() {
	log, now := s.options.Log, s.options.Now()
	const message = "past its sunset, and still served"
	for _, d := range s.Dialects {
		if d.Sunset.Past(now) {
			log.Warn(message, "dialect", d.Name, "sunset", d.Sunset.At.Format(time.DateOnly))
		}
		for _, call := range d.Calls() {
			if own := call.Sunset; own.Past(now) && !own.At.Equal(d.Sunset.At) {
				log.Warn(message, "dialect", d.Name, "route", call.Name, "sunset", own.At.Format(time.DateOnly))
			}
		}
	}
}

// sunsetNote gives the note of the banner about the sunset of a dialect, "" for none.
func sunsetNote(d *rest.Dialect, now time.Time) string {
	ended := 0
	for _, call := range d.Calls() {
		if call.Sunset.Past(now) {
			ended++
		}
	}
	switch {
	case d.Sunset.Past(now):
		return ", past its sunset of " + d.Sunset.At.Format(time.DateOnly)
	case ended == 1:
		return ", 1 route past sunset"
	case ended > 1:
		return ", " + strconv.Itoa(ended) + " routes past sunset"
	case !d.Sunset.At.IsZero():
		return ", until " + d.Sunset.At.Format(time.DateOnly)
	}
	return ""
}
