package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
)

// MailCause is a request that makes the server send a mail whose link lets somebody do something.
type MailCause struct {
	Name     string   // the dialect, and what is asked for
	Settings []string // of the server
	Ask      func(t testing.TB, i *Instance, dsn string)
	To       string
	Kind     db.MailKind
	Page     string // of the server, by its name
	Landing  string // the page where the address of Program leads a browser to, "" for Page
	Password bool   // whether the page asks for a new password

	// Program is the documented route that a program gives the token to: method, path and body, with %s for the token;
	// nil where no document has one.
	Program []string
	Header  []string // of Program, with %s for the token
}

const (
	causeMail  = "ada@example.com"
	causeNew   = "countess@example.org"
	causeAdmin = "root@example.com"
)

// MailCauses are all requests of the shipped dialects and of GraphQL that mail a link.
func MailCauses() []MailCause {
	verified := []string{"DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on"}
	companionMe := []string{CompanionMe, CompanionBody("password", "another secret")}
	wolf, service, zero := wolfCauses(), serviceCauses(), zeroCauses()
	all := []MailCause{
		{
			Name: "authcompanion: recovery", To: causeMail, Kind: db.MailResetPassword, Page: "reset-password",
			Password: true, Program: companionMe, Header: []string{"Authorization", "Bearer %s"},
			Ask: func(t testing.TB, i *Instance, _ string) {
				i.companion(t)
				i.caused(t, "POST "+Companion+"/recovery", FieldsOf("email", causeMail))
			},
		},
		{
			Name: "authcompanion: another address", To: causeMail, Kind: db.MailEmailChanged,
			Page: "cancel-email-change",
			Ask: func(t testing.TB, i *Instance, dsn string) {
				access := i.companion(t)
				confirmed(t, dsn)
				i.caused(t, CompanionMe, CompanionBody("email", causeNew), Bearer(access)...)
			},
		},
		{
			Name: "authcompanion: registration where addresses are verified first", Settings: verified, To: causeMail,
			Kind: db.MailVerifyEmail, Page: "verify-email", Password: true, // another browser than the program
			Ask: func(t testing.TB, i *Instance, _ string) {
				i.caused(t, "POST "+Companion+"/register",
					CompanionBody("name", "Ada", "email", causeMail, "password", GoodPass))
			},
		},
	}
	return append(append(append(append(all, wolf...), service...), zero...), graphqlCauses()...)
}

func wolfCauses() []MailCause {
	register := FieldsOf("username", "lovelace", "email", causeMail, "password", GoodPass)
	change := func(t testing.TB, i *Instance, dsn string) {
		i.caused(t, "POST "+Wolf+"/register", register)
		confirmed(t, dsn)
		r := i.caused(t, "POST "+Wolf+"/login", FieldsOf("email", causeMail, "password", GoodPass))
		access, _ := PairIn(t, r)
		i.caused(t, "POST /api/account/change-email", FieldsOf("email", causeNew), Bearer(access)...)
	}
	return []MailCause{
		{
			Name: "wolfpal: registration", To: causeMail, Kind: db.MailVerifyEmail, Page: "verify-email",
			Program: []string{"PUT /api/user/activate-account/%s", ""},
			Ask:     func(t testing.TB, i *Instance, _ string) { i.caused(t, "POST "+Wolf+"/register", register) },
		},
		{
			Name: "wolfpal: forgotten password", To: causeMail, Kind: db.MailResetPassword, Page: "reset-password",
			Password: true,
			Program: []string{
				"POST /api/user/reset-password/%s", FieldsOf("password", GoodPass+" 2", "comfirmPassword", GoodPass+" 2"),
			},
			Ask: func(t testing.TB, i *Instance, _ string) {
				i.caused(t, "POST "+Wolf+"/register", register)
				i.caused(t, "POST /api/user/forgot-password", FieldsOf("email", causeMail))
			},
		},
		{
			Name: "wolfpal: another address", To: causeNew, Kind: db.MailConfirmChange, Page: "confirm-email",
			Program: []string{"PUT /api/account/change-email/%s", ""}, Ask: change,
		},
		{
			Name: "wolfpal: another address, to the former one", To: causeMail, Kind: db.MailChangeAsked,
			Page: "cancel-email-change", Ask: change,
		},
	}
}

