package docs

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/assets"
	"github.com/dragoman-auth/dragoman/web/playground"
)

// answers has an answer to each example, as a server gave it: a test runs every example and compares. examples has the
// operations that the playground has no tab for, or none of their own.
//
//go:embed answers/*.json examples/*
var exampleFiles embed.FS

// exampleView is the example of an operation.
type exampleView struct {
	Guarded   bool
	Document  []span
	Variables []span
	Call      []span
	Answer    []span
	Try       string // the request as JSON, "" where nothing is tried from the page
}

var (
	beginsOperation = regexp.MustCompile(`(?m)^(query|mutation) (\w+)`)
	rootField       = regexp.MustCompile(`^[^{]*\{\s*(\w+)`)
	usesVariable    = regexp.MustCompile(`\$(\w+)`)
	commentLine     = regexp.MustCompile(`(?m)^\s*#.*\n`)
)

// examplesOf returns the examples by the names of their operations. The first of an operation counts, so examples of
// several operations stand in the playground alone.
func examplesOf(c *contractView) map[string]*exampleView {
	all := map[string]*exampleView{}
	var tabs []playground.Example // ours first
	for _, name := range assets.Glob(exampleFiles, "examples/*.graphql") {
		tabs = append(tabs, playground.Example{
			Query:     string(assets.Read(exampleFiles, name)),
			Variables: string(assets.Read(exampleFiles, strings.TrimSuffix(name, ".graphql")+".json")),
		})
	}
	for _, tab := range append(tabs, playground.Examples()...) {
		variables := map[string]json.RawMessage{}
		if tab.Variables != "" {
			if err := json.Unmarshal([]byte(tab.Variables), &variables); err != nil {
				panic(fmt.Sprintf("docs: parse the variables of an example: %v", err))
			}
		}
		for _, text := range operationsIn(tab.Query) {
			name := rootField.FindStringSubmatch(text)[1]
			if all[name] == nil {
				all[name] = c.exampleOf(name, text, variables)
			}
		}
	}
	return all
}

// operationsIn splits a document into its operations. It drops the comments, which are about the playground.
func operationsIn(document string) []string {
	document = commentLine.ReplaceAllString(document, "")
	var all []string
	begins := beginsOperation.FindAllStringIndex(document, -1)
	for i, at := range begins {
		end := len(document)
		if i+1 < len(begins) {
			end = begins[i+1][0]
		}
		all = append(all, strings.TrimSpace(document[at[0]:end]))
	}
	return all
}

func (c *contractView) exampleOf(name, text string, given map[string]json.RawMessage) *exampleView {
	view := &exampleView{Document: colouredGraphQL(text)}
	document, err := c.cfg.GraphQL.Document(text)
	if err != nil { // a test validates every example against the schema
		panic(fmt.Sprintf("docs: validate the example of %s: %v", name, err))
	}
	view.Guarded = slices.Contains(document.Refusals(), fault.Unauthenticated)
	request := rest.Request{Method: "POST", Path: rest.Text{{Literal: "/graphql"}}}
	if view.Guarded {
		request.Headers = []rest.Header{{Name: "Authorization", Value: rest.Text{{Literal: "Bearer "}, {Gap: "token"}}}}
	}
	needs := usedVariables(text, given)
	variables := ""
	if len(needs) > 0 {
		values, _ := json.MarshalIndent(needs, "", "  ") // cannot fail: it was read from JSON
		variables = string(values)
		view.Variables = colouredJSON(variables)
	}
	if tries(c.cfg) {
		view.Try = graphqlAttempt(c.cfg.Site, text, variables, view.Guarded)
	}
	body, _ := json.Marshal(struct { // cannot fail
		Query     string                     `json:"query"`
		Variables map[string]json.RawMessage `json:"variables,omitempty"`
	}{strings.Join(strings.Fields(text), " "), needs})
	request.JSON = rest.Text{{Literal: string(body)}}
	view.Call = curl(c.cfg.Site.URL(""), request)
	answer, err := exampleFiles.ReadFile("answers/" + name + ".json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		panic(fmt.Sprintf("docs: read the answer of %s: %v", name, err))
	}
	view.Answer = colouredJSON(strings.TrimSpace(string(answer)))
	return view
}

// usedVariables returns the variables that an operation names.
func usedVariables(text string, variables map[string]json.RawMessage) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for _, found := range usesVariable.FindAllStringSubmatch(text, -1) {
		if value, ok := variables[found[1]]; ok {
			out[found[1]] = value
		}
	}
	return out
}
