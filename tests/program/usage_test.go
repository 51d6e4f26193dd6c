package program

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// The log says once of each end that is over, and the banner says it of each dialect.
func TestSunset_Start(t *testing.T) {
	t.Parallel()
	banner := func(setting string) (*harness.Process, string) {
		p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), setting)
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.Out.String(), "dragoman --help") &&
			time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond) // it is printed last
		}
		return p, p.Out.String()
	}
	p, said := banner(harness.WithOldAPI(t, "sunset: 2036-06-30", "sunset: 2026-02-28"))
	if strings.Count(said, `"past its sunset, and still served","dialect":"old-api","sunset":"2026-02-28"`) != 1 ||
		strings.Count(said, `"route":"POST /old/echo","sunset":"2026-03-31"`) != 1 ||
		strings.Count(said, "past its sunset, and") != 3 ||
		!strings.Contains(said, "REST         old-api, past its sunset of 2026-02-28\n") {
		t.Errorf("it says %s", said)
	}
	if res, _ := harness.Fetched(t, "GET", p.URL+"/old/users/7", "", ""); res.StatusCode != 200 {
		t.Errorf("it is not served any more: %d", res.StatusCode)
	}
	if _, said = banner(harness.WithOldAPI(t)); !strings.Contains(said, "old-api, 2 routes past sunset\n") {
		t.Errorf("it says %s", said)
	}
	if _, said = banner(harness.WithOldAPI(t, "    sunset: 2026-03-31\n", "")); strings.Contains(said,
		"past its sunset") || !strings.Contains(said, "old-api, until 2036-06-30\n") {
		t.Errorf("it says %s", said)
	}
}

// `dragoman dialect usage` prints the same on a terminal; a process that is told to end writes what it has counted.
func TestUsage_Terminal(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(harness.ProcessEnv(dsn), harness.WithOldAPI(t), "DRAGOMAN_DIALECTS=old-api")
		p := harness.Spawn(t, append(env, harness.ViaProxy)...)
		const agent = "\u202egpj.elif\u202c curl" // turns the text around on some terminals
		for range 2 {
			harness.Fetched(t, "GET", p.URL+"/old/users/1", "", "", "X-Forwarded-For", "203.0.113.9", "User-Agent",
				agent)
		}
		harness.Fetched(t, "GET", p.URL+"/old/me", "", "", "X-Forwarded-For", "2001:db8:1:2::3", "User-Agent",
			"old app/1.0")
		if err := p.Cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := p.Cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, p.Out)
		}
		dir := t.TempDir()
		got := command(t, dir, env, "dialect", "usage")
		want := []string{
			"DIALECT ROUTE CALLS REFUSED LAST CALL SUNSET",
			"old-api GET /old/me 1 1 TIME 2036-06-30",
			"old app/1.0 from 2001:db8:1::/48 1 1 TIME",
			"old-api GET /older/me 0 0 - 2036-06-30",
			"old-api POST /old/echo 0 0 - 2026-03-31",
			"old-api POST /older/echo 0 0 - 2026-03-31",
			"old-api GET /old/users/{id} 2 0 TIME 2036-06-30",
			`\u202egpj.elif\u202c curl from 203.0.113.0/24 2 0 TIME`,
			"old-api GET /older/users/{id} 0 0 - 2036-06-30",
			"old-api GET /old/confirm 0 0 - 2036-06-30",
			"old-api GET /older/confirm 0 0 - 2036-06-30",
		}
		_, table, _ := strings.Cut(got.stdout, "\n\n")
		table = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(table, "TIME")
		table = regexp.MustCompile(`(?m)^ +| +$`).ReplaceAllString(regexp.MustCompile(` +`).ReplaceAllString(table,
			" "), "")
		if got.code != 0 || strings.TrimSpace(table) != strings.Join(want, "\n") {
			t.Errorf("%+v\n%s\nwant\n%s", got, table, strings.Join(want, "\n"))
		}
		got = command(t, dir, env, "dialect", "usage", "--since", "2w", "--callers", "0", "old-api")
		if got.code != 0 || strings.Contains(got.stdout, "203.0.113") || strings.Count(got.stdout, "\n") != 11 {
			t.Errorf("without callers: %+v", got)
		}
		got = command(t, dir, append(harness.ProcessEnv(dsn), "DRAGOMAN_DIALECTS=none"), "dialect", "usage")
		if got.code != 0 || strings.Count(got.stdout, "not served") != 2 {
			t.Errorf("of what is not served: %+v", got)
		}
		for wrong, says := range map[string][]string{
			"no route is served": {"older-api"},
			"not a time span":    {"--since", "a month"},
			"30d, 12w or a date": {"--since=-1d"},
			"0 to 100":           {"--callers", "101"},
		} {
			if got := command(t, dir, env, append([]string{"dialect", "usage"}, says...)...); got.code != 1 ||
				!strings.Contains(got.stderr, wrong) {
				t.Errorf("%s: %+v", says, got)
			}
		}
	})
}
