// Package pages serves the pages of people with a password, the pages that mails link to, and the local mailbox.
//
// A form runs a stored GraphQL document, with the same limits and checks as any other caller.
package pages

import (
	"bytes"
	"context"
	"embed"
	"html/template"
	"net/http"
	"sync"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/internal/returnurl"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/web/assets"
)

//go:embed *.html *.js *.css
var files embed.FS

// Config is what the pages need.
type Config struct {
	GraphQL     *gqlhttp.Handler
	Site        site.Site
	Bar         assets.Bar
	MinPassword int  // the minimum length of passwords, in characters
	Register    bool // whether everybody may register
	Returns     returnurl.List

	// Mailbox returns the newest mails of the local mailbox, newest first. A non-empty to selects the mails to an
	// address, a non-empty id one mail. Mailbox is nil if the server has no local mailbox.
	Mailbox func(ctx context.Context, to, id string) ([]mail.StoredMail, error)

	// MailboxKey opens the local mailbox to whoever has it, from anywhere. "" leaves it to this machine alone.
	MailboxKey string
}

// Register serves the pages of accounts at /account and below, and the local mailbox at /dev/mailbox.
func Register(mux *http.ServeMux, cfg Config) {
	set := load()
	templates := assets.Templates(cfg.Site, set, files)
	own := newAccount(cfg, templates, set)
	mux.Handle("/account", own)
	mux.Handle("/account/", own)
	refusals := assets.NewRefusals(cfg.Site, cfg.Bar)
	mux.HandleFunc("/dev", refusals.NotFound) // otherwise ServeMux redirects it
	if cfg.Mailbox == nil {
		mux.HandleFunc("/dev/", refusals.NotFound)
		return
	}
	mux.Handle("/dev/", newMailbox(cfg, templates, refusals))
}

// securityPolicy is the Content-Security-Policy of the pages. They may load files of this server, send requests and
// forms to it, and frame its pages.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// assetPrefix is the path of the pages' files. No page has the name _.
const assetPrefix = "/account/_/"

// load reads the embedded files. It runs once for all servers of a process, because compressing the files is a large
// part of a start.
var load = sync.OnceValue(func() *assets.Set {
	set := assets.NewSet(assetPrefix)
	for _, name := range append(assets.Glob(files, "*.js"), assets.Glob(files, "*.css")...) {
		set.Add(name, assets.Read(files, name))
	}
	return set
})

// writePage renders a page. A failure is a panic, because templates are embedded and their input is plain data.
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
