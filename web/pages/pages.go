package web

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/mail"
)

// PagesConfig is what the pages of mails are made of.
type PagesConfig struct {
	GraphQL     *gqlhttp.Handler
	PublicURL   string // without a trailing slash
	MinPassword int    // the least number of characters of a password

	// Mailbox gives the newest mails of the local mailbox, the newest first: those to an address unless that is "", the one of an id
	// unless that is "". Nil where there is none.
	Mailbox func(ctx context.Context, to, id string) ([]mail.Kept, error)
}

// Pages serves what belongs to mails: the pages that their links lead to at /account/, and the local mailbox at /dev/mailbox.
func Pages(mux *http.ServeMux, cfg PagesConfig) {
	templates, assets := loadPages()
	mux.Handle("/account/", newAccount(cfg, templates, assets))
	mux.Handle("/dev/", newMailbox(cfg, templates))
	for _, path := range []string{"/account", "/dev"} { // which ServeMux would redirect otherwise
		mux.HandleFunc(path, edge.NotFound)
	}
}

// pagesSecurityPolicy lets the pages of accounts and of the local mailbox load their own files, talk to their own server and send
// their forms to it, and nothing else.
const pagesSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"connect-src 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// pagesAssetPrefix is where the files of these pages are served; no page is called _.
const pagesAssetPrefix = "/account/_/"

// loadPages reads the embedded templates and files; the style sheet names the fonts as they are served.
func loadPages() (*template.Template, assetSet) {
	set := newAssetSet(pagesAssetPrefix)
	css := string(mustRead("pages/pages.css"))
	for _, font := range []string{"inter.woff2", "mono.woff2"} {
		set.add(font, compress(mustRead("docs/"+font)))
		css = strings.ReplaceAll(css, `url("`+font+`")`, `url("`+set.paths[font]+`")`)
	}
	set.add("pages.css", compress([]byte(css)))
	set.add("account.js", compress(mustRead("pages/account.js")))
	set.add("mailbox.js", compress(mustRead("pages/mailbox.js")))
	set.add("icon.svg", compress(mustRead("playground/icon.svg")))
	return template.Must(template.New("pages").Funcs(template.FuncMap{"asset": set.path}).ParseFS(files, "pages/*.html")), set
}

// writePage renders a page; what it is given is plain data, so a failure is a mistake of the program.
func writePage(w http.ResponseWriter, r *http.Request, pages *template.Template, name string, status int, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		panic("web: render " + name + ": " + err.Error())
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(page.Bytes())
	}
}

// allow tells whether the method is one of these, and answers otherwise.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	edge.Problem(w, http.StatusMethodNotAllowed, "This method is not allowed.")
	return false
}
