package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const (
	updateMeDoc = `mutation U($input: UpdateMeInput!) { updateMe(input: $input) {
  user { id email emailVerified username name metadata createdAt updatedAt } tokens { accessToken refreshToken sessionToken tokenType expiresIn }
  userErrors { code message field retryAfterSeconds } } }`
	changePasswordDoc = `mutation P($input: ChangePasswordInput!) { changePassword(input: $input) { user { id } userErrors { code message field retryAfterSeconds } } }`
	changeEmailDoc    = `mutation E($input: ChangeEmailInput!) { changeEmail(input: $input) { user { id email emailVerified } userErrors { code message field retryAfterSeconds } } }`
	sudoDoc           = `mutation S($input: SudoInput!) { sudo(input: $input) { sudoExpiresAt userErrors { code message field retryAfterSeconds } } }`
	deleteAccountDoc  = `mutation { deleteAccount { userErrors { code message field } } }`
	wholeMeDoc        = `{ me { id number email emailVerified username name metadata status createdAt updatedAt } }`
	newPass           = "another horse battery staple"
)

// What is absent stays, what is null is cleared, and the tokens say what is true now.
func TestUpdateMe(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		openSide(t, dsn).exec(t, `UPDATE users SET email_verified_at = created_at`)
		for _, step := range []struct {
			input map[string]any
			want  string // email, verified, username, name, metadata
		}{
			{map[string]any{}, `ada@example.com true <nil> <nil> map[]`},
			{map[string]any{"name": "Ada", "username": "Ada.L", "metadata": map[string]any{"a": 1.5}}, `ada@example.com true Ada.L Ada map[a:1.5]`},
			{map[string]any{"name": " Countess "}, `ada@example.com true Ada.L Countess map[a:1.5]`},
			{map[string]any{"metadata": map[string]any{"b": "x"}}, `ada@example.com true Ada.L Countess map[b:x]`},
			{map[string]any{"username": nil, "metadata": nil}, `ada@example.com true <nil> Countess map[]`},
			{map[string]any{"email": "ada@example.com", "name": nil}, `ada@example.com true <nil> <nil> map[]`},
			{map[string]any{"email": "ADA@example.com"}, `ADA@example.com true <nil> <nil> map[]`},                // the same address in another spelling
			{map[string]any{"email": "ada.l@example.com", "name": "Ada"}, `ADA@example.com true <nil> Ada map[]`}, // until it is confirmed
		} {
			s.clock.add(time.Second)
			a := s.graphql(t, ada.Access, updateMeDoc, map[string]any{"input": step.input})
			u, _ := a.at("updateMe", "user").(map[string]any)
			if u == nil {
				t.Fatalf("%v: %s", step.input, a.Raw)
			}
			meta, _ := u["metadata"].(map[string]any)
			if got := fmt.Sprintf("%v %v %v %v %v", u["email"], u["emailVerified"], u["username"], u["name"], meta); got != step.want {
				t.Errorf("%v: %s, want %s", step.input, a.Raw, step.want)
			}
			if instant(t, u["updatedAt"].(string)).Sub(s.clock.now()).Abs() > time.Millisecond {
				t.Errorf("%v: updated at %v", step.input, u["updatedAt"])
			}
			me := s.graphql(t, a.text("updateMe", "tokens", "accessToken"), wholeMeDoc, nil)
			if me.text("me", "id") != ada.ID || me.text("me", "email") != u["email"] {
				t.Errorf("%v: the new token answers %s", step.input, me.Raw)
			}
			claims := claimsOf(t, a.text("updateMe", "tokens", "accessToken"))
			if data, _ := claims["metadata"].(map[string]any); fmt.Sprint(data) != fmt.Sprint(meta) || claims["sid"] != ada.Session {
				t.Errorf("%v: claims %v", step.input, claims)
			}
		}
		refusedWith(t, s.login(t, "ada.l@example.com", goodPass), "INVALID_CREDENTIALS")
		fine(t, s.graphql(t, "", verifyDoc, inputOf("token", s.letter(t, "ada.l@example.com", db.MailConfirmChange).Token)))
		if a := s.login(t, "ada@example.com", goodPass); a.code() != "INVALID_CREDENTIALS" {
			t.Errorf("by the old address: %s", a.Raw)
		}
		if a := s.login(t, "ada.l@example.com", goodPass); a.code() != "" {
			t.Errorf("by the new address: %s", a.Raw)
		}
		s.register(t, "ada@example.com") // free again
	})
}

