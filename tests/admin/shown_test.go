package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// showsOwner are the mutations that may answer nobody with an account, and why the caller is its owner.
var showsOwner = map[string]string{
	"register":            "the caller makes the account",
	"login":               "the caller gets a session of the account",
	"loginWithMagicLink":  "the caller gets a session of the account",
	"loginWithCode":       "the caller gets a session of the account",
	"verifyMfa":           "the caller gets a session of the account",
	"refresh":             "the caller gets a session of the account",
	"resetPassword":       "the caller knows the password of the account from then on",
	"updateMe":            "no API key, and nobody, may call it",
	"changePassword":      "no API key, and nobody, may call it",
	"changeEmail":         "no API key, and nobody, may call it",
	"confirmTotp":         "no API key, and nobody, may call it",
	"removeAuthenticator": "no API key, and nobody, may call it",
	"resetUserMfa":        "no API key, and nobody, may call it",
	"verifyPhone":         "no API key, and nobody, may call it",
	"removePhone":         "no API key, and nobody, may call it",
}

// pathsToUser selects every User that a type reaches, and nothing else; "" where there is none.
func pathsToUser(schema *ast.Schema, def *ast.Definition, above ...string) string {
	var fields []string
	for _, field := range def.Fields {
		name := field.Type.Name()
		if strings.Contains(strings.Join(above, " ")+" ", name+" ") || !schema.Types[name].IsCompositeType() {
			continue
		}
		if name == "User" {
			fields = append(fields, field.Name+" { __typename id }")
		} else if below := pathsToUser(schema, schema.Types[name], append(above, def.Name)...); below != "" {
			fields = append(fields, field.Name+" { "+below+" }")
		}
	}
	return strings.Join(fields, " ")
}

// TestAZ14_EveryMutation calls every mutation whose answer reaches a User in the schema: with a key that may write
// accounts and not read them, and as nobody where it is open to nobody. None answers with an account.
func TestAZ14_EveryMutation(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side, schema := harness.Start(t, dsn, harness.MailWaits, "DRAGOMAN_ACCESS_TTL=5h"), harness.OpenSide(t, dsn), harness.Schema()
		root := s.Admin(t, dsn, "root@example.com")
		_, write := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_WRITE", "SESSIONS_WRITE"}})
		rows, seen := auditedMutations(s, side, root), 0
		for _, mutation := range schema.Mutation.Fields {
			paths := pathsToUser(schema, schema.Types[mutation.Type.Name()])
			if paths == "" || showsOwner[mutation.Name] != "" {
				continue
			}
			document := fmt.Sprintf("mutation M($input: %s) { %s(input: $input) { %s userErrors { code message } } }",
				mutation.Arguments[0].Type, mutation.Name, paths)
			credentials := []string{write}
			if mutation.Directives.ForName("public") != nil {
				credentials = append(credentials, "")
			}
			for n, credential := range credentials {
				who := s.Register(t, fmt.Sprintf("%s%d@example.com", mutation.Name, n))
				_, variables := rows[mutation.Name].call(t, who)
				if mutation.Name == "createUser" {
					variables = harness.InputOf("email", fmt.Sprintf("made%d@example.com", n))
				}
				seen++
				a := s.GraphQL(t, credential, document, variables)
				if a.Code() != "" || strings.Contains(a.Raw, `"User"`) || strings.Contains(a.Raw, who.ID) {
					t.Errorf("%s as %q: %s", mutation.Name, credential, a.Raw)
				}
			}
		}
		if seen < 9 {
			t.Errorf("%d calls only", seen)
		}
	})
}

// TestAZ16_LinksShowNoAccount wants that the token of a mail tells its address, and nothing else of the account: the
// first time, when it is followed again, and for a change that is taken back. The person who is signed in sees it.
func TestAZ16_LinksShowNoAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.MailWaits)
		ada, eve := s.Register(t, "ada@example.com"), s.Register(t, "eve@example.com")
		const user = `email user { id name permissions } userErrors { code message } } }`
		verify := `mutation V($input: VerifyEmailInput!) { verifyEmail(input: $input) { ` + user
		cancel := `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: $input) { ` + user
		expect := func(credential, document string, shown bool, fields ...any) {
			t.Helper()
			a := s.Expect(t, "", credential, document, harness.InputOf(fields...))
			for name := range a.Data {
				if a.Text(name, "email") != ada.Email || (a.At(name, "user") != nil) != shown {
					t.Errorf("%s", a.Raw)
				}
			}
		}
		token := s.Mailed(t, harness.SendVerifyDoc, ada.Email, db.MailVerifyEmail).Token
		expect("", verify, false, "token", token)
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc, harness.InputOf("name", "Countess")))
		expect("", verify, false, "token", token, "allowConfirmed", true)
		expect(ada.Access, verify, true, "token", token, "allowConfirmed", true)
		s.Expect(t, "INVALID_TOKEN", eve.Access, verify, harness.InputOf("token", token, "allowConfirmed", true))

		ask := func(address string) (link string) {
			harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangeEmailDoc,
				harness.InputOf("email", address, "currentPassword", harness.GoodPass)))
			return s.Letter(t, ada.Email, db.MailChangeAsked).Token
		}
		expect("", cancel, false, "token", ask("new@example.com"))
		s.Clock.Add(2 * time.Minute)
		expect(eve.Access, cancel, false, "token", ask("newer@example.com"))
		s.Clock.Add(2 * time.Minute)
		expect(ada.Access, cancel, true, "token", ask("newest@example.com"))
	})
}
