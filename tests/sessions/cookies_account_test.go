package sessions

import (
	"net/http"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestHT02_CookieOfAnEndedAccount: whatever ends the session of a cookie takes the cookie away in the same answer.
func TestHT02_CookieOfAnEndedAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		s.Admin(t, dsn, "second@example.com")
		eve := s.Register(t, "eve@example.com")
		send := func(c *http.Cookie, document string, variables map[string]any) *harness.Answer {
			t.Helper()
			a := harness.Asked(t, s.URL, "", document, variables, harness.Carrying(c)...)
			if a.Code() != "" || len(a.Errors) > 0 {
				t.Fatalf("%s", a.Raw)
			}
			return a
		}
		c, _ := s.BrowserIn(t, root.Email)
		for name, a := range map[string]*harness.Answer{
			"sessions of another":    send(c, harness.EndUserDoc, harness.InputOf("id", eve.ID)),
			"another suspended":      send(c, harness.SuspendDoc, harness.InputOf("id", eve.ID)),
			"oneself changed":        send(c, harness.UpdateUserDoc, harness.InputOf("id", root.ID, "name", "Root")),
			"oneself, not suspended": send(c, harness.ReactivateDoc, harness.InputOf("id", root.ID)),
			"another erased":         send(c, harness.DeleteUserDoc, harness.InputOf("id", eve.ID)),
		} {
			if harness.CookieOf(t, a) != nil {
				t.Errorf("%s: %v", name, a.Header)
			}
		}
		for _, step := range []struct {
			name, document string
			input          map[string]any
		}{
			{"the own sessions", harness.EndUserDoc, harness.InputOf("id", root.ID)},
			{"suspended", harness.SuspendDoc, harness.InputOf("id", root.ID)},
			{"made inactive", harness.UpdateUserDoc, harness.InputOf("id", root.ID, "active", false)},
			{"erased by itself as an administrator", harness.DeleteUserDoc, harness.InputOf("id", root.ID)},
		} {
			harness.OpenSide(t, dsn).MustExec(t, `UPDATE users SET status = 'ACTIVE'`)
			c, _ := s.BrowserIn(t, root.Email)
			if a := send(c, step.document, step.input); !harness.Cleared(t, a, c) {
				t.Errorf("%s: the cookie stays: %s", step.name, a.Raw)
			}
		}
		c, _ = s.BrowserIn(t, ada.Email)
		if a := send(c, harness.DeleteAccountDoc, nil); !harness.Cleared(t, a, c) {
			t.Errorf("erased: the cookie stays: %s", a.Raw)
		}
	})
}

// TestHT03_AccountByCookie: pages of foreign origins change nothing of an account by its cookie, and what the person
// changes leaves the cookie as it is.
func TestHT03_AccountByCookie(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		c, _ := s.BrowserIn(t, ada.Email)
		steps := []struct {
			document string
			input    map[string]any
		}{
			{harness.UpdateMeDoc, harness.InputOf("name", "Ada")},
			{harness.SudoDoc, harness.InputOf("password", harness.GoodPass)},
			{harness.ChangePasswordDoc, harness.InputOf("currentPassword", harness.GoodPass, "newPassword",
				"another good pass phrase")},
			{harness.ChangeEmailDoc, harness.InputOf("email", "ada2@example.com", "currentPassword",
				"another good pass phrase")},
			{harness.DeleteAccountDoc, nil},
		}
		for _, site := range [][]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Origin", "https://evil.example"},
			{"Sec-Fetch-Site", "same-site"},
		} {
			for _, step := range steps {
				a := harness.Asked(t, s.URL, "", step.document, step.input, append(harness.Carrying(c), site...)...)
				if a.Status != http.StatusForbidden || a.Code() != "FORBIDDEN" {
					t.Errorf("%v: %d %s", site, a.Status, a.Raw)
				}
			}
		}
		for _, step := range steps[:4] {
			a := harness.Asked(t, s.URL, "", step.document, step.input, harness.Carrying(c)...)
			if a.Code() != "" || len(a.Errors) > 0 || harness.CookieOf(t, a) != nil {
				t.Errorf("%s %v", a.Raw, a.Header)
			}
		}
		if a := harness.Asked(t, s.URL, "", `{ me { pendingEmail } }`, nil, harness.Carrying(c)...); a.Text("me",
			"pendingEmail") != "ada2@example.com" {
			t.Error(a.Raw)
		}
	})
}

// TestSE14_NoRefreshBesideACookie: a session that came as a cookie or a session token never yields a refresh token, not
// by the access token that came with it either. A page that was taken over could carry that one away.
func TestSE14_NoRefreshBesideACookie(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		for _, delivery := range []string{"COOKIE", "SESSION_TOKEN"} {
			for field, document := range map[string]string{"login": harness.LoginDoc, "register": harness.RegisterDoc} {
				email := map[string]string{"login": "ada@example.com", "register": delivery + "@example.com"}[field]
				a := harness.Asked(t, s.URL, "", document,
					harness.InputOf("email", email, "password", harness.GoodPass, "tokenDelivery", delivery))
				access := a.Text(field, "tokens", "accessToken")
				for range 2 { // by the token of the sign-in, and by the one that it gives
					a = s.GraphQL(t, access, harness.UpdateMeDoc, harness.InputOf("name", "Ada"))
					if access = a.Text("updateMe", "tokens", "accessToken"); access == "" ||
						a.At("updateMe", "tokens", "refreshToken") != nil {
						t.Errorf("%s, %s: %s", delivery, field, a.Raw)
					}
				}
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM sessions WHERE generation = -1`); n != 4 {
			t.Errorf("%d sessions without a refresh token, want 4", n)
		}
	})
}
