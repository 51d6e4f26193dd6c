package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// scene is a server on which the example of one operation runs: ada@example.com is signed in, and root is an
// administrator.
type scene struct {
	*harness.Instance
	*testing.T
	dsn       string
	ada, root harness.Account
	fill      map[string]any // values in place of those of the page, by variable
}

// scenes are what has to be there before an example runs. An operation that is not named needs no more than ada.
var scenes = map[string]func(s *scene){
	"register":     func(s *scene) { s.fill["input.email"] = "new@example.com" },
	"refresh":      func(s *scene) { s.fill["input.refreshToken"] = s.ada.Refresh },
	"node":         func(s *scene) { s.fill["id"] = s.ada.Session },
	"nodes":        func(s *scene) { s.fill["ids"] = []any{s.ada.ID, s.ada.Session} },
	"session":      func(s *scene) { s.fill["id"] = s.ada.Session },
	"keys":         func(s *scene) { s.key() },
	"updateApiKey": func(s *scene) { s.fill["change.id"] = s.key() },
	"rotateApiKey": func(s *scene) { s.fill["id"] = s.key() },
	"deleteApiKey": func(s *scene) { s.fill["id"] = s.key() },
	"keyConnection": func(s *scene) {
		s.key()
	},
	"revokeSession":       func(s *scene) { s.fill["id"] = s.LoginAs(s.T, s.ada, "BODY").Session },
	"revokeOtherSessions": func(s *scene) { s.LoginAs(s.T, s.ada, "BODY") },
	"verifyEmail": func(s *scene) {
		s.fill["token"] = s.Letter(s.T, s.ada.Email, db.MailVerifyEmail).Code
	},
	"tokenIsValid": func(s *scene) { s.fill["token"] = s.Letter(s.T, s.ada.Email, db.MailVerifyEmail).Token },
	"tokenState":   func(s *scene) { s.fill["token"] = s.Letter(s.T, s.ada.Email, db.MailVerifyEmail).Token },
	"mailedToken":  func(s *scene) { s.fill["token"] = s.Letter(s.T, s.ada.Email, db.MailVerifyEmail).Token },
	"mailReturnTo": func(s *scene) {
		harness.Fine(s.T, s.GraphQL(s.T, "", harness.AskMagicDoc,
			harness.InputOf("email", s.ada.Email, "returnTo", "http://localhost:5173/welcome")))
		s.fill["token"] = s.Letter(s.T, s.ada.Email, db.MailMagicLink).Token
	},
	"resetPassword": func(s *scene) {
		s.fill["token"] = s.Mailed(s.T, harness.AskResetDoc, s.ada.Email, db.MailResetPassword).Code
	},
	"loginWithMagicLink": func(s *scene) {
		s.fill["token"] = s.Mailed(s.T, harness.AskMagicDoc, s.ada.Email, db.MailMagicLink).Code
	},
	"cancelEmailChange": func(s *scene) {
		harness.Fine(s.T, s.Proves(s.T, s.ada.Email))
		harness.Fine(s.T, s.GraphQL(s.T, s.ada.Access, harness.ChangeEmailDoc,
			harness.InputOf("email", "ada.l@example.com", "currentPassword", harness.GoodPass)))
		s.fill["token"] = s.Letter(s.T, s.ada.Email, db.MailChangeAsked).Token
	},
	"retryMailDelivery": func(s *scene) {
		failed := s.Mailed(s.T, harness.AskMagicDoc, s.ada.Email, db.MailMagicLink)
		harness.OpenSide(s.T, s.dsn).MustExec(s.T, `UPDATE mails SET state = 'FAILED'`)
		s.fill["id"] = failed.Mail.ID.String()
	},
	"verifyPhone": func(s *scene) { s.fill["code"] = s.phoneCode() },
	"removePhone": func(s *scene) { s.phone() },
	"loginWithCode": func(s *scene) {
		s.fill["code"] = s.Mailed(s.T, harness.AskCodeDoc, s.ada.Email, db.MailLoginCode).Code
	},
	"verifyMfa": func(s *scene) {
		app := s.Enrols(s.T, s.ada.Access)
		s.fill["verify.challengeToken"] = s.Challenged(s.T, s.ada.Email)
		s.fill["verify.code"] = s.NextCode(s.T, app)
	},
	"confirmTotp": func(s *scene) {
		app := s.SetsUp(s.T, s.ada.Access)
		s.fill["confirm.id"], s.fill["confirm.code"] = app.ID, s.NextCode(s.T, app)
	},
	"updateAuthenticator":     func(s *scene) { s.fill["app.id"] = s.Enrols(s.T, s.ada.Access).ID },
	"removeAuthenticator":     func(s *scene) { s.fill["gone.id"] = s.Enrols(s.T, s.ada.Access).ID },
	"regenerateRecoveryCodes": func(s *scene) { s.Enrols(s.T, s.ada.Access) },
	"forgetDevices":           func(s *scene) { s.remembered() },
	"resetUserMfa": func(s *scene) {
		s.Enrols(s.T, s.ada.Access)
		s.fill["owner.id"] = s.ada.ID
	},
	"dialectUsage": func(s *scene) {
		s.REST(s.T, "POST /api/v1/auth/login", `{"email":"ada@example.com","password":"correct horse battery staple"}`,
			"User-Agent", "shop/1.4")
		s.fill["dialect"] = "generic-v1"
		if err := s.App.DB.FlushUsage(s.T.Context()); err != nil {
			s.T.Fatal(err)
		}
	},
}

