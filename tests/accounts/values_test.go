package accounts

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// fieldOf is the field of the first refusal of an answer, and its message.
func fieldOf(a *harness.Answer, mutation string) (field, message string) {
	errs, _ := a.At(mutation, "userErrors").([]any)
	if len(errs) == 0 {
		return "", ""
	}
	first, _ := errs[0].(map[string]any)
	return fmt.Sprint(first["field"]), fmt.Sprint(first["message"])
}

// PW-20: a registration without a password is refused unless it asks for that, and leaves nothing but an event.
func TestPW20_MissingPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		side := harness.OpenSide(t, dsn)
		for _, s := range []*harness.Instance{
			harness.Start(t, dsn), harness.Start(t, dsn, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on"),
		} {
			before := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.create_failed' `+
				`AND reason = 'invalid_input'`)
			const literal = `mutation { register(input: {email: "ada@example.com"%s}) { user { id } ` +
				`tokens { accessToken } userErrors { code message field } } }`
			for name, a := range map[string]*harness.Answer{
				"absent":      s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", "ada@example.com")),
				"null":        s.Registers(t, "email", "ada@example.com", "password", nil),
				"no literal":  s.GraphQL(t, "", fmt.Sprintf(literal, ""), nil),
				"null inside": s.GraphQL(t, "", fmt.Sprintf(literal, ", password: null"), nil),
				"said no":     s.Registers(t, "email", "ada@example.com", "passwordless", false, "signIn", false),
				"another mail": s.Registers(t, "email", "ada@example.com", "password", nil,
					"sendVerificationEmail", true, "sendWelcomeEmail", true),
			} {
				if field, _ := fieldOf(a, "register"); a.Code() != "INVALID_INPUT" || field != "[input password]" ||
					a.At("register", "user") != nil || a.At("register", "tokens") != nil {
					t.Errorf("%s: %s", name, a.Raw)
				}
			}
			after := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.create_failed' `+
				`AND reason = 'invalid_input'`)
			if after == before || side.Count(t, `SELECT count(*) FROM users`) != 0 ||
				side.Count(t, `SELECT count(*) FROM mails`) != 0 {
				t.Errorf("%d events, or an account or a mail", after-before)
			}
		}
		s := harness.Start(t, dsn)
		for n, fields := range [][]any{
			{"passwordless", true},
			{"passwordless", true, "password", nil, "signIn", false},
			{"sendPasswordSetupEmail", true},
			{"passwordless", true, "password", harness.GoodPass},
		} {
			email := fmt.Sprintf("u%d@example.com", n)
			harness.Fine(t, s.Registers(t, append(fields, "email", email)...))
			if a := s.Login(t, email, harness.GoodPass); (a.Code() == "") != (n == 3) {
				t.Errorf("%v: %s", fields, a.Raw)
			}
		}
	})
}

// PW-21: a password of blanks alone is too weak wherever one is chosen.
func TestPW21_Blanks(t *testing.T) {
	t.Parallel()
	blanks := []string{
		strings.Repeat(" ", 12), strings.Repeat("\u00a0", 12), strings.Repeat("\u200b", 12),
		strings.Repeat("\u3164", 12),
		"\t\n\r \u2003\u2028\u3000\u2800\ufeff\u00ad\ufe0f\u2060",
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, admin := s.Register(t, "ada@example.com"), s.Admin(t, dsn, "root@example.com")
		reset := s.Mailed(t, harness.AskResetDoc, "ada@example.com", db.MailResetPassword)
		for _, blank := range blanks {
			for name, a := range map[string]*harness.Answer{
				"register": s.Registers(t, "email", "b@example.com", "password", blank),
				"changePassword": s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
					harness.InputOf("currentPassword", harness.GoodPass, "newPassword", blank)),
				"updateMe": s.GraphQL(t, ada.Access, harness.UpdateMeDoc,
					harness.InputOf("currentPassword", harness.GoodPass, "password", blank)),
				"createUser": s.GraphQL(t, admin.Access, harness.CreateUserDoc,
					harness.InputOf("email", "b@example.com", "password", blank)),
				"resetPassword": s.GraphQL(t, "", harness.ResetDoc,
					harness.InputOf("token", reset.Token, "newPassword", blank)),
			} {
				if _, message := fieldOf(a, name); a.Code() != "PASSWORD_TOO_WEAK" ||
					!strings.Contains(message, "blanks") {
					t.Errorf("%+q, %s: %s", blank, name, a.Raw)
				}
			}
		}
		harness.Fine(t, s.Registers(t, "email", "c@example.com", "password", "       x    "))
	})
}

