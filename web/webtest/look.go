package webtest

import "strings"

// Window is a size and a colour in which pages are looked at.
type Window struct {
	Name          string
	Width, Height int64
	Scheme        string // light or dark
}

// Windows are those in which every page is looked at.
var Windows = []Window{
	{"phone-light", 360, 780, "light"},
	{"phone-dark", 360, 780, "dark"},
	{"tablet-light", 820, 1100, "light"},
	{"desktop-light", 1280, 900, "light"},
	{"desktop-dark", 1280, 900, "dark"},
}

// Look makes the window such a one and finds what is wrong with the page in it: something sticks out at the side, text
// lacks the contrast of WCAG 2 (1.4.3, AA), or headings leave out a level. The name is that of a screenshot.
func (p *Page) Look(w Window, name string) {
	p.t.Helper()
	p.Viewport(w.Width, w.Height, w.Scheme)
	p.WaitFor(`document.fonts.status === "loaded"`)
	p.Shoot(name)
	if wide := Eval[int](p, `document.documentElement.scrollWidth`); wide > int(w.Width) {
		p.t.Errorf("%s: it is %d wide", name, wide)
	}
	if out := Eval[string](p, sticksOut); out != "" {
		p.t.Errorf("%s: these stick out: %s", name, out)
	}
	if pale := Eval[string](p, paleText); pale != "" {
		p.t.Errorf("%s: these are hard to read: %s", name, pale)
	}
	if steps := Eval[string](p, `[...document.querySelectorAll("h1,h2,h3,h4")].map((h) => `+
		`h.tagName[1]).join("")`); !stepwise(steps) {
		p.t.Errorf("%s: the headings go %s", name, steps)
	}
}

// stepwise tells whether headings begin with the one first and never leave a level out.
func stepwise(levels string) bool {
	for i := range levels {
		if i > 0 && levels[i] > levels[i-1]+1 || i > 0 && levels[i] == '1' {
			return false
		}
	}
	return strings.HasPrefix(levels, "1")
}

// sticksOut names what leaves the window at a side, but within a box that scrolls.
const sticksOut = `[...document.querySelectorAll("body *")].filter((e) => {
  const box = e.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1) && !e.closest("pre, .quiet, .skip");
}).map((e) => e.tagName + "." + e.className).slice(0, 5).join(" ")`

// paleText names text whose contrast with what is below it is less than 4.5 to 1.
const paleText = `(() => {
  const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return { rgb: m.slice(0, 3), a: m[3] ?? 1 }; };
  const light = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / ` +
	`1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const below = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if ` +
	`(c.a === 1) return c.rgb; } return [255, 255, 255]; };
  const pale = new Set();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length || ` +
	`e.closest(".quiet")) continue;
    const a = light(parse(getComputedStyle(e).color).rgb), b = light(below(e));
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) pale.add(e.tagName + "." + e.className + " in ." + ` +
	`e.parentElement.className);
  }
  return [...pale].slice(0, 8).join(", ");
})()`
