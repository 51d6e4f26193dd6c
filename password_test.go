package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// PW-01, PW-02, PW-06, PW-08: a new password passes what that of a new account does, on both ways.
func TestPW01_PW08_NewPasswords(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		a := s.graphql(t, "", registerDoc, inputOf("email", "ada.lovelace@example.com", "username", "enchantress", "name", "Countess Byron", "password", goodPass))
		access := a.text("register", "tokens", "accessToken")
		for _, row := range []struct{ password, code string }{
			{"kqzvwpx", "PASSWORD_TOO_WEAK"}, // one below the minimum
			{"kqzvwpxj", ""},
			{"kqzvwpxjm", ""},
			{strings.Repeat("ab cd", 51) + "x", ""},               // 256
			{strings.Repeat("ab cd", 51) + "xy", "INVALID_INPUT"}, // 257
			{strings.Repeat("\U0001f511", 256), ""},               // 1024 bytes
			{strings.Repeat("x", 1025), "INVALID_INPUT"},
			{"password123", "PASSWORD_BREACHED"},
			{"ada.lovelace@example.com", "PASSWORD_TOO_WEAK"},
			{"AdaLovelace1815", "PASSWORD_TOO_WEAK"}, // the local part
			{"enchantress", "PASSWORD_TOO_WEAK"},
			{"countess byron!", "PASSWORD_TOO_WEAK"},
			{"dragoman1", "PASSWORD_TOO_WEAK"}, // the service
			{"correct horse battery staple but longer than before", ""},
			{"\u5bc6\u7801\u5bc6\u7801\u6b63\u786e\u7684\u9a6c", ""},    // PW-03
			{"correct horse battery staple but longer than before", ""}, // an old one is fine
			{"correct horse battery staple but longer than before", ""}, // and so is the present one
		} {
			for name, got := range map[string]*answer{
				"changePassword": s.graphql(t, access, changePasswordDoc, inputOf("newPassword", row.password)),
				"updateMe":       s.graphql(t, access, updateMeDoc, inputOf("password", row.password)),
			} {
				if got.code() != row.code {
					t.Errorf("%s %.40q: %s, want %q", name, row.password, got.Raw, row.code)
				}
			}
		}
		// The names are those that the account is about to have.
		for _, input := range []map[string]any{
			inputOf("username", "blackwhirlpool", "password", "blackwhirlpool"),
			inputOf("email", "blackwhirlpool@example.com", "password", "blackwhirlpool"),
		} {
			if a := s.graphql(t, access, updateMeDoc, input); a.code() != "PASSWORD_TOO_WEAK" {
				t.Errorf("%v: %s", input, a.Raw)
			}
		}
	})
}

// PW-06 in a dialect whose file lets common passwords pass: they do here too, with a mark in the log; the minimum is its own.
func TestPW01_DialectPasswords(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for strict, want := range map[string]int{"documented": 200, "strict": 422} {
			s := start(t, dsn, "DRAGOMAN_DIALECT_PASSWORDS="+strict)
			email := strict + "@example.com"
			s.register(t, email)
			bearer := "Bearer " + s.rest(t, "POST /sign_in", credentials("email", email, goodPass)).Header.Get("X-Session-Token")
			put := func(password string) reply {
				return s.rest(t, "PUT /password", jsonOf(t, map[string]any{"current_password": goodPass, "password": password}), "Authorization", bearer)
			}
			if r := put("elevenchars"); r.Status != 422 || r.Body != `{"password":["is too short (minimum is 12 characters)"]}` {
				t.Errorf("%s: %d %s", strict, r.Status, r.Body)
			}
			if r := put("password1234"); r.Status != want {
				t.Errorf("%s: %d %s", strict, r.Status, r.Body)
			}
		}
		if n := openSide(t, dsn).count(t, `SELECT count(*) FROM audit_events WHERE action = 'change_password' AND outcome = 'ok' AND reason = 'guessable_password'`); n != 1 {
			t.Errorf("%d marks in the log", n)
		}
	})
}

