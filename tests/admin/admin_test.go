package admin

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	userDoc = `query User($id: ID!) { user(id: $id) { ` + harness.UserParts + ` } }`
)

func TestAdmin_CreateUser(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		bare := s.Expect(t, "", root.Access, harness.CreateUserDoc, harness.InputOf("email", "bare@example.com"))
		if got := fmt.Sprint(bare.At("createUser", "user", "roles")); got !=
			"[map[isBuiltIn:true name:user permissions:[PROFILE_READ]]]" {
			t.Errorf("roles %s", got)
		}
		if bare.At("createUser", "user", "emailVerified") != false ||
			bare.At("createUser", "user", "lastLoginAt") != nil {
			t.Error(bare.Raw)
		}
		// AZ-05: without a password nobody signs in, with whatever password.
		for _, guess := range []string{harness.GoodPass, " ", "null", "bare@example.com"} {
			if a := s.Login(t, "bare@example.com", guess); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("an account without a password: %s", a.Raw)
			}
		}
		full := s.Expect(t, "", root.Access, harness.CreateUserDoc,
			harness.InputOf("email", " Full@Example.com", "username", "The.Full", "name", "Füll",
				"password", harness.GoodPass, "emailVerified", true, "role", "admin", "metadata",
				map[string]any{"n": 1}))
		id := full.Text("createUser", "user", "id")
		read := s.Expect(t, "", root.Access, userDoc, map[string]any{"id": id})
		if got, want := fmt.Sprint(read.At("user")), fmt.Sprint(full.At("createUser", "user")); got != want ||
			read.Text("user", "email") != "Full@Example.com" ||
			read.At("user", "emailVerified") != true || read.Text("user", "username") != "The.Full" ||
			fmt.Sprint(read.At("user", "metadata")) != "map[n:1]" {
			t.Errorf("made %s, read %s", want, got)
		}
		in := s.Login(t, "full@example.com", harness.GoodPass)
		s.Expect(t, "", in.Text("login", "tokens", "accessToken"), harness.UsersDoc, nil)

		for name, row := range map[string]struct {
			input map[string]any
			code  string
			field string
		}{
			"taken email": {harness.InputOf("email", "FULL@example.com"), "ALREADY_EXISTS", "email"},
			"taken username": {
				harness.InputOf("email", "x@example.com", "username", "the.full"), "ALREADY_EXISTS",
				"username",
			},
			"no email": {harness.InputOf("email", "x"), "INVALID_INPUT", "email"},
			"reserved": {
				harness.InputOf("email", "x@example.com", "username", "root"), "INVALID_INPUT",
				"username",
			},
			"bad name": {harness.InputOf("email", "x@example.com", "name", "a\nb"), "INVALID_INPUT", "name"},
			"weak": {
				harness.InputOf("email", "x@example.com", "password", "short"), "PASSWORD_TOO_WEAK",
				"password",
			},
			"known": {
				harness.InputOf("email", "x@example.com", "password", "password123"),
				"PASSWORD_BREACHED", "password",
			},
			"a role of fancy": {harness.InputOf("email", "x@example.com", "role", "owner"), "INVALID_INPUT", "role"},
			"no role":         {harness.InputOf("email", "x@example.com", "role", ""), "INVALID_INPUT", "role"},
			"much metadata": {harness.InputOf("email", "x@example.com", "metadata",
				map[string]any{"x": strings.Repeat("y", 5000)}), "INVALID_INPUT", "metadata"},
		} {
			a := s.Expect(t, row.code, root.Access, harness.CreateUserDoc, row.input)
			if !strings.Contains(a.Raw, `["input","`+row.field+`"]`) || a.At("createUser", "user") != nil {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
	})
}