// spellings are one name with white space of every kind around it.
func spellings(name string) []string {
	return []string{
		name + "\n", "\t" + name, "\r\n" + name + " \r\n", "\u00a0" + name + "\u3000", "\u2028" + name + "\u2029",
		"\u0085\v" + name + "\f\u202f",
	}
}

// unprintable are names in which something stands that nobody can read.
func unprintable(name string) []string {
	return []string{
		name[:2] + "\n" + name[2:], name[:2] + "\t" + name[2:], name + "\u200b", "\ufeff" + name, "\u202e" + name,
	}
}

// ID-09: white space around an address or a username is no part of it, at registration, at sign-in and where a mail is
// asked for. What stays and cannot be printed is refused, in the same words for every account and for none.
func TestID09_WhiteSpace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		a := s.Registers(t, "email", "\n\u00a0Ada@example.com\t\r\n", "username", "\u2028Ada.L\n",
			"password", harness.GoodPass)
		id := a.Text("register", "user", "id")
		if a.Text("register", "user", "email") != "Ada@example.com" ||
			a.Text("register", "user", "username") != "Ada.L" {
			t.Fatal(a.Raw)
		}
		for _, email := range spellings("ada@example.com") {
			harness.RefusedWith(t, s.Registers(t, "email", email, "password", harness.GoodPass), "ALREADY_EXISTS")
			if got := s.Login(t, email, harness.GoodPass).Text("login", "user", "id"); got != id {
				t.Errorf("%+q signs in %q", email, got)
			}
		}
		for _, username := range spellings("ada.l") {
			harness.RefusedWith(t, s.Registers(t, "email", "b@example.com", "username", username,
				"password", harness.GoodPass), "ALREADY_EXISTS")
			if got := s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", username, "password",
				harness.GoodPass)).Text("login", "user", "id"); got != id {
				t.Errorf("%+q signs in %q", username, got)
			}
		}
		for document, kind := range map[string]db.MailKind{
			harness.AskResetDoc: db.MailResetPassword, harness.AskMagicDoc: db.MailMagicLink,
			harness.SendVerifyDoc: db.MailVerifyEmail,
		} {
			s.Clock.Add(time.Minute)
			before := len(s.Letters(t, "Ada@example.com", kind))
			harness.Fine(t, s.GraphQL(t, "", document, harness.InputOf("email", "\nada@example.com\u2029")))
			if after := len(s.Letters(t, "Ada@example.com", kind)); after != before+1 {
				t.Errorf("%s: %d mails, then %d", kind, before, after)
			}
			for _, email := range unprintable("ada@example.com") {
				says(t, s.GraphQL(t, "", document, harness.InputOf("email", email)), email)
			}
		}
		for n, name := range []string{"ada@example.com", "nobody@example.com"} {
			for _, email := range unprintable(name) {
				says(t, s.Login(t, email, harness.GoodPass), email)
				says(t, s.Registers(t, "email", email, "password", harness.GoodPass), email)
			}
			for _, username := range unprintable([]string{"ada.l", "nobody.l"}[n]) {
				says(t, s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", username,
					"password", harness.GoodPass)), username)
			}
		}
		if side := harness.OpenSide(t, dsn); side.Count(t, `SELECT count(*) FROM throttles`) != 0 ||
			side.Count(t, `SELECT count(*) FROM users`) != 1 {
			t.Error("what cannot be printed counts as a failure, or made an account")
		}
	})
}

// says demands a refusal that says what is wrong with a name, and not whose it is.
func says(t *testing.T, a *harness.Answer, name string) {
	t.Helper()
	if a.Code() != "INVALID_INPUT" || !strings.Contains(a.Raw, "cannot be printed") || strings.Contains(a.Raw, name) {
		t.Errorf("%+q: %s", name, a.Raw)
	}
}

// LG-06: failures by every spelling of a name count for one account.
func TestLG06_WhiteSpaceCountsOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		harness.Fine(t, s.Registers(t, "email", "ada@example.com", "username", "ada.l", "password", harness.GoodPass))
		for name, fields := range map[string][]string{
			"an address": spellings("ada@example.com"), // names count apart (LG-22)
			"a username": spellings("ada.l"),
			"nobody":     spellings("nobody@example.com"),
		} {
			for n, identifier := range fields {
				field := map[bool]string{true: "email", false: "username"}[strings.Contains(identifier, "@")]
				want := map[bool]string{true: "ACCOUNT_LOCKED", false: "INVALID_CREDENTIALS"}[n >= 5]
				a := s.LoginFrom(t, fmt.Sprintf("192.0.2.%d", n), field, identifier, "wrong horse")
				if a.Code() != want {
					t.Errorf("%s, %+q: %s, want %s", name, identifier, a.Raw, want)
				}
			}
		}
	})
}

