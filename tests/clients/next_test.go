package clients

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// behindProxies are the settings of a server whose callers are application servers on this machine.
var behindProxies = []string{
	"DRAGOMAN_TRUSTED_PROXIES=127.0.0.1/32", "DRAGOMAN_SMTP_URL=none", "DRAGOMAN_DIALECTS=none",
}

// builtNext builds the example of Next, and gives its folder. Next wants its packages within the folder.
func builtNext(t *testing.T) string {
	t.Helper()
	const folder = "docs/examples/next-ssr"
	modules := installed(t, folder)
	work := filepath.Join(workspace(t), folder)
	run(t, work, "cp -al "+modules+" "+filepath.Join(work, "node_modules"))
	run(t, work, "npm run build --silent", "NEXT_TELEMETRY_DISABLED=1")
	return work
}

// startNext starts the application beside a server behind a gate, and gives its address.
func startNext(t *testing.T, work string, g *gate) string {
	t.Helper()
	address := harness.FreeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	out := &harness.LogSink{}
	cmd := exec.Command("node", "server.mjs")
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, out, out
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "NEXT_TELEMETRY_DISABLED=1", "PORT="+port,
		"DRAGOMAN_URL="+g.URL+"/graphql")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if strings.Contains(out.String(), "http://localhost:"+port) {
			return "http://127.0.0.1:" + port
		}
		if time.Now().After(deadline) {
			t.Fatalf("the application did not come up: %s", out)
		}
	}
}

// seenFrom puts a person at an address of their own: requests reach the application from there, with a lie about where
// they come from.
func seenFrom(t *testing.T, home, address string) string {
	t.Helper()
	target, err := url.Parse(home)
	if err != nil {
		t.Fatal(err)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header.Set("X-Forwarded-For", "198.51.100.9")
		},
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		}},
	})
	t.Cleanup(s.Close)
	return s.URL
}

// TestExamples_Next builds the example of Next, and two people use it in Chromium, each from an address of their own.
// Pages are made on the server, so Dragoman sees one caller only: that it knows the two apart comes from the addresses
// that the application forwards (F13). The build takes long, so it belongs to the full experiments.
func TestExamples_Next(t *testing.T) {
	t.Parallel()
	if !harness.FullRun {
		return
	}
	work := builtNext(t)
	dsn := dbtest.SQLite(t)
	s := harness.Start(t, dsn, append(behindProxies, short, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_LIMIT_LOGIN=4/15m")...)
	g := newGate(t, s)
	next := startNext(t, work, g)
	home := seenFrom(t, next, "127.0.0.2")
	p := app{webtest.Browser(t)}
	p.Run(chromedp.Navigate(home))
	p.form()
	p.enter("ada@example.com", harness.GoodPass, "register")
	p.account("ada@example.com", "SESSION_TOKEN")
	p.shoot("example-next-account")
	device := `document.querySelector("#sessions li").textContent`
	if seen := webtest.Eval[string](p.Page, device); !strings.HasSuffix(seen, " on Linux, 127.0.0.2") {
		t.Errorf("the device is %q", seen)
	}
	if seen := webtest.Eval[string](p.Page, `JSON.stringify([document.cookie, {...localStorage}])`); seen != `["",{}]` {
		t.Errorf("scripts see %s", seen)
	}
	s.Clock.Add(over)
	g.answered.Store(0)
	p.Run(chromedp.Click(chromedp.ID("again")))
	p.WaitFor(`performance.getEntriesByType("navigation").length && document.readyState === "complete"`)
	p.account("ada@example.com", "SESSION_TOKEN")
	if n, answers := g.refreshes.Load(), g.answered.Load(); n != 0 || answers != 3 {
		t.Errorf("%d refreshes and %d answers, want 0 and 3", n, answers)
	}
	p.Run(chromedp.Click(chromedp.ID("sign-out")))
	p.form()
	if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"); n != 0 {
		t.Errorf("after the sign-out %d sessions are live", n)
	}
	says := func(p app, text string) {
		p.WaitFor(`document.getElementById("status").textContent.includes("` + text + `")`)
	}
	for i, text := range []string{"is wrong", "is wrong", "is wrong", "is wrong", "Too many"} { // until the limit
		p.Run(chromedp.Navigate(home))
		p.form()
		p.enter("nobody"+string(rune('a'+i))+"@example.com", "not the password", "login")
		says(p, text)
	}
	p.shoot("example-next-limited")
	p.RequireClean()

	other := app{webtest.Browser(t)} // the application is the same, and so is the caller of Dragoman
	elsewhere := seenFrom(t, next, "127.0.0.3")
	other.Run(chromedp.Navigate(elsewhere))
	other.form()
	other.enter("ada@example.com", harness.GoodPass, "login")
	other.account("ada@example.com", "SESSION_TOKEN")
	if seen := webtest.Eval[string](other.Page, device); !strings.HasSuffix(seen, " on Linux, 127.0.0.3") {
		t.Errorf("the device is %q", seen)
	}
	harness.MustExec(t, harness.OpenSide(t, dsn).DB, "UPDATE sessions SET revoked_at = created_at")
	other.Run(chromedp.Click(chromedp.ID("again"))) // who was signed out elsewhere gets the form
	other.form()
	other.RequireClean()
}