func TestAdmin_UpdateUser(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", "bob@example.com", "password", harness.GoodPass,
			"username", "bob"))
		update := func(t *testing.T, want string, fields ...any) *harness.Answer {
			t.Helper()
			return s.Expect(t, want, root.Access, harness.UpdateUserDoc,
				harness.InputOf(append(fields, "id", ada.ID)...))
		}
		requireUser := func(t *testing.T, want map[string]any) {
			t.Helper()
			a := s.Expect(t, "", ada.Access, userDoc, map[string]any{"id": ada.ID})
			for field, value := range want {
				if got := a.At("user", field); fmt.Sprint(got) != fmt.Sprint(value) {
					t.Errorf("%s is %v, want %v", field, got, value)
				}
			}
		}
		metadata := map[string]any{"a": "b"}
		t.Run("every field is set, and the address is not verified", func(t *testing.T) {
			a := update(t, "", "email", "Ada@New.example", "username", "ada.l", "name", "Ada", "metadata", metadata)
			if a.At("updateUser", "user", "emailVerified") != false {
				t.Error(a.Raw)
			}
			if s.Is(t, ada.Access, ada) {
				t.Error("the session of the former address goes on")
			}
			harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc, harness.InputOf(
				"token", s.Letter(t, "ada@new.example", db.MailSetPassword).Token, "newPassword", harness.NewPass)))
			login := s.Login(t, "ada@new.example", harness.NewPass)
			ada.Access, ada.Refresh = login.Text("login", "tokens", "accessToken"), login.Text("login", "tokens",
				"refreshToken")
			requireUser(t, map[string]any{
				"email": "Ada@New.example", "username": "ada.l", "name": "Ada", "metadata": metadata,
			})
		})
		s.Clock.Add(1e9)
		t.Run("a change without fields is accepted", func(t *testing.T) { update(t, "") })
		t.Run("null clears the field, and no other", func(t *testing.T) {
			update(t, "", "name", nil, "username", nil)
			requireUser(t, map[string]any{
				"name": nil, "username": nil, "email": "Ada@New.example",
				"metadata": metadata,
			})
			update(t, "", "metadata", nil)
			requireUser(t, map[string]any{"metadata": nil})
		})
		t.Run("only the new address signs in", func(t *testing.T) {
			if a := s.Login(t, "ada@new.example", harness.NewPass); a.Code() != "" {
				t.Errorf("the new address: %s", a.Raw)
			}
			if a := s.Login(t, "ada@example.com", harness.NewPass); a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("the old address: %s", a.Raw)
			}
		})
		for _, field := range []string{"email", "active", "role"} {
			t.Run("null is invalid for "+field, func(t *testing.T) {
				if a := update(t, "INVALID_INPUT", field, nil); !strings.Contains(a.Raw, `["input","`+field+`"]`) {
					t.Errorf("the error names another field: %s", a.Raw)
				}
			})
		}
		t.Run("a taken address or username changes nothing", func(t *testing.T) {
			update(t, "ALREADY_EXISTS", "email", "BOB@example.com")
			if a := update(t, "ALREADY_EXISTS", "username", "Bob", "name", "changed too"); !strings.Contains(a.Raw,
				`["input","username"]`) {
				t.Errorf("the error names another field: %s", a.Raw)
			}
			requireUser(t, map[string]any{"name": nil})
		})
		t.Run("the own address in another case is not taken",
			func(t *testing.T) { update(t, "", "email", "ADA@new.example") })
		t.Run("a suspended account has no sessions", func(t *testing.T) {
			update(t, "", "active", false)
			if s.Is(t, ada.Access, ada) {
				t.Error("the access token still works")
			}
			if a := s.Refresh(t, ada.Refresh); a.Code() != "INVALID_TOKEN" {
				t.Errorf("the refresh token: %s", a.Raw)
			}
		})
		t.Run("the new role counts at the next sign-in", func(t *testing.T) {
			update(t, "", "active", true, "role", "admin")
			access := s.Login(t, "ada@new.example", harness.NewPass).Text("login", "tokens", "accessToken")
			s.Expect(t, "", access, harness.UsersDoc, nil)
		})
	})
}

// An id that no account has is NOT_FOUND in every mutation, and null in the query.
func TestAdmin_UnknownUser(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		for name, id := range map[string]string{
			"unused": db.NewUserID().String(), "empty": "", "malformed": "nonsense", "a session": ada.Session,
			"upper case": strings.ToUpper(ada.ID),
		} {
			t.Run(name, func(t *testing.T) {
				s.Expect(t, "NOT_FOUND", root.Access, harness.UpdateUserDoc, harness.InputOf("id", id, "name", "x"))
				s.Expect(t, "NOT_FOUND", root.Access, harness.SuspendDoc, harness.InputOf("id", id))
				s.Expect(t, "NOT_FOUND", root.Access, harness.ReactivateDoc, harness.InputOf("id", id))
				s.Expect(t, "NOT_FOUND", root.Access, harness.DeleteUserDoc, harness.InputOf("id", id))
				s.Expect(t, "NOT_FOUND", root.Access, harness.EndUserDoc, harness.InputOf("id", id))
				if a := s.Expect(t, "", root.Access, userDoc, map[string]any{"id": id}); a.At("user") != nil {
					t.Errorf("user is not null: %s", a.Raw)
				}
			})
		}
	})
}

