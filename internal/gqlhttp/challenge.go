package gqlhttp

import (
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// challengeAlias is under which name a stored document asks for the challenge of a sign-in. Documents have no such
// name: what they ask for themselves stays as it is.
const challengeAlias = "dragomanChallenge_"

// wholeChallenge is what is asked for of a challenge.
const wholeChallenge = `{ ` + challengeAlias + `: challenge { token methods enrolmentRequired expiresAt } }`

// askForChallenge makes a document ask every payload of a sign-in for its challenge, whatever the document asks for
// itself: files of before second factors know of none, and would take a challenge for a sign-in (MF-05).
func askForChallenge(schema *ast.Schema, syntax *ast.QueryDocument) error {
	if schema.Mutation == nil {
		return nil
	}
	sets := []ast.SelectionSet{}
	for _, op := range syntax.Operations {
		if op.Operation == ast.Mutation {
			sets = append(sets, op.SelectionSet)
		}
	}
	for _, fragment := range syntax.Fragments {
		if fragment.TypeCondition == schema.Mutation.Name {
			sets = append(sets, fragment.SelectionSet)
		}
	}
	for _, set := range sets {
		if err := askEach(schema, set); err != nil {
			return err
		}
	}
	return nil
}

func askEach(schema *ast.Schema, set ast.SelectionSet) error {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.InlineFragment:
			if err := askEach(schema, s.SelectionSet); err != nil {
				return err
			}
		case *ast.Field:
			if !hasChallenge(schema, schema.Mutation.Fields.ForName(s.Name)) || len(s.SelectionSet) == 0 {
				continue
			}
			asked, err := parser.ParseQuery(&ast.Source{Input: wholeChallenge})
			if err != nil {
				return err
			}
			s.SelectionSet = append(s.SelectionSet, asked.Operations[0].SelectionSet...)
		}
	}
	return nil
}

// hasChallenge tells whether a field can answer with a challenge.
func hasChallenge(schema *ast.Schema, field *ast.FieldDefinition) bool {
	if field == nil {
		return false
	}
	payload := schema.Types[field.Type.Name()]
	return payload != nil && payload.Fields.ForName("challenge") != nil
}

// Challenges tells whether the document can end with a challenge in place of a sign-in.
func (d *Document) Challenges() bool {
	for field := range everyField(d.operations[0].definition.SelectionSet) {
		if field.Alias == challengeAlias {
			return true
		}
	}
	return false
}

// TakeChallenge takes the challenge out of the data of a stored document; nil for none. What stays is what the document
// asked for.
func TakeChallenge(data map[string]any) (challenge map[string]any) {
	for _, root := range data {
		payload, _ := root.(map[string]any)
		if found, ok := payload[challengeAlias].(map[string]any); ok {
			challenge = found
		}
		delete(payload, challengeAlias)
	}
	return challenge
}
