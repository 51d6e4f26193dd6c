package web

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// example is one tab of the playground, in the form that GraphiQL takes.
type example struct {
	Query     string `json:"query"`
	Variables string `json:"variables"`
	Headers   string `json:"headers"`
}

// loadExamples reads the tabs in the order of their file names: a document, and beside it, where the document needs them,
// the variables as JSON. They stay text, so that the editor shows them as they were written.
func loadExamples() []example {
	var tabs []example
	for _, name := range glob("playground/examples/*.graphql") {
		variables, err := files.ReadFile(strings.TrimSuffix(name, ".graphql") + ".json")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			panic(fmt.Sprintf("web: variables of %s: %v", name, err))
		}
		tabs = append(tabs, example{Query: string(mustRead(name)), Variables: strings.TrimSpace(string(variables))})
	}
	return tabs
}