// SE-20 and SE-07: an administrator ends sessions and bars accounts; keys stop with the account, and what was erased is
// gone.
func TestSE20_EndingWhatOthersUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		two := s.LoginAs(t, ada, "SESSION_TOKEN")
		_, key := s.NewKey(t, ada.Access, nil)
		a := s.Expect(t, "", root.Access, harness.EndUserDoc, harness.InputOf("id", ada.ID))
		if a.At("revokeUserSessions", "revokedCount") != 2.0 || s.Is(t, ada.Access, ada) || s.Is(t, two.Refresh, ada) ||
			s.Refresh(t, ada.Refresh).Code() != "INVALID_TOKEN" || !s.Is(t, key, ada) || !s.Is(t, root.Access, root) {
			t.Errorf("sessions were not ended, or too much: %s", a.Raw)
		}
		if a := s.Expect(t, "", root.Access, harness.EndUserDoc,
			harness.InputOf("id", ada.ID)); a.At("revokeUserSessions", "revokedCount") != 0.0 {
			t.Error(a.Raw)
		}
		ada = s.LoginAs(t, ada, "BODY")
		a = s.Expect(t, "", root.Access, harness.SuspendDoc, harness.InputOf("id", ada.ID))
		if a.Text("suspendUser", "user", "status") != "SUSPENDED" || s.Is(t, ada.Access, ada) || s.Is(t, key, ada) ||
			s.Login(t, ada.Email, harness.GoodPass).Code() != "INVALID_CREDENTIALS" ||
			s.Refresh(t, ada.Refresh).Code() != "INVALID_TOKEN" {
			t.Errorf("not suspended: %s", a.Raw)
		}
		s.Expect(t, "", root.Access, harness.SuspendDoc, harness.InputOf("id", ada.ID))
		a = s.Expect(t, "", root.Access, harness.ReactivateDoc, harness.InputOf("id", ada.ID))
		if a.Text("reactivateUser", "user", "status") != "ACTIVE" || s.Is(t, ada.Access, ada) || !s.Is(t, key, ada) {
			t.Errorf("reactivated: the session must stay ended, the key work: %s", a.Raw)
		}
		ada = s.LoginAs(t, ada, "BODY")
		s.Login(t, ada.Email, "wrong wrong")
		a = s.Expect(t, "", root.Access, harness.DeleteUserDoc, harness.InputOf("id", ada.ID))
		if a.Text("deleteUser", "deletedUserId") != ada.ID || s.Is(t, ada.Access, ada) || s.Is(t, key, ada) ||
			s.Login(t, ada.Email, harness.GoodPass).Code() != "INVALID_CREDENTIALS" ||
			s.Refresh(t, ada.Refresh).Code() != "INVALID_TOKEN" {
			t.Errorf("not erased: %s", a.Raw)
		}
		side := harness.OpenSide(t, dsn)
		for _, table := range []string{"users", "sessions", "api_keys"} {
			column := map[string]string{"users": "id"}[table]
			if column == "" {
				column = "user_id"
			}
			if n := side.Count(t, `SELECT count(*) FROM `+table+` WHERE `+column+` NOT IN (SELECT id FROM users `+
				`WHERE email_canonical = 'root@example.com')`); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action LIKE 'login.%'`); n < 4 {
			t.Errorf("%d events of sign-ins left", n)
		}
		s.Expect(t, "NOT_FOUND", root.Access, harness.DeleteUserDoc, harness.InputOf("id", ada.ID))
		// AZ-08: who takes the address gets an id of their own, and nothing of the old account.
		if new := s.Register(t, ada.Email); new.ID == ada.ID || s.Is(t, ada.Access, new) || s.Is(t, key, new) {
			t.Error("an id came back")
		}
	})
}

// AZ-02 and AZ-07: every operation, by everybody. What is no administrator's is refused before anything happens.
func TestAZ02_IDORMatrix(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada, bob := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com"),
			s.Register(t, "bob@example.com")
		other := s.Admin(t, dsn, "other@example.com")
		key := func(who harness.Account, scopes ...string) string {
			_, secret := s.NewKey(t, who.Access, map[string]any{"scopes": append([]string{}, scopes...)})
			return secret
		}
		callers := []struct{ name, credential string }{
			{"nobody", ""},
			{"user", bob.Access},
			{"user's session token", s.LoginAs(t, bob, "SESSION_TOKEN").Refresh},
			{"user's key", key(bob, "PROFILE_READ")},
			{"admin", root.Access},
			{"admin's key", key(root, "PROFILE_READ")},
			{"admin's key to read", key(root, "PROFILE_READ", "USERS_READ")},
			{"admin's key to write", key(root, "USERS_WRITE")},
			{"admin's key for sessions", key(root, "SESSIONS_WRITE")},
			{"admin's key for all", key(root, "PROFILE_READ", "USERS_READ", "USERS_WRITE", "SESSIONS_WRITE")},
		}
		const u, f, x, k = "UNAUTHENTICATED", "FORBIDDEN", "null", "SUDO_REQUIRED" // no key showed a password
		n := 0
		fresh := func() string { n++; return fmt.Sprintf("made%d@example.com", n) }
		for _, row := range []struct {
			name, document string
			variables      func() map[string]any
			want           []string // by caller; "null" is an answer without a user
		}{
			{
				"user", userDoc, func() map[string]any { return map[string]any{"id": ada.ID} },
				[]string{u, x, x, x, "", x, "", f, f, ""},
			},
			{
				"users", harness.UsersDoc, func() map[string]any { return nil },
				[]string{u, f, f, f, "", f, "", f, f, ""},
			},
			{
				"createUser", harness.CreateUserDoc, func() map[string]any { return harness.InputOf("email", fresh()) },
				[]string{u, f, f, f, "", f, f, "", f, ""},
			},
			{
				"createUser admin", harness.CreateUserDoc,
				func() map[string]any { return harness.InputOf("email", fresh(), "role", "admin") },
				[]string{u, f, f, f, "", f, f, f, f, k},
			},
			{
				"updateUser", harness.UpdateUserDoc,
				func() map[string]any { return harness.InputOf("id", ada.ID, "name", "x") },
				[]string{u, f, f, f, "", f, f, "", f, ""},
			},
			{
				"updateUser of an admin", harness.UpdateUserDoc,
				func() map[string]any { return harness.InputOf("id", other.ID, "name", "x") },
				[]string{u, f, f, f, "", f, f, f, f, k},
			},
			{
				"updateUser to admin", harness.UpdateUserDoc,
				func() map[string]any { return harness.InputOf("id", ada.ID, "role", "admin") },
				[]string{u, f, f, f, "", f, f, f, f, k},
			},
			{
				"updateUser to user", harness.UpdateUserDoc,
				func() map[string]any { return harness.InputOf("id", ada.ID, "role", "user") },
				[]string{u, f, f, f, "", f, f, "", f, ""},
			},
			{
				"suspendUser", harness.SuspendDoc, func() map[string]any { return harness.InputOf("id", ada.ID) },
				[]string{u, f, f, f, "", f, f, "", f, ""},
			},
			{
				"suspendUser of an admin", harness.SuspendDoc,
				func() map[string]any { return harness.InputOf("id", other.ID) },
				[]string{u, f, f, f, "", f, f, f, f, k},
			},
			{
				"reactivateUser", harness.ReactivateDoc, func() map[string]any { return harness.InputOf("id", ada.ID) },
				[]string{u, f, f, f, "", f, f, "", f, ""},
			},
			{
				"revokeUserSessions", harness.EndUserDoc,
				func() map[string]any { return harness.InputOf("id", ada.ID) },
				[]string{u, f, f, f, "", f, f, f, "", ""},
			},
			{
				"revokeUserSessions of an admin", harness.EndUserDoc,
				func() map[string]any { return harness.InputOf("id", other.ID) },
				[]string{u, f, f, f, "", f, f, f, f, k},
			},
			{"deleteUser of an admin", harness.DeleteUserDoc, func() map[string]any {
				a := s.GraphQL(t, root.Access, harness.CreateUserDoc,
					harness.InputOf("email", fresh(), "role", "admin"))
				return harness.InputOf("id", a.Text("createUser", "user", "id"))
			}, []string{u, f, f, f, "", f, f, k, f, k}},
			{"deleteUser", harness.DeleteUserDoc, func() map[string]any {
				a := s.GraphQL(t, root.Access, harness.CreateUserDoc, harness.InputOf("email", fresh()))
				return harness.InputOf("id", a.Text("createUser", "user", "id"))
			}, []string{u, f, f, f, "", f, f, k, f, k}},
		} {
			for i, c := range callers {
				if row.name == "updateUser to user" {
					s.SetRole(t, dsn, ada, "user")
				}
				before := n
				a := s.GraphQL(t, c.credential, row.document, row.variables())
				got := a.Code()
				if got == "" && row.name == "user" && a.At("user") == nil {
					got = x
				}
				if got != row.want[i] {
					t.Errorf("%s by %s: %s, want %q", row.name, c.name, a.Raw, row.want[i])
				}
				if email := fmt.Sprintf("made%d@example.com", n); strings.HasPrefix(row.name, "createUser") &&
					got != "" && n > before {
					if m := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users WHERE email = '`+email+
						`'`); m != 0 {
						t.Errorf("%s by %s was refused and done", row.name, c.name)
					}
				}
				s.SetRole(t, dsn, ada, "user")
			}
		}
		// Oneself: anybody who may read the own account.
		for i, c := range callers[1:4] {
			if a := s.GraphQL(t, c.credential, userDoc, map[string]any{"id": bob.ID}); a.Text("user", "id") != bob.ID {
				t.Errorf("%d: %s", i, a.Raw)
			}
		}
		// SE-18: a foreign account, one that never was and no id at all get the same bytes.
		first := s.GraphQL(t, bob.Access, userDoc, map[string]any{"id": root.ID}).Raw
		for _, id := range []string{ada.ID, db.NewUserID().String(), "", "nonsense", bob.Session} {
			if a := s.GraphQL(t, bob.Access, userDoc, map[string]any{"id": id}); a.Raw != first {
				t.Errorf("%q: %s", id, a.Raw)
			}
		}
	})
}

