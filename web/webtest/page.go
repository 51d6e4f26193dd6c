package webtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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

// stepTime is the maximum time of one call of Run, Eval, WaitFor or ClickInFrame.
const stepTime = 30 * time.Second

// Page is one browser page, with its problems so far.
type Page struct {
	ctx context.Context //nolint:containedctx // chromedp addresses a page by its context
	t   testing.TB

	mu       sync.Mutex
	problems []string
}

// Context is the page's context, for chromedp.Run.
func (p *Page) Context() context.Context { return p.ctx }

// Run runs the actions. It ends the test if one fails or they take more than 30 seconds.
func (p *Page) Run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	do(p, chromedp.Steps(actions...))
}

// Eval returns the value of a JavaScript expression. It awaits a promise.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return do(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// WaitFor waits until the JavaScript expression is true. It ends the test after 30 seconds. An expression that throws,
// or that is evaluated during a navigation, counts as false.
func (p *Page) WaitFor(expression string) {
	p.t.Helper()
	held := "(() => { try { return Boolean(" + expression + ") } catch { return false } })()"
	var err error
	deadline := time.Now().Add(stepTime)
	for ; time.Now().Before(deadline) && p.ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		var holds bool
		if holds, err = chromedp.Run(p.ctx, chromedp.Evaluate[bool](held)); holds {
			return
		}
	}
	text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	p.t.Fatalf("wait for %s: %v\nproblems of the page: %q\ntext of the page: %.2000s",
		expression, err, p.Problems(), text)
}

// do runs one action. It ends the test if the action fails or takes more than stepTime.
func do[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, stepTime)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("browser: %v\nproblems of the page: %q", err, p.Problems())
	}
	return value
}

// Screenshot writes the visible part of the page to a PNG file.
func (p *Page) Screenshot(file string) {
	p.t.Helper()
	if err := os.WriteFile(file, do(p, chromedp.CaptureScreenshot()), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Screenshots is the folder for screenshots of Shoot, "" for none. Set it before the first test.
var Screenshots string

// Shoot writes a screenshot where there is a folder for them.
func (p *Page) Shoot(name string) {
	p.t.Helper()
	if Screenshots != "" {
		p.Screenshot(filepath.Join(Screenshots, name+".png"))
	}
}

// Problems returns the problems of the page so far, one line each.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.problems...)
}

// RequireClean fails the test for every problem that contains none of the allowed texts.
func (p *Page) RequireClean(allowed ...string) {
	p.t.Helper()
next:
	for _, problem := range p.Problems() {
		for _, text := range allowed {
			if strings.Contains(problem, text) {
				continue next
			}
		}
		p.t.Errorf("problem of the page: %s", problem)
	}
}

func (p *Page) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// listen records the events that are problems.
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

// Viewport sets the size of the window in CSS pixels and the preferred colour scheme, light or dark.
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

// NoScripts switches the scripts of the page off. Expressions of the test are evaluated all the same.
func (p *Page) NoScripts() {
	p.t.Helper()
	off := emulation.SetScriptExecutionDisabledParams{Value: true}
	if _, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, off); err != nil {
		p.t.Fatal(err)
	}
}