// key makes an API key of ada and gives its id.
func (s *scene) key() string {
	a := harness.Fine(s.T, s.GraphQL(s.T, s.ada.Access, harness.CreateKey,
		harness.InputOf("name", "backup script", "scopes", []any{"PROFILE_READ"})))
	return a.Text("createApiKey", "apiKey", "id")
}

// examplePhone is the number of the examples.
const examplePhone = "+4915550100101"

// phoneCode sends ada a code to the number of the examples and gives it.
func (s *scene) phoneCode() string {
	harness.Fine(s.T, s.GraphQL(s.T, s.ada.Access, harness.SendPhoneCodeDoc, harness.InputOf("phone", examplePhone)))
	harness.OpenSide(s.T, s.dsn).MustExec(s.T, `UPDATE sms SET resolved_at = created_at`) // nothing is sent here
	return s.CodeTo(s.T, examplePhone)
}

// phone gives ada the number of the examples.
func (s *scene) phone() {
	const verify = `mutation V($input: VerifyPhoneInput!) { verifyPhone(input: $input) { userErrors { code } } }`
	harness.Fine(s.T, s.GraphQL(s.T, s.ada.Access, verify,
		harness.InputOf("phone", examplePhone, "code", s.phoneCode())))
}

// remembered signs ada in by an app on a device that is remembered.
func (s *scene) remembered() {
	app := s.Enrols(s.T, s.ada.Access)
	challenge := s.Challenged(s.T, s.ada.Email)
	a := harness.Fine(s.T, s.Answers(s.T, challenge, s.NextCode(s.T, app), "rememberDevice", true))
	if a.Text("verifyMfa", "deviceToken") == "" {
		s.T.Fatalf("the device is not remembered: %s", a.Raw)
	}
}

// onUsers are the operations of an administrator that name an account by the variable id.
var onUsers = []string{
	"user", "updateUser", "suspendUser", "reactivateUser", "unlockUser", "revokeUserSessions", "deleteUser",
}

// TestPG06_Examples runs the example of every operation as its page shows it, on a server where what it needs is
// there. The answer has the shape of the one that the page shows: the same names, and values of the same kinds. With
// DRAGOMAN_TEST_WRITE=answers it writes the answers instead.
func TestPG06_Examples(t *testing.T) {
	t.Parallel()
	shared := harness.Start(t, dbtest.SQLite(t))
	write := os.Getenv("DRAGOMAN_TEST_WRITE") == "answers"
	for _, name := range operationNames() {
		page := parsed(t, shared.URL+"/docs/graphql/"+name)
		t.Run(name, func(t *testing.T) {
			document, variables, shown := exampleOf(t, page)
			s := newScene(t, name)
			for path, value := range s.fill {
				fill(t, variables, strings.Split(path, "."), value)
			}
			who := s.ada
			if slices.Contains(needsAdmin(), name) {
				who = s.root
			}
			credential := ""
			if strings.Contains(words(all(page, "div", "command")[0]), "Authorization: Bearer") {
				credential = who.Access
			}
			a := s.GraphQL(t, credential, document, variables)
			if a.Status != 200 || a.Code() != "" || len(a.Errors) > 0 {
				t.Fatalf("the example is refused: %s", a.Raw)
			}
			if write {
				writeAnswer(t, name, a.Raw)
				return
			}
			if got, want := shapeOf(t, a.Raw), shapeOf(t, shown); got != want {
				t.Errorf("the page shows an answer of another shape; see DRAGOMAN_TEST_WRITE in this file\ngot  "+
					"%s\nwant %s",
					got, want)
			}
		})
	}
}

