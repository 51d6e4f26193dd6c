package web

import (
	"bytes"
	"crypto/sha256"
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
)

// docsSecurityPolicy lets the pages of the documentation load their own files, and nothing else.
const docsSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// docsAssetPrefix is where the files of the documentation are served; no dialect is called _.
const docsAssetPrefix = "/docs/_/"

// DocsConfig is what the documentation of the APIs is made of.
type DocsConfig struct {
	Describe   func() []*rest.Description // the dialects; asked once, for the first reader
	GraphQL    *gqlhttp.Handler
	PublicURL  string
	Version    string
	Playground bool // whether there is one at /

	Access, Session, Idle time.Duration // the server's own lifetimes, which dialects may change
	MinPassword           int           // the server's own least number of characters
}

// Docs serves the documentation of the APIs: /docs with all of them, /docs/graphql, /docs/NAME and /docs/NAME/openapi.json (OpenAPI
// 3.1) for each dialect, and the files of the pages below /docs/_/. It takes GET and HEAD; anything else is not found. The pages are
// made for the first reader and kept.
func Docs(cfg DocsConfig) http.Handler {
	return &docs{made: sync.OnceValue(func() map[string]func() *document { return makeDocs(cfg) })}
}

type docs struct {
	made func() map[string]func() *document // by their path
}

// document is a page or a file of the documentation.
type document struct {
	asset
	etag string // "" for a file, whose name changes with its content
}

// ServeHTTP answers for the pages and their files.
func (d *docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setPageHeaders(w.Header())
	w.Header().Set("Content-Security-Policy", docsSecurityPolicy)
	made, ok := d.made()[r.URL.Path]
	if !ok {
		edge.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		edge.Problem(w, http.StatusMethodNotAllowed, "This method is not allowed.")
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
		found.serve(w, r)
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

// loadDocsAssets reads the embedded files of the documentation; the style sheet names the fonts as they are served.
func loadDocsAssets() assetSet {
	set := newAssetSet(docsAssetPrefix)
	css := string(mustRead("docs/docs.css"))
	for _, font := range []string{"inter.woff2", "mono.woff2"} {
		set.add(font, compress(mustRead("docs/"+font)))
		css = strings.ReplaceAll(css, `url("`+font+`")`, `url("`+set.paths[font]+`")`)
	}
	set.add("docs.css", compress([]byte(css)))
	set.add("docs.js", compress(mustRead("docs/docs.js")))
	set.add("icon.svg", compress(mustRead("playground/icon.svg")))
	return set
}

// makeDocs gets everything ready; each page is rendered for its first reader. The templates and files are fixed when the program is
// built, and what they are given is plain data: a failure is a mistake of the program.
func makeDocs(cfg DocsConfig) map[string]func() *document {
	assets := loadDocsAssets()
	pages := template.Must(template.New("docs").Funcs(template.FuncMap{"asset": assets.path}).ParseFS(files, "docs/*.html"))
	all := map[string]func() *document{}
	for name, file := range assets.byName {
		all[docsAssetPrefix+name] = func() *document { return &document{asset: file} }
	}
	render := func(path, name string, data func() any) {
		all[path] = sync.OnceValue(func() *document {
			var page bytes.Buffer
			if err := pages.ExecuteTemplate(&page, name, data()); err != nil {
				panic(fmt.Sprintf("web: render %s: %v", path, err))
			}
			return newDocument("text/html; charset=utf-8", page.Bytes())
		})
	}
	dialects := cfg.Describe()
	frame := newFrame(cfg, dialects)
	render("/docs", "start.html", func() any { return startPage{frame: frame.at(""), Cards: cardsOf(dialects)} })
	render("/docs/graphql", "graphql.html", func() any { return graphqlPageOf(cfg, frame.at("graphql")) })
	for _, d := range dialects {
		render("/docs/"+d.Name, "dialect.html", func() any { return dialectPageOf(cfg, frame.at(d.Name), d) })
		all["/docs/"+d.Name+"/openapi.json"] = sync.OnceValue(func() *document {
			text, err := openapi.Write(d, cfg.PublicURL, cfg.Version)
			if err != nil {
				panic(fmt.Sprintf("web: the OpenAPI document of %s: %v", d.Name, err))
			}
			return newDocument("application/json; charset=utf-8", text)
		})
	}
	return all
}

// newDocument keeps a page compressed. Browsers ask each time whether it is still the same.
func newDocument(contentType string, content []byte) *document {
	sum := sha256.Sum256(content)
	return &document{
		asset: asset{gzipped: compress(content), contentType: contentType, cache: "no-cache"},
		etag:  `W/"` + hex.EncodeToString(sum[:8]) + `"`,
	}
}
