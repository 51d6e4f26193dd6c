package accounts

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	wholeMeDoc = `{ me { id number email emailVerified username name metadata status createdAt updatedAt } }`
)

// What is absent stays, what is null is cleared, and the tokens say what is true now.
func TestUpdateMe(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE users SET email_verified_at = created_at`)
		for _, step := range []struct {
			input map[string]any
			want  string // email, verified, username, name, metadata
		}{
			{map[string]any{}, `ada@example.com true <nil> <nil> map[]`},
			{
				map[string]any{"name": "Ada", "username": "Ada.L", "metadata": map[string]any{"a": 1.5}},
				`ada@example.com true Ada.L Ada map[a:1.5]`,
			},
			{map[string]any{"name": " Countess "}, `ada@example.com true Ada.L Countess map[a:1.5]`},
			{map[string]any{"metadata": map[string]any{"b": "x"}}, `ada@example.com true Ada.L Countess map[b:x]`},
			{map[string]any{"username": nil, "metadata": nil}, `ada@example.com true <nil> Countess map[]`},
			{map[string]any{"email": "ada@example.com", "name": nil}, `ada@example.com true <nil> <nil> map[]`},
			// the same address in another spelling
			{map[string]any{"email": "ADA@example.com"}, `ADA@example.com true <nil> <nil> map[]`},
			// until it is confirmed
			{map[string]any{"email": "ada.l@example.com", "name": "Ada"}, `ADA@example.com true <nil> Ada map[]`},
		} {
			s.Clock.Add(time.Second)
			a := s.GraphQL(t, ada.Access, harness.UpdateMeDoc, map[string]any{"input": step.input})
			u, _ := a.At("updateMe", "user").(map[string]any)
			if u == nil {
				t.Fatalf("%v: %s", step.input, a.Raw)
			}
			meta, _ := u["metadata"].(map[string]any)
			if got := fmt.Sprintf("%v %v %v %v %v", u["email"], u["emailVerified"], u["username"], u["name"],
				meta); got != step.want {
				t.Errorf("%v: %s, want %s", step.input, a.Raw, step.want)
			}
			if harness.Instant(t, u["updatedAt"].(string)).Sub(s.Clock.Now()).Abs() > time.Millisecond {
				t.Errorf("%v: updated at %v", step.input, u["updatedAt"])
			}
			me := s.GraphQL(t, a.Text("updateMe", "tokens", "accessToken"), wholeMeDoc, nil)
			if me.Text("me", "id") != ada.ID || me.Text("me", "email") != u["email"] {
				t.Errorf("%v: the new token answers %s", step.input, me.Raw)
			}
			claims := harness.ClaimsOf(t, a.Text("updateMe", "tokens", "accessToken"))
			if data, _ := claims["metadata"].(map[string]any); fmt.Sprint(data) != fmt.Sprint(meta) ||
				claims["sid"] != ada.Session {
				t.Errorf("%v: claims %v", step.input, claims)
			}
		}
		harness.RefusedWith(t, s.Login(t, "ada.l@example.com", harness.GoodPass), "INVALID_CREDENTIALS")
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, "ada.l@example.com", db.MailConfirmChange).Token)))
		if a := s.Login(t, "ada@example.com", harness.GoodPass); a.Code() != "INVALID_CREDENTIALS" {
			t.Errorf("by the old address: %s", a.Raw)
		}
		if a := s.Login(t, "ada.l@example.com", harness.GoodPass); a.Code() != "" {
			t.Errorf("by the new address: %s", a.Raw)
		}
		s.Register(t, "ada@example.com") // free again
	})
}

// SE-14, SE-31: the token of updateMe is one of the present session, whose generation does not move. It ends with the
// credential of the request, and no refresh token stands beside it.
func TestSE14_UpdateMeTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		r := s.Refresh(t, ada.Refresh)
		access, inForce := r.Text("refresh", "tokens", "accessToken"), r.Text("refresh", "tokens", "refreshToken")
		s.Clock.Add(time.Minute)
		for range 3 {
			a := s.GraphQL(t, access, harness.UpdateMeDoc, harness.InputOf("name", "Ada"))
			again := a.Text("updateMe", "tokens", "accessToken")
			if a.At("updateMe", "tokens", "refreshToken") != nil || a.At("updateMe", "tokens", "sessionToken") != nil ||
				!s.Is(t, again, ada) || harness.ClaimsOf(t, again)["exp"] != harness.ClaimsOf(t, access)["exp"] {
				t.Errorf("%s", a.Raw)
			}
		}
		if s.Refresh(t, inForce).Code() != "" {
			t.Error("the refresh token was spent")
		}
		// Who came with a session token keeps it: nothing else that lives long comes into the page.
		token := s.LoginAs(t, ada, "SESSION_TOKEN")
		a := s.GraphQL(t, token.Refresh, harness.UpdateMeDoc, harness.InputOf("name", "Ada"))
		if a.At("updateMe", "tokens", "refreshToken") != nil || a.At("updateMe", "tokens", "sessionToken") != nil ||
			!s.Is(t, a.Text("updateMe", "tokens", "accessToken"), ada) || !s.Is(t, token.Refresh, ada) {
			t.Errorf("by a session token: %s", a.Raw)
		}
		// A session that is over gets nothing, and nothing changes.
		s.GraphQL(t, access, harness.LogoutDoc, nil)
		before := s.GraphQL(t, token.Refresh, wholeMeDoc, nil).Raw
		if a := s.GraphQL(t, access, harness.UpdateMeDoc,
			harness.InputOf("name", "Eve")); a.Code() != "UNAUTHENTICATED" {
			t.Errorf("after the logout: %s", a.Raw)
		}
		if after := s.GraphQL(t, token.Refresh, wholeMeDoc, nil).Raw; after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// One input at fault, and nothing of it happens.
func TestUpdateMe_AllOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", "bob@example.com", "username", "bob", "password",
			harness.GoodPass))
		ada := s.Register(t, "ada@example.com")
		conn := harness.OpenSide(t, dsn)
		before := conn.Texts(t, `SELECT CAST(updated_at AS text) || coalesce(name, '') || email || password_hash `+
			`FROM users`)
		for _, row := range []struct {
			code, field string
			input       map[string]any
		}{
			{"ALREADY_EXISTS", "username", map[string]any{"username": "Bob"}},
			{"ALREADY_EXISTS", "username", map[string]any{
				"username": "bob", "email": "free@example.com",
				"password": harness.NewPass,
			}},
			{"INVALID_INPUT", "email", map[string]any{"email": "not an address"}},
			{"INVALID_INPUT", "email", map[string]any{"email": nil}},
			{"INVALID_INPUT", "email", map[string]any{"email": "a@b.example\r\nBcc: c@d.example"}},
			{"INVALID_INPUT", "username", map[string]any{"username": "bob@example.com"}}, // ID-05
			{"INVALID_INPUT", "username", map[string]any{"username": "a"}},
			{"INVALID_INPUT", "name", map[string]any{"name": strings.Repeat("x", 201)}},
			{"INVALID_INPUT", "name", map[string]any{"name": "a\nb"}},
			{"INVALID_INPUT", "metadata", map[string]any{"metadata": map[string]any{"a": strings.Repeat("x", 4096)}}},
			{"INVALID_INPUT", "password", map[string]any{"password": nil}},
			{"PASSWORD_TOO_WEAK", "password", map[string]any{"password": "short"}},
			{
				"INVALID_CURRENT_PASSWORD", "currentPassword",
				map[string]any{"password": harness.NewPass, "currentPassword": "wrong"},
			},
			{"INVALID_INPUT", "currentPassword", map[string]any{
				"password":        harness.NewPass,
				"currentPassword": strings.Repeat("x", 1025),
			}},
		} {
			input := map[string]any{"name": "Changed"}
			for k, v := range row.input {
				input[k] = v
			}
			a := s.GraphQL(t, ada.Access, harness.UpdateMeDoc, map[string]any{"input": input})
			if a.Code() != row.code || a.At("updateMe", "user") != nil || a.At("updateMe", "tokens") != nil ||
				!strings.Contains(a.Raw, `"field":["input","`+row.field+`"]`) {
				t.Errorf("%v: %s, want %s at %s", row.input, a.Raw, row.code, row.field)
			}
		}
		if after := conn.Texts(t, `SELECT CAST(updated_at AS text) || coalesce(name, '') || email || password_hash `+
			`FROM users`); !slices.Equal(before, after) {
			t.Errorf("%q became %q", before, after)
		}
	})
}

// ID-02: of 64 people who want one address at the same moment one gets it, and of as many who want one username.
func TestID02_OneNameForSixtyFour(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		people := make([]string, 64)
		for n, a := range harness.Together(len(people), func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, "", harness.RegisterDoc,
				harness.Registration(fmt.Sprintf("u%d@example.com", n), harness.GoodPass))
		}) {
			people[n] = a.Text("register", "tokens", "accessToken")
		}
		for _, race := range []struct {
			name string
			call func(n int) (*harness.Answer, error)
		}{
			{"email", func(n int) (*harness.Answer, error) {
				r, err := s.Call("POST /v1/auth/users/me", // where an address counts at once
					`{"data":{"type":"users","attributes":{"email":"Wanted@Example.com","name":"Changed"}}}`,
					harness.Bearer(people[n])...)
				a := &harness.Answer{Raw: r.Body}
				if r.Status != http.StatusOK || !strings.Contains(r.Body, "Wanted@Example.com") { // it waits (OT-56)
					a.Data = map[string]any{"x": map[string]any{"userErrors": []any{map[string]any{"code": "ALREADY_EXISTS"}}}}
				}
				return a, err
			}},
			{"username", func(n int) (*harness.Answer, error) {
				return harness.Send(s.URL, people[n], harness.UpdateMeDoc,
					harness.InputOf("username", "Wanted", "metadata", map[string]any{"won": true}))
			}},
		} {
			codes := map[string]int{}
			for _, a := range harness.Together(len(people), race.call) {
				if a == nil {
					t.Fatal("no answer")
				}
				codes[a.Code()]++
			}
			if codes[""] != 1 || codes["ALREADY_EXISTS"] != len(people)-1 {
				t.Errorf("%s: %v", race.name, codes)
			}
		}
		conn := harness.OpenSide(t, dsn)
		if conn.Count(t, `SELECT count(*) FROM users WHERE email_canonical = 'wanted@example.com'`) != 1 ||
			conn.Count(t, `SELECT count(*) FROM users WHERE username_canonical = 'wanted'`) != 1 ||
			conn.Count(t, `SELECT count(*) FROM users WHERE metadata IS NOT NULL`) != 1 ||
			conn.Count(t, `SELECT count(*) FROM users WHERE email_canonical <> 'wanted@example.com' AND `+
				`pending_email_canonical = 'wanted@example.com' AND NOT pending_shown`) != len(people)-1 {
			t.Error("who did not win changed all the same")
		}
		if n := conn.Count(t,
			`SELECT count(*) FROM audit_events WHERE outcome = 'failed' AND reason = 'already_exists'`); n !=
			len(people)-1 {
			t.Errorf("%d refusals in the log", n)
		}
	})
}

// AZ-01: no column of an account is an input member that is not meant to be one.
func TestAZ01_AccountMassAssignment(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		conn := harness.OpenSide(t, dsn)
		const row = `SELECT CAST(id AS text) || number || email || role || status || coalesce(CAST(email_verified_at ` +
			`AS text), '') || CAST(created_at AS text) FROM users`
		before := conn.Texts(t, row)
		keyID, _ := s.NewKey(t, ada.Access, nil)
		for name, op := range map[string]struct {
			document string
			input    map[string]any
		}{
			"updateMe":       {harness.UpdateMeDoc, map[string]any{"name": "Ada"}},
			"changePassword": {harness.ChangePasswordDoc, map[string]any{"newPassword": harness.NewPass}},
			"changeEmail":    {harness.ChangeEmailDoc, map[string]any{"email": "ada@example.com"}},
			"sudo":           {harness.SudoDoc, map[string]any{"password": harness.GoodPass}},
			"updateApiKey":   {harness.UpdateKeyDoc, map[string]any{"id": keyID}},
			"rotateApiKey":   {harness.RotateKeyDoc, map[string]any{"id": keyID}},
		} {
			for _, member := range strings.Fields(`role roles isAdmin admin status active verified emailVerified ` +
				`email_verified_at emailVerifiedAt number
userId user_id createdAt created_at updatedAt lastLoginAt passwordHash password_hash emailCanonical ` +
				`usernameCanonical caps permissions
authenticatedAt handle hash prefix secret lastUsedAt revokedAt __proto__ Name NAME`) {
				input := map[string]any{member: "admin"}
				for k, v := range op.input {
					input[k] = v
				}
				if a := s.GraphQL(t, ada.Access, op.document,
					map[string]any{"input": input}); a.Code() != "BAD_USER_INPUT" || a.Data != nil {
					t.Errorf("%s with %s: %s", name, member, a.Raw)
				}
			}
		}
		// A dialect hands over what its file names and nothing else.
		in := s.REST(t, "POST /sign_in", harness.Credentials("email", "ada@example.com", harness.GoodPass))
		bearer := "Bearer " + in.Header.Get("X-Session-Token")
		for _, call := range []struct{ call, body string }{
			{"PUT /password", `{"current_password":"` + harness.GoodPass + `","password":"` + harness.NewPass +
				`","role":"admin","verified":true,"id":1,"status":"SUSPENDED","revokeOtherSessions":false}`},
			{"PATCH /identity/email", `{"current_password":"` + harness.NewPass +
				`","email":"ada@example.com","role":"admin","verified":true,"number":7,` +
				`"created_at":"2001-01-01T00:00:00Z"}`},
			{"POST /sessions/sudo", `{"password":"` + harness.NewPass + `","role":"admin"}`},
		} {
			if r := s.REST(t, call.call, call.body, "Authorization", bearer); r.Status >= 300 {
				t.Errorf("%s: %d %s", call.call, r.Status, r.Body)
			}
		}
		if after := conn.Texts(t, row); !slices.Equal(before, after) {
			t.Errorf("%q became %q", before, after)
		}
		if s.Is(t, ada.Access, ada) {
			t.Error("revokeOtherSessions went through the dialect")
		}
	})
}