// AZ-07: no key gets a scope that its maker lacks, and a key is worth what its owner is, not more (AK-05).
func TestAZ07_ScopesOfKeys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		s.Admin(t, dsn, "other@example.com")
		for _, scopes := range [][]string{{"USERS_READ"}, {"PROFILE_READ", "USERS_WRITE"}, {"SESSIONS_WRITE"}} {
			s.Expect(t, "SCOPE_NOT_GRANTABLE", ada.Access, harness.CreateKey, harness.InputOf("scopes", scopes))
		}
		if got := s.GraphQL(t, ada.Access, harness.KeysDoc, nil).Listed("keys"); len(got) != 0 {
			t.Errorf("keys were made: %v", got)
		}
		_, key := s.NewKey(t, root.Access,
			map[string]any{"scopes": []string{"PROFILE_READ", "USERS_READ", "USERS_WRITE"}})
		shown := func() string {
			return fmt.Sprint(s.GraphQL(t, key, harness.CurrentDoc, nil).At("currentCredential", "permissions"))
		}
		s.Expect(t, "", key, harness.UsersDoc, nil)
		if shown() != "[PROFILE_READ USERS_READ USERS_WRITE]" {
			t.Errorf("the key says %s", shown())
		}
		s.SetRole(t, dsn, root, "user")
		s.Expect(t, "FORBIDDEN", key, harness.UsersDoc, nil)
		s.Expect(t, "FORBIDDEN", key, harness.UpdateUserDoc, harness.InputOf("id", root.ID, "role", "admin"))
		if shown() != "[PROFILE_READ]" || !s.Is(t, key, root) {
			t.Errorf("the key of a demoted owner says %s", shown())
		}
		if got := fmt.Sprint(s.GraphQL(t, root.Access, harness.CurrentDoc, nil).At("currentCredential",
			"permissions")); got != "[PROFILE_READ]" {
			t.Errorf("a demoted administrator holds %s", got)
		}
	})
}

