package rest

import (
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

// Page is a confirmation page, or the page that reports the outcome.
type Page struct {
	Status      int
	Title, Text string
	Action      string   // where the form of its button goes, "" for no button
	Targets     []string // where the answer to the form may redirect a browser: CSP applies form-action to it too
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
	x.engine.page(x.w, x.req, Page{
		Status: http.StatusOK, Title: title, Text: x.route.about, Action: x.dialect.site.Path(target.RequestURI()),
		Targets: x.dialect.redirects,
	})
}

// writeOutcome sends the person who pressed the button the outcome, with the cookies and headers of the answer.
func (x *exchange) writeOutcome(out *reply) {
	if out.location != "" {
		out.write(x.w)
		return
	}
	h := x.w.Header()
	out.setHeaders(h)
	for _, c := range out.cookies {
		http.SetCookie(x.w, c)
	}
	p := Page{Status: out.status, Title: "Done", Text: x.dialect.Title}
	if out.status >= http.StatusBadRequest {
		p.Title, p.Text = "That did not work", out.message
	}
	if p.Status == http.StatusNoContent {
		p.Status = http.StatusOK
	}
	if out.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(out.retry))
	}
	x.engine.page(x.w, x.req, p)
}