// The account is gone with everything that hangs on it; events stay, and say nothing that the person typed.
func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada, bob := s.Register(t, "ada.lovelace@example.com"), s.Register(t, "bob@example.com")
		token := s.LoginAs(t, ada, "SESSION_TOKEN")
		_, key := s.NewKey(t, ada.Access, nil)
		device := harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass)).Text("login", "deviceToken")
		s.LoginOn(t, harness.Owner, device, ada.Email, harness.WrongPass)
		s.LoginFrom(t, harness.Attacker, "email", ada.Email, harness.WrongPass)
		s.Is(t, key, ada)
		conn := harness.OpenSide(t, dsn)
		events := conn.Count(t, `SELECT count(*) FROM audit_events`)
		if n := conn.Count(t, `SELECT count(*) FROM throttles WHERE scope <> '*'`); n != 2 {
			t.Fatalf("%d buckets", n)
		}
		if a := s.GraphQL(t, ada.Access, harness.DeleteAccountDoc, nil); a.Code() != "" || len(a.Errors) > 0 {
			t.Fatalf("%s", a.Raw)
		}
		for table, want := range map[string]int{
			"users": 1, "sessions": 1, "api_keys": 0, "throttles": 0,
			"audit_events": events + 1,
		} {
			if n := conn.Count(t, `SELECT count(*) FROM `+table); n != want {
				t.Errorf("%d rows of %s, want %d", n, table, want)
			}
		}
		if text := harness.Dump(t, dsn); strings.Contains(strings.Join(conn.Texts(t, `SELECT * FROM (SELECT `+
			`coalesce(reason, '') || action || coalesce(user_agent, '') FROM audit_events) x`), " "), "lovelace") ||
			!strings.HasPrefix(dsn, "sqlite:") && strings.Contains(text, "lovelace") {
			t.Error("the address is still there")
		}
		for name, credential := range map[string]string{
			"access": ada.Access, "session token": token.Refresh,
			"key": key,
		} {
			if a := s.GraphQL(t, credential, harness.MeDoc, nil); a.At("me") != nil || a.Code() != "UNAUTHENTICATED" {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if a := s.GraphQL(t, credential, harness.DeleteAccountDoc, nil); a.Code() != "UNAUTHENTICATED" {
				t.Errorf("once more by the %s: %s", name, a.Raw)
			}
		}
		if s.Refresh(t, ada.Refresh).Code() != "INVALID_TOKEN" ||
			s.Login(t, ada.Email, harness.GoodPass).Code() != "INVALID_CREDENTIALS" {
			t.Error("the dead sign in")
		}
		// ID-08: what is left of the old account never attaches to a new one of that address.
		again := s.Register(t, ada.Email)
		if again.ID == ada.ID || s.Is(t, ada.Access, again) || s.Is(t, key, again) ||
			s.Refresh(t, ada.Refresh).Code() != "INVALID_TOKEN" {
			t.Error("the new account answers to the old one's tokens")
		}
		if !s.Is(t, bob.Access, bob) {
			t.Error("somebody else is gone too")
		}
	})
}