// AZ-03: a role counts with the next request, at every server, whatever the access token says.
func TestAZ03_RoleChangeAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 3)
		root := instances[0].Admin(t, dsn, "root@example.com")
		ada := instances[0].Register(t, "ada@example.com")
		for round := range harness.Amount(5, 100) {
			for _, step := range []struct{ role, want string }{{"admin", ""}, {"user", "FORBIDDEN"}} {
				by := instances[round%len(instances)]
				by.Expect(t, "", root.Access, harness.UpdateUserDoc, harness.InputOf("id", ada.ID, "role", step.role))
				for _, i := range instances {
					// the token is the one of the registration
					i.Expect(t, step.want, ada.Access, harness.UsersDoc, nil)
				}
			}
		}
		// The claim of a fresh token follows.
		first, last := instances[0], instances[len(instances)-1]
		first.Expect(t, "", root.Access, harness.UpdateUserDoc, harness.InputOf("id", ada.ID, "role", "admin"))
		next := last.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
		if got := fmt.Sprint(harness.ClaimsOf(t, next)["roles"]); got != "[admin]" {
			t.Errorf("roles %s", got)
		}
	})
}

// AZ-01 and AZ-05: no operation takes what it does not name; above all no password of somebody else's and no id; and
// none of a user's secrets can be asked for.
func TestAZ01_MassAssignment(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		columns := []string{
			"number", "emailCanonical", "email_canonical", "emailVerifiedAt", "usernameCanonical", "status",
			"passwordHash", "password_hash",
			"createdAt", "created_at", "updatedAt", "lastLoginAt", "roles", "roleIds", "permissions", "isAdmin",
			"reason", "suspendedAt",
		}
		for _, column := range columns {
			s.Expect(t, "BAD_USER_INPUT", "", harness.RegisterDoc,
				harness.InputOf("email", "x@example.com", "password", harness.GoodPass, column, "x"))
			s.Expect(t, "BAD_USER_INPUT", root.Access, harness.CreateUserDoc,
				harness.InputOf("email", "x@example.com", column, "x"))
			s.Expect(t, "BAD_USER_INPUT", root.Access, harness.UpdateUserDoc,
				harness.InputOf("id", ada.ID, column, "x"))
			for document, id := range map[string]string{
				harness.SuspendDoc: ada.ID, harness.DeleteUserDoc: ada.ID,
				harness.EndUserDoc: ada.ID, harness.ReactivateDoc: ada.ID,
			} {
				s.Expect(t, "BAD_USER_INPUT", root.Access, document, harness.InputOf("id", id, column, "x"))
			}
		}
		for _, column := range []string{"role", "emailVerified", "id"} {
			s.Expect(t, "BAD_USER_INPUT", "", harness.RegisterDoc,
				harness.InputOf("email", "x@example.com", "password", harness.GoodPass, column, "admin"))
		}
		s.Expect(t, "BAD_USER_INPUT", root.Access, harness.CreateUserDoc,
			harness.InputOf("email", "x@example.com", "id", db.NewUserID().String()))
		for _, column := range []string{"password", "newPassword", "emailVerified"} {
			s.Expect(t, "BAD_USER_INPUT", root.Access, harness.UpdateUserDoc,
				harness.InputOf("id", ada.ID, column, harness.GoodPass))
		}
		for _, secret := range []string{
			"password", "passwordHash", "password_hash", "emailCanonical",
			"sessions { id }", "apiKeys { id }", "hash", "secret",
		} {
			if a := s.GraphQL(t, root.Access, `{ user(id: "`+ada.ID+`") { id `+secret+` } }`, nil); a.Data != nil ||
				a.Code() != "BAD_USER_INPUT" {
				t.Errorf("%s: %s", secret, a.Raw)
			}
		}
		all := s.Expect(t, "", root.Access, `{ users { nodes { `+harness.UserParts+` number createdAt updatedAt } } }`,
			nil).Raw
		if strings.Contains(all, "argon2") || !strings.Contains(all, ada.ID) {
			t.Error(all)
		}
	})
}

