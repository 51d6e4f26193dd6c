package docs

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/rest"
)

// searchEntry is something that the search finds. The names of its JSON are short, because there are hundreds.
type searchEntry struct {
	Kind  string `json:"k"` // mutation, query, the method of a route, or the kind of a type
	Title string `json:"t"`
	Where string `json:"w"` // the API
	Path  string `json:"p"`
	Words string `json:"x"` // what is searched beside the title, in lower case
}

// searchIndex is everything that the search finds, as JSON: the operations and types of GraphQL, the routes of the
// dialects, and the sections of the guide. It is a file of the pages, so that a search needs no request.
func searchIndex(at site.Site, c *contractView, dialects []*rest.Description) []byte {
	all := []searchEntry{}
	add := func(kind, title, where, path string, words ...string) {
		all = append(all, searchEntry{kind, title, where, at.Path(path), strings.ToLower(strings.Join(words, " "))})
	}
	for _, op := range c.Operations {
		words := []string{strings.ReplaceAll(op.About, "`", ""), op.Named}
		for _, r := range op.Refusals {
			if !r.TopLevel {
				words = append(words, r.Code)
			}
		}
		for _, a := range op.Arguments {
			words = append(words, a.Name)
			for _, f := range c.types[a.Named].Fields {
				words = append(words, f.Name)
			}
		}
		add(kindOf(op), op.Name, "GraphQL", operationPath(op.Name), words...)
	}
	for _, t := range c.Types {
		if c.links.types[t.Name] == "" {
			continue
		}
		words := []string{strings.ReplaceAll(t.About, "`", "")}
		for _, f := range t.Fields {
			words = append(words, f.Name)
		}
		for _, v := range t.Values {
			words = append(words, v.Name)
		}
		add(t.Kind, t.Name, "GraphQL", c.links.types[t.Name], words...)
	}
	for _, d := range dialects {
		common, anchors := commonErrors(d), map[string]bool{}
		for _, r := range d.Routes {
			words := append([]string{r.Method, r.Title, r.About, d.Title}, r.Mounts...)
			for _, f := range r.Fields {
				words = append(words, f.Name())
			}
			for _, e := range r.Errors {
				if !isCommon(common, e) {
					words = append(words, e.Code)
				}
			}
			add(r.Method, strings.TrimSuffix(r.Mounts[0], "/")+r.Path, d.Title,
				"/docs/"+d.Name+"#"+anchorOf(anchors, r), words...)
		}
	}
	sections, _ := guideOf(at)
	for _, s := range sections {
		add("guide", s.Title, "From your frontend", guidePath+"#"+s.Anchor, "use it from your frontend client")
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(fmt.Sprintf("docs: encode the index of the search: %v", err))
	}
	return text
}