// ID-03: an address whose local part is not ASCII is refused in words that say so.
func TestID03_LocalPartBeyondASCII(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for _, email := range []string{
			"\u00e5da@example.com", "\u0430da@example.com", "\u7528\u6237@example.com", "a\u0301da@b\u00fccher.example",
		} {
			for mutation, a := range map[string]*harness.Answer{
				"register":             s.Registers(t, "email", email, "password", harness.GoodPass),
				"requestPasswordReset": s.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", email)),
			} {
				field, message := fieldOf(a, mutation)
				if a.Code() != "INVALID_INPUT" || field != "[input email]" ||
					!strings.Contains(message, "beyond ASCII") {
					t.Errorf("%s, %s: %s", email, mutation, a.Raw)
				}
			}
		}
	})
}

// keptNumbers come back with their value, in answers and in claims. roundedNumbers are those that float64 changes.
var (
	keptNumbers = map[string]string{
		"9007199254740991": "9007199254740991", "9007199254740992": "9007199254740992",
		"-9007199254740992": "-9007199254740992",
		"9007199254740994":  "9007199254740994", "0.1": "0.1", "1.50": "1.5", "1e3": "1000",
		"0.30000000000000004": "0.30000000000000004",
		"-0":                  "0", "1e-7": "1e-7", "123456789.125": "123456789.125", "1.0": "1",
	}
	roundedNumbers = []string{
		"9007199254740993", "-9007199254740993", "1152921504606846977", "9223372036854775807", "0.12345678901234567890",
		"0.1000000000000000055511151231257827", "1e-999", "3.14159265358979323846264338327950288",
	}
)

// JW-16: a number of the metadata comes back as it was given, or is refused: by variable and literal, however deep.
func TestJW16_MetadataNumbers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, admin := s.Register(t, "ada@example.com"), s.Admin(t, dsn, "root@example.com")
		for given, want := range keptNumbers {
			want = `"metadata":{"l":[{"n":` + want + `}]}`
			data := map[string]any{"l": []any{map[string]any{"n": json.Number(given)}}}
			set := harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc, harness.InputOf("metadata", data)))
			read := harness.Fine(t, s.GraphQL(t, ada.Access, `{ me { metadata } }`, nil))
			literal := harness.Fine(t, s.GraphQL(t, ada.Access, `mutation { updateMe(input: {metadata: {l: [{n: `+given+
				`}]}}) { user { metadata } userErrors { code } } }`, nil))
			access := s.Login(t, "ada@example.com", harness.GoodPass).Text("login", "tokens", "accessToken")
			claims, err := base64.RawURLEncoding.DecodeString(strings.Split(access+"..", ".")[1])
			if err != nil {
				t.Fatal(err)
			}
			for where, text := range map[string]string{
				"answer": set.Raw, "read": read.Raw, "literal": literal.Raw, "claims": string(claims),
			} {
				if !strings.Contains(text, want) {
					t.Errorf("%s, %s: %s", given, where, text)
				}
			}
		}
		for _, number := range roundedNumbers {
			data := map[string]any{"l": []any{map[string]any{"n": json.Number(number)}}}
			for mutation, a := range map[string]*harness.Answer{
				"register": s.Registers(t, "email", "b@example.com", "password", harness.GoodPass, "metadata", data),
				"updateMe": s.GraphQL(t, ada.Access, harness.UpdateMeDoc, harness.InputOf("metadata", data)),
				"createUser": s.GraphQL(t, admin.Access, harness.CreateUserDoc,
					harness.InputOf("email", "b@example.com", "metadata", data)),
				"updateUser": s.GraphQL(t, admin.Access, harness.UpdateUserDoc,
					harness.InputOf("id", ada.ID, "metadata", data)),
			} {
				field, message := fieldOf(a, mutation)
				if a.Code() != "INVALID_INPUT" || field != "[input metadata]" || !strings.Contains(message, "exactly") {
					t.Errorf("%s, %s: %s", number, mutation, a.Raw)
				}
			}
			for _, document := range []string{
				`mutation { updateMe(input: {metadata: {l: [{n: ` + number + `}]}}) { userErrors { code message } } }`,
				`mutation($m: JSONObject = {n: ` + number + `}) { updateMe(input: {metadata: $m}) ` +
					`{ userErrors { code message } } }`,
			} {
				a := s.GraphQL(t, ada.Access, document, nil)
				decimal := strings.ContainsAny(number, ".e")
				want := map[bool]string{true: "BAD_USER_INPUT", false: "INVALID_INPUT"}[decimal]
				if a.Code() != want || !strings.Contains(a.Raw, "exactly") {
					t.Errorf("%s: %s, want %s", document, a.Raw, want)
				}
			}
		}
		if harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users`) != 2 {
			t.Error("an account was made")
		}
	})
}