func newScene(t *testing.T, name string) *scene {
	t.Helper()
	dsn := dbtest.SQLite(t)
	s := &scene{
		T: t, dsn: dsn, fill: map[string]any{},
		Instance: harness.Start(t, dsn, harness.MailWaits, "DRAGOMAN_DIALECTS=generic-v1"),
	}
	if name == "createUser" { // the account is grace's
		s.fill["user.email"] = "grace@example.com"
	}
	s.ada = s.Register(t, "ada@example.com")
	s.root = s.Admin(t, dsn, "root@example.com")
	if prepare := scenes[name]; prepare != nil {
		prepare(s)
	}
	if slices.Contains(onUsers, name) {
		s.fill["id"] = s.ada.ID
	}
	return s
}

// operationNames are the fields of Query and Mutation.
func operationNames() (names []string) {
	schema := harness.Schema()
	for _, field := range slices.Concat(schema.Query.Fields, schema.Mutation.Fields) {
		if !strings.HasPrefix(field.Name, "__") {
			names = append(names, field.Name)
		}
	}
	return names
}

// needsAdmin are the operations for administrators, and user, whose example reads what only they may.
func needsAdmin() []string {
	names := []string{"user"}
	schema := harness.Schema()
	for _, field := range slices.Concat(schema.Query.Fields, schema.Mutation.Fields) {
		if field.Directives.ForName("requiresPermission") != nil {
			names = append(names, field.Name)
		}
	}
	return names
}

// exampleOf reads the example of a page.
func exampleOf(t *testing.T, page *html.Node) (document string, variables map[string]any, answer string) {
	t.Helper()
	code := func(class string) string {
		for _, panel := range all(page, "div", class) {
			return words(all(panel, "code", "")[0])
		}
		return ""
	}
	if text := code("variables"); text != "" {
		if err := json.Unmarshal([]byte(text), &variables); err != nil {
			t.Fatal(err)
		}
	}
	document = code("document")
	if document == "" {
		t.Fatal("the page has no example")
	}
	return document, variables, code("answer")
}

func fill(t *testing.T, variables map[string]any, path []string, value any) {
	t.Helper()
	for _, name := range path[:len(path)-1] {
		inner, ok := variables[name].(map[string]any)
		if !ok {
			t.Fatalf("the example has no variable %q", path)
		}
		variables = inner
	}
	last := path[len(path)-1]
	if _, ok := variables[last]; !ok {
		t.Fatalf("the example has no variable %q", path)
	}
	variables[last] = value
}

// shapeOf writes JSON with the kinds of its values in their place, and of a list its first entry.
func shapeOf(t *testing.T, text string) string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("the answer is no JSON: %v: %q", err, text)
	}
	return shape(value)
}

func shape(value any) string {
	switch v := value.(type) {
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, name+": "+shape(v[name]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return "[" + shape(v[0]) + "]"
	case nil:
		return "null"
	}
	return fmt.Sprintf("%T", value)
}

// secretText is a token or an image, of which an example shows the beginning.
var secretText = regexp.MustCompile(`"((?:eyJ|rt1|st1|mc1|dt1|sk_live_|data:image/png;base64,)[^"]{12})[^"]{12,}"`)

func writeAnswer(t *testing.T, name, raw string) {
	t.Helper()
	var text bytes.Buffer
	if err := json.Indent(&text, []byte(raw), "", "  "); err != nil {
		t.Fatal(err)
	}
	out := secretText.ReplaceAllString(text.String(), `"$1…"`)
	if err := os.WriteFile(harness.Path("web/docs/answers/"+name+".json"), []byte(out+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
