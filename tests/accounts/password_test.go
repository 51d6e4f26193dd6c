package accounts

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// PW-01, PW-02, PW-06, PW-08: a new password passes what that of a new account does, on both ways.
func TestPW01_PW08_NewPasswords(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		a := s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", "ada.lovelace@example.com", "username",
			"enchantress", "name", "Countess Byron", "password", harness.GoodPass))
		access := a.Text("register", "tokens", "accessToken")
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
			for name, got := range map[string]*harness.Answer{
				"changePassword": s.GraphQL(t, access, harness.ChangePasswordDoc,
					harness.InputOf("newPassword", row.password)),
				"updateMe": s.GraphQL(t, access, harness.UpdateMeDoc, harness.InputOf("password", row.password)),
			} {
				if got.Code() != row.code {
					t.Errorf("%s %.40q: %s, want %q", name, row.password, got.Raw, row.code)
				}
			}
		}
		// The names are those that the account is about to have.
		for _, input := range []map[string]any{
			harness.InputOf("username", "blackwhirlpool", "password", "blackwhirlpool"),
			harness.InputOf("email", "blackwhirlpool@example.com", "password", "blackwhirlpool"),
		} {
			if a := s.GraphQL(t, access, harness.UpdateMeDoc, input); a.Code() != "PASSWORD_TOO_WEAK" {
				t.Errorf("%v: %s", input, a.Raw)
			}
		}
	})
}

