package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/observe"
	"github.com/dragoman-auth/dragoman/internal/visit"
	"github.com/dragoman-auth/dragoman/rest"
)

// CountUses makes what the engine of dialects tells of every request: it is counted in the figures, and by its caller in the
// database. An API key counts by itself only where it was good for the call: anybody can make up the first characters of one.
func CountUses(database *db.DB, o *observe.Observer, now func() time.Time) func(context.Context, rest.Used) {
	return func(ctx context.Context, u rest.Used) {
		o.DialectUsed(u.Dialect, u.Route, u.Refused)
		v := visit.From(ctx)
		use := db.Use{Dialect: u.Dialect, Route: u.Route, Refused: u.Refused, At: now(), Kind: db.CallerAPIKey, Caller: v.APIKey()}
		if use.Caller == "" {
			use.Kind, use.Caller, use.Block = db.CallerUserAgent, v.UserAgent, v.Network()
		}
		database.CountUse(use)
	}
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
				Dialect: d.Name, Route: call.Name, DeprecatedAt: date(call.Sunset.Deprecated), SunsetAt: date(call.Sunset.At),
			}
			if call.Sunset.Successor != "" {
				u.Successor = &call.Sunset.Successor
			}
			all = append(all, u)
		}
	}
	return all
}

// WarnSunsets tells the log of every dialect, and of every route with an end of its own, whose day has come: they go on until
// somebody switches them off.
func WarnSunsets(log *slog.Logger, dialects []*rest.Dialect, now time.Time) {
	const message = "past its sunset, and still served"
	for _, d := range dialects {
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
	case ended > 0:
		return ", " + several(ended, "route") + " past sunset"
	case !d.Sunset.At.IsZero():
		return ", until " + d.Sunset.At.Format(time.DateOnly)
	}
	return ""
}

// UsageOf is the arguments of `dragoman dialect usage`.
type UsageOf struct {
	Name    string `arg:"" optional:"" help:"The name of a dialect. Default: all."`
	Since   string `default:"30d" help:"How far back: 30d for days, 12w for weeks, or a date such as 2026-12-01."`
	Callers int    `default:"3" help:"How many callers to show for each route, at most 100."`
}

// DialectUsage is `dragoman dialect usage`: one line for each route, and one below it for each of its busiest callers.
func DialectUsage(ctx context.Context, settings *config.Settings, stdout io.Writer, of UsageOf) (err error) {
	since, err := daysAgo(of.Since, time.Now())
	if err != nil {
		return err
	}
	if of.Callers < 0 || of.Callers > db.MaxDialectCallers {
		return fmt.Errorf("--callers: %d is not between 0 and %d", of.Callers, db.MaxDialectCallers)
	}
	dialects, err := LoadDialects(settings)
	if err != nil {
		return err
	}
	database, err := OpenPresent(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	list, err := database.DialectUsage(ctx, Routes(dialects), db.UsageFilter{Since: since, Dialect: of.Name, Callers: of.Callers})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("nothing is known of a dialect %q: no route of it is served, and none was called since %s (see dragoman dialect list)",
			of.Name, since.Format(time.DateOnly))
	}
	fmt.Fprintf(stdout, "Calls since %s:\n\n", since.Format(time.DateOnly))
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DIALECT\tROUTE\tCALLS\tREFUSED\tLAST CALL\tSUNSET")
	for _, u := range list {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", u.Dialect, u.Route, u.Count, u.RefusedCount, lastCall(u), end(u))
		for _, c := range u.Callers(&of.Callers) {
			fmt.Fprintf(w, "\t  %s\t%d\t%d\t%s\t\n", callerName(c), c.Count, c.RefusedCount, moment(c.LastCallAt))
		}
	}
	return w.Flush()
}

// daysAgo reads how far back somebody wants to look.
func daysAgo(text string, now time.Time) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if n, err := strconv.Atoi(strings.TrimSuffix(text, unit)); err == nil && strings.HasSuffix(text, unit) && n >= 0 && n <= 4000 {
			return now.UTC().AddDate(0, 0, -n*days), nil
		}
	}
	return time.Time{}, fmt.Errorf("--since: %q is no time to look back: write 30d, 12w or a date such as 2026-12-01", text)
}

func lastCall(u *db.DialectUsage) string {
	if u.LastCallAt == nil {
		return "-"
	}
	return moment(*u.LastCallAt)
}

func end(u *db.DialectUsage) string {
	switch {
	case !u.IsMounted:
		return "not served"
	case u.SunsetAt != nil:
		return u.SunsetAt.Format(time.DateOnly)
	}
	return "-"
}

// callerName is one line on a terminal. A header may hold what turns the text of a terminal around, which is written out.
func callerName(c *db.DialectCaller) string {
	switch c.Kind {
	case db.CallerOther:
		return "everybody else"
	case db.CallerAPIKey:
		return "key " + c.Value
	case db.CallerUserAgent:
	}
	quoted := strconv.QuoteToGraphic(c.Value)
	name := quoted[1 : len(quoted)-1]
	if name == "" {
		name = "(no user agent)"
	}
	if c.AddressBlock != nil {
		name += " from " + *c.AddressBlock
	}
	return name
}