// Sixteen times at once it happens once, and everything that runs beside it ends cleanly.
func TestDeleteAccount_Races(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for round := range harness.Amount(3, 50) {
			ada := s.Register(t, fmt.Sprintf("ada%d@example.com", round))
			others := make([]harness.Account, 8)
			for n := range others {
				others[n] = s.CheapSession(t, ada)
			}
			done := 0
			for n, a := range harness.Together(32, func(n int) (*harness.Answer, error) {
				switch who := others[n/4]; n % 4 {
				case 0, 1:
					return harness.Send(s.URL, who.Access, harness.DeleteAccountDoc, nil)
				case 2:
					return harness.Send(s.URL, who.Access, harness.EndOthersDoc, nil)
				default:
					return harness.Send(s.URL, "", harness.RefreshDoc, map[string]any{"token": who.Refresh})
				}
			}) {
				if a == nil {
					t.Fatal("no answer")
				}
				code := a.Code()
				if n%4 < 2 && code == "" {
					done++
				}
				if code == "INTERNAL_SERVER_ERROR" {
					t.Errorf("%d: %s", n, a.Raw)
				}
			}
			if conn := harness.OpenSide(t, dsn); done > 1 || done == 1 && conn.Count(t, `SELECT (SELECT count(*) `+
				`FROM users) + (SELECT count(*) FROM sessions)`) != 0 {
				t.Errorf("round %d: %d deletions", round, done)
			} else if done == 0 {
				conn.MustExec(t, `DELETE FROM users`)
			}
		}
	})
}