func serviceCauses() []MailCause {
	register := func(t testing.TB, i *Instance, options string) {
		i.caused(t, "POST /register", fmt.Sprintf(`{"email":%q,"password":"password123","options":{%s}}`, causeMail,
			options))
	}
	return []MailCause{
		{
			Name: "service-authentication: registration with verifyEmail and sendEmail", To: causeMail,
			Kind: db.MailVerifyEmail, Page: "verify-email", Program: []string{"GET /email/verify/%s", ""},
			Ask: func(t testing.TB, i *Instance, _ string) { register(t, i, `"verifyEmail":true,"sendEmail":true`) },
		},
		{
			Name: "service-authentication: registration without a password", To: causeMail, Kind: db.MailSetPassword,
			Page: "reset-password", Password: true,
			Program: []string{"POST /password/reset/%s", `{"password":"password456"}`},
			Ask: func(t testing.TB, i *Instance, _ string) {
				i.caused(t, "POST /register", fmt.Sprintf(`{"email":%q,"options":{"sendResetEmail":true}}`, causeMail))
			},
		},
		{
			Name: "service-authentication: verification", To: causeMail, Kind: db.MailVerifyEmail,
			Page: "verify-email", Program: []string{"GET /email/verify/%s", ""},
			Ask: func(t testing.TB, i *Instance, _ string) {
				register(t, i, "")
				i.caused(t, "POST /email/verify", FieldsOf("email", causeMail))
			},
		},
		{
			Name: "service-authentication: forgotten password", To: causeMail, Kind: db.MailResetPassword,
			Page: "reset-password", Password: true,
			Program: []string{"POST /password/reset/%s", `{"password":"password456"}`},
			Ask: func(t testing.TB, i *Instance, _ string) {
				register(t, i, "")
				i.caused(t, "POST /password/forgot", FieldsOf("email", causeMail))
			},
		},
		{
			Name: "service-authentication: magic link", To: causeMail, Kind: db.MailMagicLink, Page: "sign-in",
			Program: []string{"GET /login/magic/%s", ""},
			Ask: func(t testing.TB, i *Instance, _ string) {
				register(t, i, "")
				i.caused(t, "POST /login/magic", FieldsOf("email", causeMail))
			},
		},
		{
			Name: "service-authentication: a user that somebody made", To: causeMail, Kind: db.MailSetPassword,
			Page: "reset-password", Password: true,
			Program: []string{"POST /password/reset/%s", `{"password":"password456"}`},
			Ask: func(t testing.TB, i *Instance, dsn string) {
				root := i.Admin(t, dsn, causeAdmin)
				i.caused(t, "POST /user", FieldsOf("email", causeMail), Bearer(root.Access)...)
			},
		},
	}
}

func zeroCauses() []MailCause {
	const verify = "GET /identity/email_verification?email=" + causeMail + "&token=%s"
	change := func(t testing.TB, i *Instance, dsn string) {
		i.caused(t, "POST /sign_up", Credentials("email", causeMail, ZeroPass))
		confirmed(t, dsn)
		i.caused(t, "PUT /identity/email", FieldsOf("email", causeNew, "current_password", ZeroPass),
			Bearer(i.SignIn(t, causeMail, ZeroPass).Token)...)
	}
	return []MailCause{
		{
			Name: "authentication-zero: sign_up", To: causeMail, Kind: db.MailVerifyEmail, Page: "verify-email",
			Program: []string{verify, ""},
			Ask: func(t testing.TB, i *Instance, _ string) {
				i.caused(t, "POST /sign_up", Credentials("email", causeMail, ZeroPass))
			},
		},
		{
			Name: "authentication-zero: forgotten password", To: causeMail, Kind: db.MailResetPassword,
			Page: "reset-password", Password: true,
			Program: []string{"PUT /identity/password_reset", `{"token":"%s","password":"` + ZeroNew + `"}`},
			Ask: func(t testing.TB, i *Instance, _ string) {
				i.caused(t, "POST /sign_up", Credentials("email", causeMail, ZeroPass))
				i.caused(t, "POST /identity/password_reset", FieldsOf("email", causeMail))
			},
		},
		{
			Name: "authentication-zero: another address", To: causeNew, Kind: db.MailConfirmChange,
			Page: "confirm-email", Landing: "verify-email",
			Program: []string{"GET /identity/email_verification/edit?sid=%s", ""}, Ask: change,
		},
		{
			Name: "authentication-zero: another address, to the former one", To: causeMail, Kind: db.MailEmailChanged,
			Page: "cancel-email-change", Ask: change,
		},
	}
}

