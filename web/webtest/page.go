package webtest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// stepTime bounds one call of Run or WaitFor.
const stepTime = 30 * time.Second

// Page is one browser page and what it has complained of so far.
type Page struct {
	ctx context.Context //nolint:containedctx // chromedp addresses a page by its context
	t   testing.TB

	mu       sync.Mutex
	problems []string
}

// Context is the page's context, for chromedp.Run.
func (p *Page) Context() context.Context { return p.ctx }

// Run carries out the actions, at most 30 seconds long; the test ends when one fails.
func (p *Page) Run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	do(p, chromedp.Steps(actions...))
}

// Eval evaluates a JavaScript expression, waits for it where it is a promise, and gives its value.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return do(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// WaitFor waits until the JavaScript expression is true, at most 30 seconds; the test ends when it never is. An
// expression that throws is not true yet, and neither is one that is asked while the page goes elsewhere.
func (p *Page) WaitFor(expression string) {
	p.t.Helper()
	held := "(() => { try { return Boolean(" + expression + ") } catch { return false } })()"
	var err error
	for deadline := time.Now().Add(stepTime); time.Now().Before(deadline) &&
		p.ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		var holds bool
		if holds, err = chromedp.Run(p.ctx, chromedp.Evaluate[bool](held)); holds {
			return
		}
	}
	text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	p.t.Fatalf("waiting for %s: %v\nthe page complained of: %q\nthe page reads: %.2000s", expression, err, p.Problems(),
		text)
}

// do carries out one action in time.
func do[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, stepTime)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("browser: %v\nthe page complained of: %q", err, p.Problems())
	}
	return value
}

// Screenshot writes what the window shows to a PNG file.
func (p *Page) Screenshot(file string) {
	p.t.Helper()
	if err := os.WriteFile(file, do(p, chromedp.CaptureScreenshot()), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Problems lists what the page complained of so far, one line each.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.problems...)
}

// RequireClean fails the test when the page complained of anything that holds none of the allowed texts.
func (p *Page) RequireClean(allowed ...string) {
	p.t.Helper()
next:
	for _, problem := range p.Problems() {
		for _, text := range allowed {
			if strings.Contains(problem, text) {
				continue next
			}
		}
		p.t.Errorf("the page complained: %s", problem)
	}
}

func (p *Page) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// listen keeps every event that a page without fault does not cause.
func (p *Page) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		p.note("console.%s: %s", e.Type, consoleText(e.Args))
	case *runtime.EventExceptionThrown:
		p.note("exception: %v", &chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails})
	case *log.EventEntryAdded:
		p.note("%s (%s): %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *audits.EventIssueAdded:
		if d := e.Issue.Details; d != nil && d.ContentSecurityPolicyIssueDetails != nil {
			csp := d.ContentSecurityPolicyIssueDetails
			p.note("content security policy: %s refused %q", csp.ViolatedDirective, csp.BlockedURL)
		}
	case *network.EventLoadingFailed:
		if !e.Canceled {
			p.note("request failed: %s %s %s", e.Type, e.ErrorText, e.BlockedReason)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			p.note("request failed: HTTP %d %s", e.Response.Status, e.Response.URL)
		}
	}
}

func consoleText(args []*runtime.RemoteObject) string {
	var texts []string
	for _, a := range args {
		texts = append(texts, strings.TrimSpace(a.Description+" "+string(a.Value)))
	}
	return strings.Join(texts, " ")
}

// Viewport makes the window that size in CSS pixels and sets the colour scheme that the system prefers, light or dark.
func (p *Page) Viewport(width, height int64, scheme string) {
	p.t.Helper()
	p.Run(chromedp.EmulateViewport(width, height))
	media := emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, media); err != nil {
		p.t.Fatal(err)
	}
}
