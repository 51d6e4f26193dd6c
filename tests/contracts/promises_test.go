package contracts

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-37: a route of a dialect sends the mails that its document promises, and no other, unless the server requires
// verified addresses. What the server itself tells the owner of an account, such as email-changed, is no mail of a
// dialect.
func TestOT37_PromisedMails(t *testing.T) {
	t.Parallel()
	const ada, next = "ada@example.com", "countess@example.org"
	zeroIn := func(t testing.TB, i *harness.Instance) []string {
		i.REST(t, "POST /sign_up", harness.Credentials("email", ada, harness.ZeroPass))
		return harness.Bearer(i.SignIn(t, ada, harness.ZeroPass).Token)
	}
	companionIn := func(t testing.TB, i *harness.Instance) []string {
		r, err := i.Call("POST "+harness.Companion+"/register",
			harness.CompanionBody("name", "Ada", "email", ada, "password", harness.GoodPass))
		if err != nil || r.Status != http.StatusCreated {
			t.Fatalf("%d %s %v", r.Status, r.Body, err)
		}
		var body struct {
			Data struct {
				Attributes struct {
					Token string `json:"access_token"`
				}
			}
		}
		_ = json.Unmarshal([]byte(r.Body), &body)
		return harness.Bearer(body.Data.Attributes.Token)
	}
	for _, c := range []struct {
		name     string
		settings []string
		do       func(testing.TB, *harness.Instance)
		want     string // to ada
		wantNext string // to the other address
	}{
		{
			name: "authcompanion: auth/register", want: "",
			do: func(t testing.TB, i *harness.Instance) { companionIn(t, i) },
		},
		{
			name: "authcompanion: auth/register where addresses are verified first", want: "verify-email",
			settings: []string{"DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on"},
			do: func(t testing.TB, i *harness.Instance) {
				i.CompanionAsks(t, "POST "+harness.Companion+"/register",
					harness.CompanionBody("name", "Ada", "email", ada, "password", harness.GoodPass))
			},
		},
		{
			name: "authcompanion: auth/users/me", want: "email-changed", wantNext: "",
			do: func(t testing.TB, i *harness.Instance) {
				in := companionIn(t, i)
				i.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody("name", "Countess", "email", next), in...)
			},
		},
		{
			name: "authcompanion: auth/recovery", want: "reset-password",
			do: func(t testing.TB, i *harness.Instance) {
				companionIn(t, i)
				i.CompanionAsks(t, "POST "+harness.Companion+"/recovery", harness.FieldsOf("email", ada))
			},
		},
		{
			name: "authentication-zero: sign_up", want: "verify-email",
			do: func(t testing.TB, i *harness.Instance) { zeroIn(t, i) },
		},
		{
			name: "authentication-zero: identity/email", want: "verify-email email-changed", wantNext: "verify-email",
			do: func(t testing.TB, i *harness.Instance) {
				in := zeroIn(t, i)
				harness.Eventually(t, "the first mail is sent", func() bool { // a change would drop it
					first := i.Letters(t, ada, db.MailVerifyEmail)
					return len(first) == 1 && first[0].Mail.State == db.MailSent
				})
				i.REST(t, "PUT /identity/email",
					harness.FieldsOf("email", next, "current_password", harness.ZeroPass), in...)
			},
		},
		{
			name: "service-authentication: register", want: "",
			do: func(t testing.TB, i *harness.Instance) { i.Service(t, ada) },
		},
		{
			name: "service-authentication: register with every option", want: "verify-email set-password welcome",
			do: func(t testing.TB, i *harness.Instance) {
				i.REST(t, "POST /register", `{"email":"`+ada+
					`","options":{"sendEmail":true,"sendResetEmail":true,"verifyEmail":true}}`)
			},
		},
		{
			name: "wolfpal: register", want: "verify-email",
			do: func(t testing.TB, i *harness.Instance) {
				i.REST(t, "POST "+harness.Wolf+"/register",
					harness.FieldsOf("username", "lovelace", "email", ada, "password", harness.GoodPass))
			},
		},
		{
			name: "generic-v1: login", want: "verify-email", // of GraphQL's register
			do: func(t testing.TB, i *harness.Instance) {
				i.Register(t, ada)
				i.GenericLogin(t, ada)
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn, c.settings...)
				c.do(t, s)
				if got := mailsTo(t, s, ada); !sameWords(got, c.want) {
					t.Errorf("the mails are %q, want %q", got, c.want)
				}
				if got := mailsTo(t, s, next); got != c.wantNext {
					t.Errorf("the mails to the other address are %q, want %q", got, c.wantNext)
				}
			})
		})
	}
}

// The recovery mail of authcompanion says on its button what its contract says, in the language of the mail.
func TestCompanion_RecoveryButton(t *testing.T) {
	t.Parallel()
	s := companionServer(t, dbtest.SQLite(t))
	companionJoins(t, s, companionEmail)
	for language, want := range map[string]string{
		"": ">Reset password</a>", "de-AT": ">Passwort zurücksetzen</a>", "fr": ">Reset password</a>",
	} {
		s.Clock.Add(time.Minute)
		s.CompanionAsks(t, "POST "+harness.Companion+"/recovery", `{"email":"`+companionEmail+`"}`, "Accept-Language",
			language).Says(t, http.StatusOK, companionIssued)
		l := s.Letter(t, companionEmail, db.MailResetPassword)
		r, err := s.Call("GET /dev/mailbox/"+l.Mail.ID.String()+"/html", "")
		if err != nil || !strings.Contains(r.Body, want) {
			t.Errorf("in %q the mail has no %s: %v %s", language, want, err, r.Body)
		}
	}
}