// SE-08, SE-20: a new password ends every other session at once, or none where the person wants it so; the present one
// lives, and so do API keys.
func TestSE08_SE20_ChangeEndsOtherSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		_, key := s.newKey(t, ada.Access, nil)
		passwords := []string{goodPass, newPass}
		for n, row := range []struct {
			document string
			input    map[string]any
			ends     bool
		}{
			{changePasswordDoc, map[string]any{}, true},
			{changePasswordDoc, map[string]any{"revokeOtherSessions": true}, true},
			{changePasswordDoc, map[string]any{"revokeOtherSessions": false}, false},
			{updateMeDoc, map[string]any{}, true},
			{updateMeDoc, map[string]any{"name": "Ada"}, true},
		} {
			old, fresh := passwords[n%2], passwords[(n+1)%2]
			in := s.login(t, ada.Email, old)
			other := account{
				ID: ada.ID, Access: in.text("login", "tokens", "accessToken"), Refresh: in.text("login", "tokens", "refreshToken"),
			}
			if in.code() != "" {
				t.Fatal(in.Raw)
			}
			field := map[string]string{changePasswordDoc: "newPassword", updateMeDoc: "password"}[row.document]
			input := map[string]any{field: fresh, "currentPassword": old}
			maps.Copy(input, row.input)
			if a := s.graphql(t, ada.Access, row.document, map[string]any{"input": input}); a.code() != "" {
				t.Fatalf("%d: %s", n, a.Raw)
			}
			if s.is(t, other.Access, ada) == row.ends || (s.refresh(t, other.Refresh).code() == "") == row.ends {
				t.Errorf("%d: the other session lives: %v", n, row.ends)
			}
			if !s.is(t, ada.Access, ada) || !s.is(t, key, ada) {
				t.Errorf("%d: the present session or the key is over", n)
			}
			next := s.refresh(t, ada.Refresh)
			if ada.Refresh = next.text("refresh", "tokens", "refreshToken"); next.code() != "" {
				t.Errorf("%d: the refresh token of the present session: %s", n, next.Raw)
			}
			if a := s.login(t, ada.Email, old); a.code() != "INVALID_CREDENTIALS" {
				t.Errorf("%d: the old password: %s", n, a.Raw)
			}
		}
	})
}

// No session that began by the old password outlives the change, however close beside it it began; and of two changes at
// once from two sessions one counts, and ends the other's session.
func TestSE08_Races(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := openSide(t, dsn)
		for round := range amount(3, 100) {
			ada := s.register(t, fmt.Sprintf("ada%d@example.com", round))
			answers := together(9, func(n int) (*answer, error) {
				if n == 0 {
					return send(s.URL, ada.Access, changePasswordDoc, inputOf("newPassword", newPass))
				}
				return send(s.URL, "", loginDoc, inputOf("email", ada.Email, "password", goodPass))
			})
			if answers[0] == nil || answers[0].code() != "" {
				t.Fatalf("%+v", answers[0])
			}
			for _, a := range answers[1:] {
				if a == nil || a.code() != "" && a.code() != "INVALID_CREDENTIALS" || s.is(t, a.text("login", "tokens", "accessToken"), ada) {
					t.Errorf("a session of the old password lives: %+v", a)
				}
			}
			in := s.login(t, ada.Email, newPass)
			sessions := []string{ada.Access, in.text("login", "tokens", "accessToken")}
			won := ""
			for n, a := range together(2, func(n int) (*answer, error) {
				return send(s.URL, sessions[n], changePasswordDoc, inputOf("newPassword", fmt.Sprint("winner ", n, " of the race")))
			}) {
				switch {
				case a != nil && a.code() == "" && won == "":
					won = fmt.Sprint("winner ", n, " of the race")
				case a == nil || a.code() != "UNAUTHENTICATED":
					t.Errorf("%+v", a)
				}
			}
			if a := s.login(t, ada.Email, won); a.code() != "" {
				t.Errorf("the winner's password %q: %s", won, a.Raw)
			}
			if n := conn.count(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != 2*(round+1) { // the winner's, and the last sign-in
				t.Errorf("%d sessions live", n)
			}
		}
	})
}

