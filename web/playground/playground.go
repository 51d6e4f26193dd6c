// Package playground serves GraphiQL with ready example operations.
//
// Every script, style and font is embedded in the binary, and nothing is inline. The page loads nothing from other
// hosts, and every answer has a strict Content-Security-Policy.
package playground

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// securityPolicy is the Content-Security-Policy of the page. It may load files of this server and send requests to it.
// Fonts may be data: URLs, because GraphiQL's style sheet has them.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"font-src 'self' data:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// assetPrefix is the path of the playground's files.
const assetPrefix = "/playground/assets/"

// files has the third-party scripts and styles, compressed (graphiql), and our own.
//
//go:embed graphiql/*.gz examples *.html *.js *.css
var files embed.FS

// playground is the rendered page and its files.
type playground struct {
	page     []byte
	files    *assets.Set
	refusals *assets.Refusals
}

// Config is what the playground needs.
type Config struct {
	Site site.Site
	Bar  assets.Bar
}

// Handler serves the playground for the GraphQL endpoint of the site, /graphql.
//
// The page is at /playground, its files are below /playground/assets/, and other paths are 404. It accepts GET and
// HEAD. Mount it at the patterns "/playground" and "/playground/".
func Handler(cfg Config) http.Handler {
	set := load()
	var page bytes.Buffer
	data := struct{ Bar assets.Bar }{cfg.Bar.At(assets.Playground)}
	if err := assets.Templates(cfg.Site, set, files).ExecuteTemplate(&page, "index.html", data); err != nil {
		// A mistake of the program: the template is embedded.
		panic(fmt.Sprintf("playground: render the page: %v", err))
	}
	return &playground{page: page.Bytes(), files: set, refusals: assets.NewRefusals(cfg.Site, cfg.Bar)}
}

// load reads the embedded files. It runs once for all servers of a process, because compressing the files is a large
// part of a start.
var load = sync.OnceValue(func() *assets.Set {
	set := assets.NewSet(assetPrefix)
	for _, name := range assets.Glob(files, "graphiql/*.gz") {
		set.AddGzipped(strings.TrimSuffix(path.Base(name), ".gz"), assets.Read(files, name))
	}
	for _, name := range append(assets.Glob(files, "*.js"), assets.Glob(files, "*.css")...) {
		set.Add(name, assets.Read(files, name))
	}
	examples, err := json.Marshal(Examples())
	if err != nil {
		panic(fmt.Sprintf("playground: encode the examples: %v", err))
	}
	set.Add("examples.json", examples)
	return set
})

// ServeHTTP serves the page and its files.
func (p *playground) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assets.SetHeaders(w.Header(), securityPolicy)
	file, isFile := p.files.At(r.URL.Path)
	switch {
	case r.URL.Path != "/playground" && !isFile:
		p.refusals.NotFound(w, r)
	case !edge.Allow(w, r, http.MethodGet, http.MethodHead):
	case isFile:
		file.Serve(w, r)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		assets.WriteBody(w, r, p.page)
	}
}