// AZ-06: there is always one administrator who can sign in, whoever goes and how.
func TestAZ06_LastAdmin(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		ways := []struct {
			name, document string
			fields         []any
		}{
			{"demote", harness.UpdateUserDoc, []any{"role", "user"}},
			{"deactivate", harness.UpdateUserDoc, []any{"active", false}},
			{"both", harness.UpdateUserDoc, []any{"role", "user", "active", false}},
			{"suspend", harness.SuspendDoc, nil},
			{"delete", harness.DeleteUserDoc, nil},
		}
		alone := func(what string) {
			t.Helper()
			for _, w := range ways {
				a := s.Expect(t, "CONFLICT", root.Access, w.document,
					harness.InputOf(append(w.fields, "id", root.ID)...))
				if !strings.Contains(a.Raw, `["input","id"]`) || !s.Is(t, root.Access, root) {
					t.Errorf("%s, %s: %s", what, w.name, a.Raw)
				}
			}
		}
		alone("alone")
		// Other changes of the last one are fine, and so is saying what is so.
		s.Expect(t, "", root.Access, harness.UpdateUserDoc,
			harness.InputOf("id", root.ID, "name", "Root", "role", "admin", "active", true))
		s.Expect(t, "", root.Access, harness.ReactivateDoc, harness.InputOf("id", root.ID))
		// An administrator who can not sign in does not count, and may be demoted and deleted.
		for _, w := range ways {
			other := s.Admin(t, dsn, w.name+"@example.com")
			s.Expect(t, "", root.Access, harness.SuspendDoc, harness.InputOf("id", other.ID))
			alone("beside a suspended one")
			s.Expect(t, "", root.Access, w.document, harness.InputOf(append(w.fields, "id", other.ID)...))
		}
		// oneself: the sessions end, the role stays
		s.Expect(t, "", root.Access, harness.EndUserDoc, harness.InputOf("id", root.ID))
		root = s.LoginAs(t, root, "BODY")
		// With another one there, one may go oneself.
		other := s.Admin(t, dsn, "last@example.com")
		s.Expect(t, "", root.Access, harness.UpdateUserDoc, harness.InputOf("id", root.ID, "role", "user"))
		s.Expect(t, "FORBIDDEN", root.Access, harness.UsersDoc, nil)
		s.Expect(t, "CONFLICT", other.Access, harness.DeleteUserDoc, harness.InputOf("id", other.ID))
	})
}

