// Package webtest drives pages in a real browser, for tests.
//
// The browser reaches only loopback addresses. A page records its problems: console messages, exceptions, violations of
// the Content-Security-Policy and failed requests. A test can require that there are none.
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

// testTime is the maximum time of a page. A browser that hangs fails its test, and not the whole run.
const testTime = 4 * time.Minute

// programs are the names of Chromium on different systems.
var programs = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}

// chromium is the browser that all tests of a program share. Starting one takes longer than most tests.
var chromium struct {
	once   sync.Once
	ctx    context.Context //nolint:containedctx // chromedp addresses a browser by its context
	cancel context.CancelFunc
	err    error
}

// Browser opens a blank page of 1280 by 800 CSS pixels in a headless Chromium, and closes it at the end of the test.
// The page has its own cookies, storage and cache.
//
// Without a Chromium the test is skipped, or fails if the environment has CI=true. End the test with
// [Page.RequireClean], which reports the problems of the page, and the program with [Close].
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
	// Without it, a page whose window is not in front gets no focus and no keys.
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

// Close ends the browser. Call it after all tests of the program.
func Close() {
	if chromium.cancel != nil {
		chromium.cancel()
	}
}

func options(program string) []chromedp.ExecAllocatorOption {
	return append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // the sandbox does not start for root, the user of tests in containers
		chromedp.DisableGPU,
		chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("no-proxy-server", true),
		// those of chromedp, and the process that Chromium starts ahead of each page: mostly no page comes for it
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess"),
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
	const missing = "NO BROWSER TEST: no Chromium was found on the PATH; " +
		"install one (apt-get install chromium) and run this again"
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
