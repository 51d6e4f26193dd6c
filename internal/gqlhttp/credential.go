package gqlhttp

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// Credential is not what a caller shows (that is internal/credential): it is a field that checks a secret or mails one,
// as its directive @credential describes it. The schema is the only place that says so: limits, the queue of hashes,
// and the codes that dialects need rows for follow from it.
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

// credentialOf reads the directive of a field. The schema was validated: a limit is there, and the types are right.
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

// credentialsAreAtTheRoot holds a schema to @credential: only a field of Query or Mutation has it, since admission is
// asked before an operation runs, and each names its limit.
func credentialsAreAtTheRoot(schema *ast.Schema) error {
	for _, def := range schema.Types {
		for _, field := range def.Fields {
			c, is := credentialOf(field)
			switch {
			case !is:
			case def != schema.Query && def != schema.Mutation:
				return fmt.Errorf("gqlhttp: %s.%s has @credential, which only fields of Query and Mutation may have",
					def.Name, field.Name)
			case c.Limit == "":
				return fmt.Errorf("gqlhttp: %s.%s has @credential without a limit: name one", def.Name, field.Name)
			}
		}
	}
	return nil
}