func graphqlCauses() []MailCause {
	change := func(t testing.TB, i *Instance, dsn string) {
		access := i.Register(t, causeMail).Access
		confirmed(t, dsn)
		Fine(t, i.GraphQL(t, access, ChangeEmailDoc,
			InputOf("email", causeNew, "currentPassword", GoodPass)))
	}
	ask := func(document string) func(testing.TB, *Instance, string) {
		return func(t testing.TB, i *Instance, _ string) {
			i.Register(t, causeMail)
			Fine(t, i.GraphQL(t, "", document, InputOf("email", causeMail)))
		}
	}
	return []MailCause{
		{
			Name: "GraphQL: register", To: causeMail, Kind: db.MailVerifyEmail, Page: "verify-email",
			Ask: func(t testing.TB, i *Instance, _ string) { i.Register(t, causeMail) },
		},
		{
			Name: "GraphQL: requestPasswordReset", To: causeMail, Kind: db.MailResetPassword, Page: "reset-password",
			Password: true, Ask: ask(AskResetDoc),
		},
		{
			Name: "GraphQL: requestMagicLink", To: causeMail, Kind: db.MailMagicLink, Page: "sign-in",
			Ask: ask(AskMagicDoc),
		},
		{
			Name: "GraphQL: changeEmail", To: causeNew, Kind: db.MailConfirmChange, Page: "confirm-email", Ask: change,
		},
		{
			Name: "GraphQL: changeEmail, to the former address", To: causeMail, Kind: db.MailChangeAsked,
			Page: "cancel-email-change", Ask: change,
		},
	}
}

// confirmed makes the addresses of all accounts confirmed: a former address that is not gets no link.
func confirmed(t testing.TB, dsn string) {
	t.Helper()
	OpenSide(t, dsn).MustExec(t, "UPDATE users SET email_verified_at = created_at")
}

// FieldsOf is a JSON object of texts: name, value, name, value …
func FieldsOf(fields ...string) string {
	in := map[string]string{}
	for n := 0; n+1 < len(fields); n += 2 {
		in[fields[n]] = fields[n+1]
	}
	b, _ := json.Marshal(in) // texts cannot fail
	return string(b)
}

// caused calls a route that has to succeed.
func (i *Instance) caused(t testing.TB, route, body string, header ...string) Reply {
	t.Helper()
	r, err := i.Call(route, body, header...)
	if err != nil || r.Status >= http.StatusMultipleChoices {
		t.Fatalf("%s: %d %s %v", route, r.Status, r.Body, err)
	}
	return r
}

// companion registers at authcompanion and gives the access token.
func (i *Instance) companion(t testing.TB) string {
	t.Helper()
	r := i.caused(t, "POST "+Companion+"/register", CompanionBody("name", "Ada", "email", causeMail, "password", GoodPass))
	var body struct {
		Data struct {
			Attributes struct {
				Token string `json:"access_token"`
			}
		}
	}
	if err := json.Unmarshal([]byte(r.Body), &body); err != nil || body.Data.Attributes.Token == "" {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return body.Data.Attributes.Token
}
