// Package pages serves what belongs to mails: the pages that their links lead to, and the local mailbox.
//
// What a form says goes to a stored document, through the same door as every other caller's.
package pages

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"sync"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/web/assets"
)

//go:embed *.html *.js *.css
var files embed.FS

// Config is what the pages of mails are made of.
type Config struct {
	GraphQL     *gqlhttp.Handler
	PublicURL   string // without a trailing slash
	MinPassword int    // the least number of characters of a password

	// Mailbox gives the newest mails of the local mailbox, the newest first: those to an address unless that is "", the
	// one of an id unless that is "". Nil where there is none.
	Mailbox func(ctx context.Context, to, id string) ([]mail.StoredMail, error)

	// MailboxKey opens the local mailbox to whoever has it, from anywhere. "" leaves it to this machine alone.
	MailboxKey string
}

// Register serves what belongs to mails: the pages that their links lead to at /account/, and the local mailbox at
// /dev/mailbox.
func Register(mux *http.ServeMux, cfg Config) {
	templates, set := load()
	mux.Handle("/account/", newAccount(cfg, templates, set))
	mux.Handle("/dev/", newMailbox(cfg, templates))
	for _, path := range []string{"/account", "/dev"} { // which ServeMux would redirect otherwise
		mux.HandleFunc(path, edge.NotFound)
	}
}

// securityPolicy lets the pages of accounts and of the local mailbox load their own files, talk to their own server and
// send their forms to it, and nothing else.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// assetPrefix is where the files of these pages are served; no page is called _.
const assetPrefix = "/account/_/"

// load reads the embedded templates and files, once for all servers of a process: to compress them is a good part of a
// start.
var load = sync.OnceValues(func() (*template.Template, *assets.Set) {
	set := assets.NewSet(assetPrefix)
	set.AddStyles("pages.css", assets.Read(files, "pages.css"))
	for _, script := range assets.Glob(files, "*.js") {
		set.Add(script, assets.Read(files, script))
	}
	return template.Must(template.New("pages").Funcs(template.FuncMap{"asset": set.Path}).ParseFS(files, "*.html")), set
})

// writePage renders a page; what it is given is plain data, so a failure is a mistake of the program.
func writePage(w http.ResponseWriter, r *http.Request, pages *template.Template, name string, status int, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		panic("pages: render " + name + ": " + err.Error())
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Bytes())
	}
}
