// Package web serves the pages that Dragoman shows to people.
//
// Rules of the package: pages are whole without the network (every script, style and font travels in the binary), nothing
// is inline, and every answer carries the Content-Security-Policy below.
package web

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/edge"
)

// contentSecurityPolicy lets a page load its own files and talk to its own server, and nothing else. Fonts may be data:
// because GraphiQL's style sheet carries them so.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"font-src 'self' data:; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// assetPrefix is where the playground's own files are served.
const assetPrefix = "/playground/assets/"

// playground is the page, rendered once, and its files.
type playground struct {
	page   []byte
	assets map[string]asset // by the name under assetPrefix
}

// Playground serves GraphiQL with ready example operations, for the GraphQL endpoint at that path of the same origin, for
// example /graphql. docs says whether it links to [Docs].
//
// It answers / and /playground with the page, and /playground/assets/ with the page's files; anything else is not found.
// It takes GET and HEAD. A mux that mounts it by the patterns "/{$}", "/playground" and "/playground/assets/" leaves every
// other path to others.
func Playground(endpoint string, docs bool) http.Handler {
	assets := loadAssets()
	page, err := renderPage(endpoint, docs, assets)
	if err != nil {
		// The page and its files are fixed when the program is built, so this is no condition of the running server.
		panic(fmt.Sprintf("web: render the playground: %v", err))
	}
	return &playground{page: page, assets: assets.byName}
}

func renderPage(endpoint string, docs bool, assets assetSet) ([]byte, error) {
	t, err := template.New("index.html").Funcs(template.FuncMap{"asset": assets.path}).ParseFS(files, "playground/index.html")
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
	setPageHeaders(w.Header())
	name, isAsset := strings.CutPrefix(r.URL.Path, assetPrefix)
	file, found := p.assets[name]
	switch {
	case r.URL.Path != "/" && r.URL.Path != "/playground" && !(isAsset && found):
		edge.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		edge.Problem(w, http.StatusMethodNotAllowed, "This method is not allowed.")
	case isAsset:
		file.serve(w, r)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		writeBody(w, r, p.page)
	}
}

// setPageHeaders sets what every answer carries; assets then allow caching.
func setPageHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}
