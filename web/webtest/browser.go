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
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// testTime bounds what a test does with its page: a browser that hangs fails its test and not the whole run.
const testTime = 4 * time.Minute

// programs are the names that Chromium goes by.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}

// chromium is the one browser of a test program: to start one takes longer than most tests do with it.
var chromium struct {
	once   sync.Once
	ctx    context.Context //nolint:containedctx // chromedp addresses a browser by its context
	cancel context.CancelFunc
	err    error
}

// Browser gives a page of a headless Chromium, blank, 1280 by 800, and closes it with the test. The page shares neither
// cookies nor storage nor cache with another one.
//
// Without a Chromium the test is skipped, but fails where the environment says CI=true. It stays silent about what the
// page complains of: end the test with [Page.RequireClean], and the program with [Close].
func Browser(t testing.TB) *Page {
	t.Helper()
	program := findProgram(t)
	chromium.once.Do(func() { launch(program) })
	if chromium.err != nil {
		t.Fatalf("start %s: %v", program, chromium.err)
	}
	p := &Page{t: t}
	ctx, stopTimer := context.WithTimeout(chromium.ctx, testTime)
	ctx, closePage := chromedp.NewContext(ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() { closePage(); stopTimer() })
	if _, err := chromedp.Call(ctx, audits.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("open a page of %s: %v", program, err)
	}
	// A page takes keys and moves its focus as if its window were in front, though others are open beside it.
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled,
		emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	p.Run(chromedp.EmulateViewport(1280, 800))
	return p
}

func launch(program string) {
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options(program)...)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	_, chromium.err = chromedp.Run(ctx, chromedp.Steps())
	chromium.ctx, chromium.cancel = ctx, func() { closeBrowser(); stop() }
}

// Close ends the browser, when all tests of the program are over.
func Close() {
	if chromium.cancel != nil {
		chromium.cancel()
	}
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
	const missing = "NO BROWSER TEST: no Chromium was found on the PATH; install one (apt-get install chromium) and " +
		"run this again"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
