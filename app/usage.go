package app

import (
	"context"
	"strconv"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/visit"
	"github.com/dragoman-auth/dragoman/rest"
)

// countUse takes what the engine of dialects tells of every request: it is counted in the figures, and by its caller
// in the database. An API key counts by itself only where it was good for the call: anybody can make up the first
// characters of one.
func (s *Server) countUse(ctx context.Context, u rest.Use) {
	s.Observer.DialectUsed(u.Dialect, u.Route, u.Refused)
	v := visit.From(ctx)
	use := db.Use{
		Dialect: u.Dialect, Route: u.Route, Refused: u.Refused, At: s.options.Now(), Kind: db.CallerAPIKey,
		Caller: v.APIKey(),
	}
	if use.Caller == "" {
		use.Kind, use.Caller, use.Block = db.CallerUserAgent, v.UserAgent, v.Network()
	}
	s.DB.CountUse(use)
}

// Routes are those of dialects, for a list of how much they are called.
func Routes(dialects []*rest.Dialect) (all []db.DialectUsage) {
	date := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		return &at
	}
	for _, d := range dialects {
		for _, call := range d.Calls() {
			u := db.DialectUsage{
				Dialect: d.Name, Route: call.Name, DeprecatedAt: date(call.Sunset.Deprecated),
				SunsetAt: date(call.Sunset.At),
			}
			if call.Sunset.Successor != "" {
				u.Successor = &call.Sunset.Successor
			}
			all = append(all, u)
		}
	}
	return all
}

// WarnSunsets tells the log of every dialect, and of every route with an end of its own, whose day has come: they go
// on until somebody switches them off.
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

// sunsetNote is what the banner says behind a dialect.
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