// AZ-06 raced: sixteen administrators let one another and themselves go at the same moment, in every way.
func TestAZ06_LastAdminRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, side := instances[0], harness.OpenSide(t, dsn)
		admins := make([]harness.Account, 16)
		for n := range admins {
			admins[n] = s.Register(t, fmt.Sprintf("a%d@example.com", n))
		}
		for round := range harness.Amount(6, 60) {
			side.MustExec(t, `UPDATE users SET role = 'admin', status = 'ACTIVE'`)
			for n := range admins {
				admins[n] = s.CheapSession(t, admins[n])
			}
			answers := harness.Together(len(admins), func(n int) (*harness.Answer, error) {
				target := admins[n].ID
				if round%2 == 1 {
					target = admins[(n+1)%len(admins)].ID
				}
				document, fields := harness.UpdateUserDoc, []any{"id", target, "role", "user"}
				if (round/2+n)%3 == 1 {
					document, fields = harness.SuspendDoc, []any{"id", target}
				}
				return harness.Send(instances[n%len(instances)].URL, admins[n].Access, document,
					harness.InputOf(fields...))
			})
			done, kept := 0, 0
			for n, a := range answers {
				code := "no answer"
				if a != nil {
					code = a.Code()
				}
				switch code {
				case "":
					done++
				case "CONFLICT":
					kept++
				case "FORBIDDEN", "UNAUTHENTICATED": // let go by somebody else before it came to it
				default:
					t.Fatalf("round %d, %d: %+v", round, n, a)
				}
			}
			left := side.Count(t, `SELECT count(*) FROM users WHERE role = 'admin' AND status = 'ACTIVE'`)
			if left < 1 || left != len(admins)-done || round%2 == 0 && (left != 1 || kept != 1) {
				t.Fatalf("round %d: %d administrators left, %d let go, %d kept", round, left, done, kept)
			}
		}
		// Deleting: fewer and fewer, down to one.
		side.MustExec(t, `UPDATE users SET role = 'admin', status = 'ACTIVE'`)
		for n := range admins {
			admins[n] = s.CheapSession(t, admins[n])
		}
		for _, a := range harness.Together(len(admins), func(n int) (*harness.Answer, error) {
			return harness.Send(instances[n%len(instances)].URL, admins[n].Access, harness.DeleteUserDoc,
				harness.InputOf("id", admins[n].ID))
		}) {
			if a == nil || a.Status != http.StatusOK || a.Code() != "" && a.Code() != "CONFLICT" {
				t.Errorf("delete: %+v", a)
			}
		}
		if n := side.Count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d left", n)
		}
	})
}

// ID-02: of many who are given one name at the same moment, one gets it, and nobody else's account changes.
func TestAdmin_UniqueNamesRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		ids := make([]string, 16)
		for n := range ids {
			a := s.Expect(t, "", root.Access, harness.CreateUserDoc,
				harness.InputOf("email", fmt.Sprintf("u%d@example.com", n)))
			ids[n] = a.Text("createUser", "user", "id")
		}
		for field, value := range map[string]string{"email": "one@example.com", "username": "the.one"} {
			done := 0
			for n, a := range harness.Together(len(ids), func(n int) (*harness.Answer, error) {
				return harness.Send(s.URL, root.Access, harness.UpdateUserDoc,
					harness.InputOf("id", ids[n], field, value, "name", field))
			}) {
				switch {
				case a != nil && a.Code() == "":
					done++
				case a == nil || a.Code() != "ALREADY_EXISTS" || !strings.Contains(a.Raw, `["input","`+field+`"]`):
					t.Errorf("%s %d: %+v", field, n, a)
				}
			}
			if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users WHERE name = '`+field+
				`'`); done != 1 || n > 1 {
				t.Errorf("%s: %d done, %d changed", field, done, n)
			}
		}
		done := 0
		for _, a := range harness.Together(16, func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, root.Access, harness.CreateUserDoc,
				harness.InputOf("email", "NEW@example.com", "username", fmt.Sprint("new", n)))
		}) {
			if a != nil && a.Code() == "" {
				done++
			} else if a == nil || a.Code() != "ALREADY_EXISTS" {
				t.Errorf("createUser: %+v", a)
			}
		}
		if done != 1 {
			t.Errorf("%d accounts of one address", done)
		}
	})
}

