package resolvers

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

func schemaOf(t *testing.T, text string) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: `
directive @public on FIELD_DEFINITION
directive @requiresAuth on FIELD_DEFINITION
directive @requiresPermission on FIELD_DEFINITION
directive @credential on FIELD_DEFINITION
` + text})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// A root field has exactly one access directive, or the server does not start.
func TestAccessIsStated(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, schema, field string }{
		{
			"all stated",
			`type Query { a: Int @public b: Int @requiresAuth } type Mutation { c: Int @public @credential }`, "",
		},
		{"a bare query", `type Query { a: Int @public version: Int }`, "Query.version"},
		{"a bare mutation", `type Query { a: Int @public } type Mutation { c: Int }`, "Mutation.c"},
		{
			"only that it checks a secret", `type Query { a: Int @public } type Mutation { c: Int @credential }`,
			"Mutation.c",
		},
		{"a bare subscription", `type Query { a: Int @public } type Subscription { s: Int }`, "Subscription.s"},
		{"both", `type Query { a: Int @public @requiresAuth }`, "Query.a"},
		{"a permission", `type Query { a: Int @requiresPermission }`, ""},
		{"a permission and open", `type Query { a: Int @public @requiresPermission }`, "Query.a"},
		{"a permission and auth", `type Query { a: Int @requiresAuth @requiresPermission }`, "Query.a"},
		{"in an extension", `type Query { a: Int @public } extend type Query { b: Int }`, "Query.b"},
		{"under another name", `schema { query: Q } type Q { a: Int }`, "Q.a"},
		{"below the root", `type Query { a: T @public } type T { b: Int }`, ""},
	}
	for _, c := range cases {
		err := accessIsStated(schemaOf(t, c.schema))
		if (err == nil) != (c.field == "") || err != nil &&
			!strings.HasPrefix(err.Error(), c.field+" does not say who may call it") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// New accepts the schema of the server: every directive is implemented, and the public fields are those listed here.
func TestNew(t *testing.T) {
	t.Parallel()
	master, err := secret.New([]byte("Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"))
	if err != nil {
		t.Fatal(err)
	}
	schema, err := New(Deps{Master: master})
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{}
	for _, root := range []*ast.Definition{schema.Schema().Query, schema.Schema().Mutation} {
		for _, field := range root.Fields {
			if field.Directives.ForName("public") != nil {
				open[field.Name] = true
			}
		}
	}
	// A further public field is a decision, never an accident.
	for _, name := range strings.Fields(`serverInfo me currentCredential tokenIsValid tokenState mailedToken mailReturnTo
		register login refresh logout sendVerificationEmail verifyEmail requestPasswordReset resetPassword
		requestMagicLink loginWithMagicLink requestLoginCode loginWithCode
		cancelEmailChange verifyMfa setupTotp confirmTotp`) {
		if !open[name] {
			t.Errorf("%s is not open", name)
		}
		delete(open, name)
	}
	if len(open) > 0 {
		t.Errorf("open as well: %v", open)
	}
}

// LG-13: a field that takes a secret, or an address to mail one to, has @credential: no new operation is without
// limits. Two fields are excepted. logout takes a refresh token only to end its session, and reveals nothing about it.
// updateUser takes an address that an administrator sets, and mails no secret to it.
func TestLG13_SecretsAreLimited(t *testing.T) {
	t.Parallel()
	schema := graph.NewExecutableSchema(graph.Config{}).Schema()
	unlimited := map[string]string{"logout": "refreshToken", "updateUser": "email"}
	secrets := map[string]bool{}
	for _, name := range strings.Fields(
		"password currentPassword newPassword token refreshToken code email identifier") {
		secrets[name] = true
	}
	looked := 0
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation} {
		for _, field := range root.Fields {
			for _, secret := range inputs(schema, field) {
				if !secrets[secret] || unlimited[field.Name] == secret {
					continue
				}
				looked++
				if field.Directives.ForName("credential") == nil {
					t.Errorf("%s.%s takes %s: give it @credential", root.Name, field.Name, secret)
				}
			}
		}
	}
	if looked < 20 {
		t.Errorf("only %d secrets were found", looked)
	}
}

// inputs gives the names of the arguments of a field, and of the fields of their input objects.
func inputs(schema *ast.Schema, field *ast.FieldDefinition) (names []string) {
	for _, arg := range field.Arguments {
		names = append(names, arg.Name)
		if input := schema.Types[arg.Type.Name()]; input.Kind == ast.InputObject {
			for _, f := range input.Fields {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// AK-06: nobody grants a scope that they do not have. The test has a key too, which the directive of the field refuses
// already.
func TestGrantable(t *testing.T) {
	t.Parallel()
	person := &caller{Caller: &db.Caller{User: db.User{Role: db.RoleUser}}, kind: graph.CredentialKindAccessToken}
	key := &caller{Caller: &db.Caller{}, kind: graph.CredentialKindAPIKey}
	all := []db.Permission{db.ProfileRead}
	if err := person.grantable(all); err != nil {
		t.Error(err)
	}
	if err := key.grantable(all); !fault.Is(err, fault.NotGrantable) {
		t.Error(err)
	}
	if err := key.grantable(nil); err != nil {
		t.Error(err)
	}
}

// userErrors converts errors whose code is a member of ErrorCode. Others stay errors.
func TestUserErrors(t *testing.T) {
	t.Parallel()
	if errs, err := userErrors(errRefreshToken()); err != nil || len(errs) != 1 ||
		errs[0].Code != graph.ErrorCodeInvalidToken {
		t.Errorf("%v, %v", errs, err)
	}
	for _, e := range []error{errEnded(), fault.New(fault.Forbidden, "No."), nil} {
		if errs, err := userErrors(e); errs != nil || err != e {
			t.Errorf("%v became %v, %v", e, errs, err)
		}
	}
}
