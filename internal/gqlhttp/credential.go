package gqlhttp

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// Credential describes a field that checks a secret or mails one, as its directive @credential says. Package
// internal/credential is about something else: the token of a request. Limits, the queue of hashes and the codes that
// dialects must answer follow from the directive, so the schema alone decides.
type Credential struct {
	Field string // the name of the field, for example "login"
	Limit string // the name of the limit by address
	Hash  bool   // whether the field may hash a password
}

// Credentials lists the fields of Query and Mutation that carry @credential.
func Credentials(schema *ast.Schema) (all []Credential) {
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation} {
		if root == nil {
			continue
		}
		for _, field := range root.Fields {
			if c, is := credentialOf(field); is {
				all = append(all, c)
			}
		}
	}
	return all
}

// credentialOf reads @credential of a field. The types of its arguments are right: the schema was validated.
func credentialOf(field *ast.FieldDefinition) (c Credential, is bool) {
	d := field.Directives.ForName("credential")
	if d == nil {
		return c, false
	}
	c = Credential{Field: field.Name, Hash: true}
	if limit := d.Arguments.ForName("limit"); limit != nil {
		c.Limit = limit.Value.Raw
	}
	if hash := d.Arguments.ForName("hash"); hash != nil {
		c.Hash = hash.Value.Raw == "true"
	}
	return c, true
}

// checkCredentials refuses a schema with @credential below the root fields or without a limit. Admit is called before
// an operation runs, and sees root fields alone.
func checkCredentials(schema *ast.Schema) error {
	for _, def := range schema.Types {
		for _, field := range def.Fields {
			c, is := credentialOf(field)
			switch {
			case !is:
			case def != schema.Query && def != schema.Mutation:
				return fmt.Errorf(
					"gqlhttp: %s.%s has @credential below the root; move it to a field of Query or Mutation",
					def.Name, field.Name)
			case c.Limit == "":
				return fmt.Errorf("gqlhttp: %s.%s has @credential without a limit; name one", def.Name, field.Name)
			}
		}
	}
	return nil
}
