package playground

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

func contract(t *testing.T) *ast.Schema {
	t.Helper()
	names, err := filepath.Glob("../../graph/schema/*.graphqls")
	if err != nil || len(names) == 0 {
		t.Fatalf("no schema files: %v", err)
	}
	var sources []*ast.Source
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &ast.Source{Name: name, Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestExamplesAreValid validates every tab against the schema: its document, and its variables for each operation.
func TestExamplesAreValid(t *testing.T) {
	t.Parallel()
	schema := contract(t)
	var names []string
	for _, tab := range Examples() {
		doc, err := gqlparser.LoadQueryWithRules(schema, tab.Query, rules.NewDefaultRules())
		if err != nil {
			t.Errorf("%v in\n%s", err, tab.Query)
			continue
		}
		if strings.Contains(tab.Query, `"`) {
			t.Errorf("values belong into the variables:\n%s", tab.Query)
		}
		variables := map[string]any{}
		if tab.Variables != "" {
			if err := json.Unmarshal([]byte(tab.Variables), &variables); err != nil {
				t.Errorf("%v in\n%s", err, tab.Variables)
			}
		}
		for _, operation := range doc.Operations {
			names = append(names, operation.Name)
			if _, err := validator.VariableValues(schema, operation, variables); err != nil {
				t.Errorf("%s: %v", operation.Name, err)
			}
			if operation.Operation == ast.Mutation {
				requireUserErrors(t, operation)
			}
		}
	}
	want := []string{
		"Register", "Login", "Me", "Sessions", "SessionPage", "Session", "RevokeSession", "RevokeOtherSessions",
		"Keys", "KeyPage", "CreateApiKey", "UpdateApiKey", "RotateApiKey", "DeleteApiKey", "Refresh", "Logout",
		"ServerInfo",
		"UpdateMe", "ChangePassword", "ChangeEmail", "Sudo", "Nodes", "ExportMyData", "DeleteAccount",
		"Users", "User", "CreateUser", "UpdateUser", "SuspendUser", "ReactivateUser", "UnlockUser",
		"RevokeUserSessions",
		"DeleteUser", "DialectUsage",
		"SendVerificationEmail", "VerifyEmail", "RequestPasswordReset", "ResetPassword", "RequestMagicLink",
		"LoginWithMagicLink",
		"SecondFactors", "SetupTotp", "ConfirmTotp", "LoginChallenged", "VerifyMfa", "RegenerateRecoveryCodes",
		"UpdateAuthenticator", "RemoveAuthenticator", "ForgetDevices", "ResetUserMfa",
		"RequestLoginCode", "LoginWithCode", "SendPhoneCode", "VerifyPhone", "RemovePhone",
	}
	if !slices.Equal(names, want) {
		t.Errorf("operations %q", names)
	}
}

func requireUserErrors(t *testing.T, operation *ast.OperationDefinition) {
	t.Helper()
	for _, selection := range operation.SelectionSet {
		field := selection.(*ast.Field)
		var got []string
		for _, inner := range field.SelectionSet {
			if inner.(*ast.Field).Name == "userErrors" {
				for _, part := range inner.(*ast.Field).SelectionSet {
					got = append(got, part.(*ast.Field).Name)
				}
			}
		}
		if want := []string{"code", "message", "field", "retryAfterSeconds"}; !slices.Equal(got, want) {
			t.Errorf("%s selects of userErrors %q", operation.Name, got)
		}
	}
}
