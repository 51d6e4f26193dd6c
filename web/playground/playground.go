// Package playground serves GraphiQL with ready example operations.
//
// The page is whole without the network (every script, style and font travels in the binary), nothing is inline, and
// every answer carries the Content-Security-Policy below.
package playground

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// securityPolicy lets a page load its own files and talk to its own server, and nothing else. Fonts may be data:
// because GraphiQL's style sheet carries them so.
const securityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"font-src 'self' data:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// assetPrefix is where the playground's own files are served.
const assetPrefix = "/playground/assets/"

// files holds other people's scripts and styles, compressed (graphiql), and our own.
//
//go:embed graphiql/*.gz examples *.html *.js *.css
var files embed.FS

// playground is the page, rendered once, and its files.
type playground struct {
	page  []byte
	files *assets.Set
}

// Handler serves the playground, for the GraphQL endpoint at that path of the same origin, for
// example /graphql. docs says whether it links to the documentation of the APIs, at /docs.
//
// It answers / and /playground with the page, and /playground/assets/ with the page's files; anything else is not
// found. It takes GET and HEAD. A mux that mounts it by the patterns "/{$}", "/playground" and "/playground/assets/"
// leaves every other path to others.
func Handler(endpoint string, docs bool) http.Handler {
	set := load()
	page, err := render(endpoint, docs, set)
	if err != nil {
		// The page and its files are fixed when the program is built, so this is no condition of the running server.
		panic(fmt.Sprintf("playground: render the page: %v", err))
	}
	return &playground{page: page, files: set}
}

// load reads the embedded files, once for all servers of a process: to compress them is a good part of a start.
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
		panic(fmt.Sprintf("playground: examples: %v", err))
	}
	set.Add("examples.json", examples)
	return set
})

func render(endpoint string, docs bool, set *assets.Set) ([]byte, error) {
	t, err := template.New("index.html").Funcs(template.FuncMap{"asset": set.Path}).ParseFS(files, "index.html")
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	err = t.Execute(&page, struct {
		Endpoint string
		Docs     bool
	}{endpoint, docs})
	return page.Bytes(), err
}

// ServeHTTP answers for the page and its files.
func (p *playground) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	assets.SetHeaders(w.Header(), securityPolicy)
	file, isFile := p.files.At(r.URL.Path)
	switch {
	case r.URL.Path != "/" && r.URL.Path != "/playground" && !isFile:
		edge.NotFound(w, r)
	case !assets.Allow(w, r, http.MethodGet, http.MethodHead):
	case isFile:
		file.Serve(w, r)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		assets.WriteBody(w, r, p.page)
	}
}
