package assets

import (
	"embed"
	"html/template"
	"io/fs"

	"github.com/dragoman-auth/dragoman/internal/site"
)

// parts has the templates that all pages share.
//
//go:embed parts.html refusal.html
var parts embed.FS

// Templates parses the templates of a package, *.html, and those that all pages share: see [Bar]. They have the
// functions asset, for the path of a file of the set or of [Shared], and url, for the path of a page.
func Templates(at site.Site, set *Set, files fs.FS) *template.Template {
	functions := template.FuncMap{
		"url": at.Path,
		"asset": func(name string) (string, error) {
			path, err := set.Path(name)
			return at.Path(path), err
		},
	}
	pages := template.Must(template.New("pages").Funcs(functions).ParseFS(parts, "*.html"))
	return template.Must(pages.ParseFS(files, "*.html"))
}
