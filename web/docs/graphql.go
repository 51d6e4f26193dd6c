package docs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/playground"
)

// graphqlPage is /docs/graphql: the operations of the playground's tabs, as curl commands.
type graphqlPage struct {
	frame
	Facts      []fact
	Operations []operationView
}

type operationView struct {
	Name, Anchor, Kind, Search string
	Guarded                    bool
	Codes                      []string
	Document                   []span
	Variables                  []span
	Call                       []span
}

var (
	beginsOperation = regexp.MustCompile(`(?m)^(query|mutation) (\w+)`)
	usesVariable    = regexp.MustCompile(`\$(\w+)`)
	commentLine     = regexp.MustCompile(`(?m)^\s*#.*\n`)
)

func graphqlPageOf(cfg Config, f frame) graphqlPage {
	page := graphqlPage{frame: f, Facts: []fact{
		{"Endpoint", []line{
			{"POST " + cfg.Site.URL("/graphql"), "with a JSON body"},
			{"GET " + cfg.Site.URL("/graphql"), "for queries, with a header that no link can send: Authorization, " +
				"Content-Type or Apollo-Require-Preflight"},
		}},
		{"Credentials", []line{
			{"Authorization: Bearer …", "an access token, a session token or an API key"},
			{"X-API-Key: …", "for API keys"},
			{"", "or the session cookie"},
		}},
		{"Tokens", []line{
			{"", "Access tokens live for " + formatDuration(cfg.Access)},
			{"", "A session ends when it is not used for " + formatDuration(cfg.Idle) +
				", and after " + formatDuration(cfg.Session) + " in any case"},
		}},
		{"Refusals", []line{
			{"userErrors", "of a mutation say why it had no effect: code, message, field"},
			{"errors[].extensions.code", "for everything else"},
		}},
	}}
	for _, tab := range playground.Examples() {
		variables := map[string]json.RawMessage{}
		if tab.Variables != "" {
			if err := json.Unmarshal([]byte(tab.Variables), &variables); err != nil {
				panic(fmt.Sprintf("docs: parse the variables of an example: %v", err))
			}
		}
		for _, text := range operationsIn(tab.Query) {
			page.Operations = append(page.Operations, operationOf(cfg, text, variables))
		}
	}
	return page
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

func operationOf(cfg Config, text string, variables map[string]json.RawMessage) operationView {
	head := beginsOperation.FindStringSubmatch(text)
	view := operationView{
		Name:     head[2],
		Anchor:   strings.ToLower(head[2]),
		Kind:     head[1],
		Document: colouredGraphQL(text),
	}
	if cfg.GraphQL != nil {
		document, err := cfg.GraphQL.Document(text)
		if err != nil { // a test validates every example against the schema
			panic(fmt.Sprintf("docs: validate the example %s: %v", view.Name, err))
		}
		for _, code := range document.Refusals() {
			view.Codes = append(view.Codes, string(code))
		}
		view.Guarded = slices.Contains(document.Refusals(), fault.Unauthenticated)
	}
	view.Search = strings.ToLower(strings.Join(append(view.Codes, view.Kind, view.Name, text), " "))
	request := rest.Request{Method: "POST", Path: rest.Text{{Literal: "/graphql"}}}
	if view.Guarded {
		request.Headers = []rest.Header{{Name: "Authorization", Value: rest.Text{{Literal: "Bearer "}, {Gap: "token"}}}}
	}
	needs := usedVariables(text, variables)
	if len(needs) > 0 {
		values, _ := json.Marshal(needs) // cannot fail: it was read from JSON
		view.Variables = colouredJSON(pretty(string(values)))
	}
	body, _ := json.Marshal(struct { // cannot fail
		Query     string                     `json:"query"`
		Variables map[string]json.RawMessage `json:"variables,omitempty"`
	}{strings.Join(strings.Fields(text), " "), needs})
	request.JSON = rest.Text{{Literal: string(body)}}
	view.Call = curl(cfg.Site.URL(""), request)
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