// authentication-zero shows addresses in small letters, as its original keeps them.
func TestZero_AddressesAreDowncased(t *testing.T) {
	t.Parallel()
	for _, required := range []string{"off", "on"} {
		s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_REQUIRE_VERIFIED_EMAIL="+required)
		r := s.REST(t, "POST /sign_up", harness.Credentials("email", " Lazaro.Nixon@BÜCHER.example ", harness.ZeroPass))
		if r.Status >= 300 || !strings.Contains(r.Body, `"email":"lazaro.nixon@bücher.example"`) {
			t.Errorf("sign_up: %d %s", r.Status, r.Body)
		}
		if required == "on" {
			continue
		}
		in := harness.Bearer(s.SignIn(t, "LAZARO.nixon@bücher.example", harness.ZeroPass).Token)
		for _, change := range [][2]string{
			{"PUT /identity/email", harness.FieldsOf("email", "New@HEY.com", "current_password", harness.ZeroPass)},
			{"PUT /password", harness.FieldsOf("current_password", harness.ZeroPass, "password", harness.ZeroNew)},
		} {
			r := s.REST(t, change[0], change[1], in...)
			if r.Status != http.StatusOK || !strings.Contains(r.Body, `"email":"new@hey.com"`) {
				t.Errorf("%s: %d %s", change[0], r.Status, r.Body)
			}
		}
		r = s.REST(t, "POST /identity/password_reset", harness.FieldsOf("email", "NEW@hey.com"))
		r.Empty(t)
		l := s.Letter(t, "New@HEY.com", db.MailResetPassword)
		if l.Mail.Address != "New@HEY.com" { // OT-10: the mail goes to the address as it was given
			t.Errorf("the mail goes to %s", l.Mail.Address)
		}
		r = s.REST(t, "PUT /identity/password_reset", newPasswordBody(l.Token))
		if r.Status != http.StatusOK || !strings.Contains(r.Body, `"email":"new@hey.com"`) {
			t.Errorf("password_reset: %d %s", r.Status, r.Body)
		}
	}
}

// JW-11: metadata of 4 KiB, the most that authcompanion's contract allows, and the sizes of what carries it: an access
// token fits into the header of a request, and no cookie has more than the 4096 bytes that browsers keep (RFC 6265
// section 6.1).
func TestJW11_MetadataFits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		full := map[string]any{"k": strings.Repeat("x", 4088)}
		r := s.CompanionAsks(t, "POST "+harness.Companion+"/register", harness.CompanionBody("name",
			strings.Repeat("ß", 200), "email", companionEmail, "password", harness.CompanionPass, "metadata", full))
		var body struct {
			Data struct {
				Attributes struct {
					Token string `json:"access_token"`
				}
			}
		}
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil || r.Status != http.StatusCreated {
			t.Fatalf("%d %.300s", r.Status, r.Body)
		}
		access := body.Data.Attributes.Token
		sizes := map[string]int{"the access token of authcompanion": len(access)}
		cookies(t, r, "authcompanion", sizes)
		if r := s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody(), harness.Bearer(access)...); r.Status !=
			http.StatusOK {
			t.Errorf("users/me: %d %.300s", r.Status, r.Body)
		}
		ours := harness.Fine(t, s.Login(t, companionEmail, harness.CompanionPass)).Text("login", "tokens",
			"accessToken")
		sizes["the access token of GraphQL"] = len(ours)
		if me := s.GraphQL(t, ours, `{ me { metadata } }`, nil).At("me", "metadata", "k"); me != full["k"] {
			t.Errorf("me: %.100v", me)
		}
		r, set := s.Jar(t, "POST /login", harness.Credentials("email", companionEmail, harness.CompanionPass))
		for name, c := range set {
			sizes["the cookie "+name+" of service-authentication"] = len(c.Name) + 1 + len(c.Value)
		}
		if claims := harness.ClaimsOf(t, set["session"].Value); r.Status != http.StatusOK || claims["metadata"] != nil {
			t.Errorf("the session cookie holds the metadata")
		}
		signed := harness.Fine(t, s.GraphQL(t, "", harness.LoginDoc,
			harness.InputOf("email", companionEmail, "password",
				harness.CompanionPass, "tokenDelivery", "COOKIE")))
		for _, c := range (&http.Response{Header: signed.Header}).Cookies() {
			sizes["the cookie of GraphQL"] = len(c.Name) + 1 + len(c.Value)
		}
		for what, n := range sizes {
			t.Logf("%s has %d bytes", what, n)
			if strings.Contains(what, "cookie") && n > 4096 || n > 8192-len("Authorization: Bearer \r\n") {
				t.Errorf("%s has %d bytes", what, n)
			}
		}
		over := map[string]any{"k": strings.Repeat("x", 4089)}
		s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody("metadata", over), harness.Bearer(access)...).
			Says(t, 400, companionInvalid("body/data/attributes/metadata: The metadata is longer than 4 KiB as JSON."))
	})
}

// cookies notes the sizes of the cookies of an answer.
func cookies(t testing.TB, r harness.Reply, of string, sizes map[string]int) {
	t.Helper()
	for _, c := range (&http.Response{Header: r.Header}).Cookies() {
		sizes["the cookie "+c.Name+" of "+of] = len(c.Name) + 1 + len(c.Value)
	}
}
