package pages

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// Buttons writes the pages of REST routes that act only when a button is pressed.
type Buttons struct {
	templates *template.Template
	site      string
	bar       assets.Bar
}

// NewButtons makes the pages of a server.
func NewButtons(at site.Site, bar assets.Bar) *Buttons {
	return &Buttons{assets.Templates(at, load(), files), at.Name(), bar.At(assets.Account)}
}

// Button is a page with a button, or, without an action, what became of it.
type Button struct {
	Status      int
	Title, Text string
	Action      string   // where its form goes
	Targets     []string // where the answer to the form may redirect a browser
}

// Done tells whether the button was pressed, and it worked.
func (b Button) Done() bool { return b.Action == "" && b.Status < http.StatusBadRequest }

// Write answers with a page.
func (b *Buttons) Write(w http.ResponseWriter, r *http.Request, page Button) {
	assets.SetHeaders(w.Header(), "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action "+
		strings.Join(append([]string{"'self'"}, page.Targets...), " ")+"; frame-ancestors 'none'; base-uri 'none'")
	// Under no-referrer a browser without Sec-Fetch headers sends the form with Origin: null, which is refused.
	w.Header().Set("Referrer-Policy", "same-origin")
	writePage(w, r, b.templates, "button.html", page.Status, struct {
		Button
		Bar  assets.Bar
		Site string
	}{page, b.bar, b.site})
}
