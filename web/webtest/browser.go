// Package webtest drives pages in a real browser, for tests.
//
// The browser reaches loopback addresses and nothing else. Everything that a page complains about (console messages,
// exceptions, violations of the Content-Security-Policy, failed requests) is kept, so that a test can demand silence.
package webtest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

// testTime bounds what a test does with its page: a browser that hangs fails its test and not the whole run.
const testTime = 4 * time.Minute

// programs are the names that Chromium goes by.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}

// Browser starts a headless Chromium with one blank page, 1280 by 800, and ends it with the test.
//
// Without a Chromium the test is skipped, but fails where the environment says CI=true. It stays silent about what the page
// complains of: end the test with [Page.RequireClean].
func Browser(t testing.TB) *Page {
	t.Helper()
	program := findProgram(t)
	p := &Page{t: t}
	ctx, stopTimer := context.WithTimeout(context.Background(), testTime)
	ctx, stopBrowser := chromedp.NewExecAllocator(ctx, options(program)...)
	ctx, closePage := chromedp.NewContext(ctx, chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() { closePage(); stopBrowser(); stopTimer() })
	if _, err := chromedp.Call(ctx, audits.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return p
}

func options(program string) []chromedp.ExecAllocatorOption {
	return append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // the sandbox does not start for root, which tests in containers run as
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1, EXCLUDE localhost"),
	)
}

func findProgram(t testing.TB) string {
	t.Helper()
	for _, name := range programs {
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	const missing = "NO BROWSER TEST: no Chromium was found on the PATH; install one (apt-get install chromium) and run this again"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
