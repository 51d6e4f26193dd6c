package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/dragoman-auth/dragoman/graph"
)

// Schema is the schema without what answers it.
var Schema = sync.OnceValue(func() *ast.Schema { return graph.NewExecutableSchema(graph.Config{}).Schema() })

// Undeclared finds a refusal that the schema does not declare for the field that gave it. Every answer of every test
// goes through it, so that dialects can rely on @refuses. What can not be matched to a root field passes.
func Undeclared(r *http.Request, a *Answer) error {
	fields := rootFields(documentOf(r))
	var errs []error
	for name, value := range a.Data {
		payload, _ := value.(map[string]any)
		list, _ := payload["userErrors"].([]any)
		for _, one := range list {
			if refusal, ok := one.(map[string]any); ok && refusal["code"] != nil {
				errs = append(errs, declares(fields[name], name, fmt.Sprint(refusal["code"])))
			}
		}
	}
	for _, e := range a.Errors {
		code, _ := e.Extensions["code"].(string)
		if len(e.Path) == 0 || code == "INTERNAL_SERVER_ERROR" {
			continue // of the whole request
		}
		if code == "BAD_USER_INPUT" && (strings.HasPrefix(e.Message, "The argument ") ||
			strings.HasPrefix(e.Message, "An argument ")) {
			continue // a scalar, refused before the field was asked
		}
		name := fmt.Sprint(e.Path[0])
		errs = append(errs, declares(fields[name], name, code))
	}
	return errors.Join(errs...)
}

// declares tells whether one of the fields that go by a name can be refused with a code.
func declares(fields []*ast.FieldDefinition, name, code string) error {
	for _, f := range fields {
		if slices.Contains(refusalsOf(f), code) {
			return nil
		}
	}
	if fields == nil {
		return nil
	}
	return fmt.Errorf("%s refused with %s, and the schema does not say that it can", name, code)
}

func refusalsOf(f *ast.FieldDefinition) (codes []string) {
	if d := f.Directives.ForName("refuses"); d != nil {
		for _, code := range d.Arguments.ForName("codes").Value.Children {
			codes = append(codes, code.Value.Raw)
		}
	}
	if f.Directives.ForName("requiresAuth") != nil || f.Directives.ForName("requiresPermission") != nil {
		codes = append(codes, "UNAUTHENTICATED", "FORBIDDEN", "RATE_LIMITED")
	}
	if f.Directives.ForName("sudo") != nil {
		codes = append(codes, "SUDO_REQUIRED")
	}
	if f.Directives.ForName("credential") != nil {
		codes = append(codes, "RATE_LIMITED") // SERVICE_UNAVAILABLE too goes by this name
	}
	return codes
}

// documentOf reads the document of a request that was sent; nil when it holds none.
func documentOf(r *http.Request) *ast.QueryDocument {
	if r.GetBody == nil {
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil
	}
	var sent struct{ Query string }
	if json.Unmarshal(text, &sent) != nil {
		return nil
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: sent.Query})
	if err != nil {
		return nil
	}
	return doc
}

// rootFields gives what the names at the root of the data stand for. A name can stand for several fields where a
// document has several operations.
func rootFields(doc *ast.QueryDocument) map[string][]*ast.FieldDefinition {
	fields := map[string][]*ast.FieldDefinition{}
	if doc == nil {
		return fields
	}
	var walk func(root *ast.Definition, set ast.SelectionSet, depth int)
	walk = func(root *ast.Definition, set ast.SelectionSet, depth int) {
		for _, selection := range set {
			switch s := selection.(type) {
			case *ast.Field:
				if f := root.Fields.ForName(s.Name); f != nil {
					fields[s.Alias] = append(fields[s.Alias], f)
				}
			case *ast.InlineFragment:
				walk(root, s.SelectionSet, depth)
			case *ast.FragmentSpread:
				if f := doc.Fragments.ForName(s.Name); f != nil && depth < 10 { // a test may send a circle
					walk(root, f.SelectionSet, depth+1)
				}
			}
		}
	}
	for _, op := range doc.Operations {
		root := Schema().Query
		if op.Operation == ast.Mutation {
			root = Schema().Mutation
		}
		walk(root, op.SelectionSet, 0)
	}
	return fields
}
