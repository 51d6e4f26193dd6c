// Package start serves the start page: what runs here, the pages that it has, the APIs that it serves, and a first
// request.
package start

import (
	"bytes"
	"embed"
	"fmt"
	"net/http"
	"sync"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/assets"
)

//go:embed *.html
var files embed.FS

// securityPolicy is the Content-Security-Policy of the page. It may load only files of this server.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Config is the content of the page.
type Config struct {
	Site     site.Site
	Bar      assets.Bar
	Describe func() []*rest.Description // the dialects; called once, for the first request
	Register bool                       // whether everybody may register
	Version  string
}

// page is what the template shows.
type page struct {
	Bar      assets.Bar
	GraphQL  string // the URL of the endpoint
	APIs     []*rest.Description
	Register bool
	Version  string
}

// Handler serves the page. It accepts GET and HEAD. Mount it at the pattern "/{$}". The page is rendered for its first
// request and then kept.
func Handler(cfg Config) http.Handler {
	html := sync.OnceValue(func() []byte {
		var out bytes.Buffer
		err := assets.Templates(cfg.Site, assets.Shared(), files).ExecuteTemplate(&out, "start.html", page{
			Bar:      cfg.Bar.At(assets.Home),
			GraphQL:  cfg.Site.URL("/graphql"),
			APIs:     cfg.Describe(),
			Register: cfg.Register,
			Version:  cfg.Version,
		})
		if err != nil {
			// A mistake of the program: the template is embedded and its input is plain data.
			panic(fmt.Sprintf("start: render the page: %v", err))
		}
		return out.Bytes()
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assets.SetHeaders(w.Header(), securityPolicy)
		if !edge.Allow(w, r, http.MethodGet, http.MethodHead) {
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		assets.WriteBody(w, r, html())
	})
}
