package webtest

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"

	"github.com/chromedp/chromedp"
)

// axeScript is axe-core, which finds what keeps people with disabilities out of a page.
//
//go:embed axe/axe.min.js.gz
var axeScript []byte

// Barriers returns what axe finds serious or critical in the page as it is now, one line each.
func (p *Page) Barriers() []string {
	t := p.t
	t.Helper()
	if !Eval[bool](p, `"axe" in window`) {
		z, err := gzip.NewReader(bytes.NewReader(axeScript))
		if err != nil {
			t.Fatal(err)
		}
		script, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		// By the protocol of the browser: the policy of the page refuses a script that is inserted.
		Eval[chromedp.Void](p, string(script)+"\n;0")
	}
	return Eval[[]string](p, `axe.run({ resultTypes: ["violations"] }).then((result) => result.violations
		.filter((one) => ["serious", "critical"].includes(one.impact))
		.map((one) => one.impact + " " + one.id + ": " +
			one.nodes.slice(0, 5).map((node) => node.target.join(" ")).join(", ")))`)
}
