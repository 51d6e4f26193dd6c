package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
)

// UsageArgs is the arguments of `dragoman dialect usage`.
type UsageArgs struct {
	Name    string `arg:"" optional:"" help:"The name of a dialect. Default: all."`
	Since   string `default:"30d" help:"How far back: 30d for days, 12w for weeks, or a date such as 2026-12-01."`
	Callers int    `default:"3" help:"How many callers to show for each route, at most 100."`
}

// DialectUsage is `dragoman dialect usage`: one line for each route, and one below it for each of its busiest callers.
func DialectUsage(ctx context.Context, settings *config.Settings, stdout io.Writer, of UsageArgs) (err error) {
	since, err := parseSince(of.Since, time.Now())
	if err != nil {
		return err
	}
	if of.Callers < 0 || of.Callers > db.MaxDialectCallers {
		return fmt.Errorf("--callers: %d is out of range; write 0 to %d", of.Callers, db.MaxDialectCallers)
	}
	dialects, err := app.LoadDialects(settings)
	if err != nil {
		return err
	}
	database, err := app.OpenExisting(ctx, settings)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	list, err := database.DialectUsage(
		ctx, app.Routes(dialects, settings.Site()), db.UsageFilter{Since: since, Dialect: of.Name, Callers: of.Callers},
	)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf(
			"dialect %q: no route is served and none was called since %s; see: dragoman dialect list",
			of.Name, since.Format(time.DateOnly),
		)
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

// parseSince reads how far back somebody wants to look.
func parseSince(text string, now time.Time) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if n, err := strconv.Atoi(
			strings.TrimSuffix(text, unit),
		); err == nil && strings.HasSuffix(text, unit) && n >= 0 &&
			n <= 4000 {
			return now.UTC().AddDate(0, 0, -n*days), nil
		}
	}
	return time.Time{}, fmt.Errorf(
		"--since: %q is not a time span; write 30d, 12w or a date such as 2026-12-01", text,
	)
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

// callerName is one line on a terminal. A header may hold what turns the text of a terminal around, which is written
// out.
func callerName(c *db.DialectCaller) string {
	switch c.Kind {
	case db.CallerOther:
		return "everybody else"
	case db.CallerAPIKey:
		return "key " + c.Value
	case db.CallerUserAgent, db.CallerLegacy:
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