// SE-14: the tokens of updateMe are those of the present session, and its generation does not move.
func TestSE14_UpdateMeTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		r := s.refresh(t, ada.Refresh)
		access, inForce := r.text("refresh", "tokens", "accessToken"), r.text("refresh", "tokens", "refreshToken")
		s.clock.add(time.Minute)
		for range 3 {
			a := s.graphql(t, access, updateMeDoc, inputOf("name", "Ada"))
			if a.text("updateMe", "tokens", "refreshToken") != inForce || a.at("updateMe", "tokens", "sessionToken") != nil {
				t.Errorf("%s", a.Raw)
			}
		}
		if s.refresh(t, inForce).code() != "" {
			t.Error("the refresh token was spent")
		}
		// Who came with a session token keeps it: nothing else that lives long comes into the page.
		token := s.loginAs(t, ada, "SESSION_TOKEN")
		a := s.graphql(t, token.Refresh, updateMeDoc, inputOf("name", "Ada"))
		if a.at("updateMe", "tokens", "refreshToken") != nil || a.at("updateMe", "tokens", "sessionToken") != nil ||
			!s.is(t, a.text("updateMe", "tokens", "accessToken"), ada) || !s.is(t, token.Refresh, ada) {
			t.Errorf("by a session token: %s", a.Raw)
		}
		// A session that is over gets nothing, and nothing changes.
		s.graphql(t, access, logoutDoc, nil)
		before := s.graphql(t, token.Refresh, wholeMeDoc, nil).Raw
		if a := s.graphql(t, access, updateMeDoc, inputOf("name", "Eve")); a.code() != "UNAUTHENTICATED" {
			t.Errorf("after the logout: %s", a.Raw)
		}
		if after := s.graphql(t, token.Refresh, wholeMeDoc, nil).Raw; after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// One input at fault, and nothing of it happens.
func TestUpdateMe_AllOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.graphql(t, "", registerDoc, inputOf("email", "bob@example.com", "username", "bob", "password", goodPass))
		ada := s.register(t, "ada@example.com")
		conn := openSide(t, dsn)
		before := conn.texts(t, `SELECT CAST(updated_at AS text) || coalesce(name, '') || email || password_hash FROM users`)
		for _, row := range []struct {
			code, field string
			input       map[string]any
		}{
			{"ALREADY_EXISTS", "username", map[string]any{"username": "Bob"}},
			{"ALREADY_EXISTS", "username", map[string]any{"username": "bob", "email": "free@example.com", "password": newPass}},
			{"INVALID_INPUT", "email", map[string]any{"email": "not an address"}},
			{"INVALID_INPUT", "email", map[string]any{"email": nil}},
			{"INVALID_INPUT", "email", map[string]any{"email": "a@b.example\r\nBcc: c@d.example"}},
			{"INVALID_INPUT", "username", map[string]any{"username": "bob@example.com"}}, // ID-05
			{"INVALID_INPUT", "username", map[string]any{"username": "a"}},
			{"INVALID_INPUT", "name", map[string]any{"name": strings.Repeat("x", 201)}},
			{"INVALID_INPUT", "name", map[string]any{"name": "a\nb"}},
			{"INVALID_INPUT", "metadata", map[string]any{"metadata": map[string]any{"a": strings.Repeat("x", 1024)}}},
			{"INVALID_INPUT", "password", map[string]any{"password": nil}},
			{"PASSWORD_TOO_WEAK", "password", map[string]any{"password": "short"}},
			{"INVALID_CURRENT_PASSWORD", "currentPassword", map[string]any{"password": newPass, "currentPassword": "wrong"}},
			{"INVALID_INPUT", "currentPassword", map[string]any{"password": newPass, "currentPassword": strings.Repeat("x", 1025)}},
		} {
			input := map[string]any{"name": "Changed"}
			for k, v := range row.input {
				input[k] = v
			}
			a := s.graphql(t, ada.Access, updateMeDoc, map[string]any{"input": input})
			if a.code() != row.code || a.at("updateMe", "user") != nil || a.at("updateMe", "tokens") != nil ||
				!strings.Contains(a.Raw, `"field":["input","`+row.field+`"]`) {
				t.Errorf("%v: %s, want %s at %s", row.input, a.Raw, row.code, row.field)
			}
		}
		if after := conn.texts(t, `SELECT CAST(updated_at AS text) || coalesce(name, '') || email || password_hash FROM users`); !slices.Equal(before, after) {
			t.Errorf("%q became %q", before, after)
		}
	})
}

