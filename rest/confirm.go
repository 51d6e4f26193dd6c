package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Some documented APIs change state by GET: links in mails, mostly. A program that calls such a route is served like
// any other caller. A browser that opens it in a tab, or prefetches it, gets a page with a button, and only the button
// changes state. Every other request that a page can make a browser send is rejected (HT-04).

// confirmation is the query parameter that marks the POST of the confirmation page.
const confirmation = "_confirm"

// originClass says who sent a request that changes state by GET.
type originClass int

const (
	direct            originClass = iota // a program, or a script of our own or a trusted origin
	needsConfirmation                    // a navigation or a prefetch: a page with a button answers
	foreign                              // any other page, or an image, a frame, a script …: rejected
)

// classifyOrigin goes by the form of the request alone. Whatever says that it is a navigation, or asks for HTML, gets a
// page: scanners of mails send either. A credential does not make a program: a browser has the cookie of a session too.
func classifyOrigin(req *http.Request, fromForeignPage bool) originClass {
	h := req.Header
	dest := h.Get("Sec-Fetch-Dest")
	asksForPage := h.Get("Sec-Fetch-Mode") == "navigate" ||
		strings.Contains(strings.ToLower(strings.Join(h.Values("Accept"), ",")), "text/html")
	switch {
	case strings.Contains(strings.ToLower(h.Get("Purpose")+h.Get("Sec-Purpose")+h.Get("X-Moz")), "prefetch"),
		dest == "document", dest == "" && asksForPage, dest == "empty" && asksForPage && !fromForeignPage:
		return needsConfirmation
	case fromForeignPage, dest != "" && dest != "empty", dest == "" && embedded(req):
		return foreign
	}
	return direct
}

// embedded recognises a request of an element of a page, or of a page of another host, where a browser sends no
// Sec-Fetch headers: over plain http.
func embedded(req *http.Request) bool {
	for _, kind := range []string{"image/", "text/css", "video/", "audio/"} {
		if strings.HasPrefix(req.Header.Get("Accept"), kind) {
			return true
		}
	}
	page, err := url.Parse(req.Referer())
	return err != nil || page.Host != "" && page.Host != req.Host
}

// isConfirmation tells whether the button was pressed. The check of the origin ensures that the page was ours.
func isConfirmation(req *http.Request) bool { return req.URL.Query().Has(confirmation) }

// page is a confirmation page, or the page that reports the outcome.
type page struct {
	Title, Text, Action string
}

const pageStyle = `
:root { color-scheme: light dark; font: 1.0625rem/1.5 system-ui, sans-serif }
body { max-width: 28rem; margin: 15vh auto 0; padding: 0 1.5rem }
button { font: inherit; padding: .5rem 1.25rem; border-radius: .375rem; border: 1px solid; cursor: pointer }
`

var pages = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
<h1>{{.Title}}</h1>
{{with .Text}}<p>{{.}}</p>{{end}}
{{with .Action}}<form method="post" action="{{.}}"><button autofocus>Continue</button></form>{{end}}
</html>
`))

// pagePolicy allows the page's style and its form. Browsers apply form-action to redirects of the form too.
func pagePolicy(redirects []string) string {
	style := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) +
		"'; form-action " + strings.Join(append([]string{"'self'"}, redirects...), " ") +
		"; frame-ancestors 'none'; base-uri 'none'"
}

func writePage(w http.ResponseWriter, d *Dialect, status int, p page) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy(d.redirects))
	h.Set("Referrer-Policy", "same-origin") // under no-referrer a browser sends the form with Origin: null
	w.WriteHeader(status)
	_ = pages.Execute(w, p) // the caller may have hung up
}

// confirm sends the page with the button.
func (x *exchange) confirm() {
	x.written = true
	target := *x.req.URL
	target.RawQuery = strings.TrimPrefix(target.RawQuery+"&"+confirmation+"=1", "&")
	title := x.route.title
	if title == "" {
		title = x.dialect.Title
	}
	visit.From(x.req.Context()).CopyHeaders(x.w.Header())
	writePage(x.w, x.dialect, http.StatusOK, page{Title: title, Text: x.route.about, Action: target.RequestURI()})
}

// writeOutcome sends the person who pressed the button the outcome, with the cookies and headers of the answer.
func writeOutcome(w http.ResponseWriter, d *Dialect, out *reply) {
	if out.location != "" {
		out.write(w)
		return
	}
	h := w.Header()
	out.setHeaders(h)
	for _, c := range out.cookies {
		http.SetCookie(w, c)
	}
	p := page{Title: "Done", Text: d.Title}
	if out.status >= http.StatusBadRequest {
		p.Title, p.Text = "That did not work", out.message
	}
	status := out.status
	if status == http.StatusNoContent {
		status = http.StatusOK
	}
	if out.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(out.retry))
	}
	writePage(w, d, status, p)
}
