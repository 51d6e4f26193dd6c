package main

import (
	"net/http"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestHT02_CookieOfAnEndedAccount: whatever ends the session of a cookie takes the cookie away in the same answer.
func TestHT02_CookieOfAnEndedAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		s.admin(t, dsn, "second@example.com")
		eve := s.register(t, "eve@example.com")
		send := func(c *http.Cookie, document string, variables map[string]any) *answer {
			t.Helper()
			a := asked(t, s.URL, "", document, variables, carrying(c)...)
			if a.code() != "" || len(a.Errors) > 0 {
				t.Fatalf("%s", a.Raw)
			}
			return a
		}
		c, _ := s.browserIn(t, root.Email)
		for name, a := range map[string]*answer{
			"sessions of another":    send(c, endUserDoc, inputOf("id", eve.ID)),
			"another suspended":      send(c, suspendDoc, inputOf("id", eve.ID)),
			"oneself changed":        send(c, updateUserDoc, inputOf("id", root.ID, "name", "Root")),
			"oneself, not suspended": send(c, reactivateDoc, inputOf("id", root.ID)),
			"another erased":         send(c, deleteUserDoc, inputOf("id", eve.ID)),
		} {
			if cookieOf(t, a) != nil {
				t.Errorf("%s: %v", name, a.Header)
			}
		}
		for _, step := range []struct {
			name, document string
			input          map[string]any
		}{
			{"the own sessions", endUserDoc, inputOf("id", root.ID)},
			{"suspended", suspendDoc, inputOf("id", root.ID)},
			{"made inactive", updateUserDoc, inputOf("id", root.ID, "active", false)},
			{"erased by itself as an administrator", deleteUserDoc, inputOf("id", root.ID)},
		} {
			openSide(t, dsn).exec(t, `UPDATE users SET status = 'ACTIVE'`)
			c, _ := s.browserIn(t, root.Email)
			if a := send(c, step.document, step.input); !cleared(t, a, c) {
				t.Errorf("%s: the cookie stays: %s", step.name, a.Raw)
			}
		}
		c, _ = s.browserIn(t, ada.Email)
		if a := send(c, deleteAccountDoc, nil); !cleared(t, a, c) {
			t.Errorf("erased: the cookie stays: %s", a.Raw)
		}
	})
}

// TestHT03_AccountByCookie: pages of foreign origins change nothing of an account by its cookie, and what the person changes
// leaves the cookie as it is.
func TestHT03_AccountByCookie(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		c, _ := s.browserIn(t, ada.Email)
		steps := []struct {
			document string
			input    map[string]any
		}{
			{updateMeDoc, inputOf("name", "Ada")},
			{sudoDoc, inputOf("password", goodPass)},
			{changePasswordDoc, inputOf("currentPassword", goodPass, "newPassword", "another good pass phrase")},
			{changeEmailDoc, inputOf("email", "ada2@example.com", "currentPassword", "another good pass phrase")},
			{deleteAccountDoc, nil},
		}
		for _, site := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "same-site"}} {
			for _, step := range steps {
				a := asked(t, s.URL, "", step.document, step.input, append(carrying(c), site...)...)
				if a.Status != http.StatusForbidden || a.code() != "FORBIDDEN" {
					t.Errorf("%v: %d %s", site, a.Status, a.Raw)
				}
			}
		}
		for _, step := range steps[:4] {
			a := asked(t, s.URL, "", step.document, step.input, carrying(c)...)
			if a.code() != "" || len(a.Errors) > 0 || cookieOf(t, a) != nil {
				t.Errorf("%s %v", a.Raw, a.Header)
			}
		}
		if a := asked(t, s.URL, "", `{ me { pendingEmail } }`, nil, carrying(c)...); a.text("me", "pendingEmail") != "ada2@example.com" {
			t.Error(a.Raw)
		}
	})
}

// TestSE14_NoRefreshBesideACookie: a session that came as a cookie or a session token never yields a refresh token, not by the
// access token that came with it either. A page that was taken over could carry that one away.
func TestSE14_NoRefreshBesideACookie(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.register(t, "ada@example.com")
		for _, delivery := range []string{"COOKIE", "SESSION_TOKEN"} {
			for field, document := range map[string]string{"login": loginDoc, "register": registerDoc} {
				email := map[string]string{"login": "ada@example.com", "register": delivery + "@example.com"}[field]
				a := asked(t, s.URL, "", document, inputOf("email", email, "password", goodPass, "tokenDelivery", delivery))
				access := a.text(field, "tokens", "accessToken")
				for range 2 { // by the token of the sign-in, and by the one that it gives
					a = s.graphql(t, access, updateMeDoc, inputOf("name", "Ada"))
					if access = a.text("updateMe", "tokens", "accessToken"); access == "" || a.at("updateMe", "tokens", "refreshToken") != nil {
						t.Errorf("%s, %s: %s", delivery, field, a.Raw)
					}
				}
			}
		}
		if n := openSide(t, dsn).count(t, `SELECT count(*) FROM sessions WHERE generation = -1`); n != 4 {
			t.Errorf("%d sessions without a refresh token, want 4", n)
		}
	})
}