// An account is erased, suspended and signed out in the middle of everything that its owner does: nothing fails inside,
// and nothing of it is left or alive.
func TestAdmin_EndsUnderWay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, side := instances[0], harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		for round := range harness.Amount(6, 60) {
			ada := s.Register(t, fmt.Sprintf("ada%d@example.com", round))
			document := []string{harness.DeleteUserDoc, harness.SuspendDoc, harness.EndUserDoc}[round%3]
			sessions := make([]harness.Account, 8)
			for n := range sessions {
				sessions[n] = s.CheapSession(t, ada)
			}
			for n, a := range harness.Together(28, func(n int) (*harness.Answer, error) {
				url, one := instances[n%len(instances)].URL, sessions[n%8]
				switch n % 7 {
				case 0:
					return harness.Send(url, "", harness.RefreshDoc, map[string]any{"token": one.Refresh})
				case 1:
					return harness.Send(url, one.Access, harness.CreateKey, nil)
				case 2:
					return harness.Send(url, one.Access, harness.LogoutDoc, harness.InputOf("everywhere", n%2 == 0))
				case 3:
					return harness.Send(url, one.Access, harness.RevokeOthersDoc, nil)
				case 4:
					return harness.Send(url, "", harness.LoginDoc,
						harness.InputOf("email", ada.Email, "password", harness.GoodPass))
				case 5:
					return harness.Send(url, one.Access, harness.MeDoc, nil)
				}
				return harness.Send(url, root.Access, document, harness.InputOf("id", ada.ID))
			}) {
				if a == nil || a.Code() == "INTERNAL_SERVER_ERROR" {
					t.Errorf("round %d, %d: %+v", round, n, a)
				}
			}
			switch round % 3 {
			case 0:
				if n := side.Count(t, `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM api_keys k WHERE `+
					`NOT EXISTS (SELECT 1 FROM users u WHERE u.id = k.user_id))`); n != 1+2*(round/3) {
					t.Errorf("round %d: %d rows", round, n)
				}
			case 1:
				if n := side.Count(t, `SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE `+
					`u.status = 'SUSPENDED' AND s.revoked_at IS NULL`); n != 0 {
					t.Errorf("round %d: %d sessions of suspended accounts", round, n)
				}
			}
		}
		for _, i := range instances {
			if strings.Contains(i.Logged.String(), `"level":"ERROR"`) {
				t.Errorf("log: %s", i.Logged)
			}
		}
	})
}

// TestSE23_GivingTheRoleAdmin wants a recent proof of who makes administrators, or changes an address; a key has none.
func TestSE23_GivingTheRoleAdmin(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=2h")
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		key := s.GraphQL(t, root.Access, harness.CreateKey,
			harness.InputOf("name", "k", "scopes", []string{"USERS_READ", "USERS_WRITE", "SESSIONS_WRITE"})).
			Text("createApiKey", "secret")
		s.Clock.Add(time.Hour)
		for name, c := range map[string]struct {
			token, document string
			input           map[string]any
			want            string
		}{
			"make an admin": {
				root.Access, harness.CreateUserDoc,
				harness.InputOf("email", "x@example.com", "role", "admin"), "SUDO_REQUIRED",
			},
			"make one by key": {
				key, harness.CreateUserDoc,
				harness.InputOf("email", "x@example.com", "role", "admin"), "SUDO_REQUIRED",
			},
			"raise": {
				root.Access, harness.UpdateUserDoc,
				harness.InputOf("id", ada.ID, "role", "admin"), "SUDO_REQUIRED",
			},
			"the own address": {
				root.Access, harness.UpdateUserDoc,
				harness.InputOf("id", root.ID, "email", "thief@example.com"), "SUDO_REQUIRED",
			},
			"an ordinary account": {
				root.Access, harness.CreateUserDoc, harness.InputOf("email", "y@example.com"),
				"",
			},
			"somebody's address": {
				root.Access, harness.UpdateUserDoc,
				harness.InputOf("id", ada.ID, "email", "ada@new.example"), "SUDO_REQUIRED",
			},
			"somebody's name": {
				root.Access, harness.UpdateUserDoc, harness.InputOf("id", ada.ID, "name", "Ada"), "",
			},
			"an address by the key": {
				key, harness.UpdateUserDoc,
				harness.InputOf("id", root.ID, "email", "thief@example.com"), "SUDO_REQUIRED",
			},
		} {
			if a := s.GraphQL(t, c.token, c.document, c.input); a.Code() != c.want {
				t.Errorf("%s: %.300s, want %q", name, a.Raw, c.want)
			}
		}
		if a := s.GraphQL(t, root.Access, harness.SudoDoc,
			harness.InputOf("password", harness.GoodPass)); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		s.Expect(t, "", root.Access, harness.UpdateUserDoc, harness.InputOf("id", ada.ID, "role", "admin"))
	})
}
