package playground

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/dragoman-auth/dragoman/web/assets"
)

// Example is one tab of the playground. Its JSON is the form that GraphiQL reads.
type Example struct {
	Query     string `json:"query"`
	Variables string `json:"variables"`
	Headers   string `json:"headers"`
}

// Examples reads the tabs, in the order of the file names. A tab is a document (.graphql) with optional variables
// (.json with the same name). The variables stay text, so that the editor shows them as they were written.
func Examples() []Example {
	var tabs []Example
	for _, name := range assets.Glob(files, "examples/*.graphql") {
		variables, err := files.ReadFile(strings.TrimSuffix(name, ".graphql") + ".json")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			panic(fmt.Sprintf("playground: read the variables of %s: %v", name, err))
		}
		tabs = append(tabs, Example{
			Query:     string(assets.Read(files, name)),
			Variables: strings.TrimSpace(string(variables)),
		})
	}
	return tabs
}