// PW-06 in a dialect whose file lets common passwords pass: they do here too, with a mark in the log; the minimum is
// its own.
func TestPW01_DialectPasswords(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for strict, want := range map[string]int{"documented": 200, "strict": 422} {
			s := harness.Start(t, dsn, "DRAGOMAN_DIALECT_PASSWORDS="+strict)
			email := strict + "@example.com"
			s.Register(t, email)
			bearer := "Bearer " + s.REST(t, "POST /sign_in",
				harness.Credentials("email", email, harness.GoodPass)).Header.Get("X-Session-Token")
			put := func(password string) harness.Reply {
				return s.REST(t, "PUT /password",
					harness.JSONOf(t, map[string]any{"current_password": harness.GoodPass, "password": password}),
					"Authorization", bearer)
			}
			if r := put("elevenchars"); r.Status != 422 || r.Body != `{"password":["is too short (minimum is 12 `+
				`characters)"]}`+"\n" {
				t.Errorf("%s: %d %s", strict, r.Status, r.Body)
			}
			if r := put("password1234"); r.Status != want {
				t.Errorf("%s: %d %s", strict, r.Status, r.Body)
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM audit_events WHERE action = `+
			`'password.changed' AND outcome = 'ok' AND reason = 'guessable_password'`); n != 1 {
			t.Errorf("%d marks in the log", n)
		}
	})
}

// SE-08, SE-20: a new password ends every other session at once, or none where the person wants it so; the present one
// lives, and so do API keys.
func TestSE08_SE20_ChangeEndsOtherSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
		passwords := []string{harness.GoodPass, harness.NewPass}
		for n, row := range []struct {
			document string
			input    map[string]any
			ends     bool
		}{
			{harness.ChangePasswordDoc, map[string]any{}, true},
			{harness.ChangePasswordDoc, map[string]any{"revokeOtherSessions": true}, true},
			{harness.ChangePasswordDoc, map[string]any{"revokeOtherSessions": false}, false},
			{harness.UpdateMeDoc, map[string]any{}, true},
			{harness.UpdateMeDoc, map[string]any{"name": "Ada"}, true},
		} {
			old, fresh := passwords[n%2], passwords[(n+1)%2]
			in := s.Login(t, ada.Email, old)
			other := harness.Account{
				ID: ada.ID, Access: in.Text("login", "tokens", "accessToken"),
				Refresh: in.Text("login", "tokens", "refreshToken"),
			}
			if in.Code() != "" {
				t.Fatal(in.Raw)
			}
			field := map[string]string{
				harness.ChangePasswordDoc: "newPassword",
				harness.UpdateMeDoc:       "password",
			}[row.document]
			input := map[string]any{field: fresh, "currentPassword": old}
			maps.Copy(input, row.input)
			if a := s.GraphQL(t, ada.Access, row.document, map[string]any{"input": input}); a.Code() != "" {
				t.Fatalf("%d: %s", n, a.Raw)
			}
			if s.Is(t, other.Access, ada) == row.ends || (s.Refresh(t, other.Refresh).Code() == "") == row.ends {
				t.Errorf("%d: the other session lives: %v", n, row.ends)
			}
			if !s.Is(t, ada.Access, ada) || !s.Is(t, key, ada) {
				t.Errorf("%d: the present session or the key is over", n)
			}
			next := s.Refresh(t, ada.Refresh)
			if ada.Refresh = next.Text("refresh", "tokens", "refreshToken"); next.Code() != "" {
				t.Errorf("%d: the refresh token of the present session: %s", n, next.Raw)
			}
			if a := s.Login(t, ada.Email, old); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("%d: the old password: %s", n, a.Raw)
			}
		}
	})
}

// No session that began by the old password outlives the change, however close beside it it began; and of two changes
// at once from two sessions one counts, and ends the other's session.
func TestSE08_Races(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := harness.OpenSide(t, dsn)
		for round := range harness.Amount(3, 100) {
			ada := s.Register(t, fmt.Sprintf("ada%d@example.com", round))
			answers := harness.Together(9, func(n int) (*harness.Answer, error) {
				if n == 0 {
					return harness.Send(s.URL, ada.Access, harness.ChangePasswordDoc,
						harness.InputOf("newPassword", harness.NewPass))
				}
				return harness.Send(s.URL, "", harness.LoginDoc,
					harness.InputOf("email", ada.Email, "password", harness.GoodPass))
			})
			if answers[0] == nil || answers[0].Code() != "" {
				t.Fatalf("%+v", answers[0])
			}
			for _, a := range answers[1:] {
				if a == nil || a.Code() != "" && a.Code() != "INVALID_CREDENTIALS" ||
					s.Is(t, a.Text("login", "tokens", "accessToken"), ada) {
					t.Errorf("a session of the old password lives: %+v", a)
				}
			}
			in := s.Login(t, ada.Email, harness.NewPass)
			sessions := []string{ada.Access, in.Text("login", "tokens", "accessToken")}
			won := ""
			for n, a := range harness.Together(2, func(n int) (*harness.Answer, error) {
				return harness.Send(s.URL, sessions[n], harness.ChangePasswordDoc,
					harness.InputOf("newPassword", fmt.Sprint("winner ", n, " of the race")))
			}) {
				switch {
				case a != nil && a.Code() == "" && won == "":
					won = fmt.Sprint("winner ", n, " of the race")
				case a == nil || a.Code() != "UNAUTHENTICATED":
					t.Errorf("%+v", a)
				}
			}
			if a := s.Login(t, ada.Email, won); a.Code() != "" {
				t.Errorf("the winner's password %q: %s", won, a.Raw)
			}
			// the winner's, and the last sign-in
			if n := conn.Count(t, `SELECT count(*) FROM sessions WHERE revoked_at IS NULL`); n != 2*(round+1) {
				t.Errorf("%d sessions live", n)
			}
		}
	})
}

// Two who know the password change it at once: one of them is too late.
func TestPW09_TwoChangesByTheSamePassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		codes := map[string]int{}
		for _, a := range harness.Together(6, func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, ada.Access, harness.ChangePasswordDoc,
				harness.InputOf("newPassword", fmt.Sprint(harness.NewPass, n), "currentPassword", harness.GoodPass))
		}) {
			if a == nil {
				t.Fatal("no answer")
			}
			codes[a.Code()]++
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
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		harness.Fine(t, s.GraphQL(t, "", harness.RegisterDoc,
			harness.InputOf("email", "bob@example.com", "username", "bob", "password", harness.GoodPass)))
		keyID, _ := s.NewKey(t, ada.Access, nil)
		a := &harness.Auditor{Instance: s, Side: harness.OpenSide(t, dsn), Seen: 3}
		row := func(action, outcome, reason string) harness.AuditRow {
			return harness.AuditRow{
				Action: action, Outcome: outcome, Reason: reason, User: ada.ID,
				Session: ada.Session,
			}
		}
		const secret = "Canary-of-a-password-9fQ"
		for _, step := range []struct {
			want      harness.AuditRow
			document  string
			variables map[string]any
		}{
			{row("user.updated", "ok", ""), harness.UpdateMeDoc, harness.InputOf("name", "Ada")},
			{row("user.updated", "ok", "email"), harness.UpdateMeDoc, harness.InputOf("email", "new@example.com")},
			{
				row("user.updated", "ok", "email password"), harness.UpdateMeDoc,
				harness.InputOf("email", "newer@example.com", "password", secret),
			},
			{row("user.updated", "failed", "already_exists"), harness.UpdateMeDoc, harness.InputOf("username", "bob")},
			{
				row("user.updated", "failed", "wrong_password"), harness.UpdateMeDoc,
				harness.InputOf("email", "x@example.com", "currentPassword", secret+"x"),
			},
			{
				row("email.change_requested", "failed", "invalid_input"), harness.ChangeEmailDoc,
				harness.InputOf("email", secret),
			},
			{
				row("email.change_requested", "failed", "wrong_password"), harness.ChangeEmailDoc,
				harness.InputOf("email", "ada@example.com", "currentPassword", secret+"x"),
			},
			{row("password.changed", "ok", ""), harness.ChangePasswordDoc, harness.InputOf("newPassword", secret+"2")},
			{
				row("password.changed", "failed", "password_too_weak"), harness.ChangePasswordDoc,
				harness.InputOf("newPassword", "weak"),
			},
			{
				row("password.changed", "failed", "wrong_password"), harness.ChangePasswordDoc,
				harness.InputOf("newPassword", secret, "currentPassword", secret+"x"),
			},
			{row("sudo.granted", "failed", "wrong_password"), harness.SudoDoc, harness.InputOf("password", secret+"x")},
			{row("api_key.updated", "failed", "not_found"), harness.UpdateKeyDoc, harness.InputOf("id", "key_x")},
			{row("api_key.rotated", "failed", "not_found"), harness.RotateKeyDoc, harness.InputOf("id", "key_x")},
		} {
			a.Do(t, step.want, ada.Access, step.document, step.variables)
		}
		want := row("sudo.granted", "ok", "")
		want.Methods = `["PASSWORD"]`
		a.Do(t, want, ada.Access, harness.SudoDoc, harness.InputOf("password", secret+"2"))
		want.Action = "email.change_requested"
		a.Do(t, want, ada.Access, harness.ChangeEmailDoc,
			harness.InputOf("email", "ada@example.com", "currentPassword", secret+"2"))
		want = row("api_key.updated", "ok", "")
		want.Key = keyID
		a.Do(t, want, ada.Access, harness.UpdateKeyDoc, harness.InputOf("id", keyID, "name", "x"))
		want.Action = "api_key.rotated"
		a.Do(t, want, ada.Access, harness.RotateKeyDoc, harness.InputOf("id", keyID))
		s.Clock.Add(10 * time.Minute)
		ada.Access = s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
		a.Seen++
		a.Do(t, row("email.change_requested", "failed", "sudo_required"), ada.Access, harness.ChangeEmailDoc,
			harness.InputOf("email", "x@example.com"))
		a.Do(t, row("user.deleted", "failed", "sudo_required"), ada.Access, harness.DeleteAccountDoc, nil)
		s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", secret+"2"))
		a.Seen++
		a.Do(t, row("user.deleted", "ok", ""), ada.Access, harness.DeleteAccountDoc, nil)
		if strings.Contains(harness.Dump(t, dsn)+s.Logged.String(), secret) {
			t.Error("a password is kept in clear")
		}
	})
}
