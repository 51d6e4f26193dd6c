package app

import (
	"cmp"
	"net/http"

	"github.com/dragoman-auth/dragoman/internal/edge"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// endpoint is the GraphQL endpoint. It sends a browser that opens it without a query to the playground, or else to the
// documentation.
func (s *Server) endpoint(graphql http.Handler) http.Handler {
	to := ""
	for _, door := range s.bar().Doors {
		switch door.Name {
		case assets.Playground:
			to = cmp.Or(to, door.Path)
		case assets.Docs:
			to = cmp.Or(to, door.Path+"/graphql")
		}
	}
	if to == "" {
		return graphql
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" || !edge.Person(r) {
			graphql.ServeHTTP(w, r)
			return
		}
		s.see(w, to)
	})
}

// see redirects a browser to a page of the server.
func (s *Server) see(w http.ResponseWriter, path string) {
	w.Header().Add("Vary", "Accept")
	w.Header().Set("Location", s.settings.Site().Path(path))
	w.WriteHeader(http.StatusSeeOther)
}

// browser answers a browser that opens a path of a dialect where no route is: below a mount with a page, at the mount
// itself with the documentation of the API.
func (s *Server) browser(refusals *assets.Refusals) func(http.ResponseWriter, *http.Request, rest.Unserved) bool {
	return func(w http.ResponseWriter, r *http.Request, path rest.Unserved) bool {
		if !edge.Person(r) {
			return false
		}
		page := assets.Refusal{
			Status: path.Status, Title: "There is no page here",
			Text: "This address belongs to an API that programs call: " + path.Title + ".",
		}
		if s.settings.Docs {
			page.More = &assets.Door{Title: "Documentation of " + path.Title, Path: "/docs/" + path.Dialect}
		}
		if path.Base && page.More != nil {
			s.see(w, page.More.Path)
			return true
		}
		refusals.Page(w, r, page)
		return true
	}
}

// docsURL is where the documentation of each dialect is, by its name; "" where none is served.
func (s *Server) docsURL() string {
	if !s.settings.Docs {
		return ""
	}
	return s.settings.Site().URL("/docs/")
}
