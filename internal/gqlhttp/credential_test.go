package gqlhttp

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

func credentialSchema(t *testing.T, text string) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: `
		directive @credential(limit: String! hash: Boolean! = true) on FIELD_DEFINITION ` + text})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	got := Credentials(credentialSchema(t, `
		type Query { me: Int isValid: Int @credential(limit: "verification", hash: false) }
		type Mutation { login: Int @credential(limit: "login") sudo: Int @credential(limit: "account", hash: true) `+
		`logout: Int }`))
	want := []Credential{{"isValid", "verification", false}, {"login", "login", true}, {"sudo", "account", true}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// A schema with @credential below the root fields, or without a limit, is refused at the start.
func TestCredentials_Refused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, says string }{
		"below the root": {
			`type User { check: Int @credential(limit: "login") } type Query { me: User }`,
			"User.check has @credential",
		},
		"without a limit": {
			`type Query { check: Int @credential(limit: "") }`,
			"Query.check has @credential without a limit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkCredentials(credentialSchema(t, c.schema))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, not %q", err, c.says)
			}
		})
	}
	schema := credentialSchema(t, `type Query { check: Int @credential(limit: "login") }`)
	if err := checkCredentials(schema); err != nil {
		t.Error(err)
	}
}
