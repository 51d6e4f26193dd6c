package accounts

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const tookOverFields = ` takeOver { passwordMissing username name metadata } userErrors { code } } }`

// codeWay is a way to redeem the code of a mail: a document, and a page with its form.
type codeWay struct {
	ask      string
	kind     db.MailKind
	document string
	page     string
	password bool // the way chooses one
}

func codeWays() map[string]codeWay {
	return map[string]codeWay{
		"loginWithMagicLink": {
			harness.AskMagicDoc, db.MailMagicLink,
			`mutation M($input: LoginWithMagicLinkInput!) { loginWithMagicLink(input: $input) {` + tookOverFields,
			"/account/sign-in", false,
		},
		"resetPassword": {
			harness.AskResetDoc, db.MailResetPassword,
			`mutation M($input: ResetPasswordInput!) { resetPassword(input: $input) {` + tookOverFields,
			"/account/reset-password", true,
		},
	}
}

// OT-57: whoever types a code on somebody else's unconfirmed account learns from the answer, and from the page, that it
// is taken over, whether it has a password, and what stayed; and starts empty in the form. An account that is confirmed
// says nothing of the kind, and one that an administrator made lists nothing.
func TestOT57_TakeOverByCode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		admin := s.Admin(t, dsn, "admin@example.com")
		n := 0
		for field, w := range codeWays() {
			stranger := func() string {
				n++
				email := fmt.Sprintf("owner%d@example.com", n)
				harness.Fine(t, s.Registers(t, "email", email, "password", harness.GoodPass, "username",
					fmt.Sprintf("stranger%d", n), "name", "A Stranger", "metadata", map[string]any{"k": 1}))
				return email
			}
			redeem := func(email string) *harness.Answer {
				in := []any{"token", s.Mailed(t, w.ask, email, w.kind).Code, "email", email}
				if w.password {
					in = append(in, "newPassword", harness.NewPass)
				}
				return harness.Fine(t, s.GraphQL(t, "", w.document, harness.InputOf(in...)))
			}
			email := stranger()
			a := redeem(email)
			if a.At(field, "takeOver", "passwordMissing") != !w.password || a.Text(field, "takeOver", "name") != "A Stranger" ||
				a.Text(field, "takeOver", "username") != fmt.Sprintf("stranger%d", n) ||
				a.At(field, "takeOver", "metadata") == nil {
				t.Errorf("%s: %s", field, a.Raw)
			}
			if a = redeem(email); a.At(field, "takeOver") != nil {
				t.Errorf("%s of a confirmed account: %s", field, a.Raw)
			}
			invited := field + "@example.net"
			harness.Fine(t, s.GraphQL(t, admin.Access, harness.CreateUserDoc,
				harness.InputOf("email", invited, "name", "Somebody", "password", harness.GoodPass)))
			if a = redeem(invited); a.At(field, "takeOver") == nil || a.At(field, "takeOver", "name") != nil {
				t.Errorf("%s of an invited account: %s", field, a.Raw)
			}
			takesOverByForm(t, s, w, stranger)
		}
	})
}

// takesOverByForm sends the form of the page without scripts.
func takesOverByForm(t *testing.T, s *harness.Instance, w codeWay, stranger func() string) {
	t.Helper()
	send := func(email string, fields ...string) string {
		form := url.Values{"email": {email}, "code": {s.Mailed(t, w.ask, email, w.kind).Code}}
		if w.password {
			form["password"], form["repeat"] = []string{harness.NewPass}, []string{harness.NewPass}
		}
		for _, name := range fields {
			form.Set(name, "yes")
		}
		r, err := s.Call("POST "+w.page, form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		if err != nil || r.Status != http.StatusOK {
			t.Fatalf("%s: %d %s %v", w.page, r.Status, r.Body, err)
		}
		return r.Body
	}
	email := stranger()
	told := send(email)
	for _, part := range []string{"Nobody had confirmed", "the username stranger", "the name A Stranger", "data of the app"} {
		if !strings.Contains(told, part) {
			t.Errorf("%s does not say %q: %s", w.page, part, told)
		}
	}
	next := strings.Contains(told, "has no password now") && strings.Contains(told, `href="/account/choose-password"`)
	if next == w.password {
		t.Errorf("%s tells of a missing password: %v", w.page, next)
	}
	if told = send(email); strings.Contains(told, "Nobody had confirmed") || strings.Contains(told, "no password") {
		t.Errorf("%s speaks of a take-over of a confirmed account: %s", w.page, told)
	}
	told = send(stranger(), "startEmpty")
	if !strings.Contains(told, "Nobody had confirmed") || strings.Contains(told, "A Stranger") {
		t.Errorf("%s, empty: %s", w.page, told)
	}
	shown := s.REST(t, "GET "+w.page, "")
	if !strings.Contains(shown.Body, `name="startEmpty"`) {
		t.Errorf("%s has no box to start empty", w.page)
	}
}