// ID-02: of 64 people who want one address at the same moment one gets it, and of as many who want one username.
func TestID02_OneNameForSixtyFour(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		people := make([]string, 64)
		for n, a := range together(len(people), func(n int) (*answer, error) {
			return send(s.URL, "", registerDoc, registration(fmt.Sprintf("u%d@example.com", n), goodPass))
		}) {
			people[n] = a.text("register", "tokens", "accessToken")
		}
		for _, race := range []struct {
			name string
			call func(n int) (*answer, error)
		}{
			{"email", func(n int) (*answer, error) {
				r, err := s.call("POST /v1/auth/users/me", // where an address counts at once
					`{"data":{"type":"users","attributes":{"email":"Wanted@Example.com","name":"Changed"}}}`, bearer(people[n])...)
				a := &answer{Raw: r.Body}
				if r.Status != http.StatusOK {
					a.Data = map[string]any{"x": map[string]any{"userErrors": []any{map[string]any{"code": "ALREADY_EXISTS"}}}}
				}
				return a, err
			}},
			{"username", func(n int) (*answer, error) {
				return send(s.URL, people[n], updateMeDoc, inputOf("username", "Wanted", "metadata", map[string]any{"won": true}))
			}},
		} {
			codes := map[string]int{}
			for _, a := range together(len(people), race.call) {
				if a == nil {
					t.Fatal("no answer")
				}
				codes[a.code()]++
			}
			if codes[""] != 1 || codes["ALREADY_EXISTS"] != len(people)-1 {
				t.Errorf("%s: %v", race.name, codes)
			}
		}
		conn := openSide(t, dsn)
		if conn.count(t, `SELECT count(*) FROM users WHERE email_canonical = 'wanted@example.com'`) != 1 ||
			conn.count(t, `SELECT count(*) FROM users WHERE username_canonical = 'wanted'`) != 1 ||
			conn.count(t, `SELECT count(*) FROM users WHERE metadata IS NOT NULL`) != 1 ||
			conn.count(t, `SELECT count(*) FROM users WHERE name = 'Changed' AND email_canonical <> 'wanted@example.com'`) != 0 {
			t.Error("who did not win changed all the same")
		}
		if n := conn.count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'failed' AND reason = 'already_exists'`); n != 2*(len(people)-1) {
			t.Errorf("%d refusals in the log", n)
		}
	})
}

// AZ-01: no column of an account is an input member that is not meant to be one.
func TestAZ01_AccountMassAssignment(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		conn := openSide(t, dsn)
		const row = `SELECT CAST(id AS text) || number || email || role || status || coalesce(CAST(email_verified_at AS text), '') || CAST(created_at AS text) FROM users`
		before := conn.texts(t, row)
		keyID, _ := s.newKey(t, ada.Access, nil)
		for name, op := range map[string]struct {
			document string
			input    map[string]any
		}{
			"updateMe":       {updateMeDoc, map[string]any{"name": "Ada"}},
			"changePassword": {changePasswordDoc, map[string]any{"newPassword": newPass}},
			"changeEmail":    {changeEmailDoc, map[string]any{"email": "ada@example.com"}},
			"sudo":           {sudoDoc, map[string]any{"password": goodPass}},
			"updateApiKey":   {updateKeyDoc, map[string]any{"id": keyID}},
			"rotateApiKey":   {rotateKeyDoc, map[string]any{"id": keyID}},
		} {
			for _, member := range strings.Fields(`role roles isAdmin admin status active verified emailVerified email_verified_at emailVerifiedAt number
userId user_id createdAt created_at updatedAt lastLoginAt passwordHash password_hash emailCanonical usernameCanonical caps permissions
authenticatedAt handle hash prefix secret lastUsedAt revokedAt __proto__ Name NAME`) {
				input := map[string]any{member: "admin"}
				for k, v := range op.input {
					input[k] = v
				}
				if a := s.graphql(t, ada.Access, op.document, map[string]any{"input": input}); a.code() != "BAD_USER_INPUT" || a.Data != nil {
					t.Errorf("%s with %s: %s", name, member, a.Raw)
				}
			}
		}
		// A dialect hands over what its file names and nothing else.
		in := s.rest(t, "POST /sign_in", credentials("email", "ada@example.com", goodPass))
		bearer := "Bearer " + in.Header.Get("X-Session-Token")
		for _, call := range []struct{ call, body string }{
			{"PUT /password", `{"current_password":"` + goodPass + `","password":"` + newPass + `","role":"admin","verified":true,"id":1,"status":"SUSPENDED","revokeOtherSessions":false}`},
			{"PATCH /identity/email", `{"current_password":"` + newPass + `","email":"ada@example.com","role":"admin","verified":true,"number":7,"created_at":"2001-01-01T00:00:00Z"}`},
			{"POST /sessions/sudo", `{"password":"` + newPass + `","role":"admin"}`},
		} {
			if r := s.rest(t, call.call, call.body, "Authorization", bearer); r.Status >= 300 {
				t.Errorf("%s: %d %s", call.call, r.Status, r.Body)
			}
		}
		if after := conn.texts(t, row); !slices.Equal(before, after) {
			t.Errorf("%q became %q", before, after)
		}
		if s.is(t, ada.Access, ada) {
			t.Error("revokeOtherSessions went through the dialect")
		}
	})
}

// The account is gone with everything that hangs on it; events stay, and say nothing that the person typed.
func TestDeleteAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		ada, bob := s.register(t, "ada.lovelace@example.com"), s.register(t, "bob@example.com")
		token := s.loginAs(t, ada, "SESSION_TOKEN")
		_, key := s.newKey(t, ada.Access, nil)
		s.login(t, ada.Email, wrongPass)
		s.loginFrom(t, attacker, "email", ada.Email, wrongPass)
		s.is(t, key, ada)
		conn := openSide(t, dsn)
		events := conn.count(t, `SELECT count(*) FROM audit_events`)
		if n := conn.count(t, `SELECT count(*) FROM throttles WHERE address <> '*'`); n != 2 {
			t.Fatalf("%d buckets", n)
		}
		if a := s.graphql(t, ada.Access, deleteAccountDoc, nil); a.code() != "" || len(a.Errors) > 0 {
			t.Fatalf("%s", a.Raw)
		}
		for table, want := range map[string]int{"users": 1, "sessions": 1, "api_keys": 0, "throttles": 0, "audit_events": events + 1} {
			if n := conn.count(t, `SELECT count(*) FROM `+table); n != want {
				t.Errorf("%d rows of %s, want %d", n, table, want)
			}
		}
		if text := dump(t, dsn); strings.Contains(strings.Join(conn.texts(t, `SELECT * FROM (SELECT coalesce(reason, '') || action || coalesce(user_agent, '') FROM audit_events) x`), " "), "lovelace") ||
			!strings.HasPrefix(dsn, "sqlite:") && strings.Contains(text, "lovelace") {
			t.Error("the address is still there")
		}
		for name, credential := range map[string]string{"access": ada.Access, "session token": token.Refresh, "key": key} {
			if a := s.graphql(t, credential, meDoc, nil); a.at("me") != nil || len(a.Errors) > 0 {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if a := s.graphql(t, credential, deleteAccountDoc, nil); a.code() != "UNAUTHENTICATED" {
				t.Errorf("once more by the %s: %s", name, a.Raw)
			}
		}
		if s.refresh(t, ada.Refresh).code() != "INVALID_TOKEN" || s.login(t, ada.Email, goodPass).code() != "INVALID_CREDENTIALS" {
			t.Error("the dead sign in")
		}
		// ID-08: what is left of the old account never attaches to a new one of that address.
		again := s.register(t, ada.Email)
		if again.ID == ada.ID || s.is(t, ada.Access, again) || s.is(t, key, again) || s.refresh(t, ada.Refresh).code() != "INVALID_TOKEN" {
			t.Error("the new account answers to the old one's tokens")
		}
		if !s.is(t, bob.Access, bob) {
			t.Error("somebody else is gone too")
		}
	})
}

// Sixteen times at once it happens once, and everything that runs beside it ends cleanly.
func TestDeleteAccount_Races(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		for round := range amount(3, 50) {
			ada := s.register(t, fmt.Sprintf("ada%d@example.com", round))
			others := make([]account, 8)
			for n := range others {
				others[n] = s.cheapSession(t, ada)
			}
			done := 0
			for n, a := range together(32, func(n int) (*answer, error) {
				switch who := others[n/4]; n % 4 {
				case 0, 1:
					return send(s.URL, who.Access, deleteAccountDoc, nil)
				case 2:
					return send(s.URL, who.Access, endOthersDoc, nil)
				default:
					return send(s.URL, "", refreshDoc, map[string]any{"token": who.Refresh})
				}
			}) {
				if a == nil {
					t.Fatal("no answer")
				}
				code := a.code()
				if n%4 < 2 && code == "" {
					done++
				}
				if code == "INTERNAL_SERVER_ERROR" {
					t.Errorf("%d: %s", n, a.Raw)
				}
			}
			if conn := openSide(t, dsn); done > 1 || done == 1 && conn.count(t, `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM sessions)`) != 0 {
				t.Errorf("round %d: %d deletions", round, done)
			} else if done == 0 {
				conn.exec(t, `DELETE FROM users`)
			}
		}
	})
}

// AZ-06: the last administrator cannot leave, however many leave at the same moment.
func TestAZ06_LastAdministrator(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := openSide(t, dsn)
		s.register(t, "user@example.com")
		admins := make([]account, 16)
		for n := range admins {
			admins[n] = s.register(t, fmt.Sprintf("admin%d@example.com", n))
		}
		conn.exec(t, `UPDATE users SET role = 'admin' WHERE email LIKE 'admin%'`)
		codes := map[string]int{}
		for _, a := range together(len(admins), func(n int) (*answer, error) { return send(s.URL, admins[n].Access, deleteAccountDoc, nil) }) {
			if a == nil {
				t.Fatal("no answer")
			}
			codes[a.code()]++
		}
		if codes[""] != 15 || codes["CONFLICT"] != 1 {
			t.Errorf("%v", codes)
		}
		var last account
		for _, admin := range admins {
			if s.is(t, admin.Access, admin) {
				last = admin
			}
		}
		if n := conn.count(t, `SELECT count(*) FROM users WHERE role = 'admin'`); n != 1 || last.ID == "" {
			t.Fatalf("%d administrators are left", n)
		}
		// One who cannot sign in is none.
		other := s.register(t, "other@example.com")
		conn.exec(t, `UPDATE users SET role = 'admin', status = 'SUSPENDED' WHERE email = 'other@example.com'`)
		if a := s.graphql(t, last.Access, deleteAccountDoc, nil); a.code() != "CONFLICT" {
			t.Errorf("beside a suspended one: %s", a.Raw)
		}
		conn.exec(t, `UPDATE users SET status = 'ACTIVE'`)
		if a := s.graphql(t, last.Access, deleteAccountDoc, nil); a.code() != "" || !s.is(t, other.Access, other) {
			t.Errorf("beside another one: %s", a.Raw)
		}
		rows := conn.audit(t)
		if row := rows[len(rows)-1]; row.action != "delete_account" || row.outcome != "ok" || row.user != last.ID {
			t.Errorf("%+v", row)
		}
		if conn.count(t, `SELECT count(*) FROM audit_events WHERE action = 'delete_account' AND reason = 'conflict'`) != 2 {
			t.Error("the refusals are not in the log")
		}
		if a := s.graphql(t, "", deleteAccountDoc, nil); a.code() != "UNAUTHENTICATED" || a.Status != http.StatusOK {
			t.Errorf("nobody: %s", a.Raw)
		}
	})
}
