package assets

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/site"
)

// refusalPolicy is the Content-Security-Policy of the page of a refusal.
const refusalPolicy = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Refusals answers what no page and no API serves: browsers with a page that has the bar, programs with JSON.
type Refusals struct {
	pages *template.Template
	bar   Bar
}

// NewRefusals makes the answers of a server.
func NewRefusals(at site.Site, bar Bar) *Refusals {
	return &Refusals{pages: Templates(at, Shared(), parts), bar: bar.At("")}
}

// Refusal is the page of one refusal. Text also stands in the JSON.
type Refusal struct {
	Status int
	Title  string
	Text   string
	More   *Door // a page about it, nil for none
}

// NotFound answers 404.
func (p *Refusals) NotFound(w http.ResponseWriter, r *http.Request) {
	if !edge.Person(r) {
		edge.NotFound(w, r)
		return
	}
	p.Page(w, r, Refusal{
		Status: http.StatusNotFound, Title: "There is nothing here", Text: "No page and no API of this server has " +
			"this address.",
	})
}

// Write answers with a refusal, as a page to a browser and as JSON to a program.
func (p *Refusals) Write(w http.ResponseWriter, r *http.Request, refusal Refusal) {
	if !edge.Person(r) {
		edge.Problem(w, refusal.Status, refusal.Text)
		return
	}
	p.Page(w, r, refusal)
}

// Page answers with a refusal as a page.
func (p *Refusals) Page(w http.ResponseWriter, r *http.Request, refusal Refusal) {
	var page bytes.Buffer
	err := p.pages.ExecuteTemplate(&page, "refusal", struct {
		Bar Bar
		Refusal
	}{p.bar, refusal})
	if err != nil {
		// A mistake of the program: the template is embedded and its input is plain data.
		panic(fmt.Sprintf("assets: render the page of a refusal: %v", err))
	}
	SetHeaders(w.Header(), refusalPolicy)
	w.Header().Add("Vary", "Accept")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	WriteStatus(w, r, refusal.Status, page.Bytes())
}
