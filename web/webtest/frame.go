package webtest

import (
	"context"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// ClickInFrame clicks the element of a CSS selector in the frame whose URL ends with address. It is for sandboxed
// frames: they run in another process, and the page's scripts cannot reach them.
func (p *Page) ClickInFrame(address, selector string) {
	p.t.Helper()
	var err error
	deadline := time.Now().Add(stepTime)
	for ; time.Now().Before(deadline) && p.ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		var clicked bool
		if clicked, err = p.clickInFrame(address, selector); clicked {
			return
		}
	}
	p.t.Fatalf("click %s in the frame %s: not found: %v\nproblems of the page: %q",
		selector, address, err, p.Problems())
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