// Two who know the password change it at once: one of them is too late.
func TestPW09_TwoChangesByTheSamePassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		codes := map[string]int{}
		for _, a := range together(6, func(n int) (*answer, error) {
			return send(s.URL, ada.Access, changePasswordDoc, inputOf("newPassword", fmt.Sprint(newPass, n), "currentPassword", goodPass))
		}) {
			if a == nil {
				t.Fatal("no answer")
			}
			codes[a.code()]++
		}
		if codes[""] != 1 || codes["INVALID_CURRENT_PASSWORD"] != 5 {
			t.Errorf("%v", codes)
		}
	})
}

// AU-01, AU-02: every operation on the account leaves one event, and none of them what was typed.
func TestAU01_AccountEvents(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		fine(t, s.graphql(t, "", registerDoc, inputOf("email", "bob@example.com", "username", "bob", "password", goodPass)))
		keyID, _ := s.newKey(t, ada.Access, nil)
		a := &auditor{instance: s, side: openSide(t, dsn), seen: 3}
		row := func(action, outcome, reason string) auditRow {
			return auditRow{action: action, outcome: outcome, reason: reason, user: ada.ID, session: ada.Session}
		}
		const secret = "Canary-of-a-password-9fQ"
		for _, step := range []struct {
			want      auditRow
			document  string
			variables map[string]any
		}{
			{row("update_me", "ok", ""), updateMeDoc, inputOf("name", "Ada")},
			{row("update_me", "ok", "email"), updateMeDoc, inputOf("email", "new@example.com")},
			{row("update_me", "ok", "email password"), updateMeDoc, inputOf("email", "newer@example.com", "password", secret)},
			{row("update_me", "failed", "already_exists"), updateMeDoc, inputOf("username", "bob")},
			{row("update_me", "failed", "wrong_password"), updateMeDoc, inputOf("email", "x@example.com", "currentPassword", secret+"x")},
			{row("change_email", "failed", "invalid_input"), changeEmailDoc, inputOf("email", secret)},
			{row("change_email", "failed", "wrong_password"), changeEmailDoc, inputOf("email", "ada@example.com", "currentPassword", secret+"x")},
			{row("change_password", "ok", ""), changePasswordDoc, inputOf("newPassword", secret+"2")},
			{row("change_password", "failed", "password_too_weak"), changePasswordDoc, inputOf("newPassword", "weak")},
			{row("change_password", "failed", "wrong_password"), changePasswordDoc, inputOf("newPassword", secret, "currentPassword", secret+"x")},
			{row("sudo", "failed", "wrong_password"), sudoDoc, inputOf("password", secret+"x")},
			{row("update_api_key", "failed", "not_found"), updateKeyDoc, inputOf("id", "key_x")},
			{row("rotate_api_key", "failed", "not_found"), rotateKeyDoc, inputOf("id", "key_x")},
		} {
			a.do(t, step.want, ada.Access, step.document, step.variables)
		}
		want := row("sudo", "ok", "")
		want.methods = `["PASSWORD"]`
		a.do(t, want, ada.Access, sudoDoc, inputOf("password", secret+"2"))
		want.action = "change_email"
		a.do(t, want, ada.Access, changeEmailDoc, inputOf("email", "ada@example.com", "currentPassword", secret+"2"))
		want = row("update_api_key", "ok", "")
		want.key = keyID
		a.do(t, want, ada.Access, updateKeyDoc, inputOf("id", keyID, "name", "x"))
		want.action = "rotate_api_key"
		a.do(t, want, ada.Access, rotateKeyDoc, inputOf("id", keyID))
		s.clock.add(10 * time.Minute)
		ada.Access = s.refresh(t, ada.Refresh).text("refresh", "tokens", "accessToken")
		a.seen++
		a.do(t, row("change_email", "failed", "sudo_required"), ada.Access, changeEmailDoc, inputOf("email", "x@example.com"))
		a.do(t, row("delete_account", "failed", "sudo_required"), ada.Access, deleteAccountDoc, nil)
		s.graphql(t, ada.Access, sudoDoc, inputOf("password", secret+"2"))
		a.seen++
		a.do(t, row("delete_account", "ok", ""), ada.Access, deleteAccountDoc, nil)
		if strings.Contains(dump(t, dsn)+s.log.String(), secret) {
			t.Error("a password is kept in clear")
		}
	})
}
