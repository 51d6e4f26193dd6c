// Package docs serves the documentation of the APIs: a page for GraphQL, and a page and an OpenAPI document for each
// dialect.
package docs

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/rest/openapi"
	"github.com/dragoman-auth/dragoman/web/assets"
)

//go:embed *.html *.js *.css
var files embed.FS

// securityPolicy is the Content-Security-Policy of the pages. They may load only files of this server.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; " +
	"connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// assetPrefix is the path of the documentation's files. It cannot collide with a page: _ is not a valid dialect name.
const assetPrefix = "/docs/_/"

// Config is the content of the documentation.
type Config struct {
	Describe func() []*rest.Description // the dialects; called once, for the first request
	GraphQL  *gqlhttp.Handler
	Site     site.Site
	Bar      assets.Bar
	Version  string

	Access, Session, Idle time.Duration // the server's lifetimes, which dialects may replace
	MinPassword           int           // the server's minimum length of passwords, in characters

	Schema string                // in the schema definition language
	Limits map[string]limit.Rule // by name; nil where limits are switched off
}

// Handler serves the documentation of the APIs:
//
//	/docs                     the list of APIs
//	/docs/graphql             the GraphQL API
//	/docs/graphql/NAME        its operation NAME
//	/docs/graphql/types       its types
//	/docs/graphql/frontend    how to use it from a frontend
//	/docs/schema.graphql      its schema, in the schema definition language
//	/docs/NAME                the dialect NAME
//	/docs/NAME/openapi.json   its OpenAPI 3.1 document
//	/docs/_/                  the files of the pages
//
// It accepts GET and HEAD; other paths are 404. Each page is rendered for its first request and then kept.
func Handler(cfg Config) http.Handler {
	return &docs{
		refusals: assets.NewRefusals(cfg.Site, cfg.Bar),
		made:     sync.OnceValue(func() map[string]func() *document { return render(cfg) }),
	}
}

type docs struct {
	refusals *assets.Refusals
	made     func() map[string]func() *document // the pages and files by their paths
}

// document is a page or a file of the documentation.
type document struct {
	assets.File
	etag string // "" for a file, whose name changes with its content
}

// ServeHTTP serves the pages and their files.
func (d *docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assets.SetHeaders(w.Header(), securityPolicy)
	made, ok := d.made()[r.URL.Path]
	if !ok {
		d.refusals.NotFound(w, r)
		return
	}
	if !edge.Allow(w, r, http.MethodGet, http.MethodHead) {
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

// matches reads If-None-Match (RFC 9110, section 13.1.2). The tags are weak, because a page has a compressed form too.
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
	set.Add("docs.css", append(assets.Read(files, "docs.css"), assets.Read(files, "reference.css")...))
	for _, name := range assets.Glob(files, "*.js") {
		set.Add(name, assets.Read(files, name))
	}
	return set
}

// render returns the pages and files by their paths. Each page is rendered at its first request. A failure is a panic,
// because templates and files are embedded and their input is plain data.
func render(cfg Config) map[string]func() *document {
	set := load()
	pages := assets.Templates(cfg.Site, set, files)
	dialects := cfg.Describe()
	contract := newContractView(cfg)
	set.Add("search.json", searchIndex(cfg.Site, contract, dialects))
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
	frame := newFrame(cfg, dialects)
	page("/docs", "start.html", func() any { return startPage{frame: frame.at(""), Cards: cardsOf(dialects)} })
	graphql := frame.at("graphql")
	page("/docs/graphql", "graphql.html", func() any { return contract.graphqlPageOf(graphql) })
	page(guidePath, "guide.html", func() any {
		sections, text := guideOf(cfg.Site)
		return guidePage{graphql, sections, text}
	})
	page(typesPath, "types.html", func() any { return contract.typesPageOf(graphql) })
	for _, op := range contract.Operations {
		page(operationPath(op.Name), "operation.html", func() any { return contract.operationPageOf(graphql, op) })
	}
	all["/docs/schema.graphql"] = sync.OnceValue(func() *document {
		return newDocument("text/plain; charset=utf-8", []byte(cfg.Schema))
	})
	for _, d := range dialects {
		page("/docs/"+d.Name, "dialect.html", func() any { return dialectPageOf(cfg, frame.at(d.Name), d) })
		all["/docs/"+d.Name+"/openapi.json"] = sync.OnceValue(func() *document {
			text, err := openapi.Write(d, cfg.Site.URL(""), cfg.Version)
			if err != nil {
				panic(fmt.Sprintf("docs: the OpenAPI document of %s: %v", d.Name, err))
			}
			return newDocument("application/json; charset=utf-8", text)
		})
	}
	return all
}

// newDocument makes a page with an ETag, so that browsers can revalidate it.
func newDocument(contentType string, content []byte) *document {
	sum := sha256.Sum256(content)
	return &document{
		File: assets.NewPage(contentType, content),
		etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`,
	}
}
