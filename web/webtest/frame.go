package webtest

import (
	"context"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// ClickInFrame presses the mouse on the element of a selector in a sandboxed frame, whose address ends so. The page and
// its scripts do not see into such a frame, which the browser runs in a process of its own.
func (p *Page) ClickInFrame(address, selector string) {
	p.t.Helper()
	var err error
	for deadline := time.Now().Add(stepTime); time.Now().Before(deadline) &&
		p.ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		var clicked bool
		if clicked, err = p.clickInFrame(address, selector); clicked {
			return
		}
	}
	p.t.Fatalf("a frame %s with %s was not found: %v; the page complained of: %q", address, selector, err, p.Problems())
}

func (p *Page) clickInFrame(address, selector string) (bool, error) {
	targets, err := chromedp.Targets(p.ctx)
	if err != nil {
		return false, err
	}
	for _, found := range targets {
		if found.Type != "iframe" || !strings.HasSuffix(found.URL, address) {
			continue
		}
		ctx, leave := chromedp.NewContext(p.ctx, chromedp.WithTargetID(found.TargetID), chromedp.WithDetachOnCancel())
		ctx, stop := context.WithTimeout(ctx, 5*time.Second)
		defer leave()
		defer stop()
		_, err := chromedp.Run(ctx, chromedp.Click(chromedp.CSS(selector)))
		return err == nil, err
	}
	return false, nil
}
