// Package docs serves the documentation of the APIs: its pages, and the OpenAPI document of each dialect.
package docs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/rest/openapi"
	"github.com/dragoman-auth/dragoman/web/assets"
)

//go:embed *.html *.js *.css
var files embed.FS

// securityPolicy lets the pages of the documentation load their own files, and nothing else.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// assetPrefix is where the files of the documentation are served; no dialect is called _.
const assetPrefix = "/docs/_/"

// Config is what the documentation of the APIs is made of.
type Config struct {
	Describe   func() []*rest.Description // the dialects; asked once, for the first reader
	GraphQL    *gqlhttp.Handler
	PublicURL  string
	Version    string
	Playground bool // whether there is one at /

	Access, Session, Idle time.Duration // the server's own lifetimes, which dialects may change
	MinPassword           int           // the server's own least number of characters
}

// Handler serves the documentation of the APIs: /docs with all of them, /docs/graphql, /docs/NAME and
// /docs/NAME/openapi.json (OpenAPI 3.1) for each dialect, and the files of the pages below /docs/_/. It takes GET and
// HEAD; anything else is not found. The pages are made for the first reader and kept.
func Handler(cfg Config) http.Handler {
	return &docs{made: sync.OnceValue(func() map[string]func() *document { return render(cfg) })}
}

type docs struct {
	made func() map[string]func() *document // by their path
}

// document is a page or a file of the documentation.
type document struct {
	assets.File
	etag string // "" for a file, whose name changes with its content
}

// ServeHTTP answers for the pages and their files.
func (d *docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assets.SetHeaders(w.Header(), securityPolicy)
	made, ok := d.made()[r.URL.Path]
	if !ok {
		edge.NotFound(w, r)
		return
	}
	if !assets.Allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	found := made()
	switch {
	case found.etag != "" && matches(r.Header.Values("If-None-Match"), found.etag):
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", found.etag)
		w.WriteHeader(http.StatusNotModified)
	default:
		if found.etag != "" {
			w.Header().Set("ETag", found.etag)
		}
		found.Serve(w, r)
	}
}

// matches reads If-None-Match (RFC 9110, section 13.1.2). The tags here are weak, because a page may go out compressed.
func matches(headers []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || "W/"+strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// load reads the embedded files of the documentation.
func load() *assets.Set {
	set := assets.NewSet(assetPrefix)
	set.AddStyles("docs.css", assets.Read(files, "docs.css"))
	set.Add("docs.js", assets.Read(files, "docs.js"))
	return set
}

// render gets everything ready; each page is rendered for its first reader. The templates and files are fixed when the
// program is built, and what they are given is plain data: a failure is a mistake of the program.
func render(cfg Config) map[string]func() *document {
	set := load()
	pages := template.Must(template.New("docs").Funcs(template.FuncMap{"asset": set.Path}).ParseFS(files, "*.html"))
	all := map[string]func() *document{}
	for path, file := range set.All() {
		all[path] = func() *document { return &document{File: file} }
	}
	page := func(path, name string, data func() any) {
		all[path] = sync.OnceValue(func() *document {
			var html bytes.Buffer
			if err := pages.ExecuteTemplate(&html, name, data()); err != nil {
				panic(fmt.Sprintf("docs: render %s: %v", path, err))
			}
			return newDocument("text/html; charset=utf-8", html.Bytes())
		})
	}
	dialects := cfg.Describe()
	frame := newFrame(cfg, dialects)
	page("/docs", "start.html", func() any { return startPage{frame: frame.at(""), Cards: cardsOf(dialects)} })
	page("/docs/graphql", "graphql.html", func() any { return graphqlPageOf(cfg, frame.at("graphql")) })
	for _, d := range dialects {
		page("/docs/"+d.Name, "dialect.html", func() any { return dialectPageOf(cfg, frame.at(d.Name), d) })
		all["/docs/"+d.Name+"/openapi.json"] = sync.OnceValue(func() *document {
			text, err := openapi.Write(d, cfg.PublicURL, cfg.Version)
			if err != nil {
				panic(fmt.Sprintf("docs: the OpenAPI document of %s: %v", d.Name, err))
			}
			return newDocument("application/json; charset=utf-8", text)
		})
	}
	return all
}

// newDocument makes a page, with a tag by which browsers ask whether it is still the same.
func newDocument(contentType string, content []byte) *document {
	sum := sha256.Sum256(content)
	return &document{
		File: assets.NewPage(contentType, content),
		etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`,
	}
}