// AZ-06: the last administrator cannot leave, however many leave at the same moment.
func TestAZ06_LastAdministrator(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := harness.OpenSide(t, dsn)
		s.Register(t, "user@example.com")
		admins := make([]harness.Account, 16)
		for n := range admins {
			admins[n] = s.Register(t, fmt.Sprintf("admin%d@example.com", n))
		}
		conn.MustExec(t, `UPDATE users SET role = 'admin' WHERE email LIKE 'admin%'`)
		codes := map[string]int{}
		for _, a := range harness.Together(len(admins), func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, admins[n].Access, harness.DeleteAccountDoc, nil)
		}) {
			if a == nil {
				t.Fatal("no answer")
			}
			codes[a.Code()]++
		}
		if codes[""] != 15 || codes["CONFLICT"] != 1 {
			t.Errorf("%v", codes)
		}
		var last harness.Account
		for _, admin := range admins {
			if s.Is(t, admin.Access, admin) {
				last = admin
			}
		}
		if n := conn.Count(t, `SELECT count(*) FROM users WHERE role = 'admin'`); n != 1 || last.ID == "" {
			t.Fatalf("%d administrators are left", n)
		}
		// One who cannot sign in is none.
		other := s.Register(t, "other@example.com")
		conn.MustExec(t, `UPDATE users SET role = 'admin', status = 'SUSPENDED' WHERE email = 'other@example.com'`)
		if a := s.GraphQL(t, last.Access, harness.DeleteAccountDoc, nil); a.Code() != "CONFLICT" {
			t.Errorf("beside a suspended one: %s", a.Raw)
		}
		conn.MustExec(t, `UPDATE users SET status = 'ACTIVE'`)
		if a := s.GraphQL(t, last.Access, harness.DeleteAccountDoc, nil); a.Code() != "" ||
			!s.Is(t, other.Access, other) {
			t.Errorf("beside another one: %s", a.Raw)
		}
		rows := conn.Audit(t)
		if row := rows[len(rows)-1]; row.Action != "user.deleted" || row.Outcome != "ok" || row.User != last.ID {
			t.Errorf("%+v", row)
		}
		if conn.Count(t,
			`SELECT count(*) FROM audit_events WHERE action = 'user.delete_failed' AND reason = 'conflict'`) != 2 {
			t.Error("the refusals are not in the log")
		}
		if a := s.GraphQL(t, "", harness.DeleteAccountDoc, nil); a.Code() != "UNAUTHENTICATED" ||
			a.Status != http.StatusOK {
			t.Errorf("nobody: %s", a.Raw)
		}
	})
}
