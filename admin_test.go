package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const (
	userParts     = `id email emailVerified username name metadata status lastLoginAt roles { name isBuiltIn permissions } permissions`
	userDoc       = `query User($id: ID!) { user(id: $id) { ` + userParts + ` } }`
	usersDoc      = `query Users($first: Int, $after: String, $last: Int, $before: String, $filter: UserFilter) { users(first: $first, after: $after, last: $last, before: $before, filter: $filter) { nodes { id email } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`
	createUserDoc = `mutation C($input: CreateUserInput!) { createUser(input: $input) { user { ` + userParts + ` } userErrors { code message field } } }`
	updateUserDoc = `mutation U($input: UpdateUserInput!) { updateUser(input: $input) { user { ` + userParts + ` } userErrors { code message field } } }`
	suspendDoc    = `mutation S($input: SuspendUserInput!) { suspendUser(input: $input) { user { id status } userErrors { code message field } } }`
	reactivateDoc = `mutation R($input: ReactivateUserInput!) { reactivateUser(input: $input) { user { id status } userErrors { code message field } } }`
	deleteUserDoc = `mutation D($input: DeleteUserInput!) { deleteUser(input: $input) { deletedUserId userErrors { code message field } } }`
	endUserDoc    = `mutation E($input: RevokeUserSessionsInput!) { revokeUserSessions(input: $input) { revokedCount userErrors { code message field } } }`
)

// admin registers somebody and makes them an administrator, as the operator does.
func (i *instance) admin(t testing.TB, dsn, email string) account {
	t.Helper()
	who := i.register(t, email)
	i.setRole(t, dsn, who, "admin")
	return who
}

// setRole gives an account a role beside the server.
func (i *instance) setRole(t testing.TB, dsn string, who account, role string) {
	t.Helper()
	openSide(t, dsn).exec(t, `UPDATE users SET role = '`+role+`' WHERE email_canonical = '`+who.Email+`'`)
}

// expect runs a document and demands a code, "" for success.
func (i *instance) expect(t testing.TB, want, credential, document string, variables map[string]any) *answer {
	t.Helper()
	a := i.graphql(t, credential, document, variables)
	if a.code() != want {
		t.Errorf("%.60s %v: %s, want %q", document, variables, a.Raw, want)
	}
	return a
}

func TestAdmin_CreateUser(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root := s.admin(t, dsn, "root@example.com")
		bare := s.expect(t, "", root.Access, createUserDoc, inputOf("email", "bare@example.com"))
		if got := fmt.Sprint(bare.at("createUser", "user", "roles")); got != "[map[isBuiltIn:true name:user permissions:[PROFILE_READ]]]" {
			t.Errorf("roles %s", got)
		}
		if bare.at("createUser", "user", "emailVerified") != false || bare.at("createUser", "user", "lastLoginAt") != nil {
			t.Error(bare.Raw)
		}
		// AZ-05: without a password nobody signs in, with whatever password.
		for _, guess := range []string{goodPass, " ", "null", "bare@example.com"} {
			if a := s.login(t, "bare@example.com", guess); a.code() != "INVALID_CREDENTIALS" {
				t.Errorf("an account without a password: %s", a.Raw)
			}
		}
		full := s.expect(t, "", root.Access, createUserDoc, inputOf("email", " Full@Example.com", "username", "The.Full", "name", "Füll",
			"password", goodPass, "emailVerified", true, "role", "admin", "metadata", map[string]any{"n": 1}))
		id := full.text("createUser", "user", "id")
		read := s.expect(t, "", root.Access, userDoc, map[string]any{"id": id})
		if got, want := fmt.Sprint(read.at("user")), fmt.Sprint(full.at("createUser", "user")); got != want || read.text("user", "email") != "Full@Example.com" ||
			read.at("user", "emailVerified") != true || read.text("user", "username") != "The.Full" || fmt.Sprint(read.at("user", "metadata")) != "map[n:1]" {
			t.Errorf("made %s, read %s", want, got)
		}
		in := s.login(t, "full@example.com", goodPass)
		s.expect(t, "", in.text("login", "tokens", "accessToken"), usersDoc, nil)

		for name, row := range map[string]struct {
			input map[string]any
			code  string
			field string
		}{
			"taken email":     {inputOf("email", "FULL@example.com"), "ALREADY_EXISTS", "email"},
			"taken username":  {inputOf("email", "x@example.com", "username", "the.full"), "ALREADY_EXISTS", "username"},
			"no email":        {inputOf("email", "x"), "INVALID_INPUT", "email"},
			"reserved":        {inputOf("email", "x@example.com", "username", "root"), "INVALID_INPUT", "username"},
			"bad name":        {inputOf("email", "x@example.com", "name", "a\nb"), "INVALID_INPUT", "name"},
			"weak":            {inputOf("email", "x@example.com", "password", "short"), "PASSWORD_TOO_WEAK", "password"},
			"known":           {inputOf("email", "x@example.com", "password", "password123"), "PASSWORD_BREACHED", "password"},
			"a role of fancy": {inputOf("email", "x@example.com", "role", "owner"), "INVALID_INPUT", "role"},
			"no role":         {inputOf("email", "x@example.com", "role", ""), "INVALID_INPUT", "role"},
			"much metadata":   {inputOf("email", "x@example.com", "metadata", map[string]any{"x": strings.Repeat("y", 2000)}), "INVALID_INPUT", "metadata"},
		} {
			a := s.expect(t, row.code, root.Access, createUserDoc, row.input)
			if !strings.Contains(a.Raw, `["input","`+row.field+`"]`) || a.at("createUser", "user") != nil {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
	})
}

func TestAdmin_UpdateUser(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		s.graphql(t, "", registerDoc, inputOf("email", "bob@example.com", "password", goodPass, "username", "bob"))
		update := func(want string, fields ...any) *answer {
			t.Helper()
			return s.expect(t, want, root.Access, updateUserDoc, inputOf(append(fields, "id", ada.ID)...))
		}
		get := func(part string) any {
			return s.expect(t, "", ada.Access, userDoc, map[string]any{"id": ada.ID}).at("user", part)
		}
		update("", "email", "Ada@New.example", "username", "ada.l", "name", "Ada", "metadata", map[string]any{"a": "b"})
		if get("email") != "Ada@New.example" || get("emailVerified") != true || get("username") != "ada.l" || get("name") != "Ada" ||
			fmt.Sprint(get("metadata")) != "map[a:b]" {
			t.Error(s.graphql(t, ada.Access, userDoc, map[string]any{"id": ada.ID}).Raw)
		}
		s.clock.add(1e9)
		update("") // nothing at all
		update("", "name", nil, "username", nil)
		if get("name") != nil || get("username") != nil || get("email") != "Ada@New.example" || fmt.Sprint(get("metadata")) != "map[a:b]" {
			t.Error("cleared too much or too little")
		}
		update("", "metadata", nil)
		if get("metadata") != nil {
			t.Error("metadata stays")
		}
		if s.login(t, "ada@new.example", goodPass).code() != "" || s.login(t, "ada@example.com", goodPass).code() != "INVALID_CREDENTIALS" {
			t.Error("sign-in does not follow the address")
		}
		for field, value := range map[string]any{"email": nil, "active": nil, "role": nil} {
			if a := update("INVALID_INPUT", field, value); !strings.Contains(a.Raw, `["input","`+field+`"]`) {
				t.Error(a.Raw)
			}
		}
		update("ALREADY_EXISTS", "email", "BOB@example.com")
		if a := update("ALREADY_EXISTS", "username", "Bob", "name", "changed too"); !strings.Contains(a.Raw, `["input","username"]`) || get("name") != nil {
			t.Errorf("half of a change: %s", a.Raw)
		}
		update("", "email", "ADA@new.example") // one's own
		update("", "active", false)
		if s.is(t, ada.Access, ada) || s.refresh(t, ada.Refresh).code() != "INVALID_TOKEN" {
			t.Error("a suspended account goes on")
		}
		update("", "active", true, "role", "admin")
		again := s.login(t, "ada@new.example", goodPass).text("login", "tokens", "accessToken")
		s.expect(t, "", again, usersDoc, nil)
		for _, absent := range []string{db.NewUserID().String(), "", "nonsense", ada.Session, strings.ToUpper(ada.ID)} {
			s.expect(t, "NOT_FOUND", root.Access, updateUserDoc, inputOf("id", absent, "name", "x"))
			s.expect(t, "NOT_FOUND", root.Access, suspendDoc, inputOf("id", absent))
			s.expect(t, "NOT_FOUND", root.Access, reactivateDoc, inputOf("id", absent))
			s.expect(t, "NOT_FOUND", root.Access, deleteUserDoc, inputOf("id", absent))
			s.expect(t, "NOT_FOUND", root.Access, endUserDoc, inputOf("id", absent))
			if a := s.expect(t, "", root.Access, userDoc, map[string]any{"id": absent}); a.at("user") != nil {
				t.Error(a.Raw)
			}
		}
	})
}

// SE-20 and SE-07: an administrator ends sessions and bars accounts; keys stop with the account, and what was erased is gone.
func TestSE20_EndingWhatOthersUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		two := s.loginAs(t, ada, "SESSION_TOKEN")
		_, key := s.newKey(t, ada.Access, nil)
		a := s.expect(t, "", root.Access, endUserDoc, inputOf("id", ada.ID))
		if a.at("revokeUserSessions", "revokedCount") != 2.0 || s.is(t, ada.Access, ada) || s.is(t, two.Refresh, ada) ||
			s.refresh(t, ada.Refresh).code() != "INVALID_TOKEN" || !s.is(t, key, ada) || !s.is(t, root.Access, root) {
			t.Errorf("sessions were not ended, or too much: %s", a.Raw)
		}
		if a := s.expect(t, "", root.Access, endUserDoc, inputOf("id", ada.ID)); a.at("revokeUserSessions", "revokedCount") != 0.0 {
			t.Error(a.Raw)
		}
		ada = s.loginAs(t, ada, "BODY")
		a = s.expect(t, "", root.Access, suspendDoc, inputOf("id", ada.ID))
		if a.text("suspendUser", "user", "status") != "SUSPENDED" || s.is(t, ada.Access, ada) || s.is(t, key, ada) ||
			s.login(t, ada.Email, goodPass).code() != "INVALID_CREDENTIALS" || s.refresh(t, ada.Refresh).code() != "INVALID_TOKEN" {
			t.Errorf("not suspended: %s", a.Raw)
		}
		s.expect(t, "", root.Access, suspendDoc, inputOf("id", ada.ID))
		a = s.expect(t, "", root.Access, reactivateDoc, inputOf("id", ada.ID))
		if a.text("reactivateUser", "user", "status") != "ACTIVE" || s.is(t, ada.Access, ada) || !s.is(t, key, ada) {
			t.Errorf("reactivated: the session must stay ended, the key work: %s", a.Raw)
		}
		ada = s.loginAs(t, ada, "BODY")
		s.login(t, ada.Email, "wrong wrong")
		a = s.expect(t, "", root.Access, deleteUserDoc, inputOf("id", ada.ID))
		if a.text("deleteUser", "deletedUserId") != ada.ID || s.is(t, ada.Access, ada) || s.is(t, key, ada) ||
			s.login(t, ada.Email, goodPass).code() != "INVALID_CREDENTIALS" || s.refresh(t, ada.Refresh).code() != "INVALID_TOKEN" {
			t.Errorf("not erased: %s", a.Raw)
		}
		side := openSide(t, dsn)
		for _, table := range []string{"users", "sessions", "api_keys"} {
			column := map[string]string{"users": "id"}[table]
			if column == "" {
				column = "user_id"
			}
			if n := side.count(t, `SELECT count(*) FROM `+table+` WHERE `+column+` NOT IN (SELECT id FROM users WHERE email_canonical = 'root@example.com')`); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		if n := side.count(t, `SELECT count(*) FROM audit_events WHERE action = 'login'`); n < 4 {
			t.Errorf("%d events of sign-ins left", n)
		}
		s.expect(t, "NOT_FOUND", root.Access, deleteUserDoc, inputOf("id", ada.ID))
		// AZ-08: who takes the address gets an id of their own, and nothing of the old account.
		if new := s.register(t, ada.Email); new.ID == ada.ID || s.is(t, ada.Access, new) || s.is(t, key, new) {
			t.Error("an id came back")
		}
	})
}

// AZ-02 and AZ-07: every operation, by everybody. What is no administrator's is refused before anything happens.
func TestAZ02_IDORMatrix(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada, bob := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		other := s.admin(t, dsn, "other@example.com")
		key := func(who account, scopes ...string) string {
			_, secret := s.newKey(t, who.Access, map[string]any{"scopes": append([]string{}, scopes...)})
			return secret
		}
		callers := []struct{ name, credential string }{
			{"nobody", ""},
			{"user", bob.Access},
			{"user's session token", s.loginAs(t, bob, "SESSION_TOKEN").Refresh},
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
			{"user", userDoc, func() map[string]any { return map[string]any{"id": ada.ID} }, []string{u, x, x, x, "", x, "", f, f, ""}},
			{"users", usersDoc, func() map[string]any { return nil }, []string{u, f, f, f, "", f, "", f, f, ""}},
			{"createUser", createUserDoc, func() map[string]any { return inputOf("email", fresh()) }, []string{u, f, f, f, "", f, f, "", f, ""}},
			{"createUser admin", createUserDoc, func() map[string]any { return inputOf("email", fresh(), "role", "admin") }, []string{u, f, f, f, "", f, f, f, f, k}},
			{"updateUser", updateUserDoc, func() map[string]any { return inputOf("id", ada.ID, "name", "x") }, []string{u, f, f, f, "", f, f, "", f, ""}},
			{"updateUser of an admin", updateUserDoc, func() map[string]any { return inputOf("id", other.ID, "name", "x") }, []string{u, f, f, f, "", f, f, f, f, ""}},
			{"updateUser to admin", updateUserDoc, func() map[string]any { return inputOf("id", ada.ID, "role", "admin") }, []string{u, f, f, f, "", f, f, f, f, k}},
			{"updateUser to user", updateUserDoc, func() map[string]any { return inputOf("id", ada.ID, "role", "user") }, []string{u, f, f, f, "", f, f, "", f, ""}},
			{"suspendUser", suspendDoc, func() map[string]any { return inputOf("id", ada.ID) }, []string{u, f, f, f, "", f, f, "", f, ""}},
			{"suspendUser of an admin", suspendDoc, func() map[string]any { return inputOf("id", other.ID) }, []string{u, f, f, f, "", f, f, f, f, ""}},
			{"reactivateUser", reactivateDoc, func() map[string]any { return inputOf("id", ada.ID) }, []string{u, f, f, f, "", f, f, "", f, ""}},
			{"revokeUserSessions", endUserDoc, func() map[string]any { return inputOf("id", ada.ID) }, []string{u, f, f, f, "", f, f, f, "", ""}},
			{"revokeUserSessions of an admin", endUserDoc, func() map[string]any { return inputOf("id", other.ID) }, []string{u, f, f, f, "", f, f, f, f, ""}},
			{"deleteUser of an admin", deleteUserDoc, func() map[string]any {
				a := s.graphql(t, root.Access, createUserDoc, inputOf("email", fresh(), "role", "admin"))
				return inputOf("id", a.text("createUser", "user", "id"))
			}, []string{u, f, f, f, "", f, f, k, f, k}},
			{"deleteUser", deleteUserDoc, func() map[string]any {
				a := s.graphql(t, root.Access, createUserDoc, inputOf("email", fresh()))
				return inputOf("id", a.text("createUser", "user", "id"))
			}, []string{u, f, f, f, "", f, f, k, f, k}},
		} {
			for i, c := range callers {
				if row.name == "updateUser to user" {
					s.setRole(t, dsn, ada, "user")
				}
				before := n
				a := s.graphql(t, c.credential, row.document, row.variables())
				got := a.code()
				if got == "" && row.name == "user" && a.at("user") == nil {
					got = x
				}
				if got != row.want[i] {
					t.Errorf("%s by %s: %s, want %q", row.name, c.name, a.Raw, row.want[i])
				}
				if email := fmt.Sprintf("made%d@example.com", n); strings.HasPrefix(row.name, "createUser") && got != "" && n > before {
					if m := openSide(t, dsn).count(t, `SELECT count(*) FROM users WHERE email = '`+email+`'`); m != 0 {
						t.Errorf("%s by %s was refused and done", row.name, c.name)
					}
				}
				s.setRole(t, dsn, ada, "user")
			}
		}
		// Oneself: anybody who may read the own account.
		for i, c := range callers[1:4] {
			if a := s.graphql(t, c.credential, userDoc, map[string]any{"id": bob.ID}); a.text("user", "id") != bob.ID {
				t.Errorf("%d: %s", i, a.Raw)
			}
		}
		// SE-18: a foreign account, one that never was and no id at all get the same bytes.
		first := s.graphql(t, bob.Access, userDoc, map[string]any{"id": root.ID}).Raw
		for _, id := range []string{ada.ID, db.NewUserID().String(), "", "nonsense", bob.Session} {
			if a := s.graphql(t, bob.Access, userDoc, map[string]any{"id": id}); a.Raw != first {
				t.Errorf("%q: %s", id, a.Raw)
			}
		}
	})
}

// AZ-07: no key gets a scope that its maker lacks, and a key is worth what its owner is, not more (AK-05).
func TestAZ07_ScopesOfKeys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		s.admin(t, dsn, "other@example.com")
		for _, scopes := range [][]string{{"USERS_READ"}, {"PROFILE_READ", "USERS_WRITE"}, {"SESSIONS_WRITE"}} {
			s.expect(t, "SCOPE_NOT_GRANTABLE", ada.Access, createKey, inputOf("scopes", scopes))
		}
		if got := s.graphql(t, ada.Access, keysDoc, nil).listed("keys"); len(got) != 0 {
			t.Errorf("keys were made: %v", got)
		}
		_, key := s.newKey(t, root.Access, map[string]any{"scopes": []string{"PROFILE_READ", "USERS_READ", "USERS_WRITE"}})
		shown := func() string {
			return fmt.Sprint(s.graphql(t, key, currentDoc, nil).at("currentCredential", "permissions"))
		}
		s.expect(t, "", key, usersDoc, nil)
		if shown() != "[PROFILE_READ USERS_READ USERS_WRITE]" {
			t.Errorf("the key says %s", shown())
		}
		s.setRole(t, dsn, root, "user")
		s.expect(t, "FORBIDDEN", key, usersDoc, nil)
		s.expect(t, "FORBIDDEN", key, updateUserDoc, inputOf("id", root.ID, "role", "admin"))
		if shown() != "[PROFILE_READ]" || !s.is(t, key, root) {
			t.Errorf("the key of a demoted owner says %s", shown())
		}
		if got := fmt.Sprint(s.graphql(t, root.Access, currentDoc, nil).at("currentCredential", "permissions")); got != "[PROFILE_READ]" {
			t.Errorf("a demoted administrator holds %s", got)
		}
	})
}

// AZ-03: a role counts with the next request, at every server, whatever the access token says.
func TestAZ03_RoleChangeAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := cluster(t, dsn, 3)
		root := instances[0].admin(t, dsn, "root@example.com")
		ada := instances[0].register(t, "ada@example.com")
		for round := range amount(5, 100) {
			for _, step := range []struct{ role, want string }{{"admin", ""}, {"user", "FORBIDDEN"}} {
				by := instances[round%len(instances)]
				by.expect(t, "", root.Access, updateUserDoc, inputOf("id", ada.ID, "role", step.role))
				for _, i := range instances {
					i.expect(t, step.want, ada.Access, usersDoc, nil) // the token is the one of the registration
				}
			}
		}
		// The claim of a fresh token follows.
		first, last := instances[0], instances[len(instances)-1]
		first.expect(t, "", root.Access, updateUserDoc, inputOf("id", ada.ID, "role", "admin"))
		next := last.refresh(t, ada.Refresh).text("refresh", "tokens", "accessToken")
		if got := fmt.Sprint(claimsOf(t, next)["roles"]); got != "[admin]" {
			t.Errorf("roles %s", got)
		}
	})
}

// AZ-01 and AZ-05: no operation takes what it does not name; above all no password of somebody else's and no id; and none of
// a user's secrets can be asked for.
func TestAZ01_MassAssignment(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		columns := []string{
			"number", "emailCanonical", "email_canonical", "emailVerifiedAt", "usernameCanonical", "status", "passwordHash", "password_hash",
			"createdAt", "created_at", "updatedAt", "lastLoginAt", "roles", "roleIds", "permissions", "isAdmin", "reason", "suspendedAt",
		}
		for _, column := range columns {
			s.expect(t, "BAD_USER_INPUT", "", registerDoc, inputOf("email", "x@example.com", "password", goodPass, column, "x"))
			s.expect(t, "BAD_USER_INPUT", root.Access, createUserDoc, inputOf("email", "x@example.com", column, "x"))
			s.expect(t, "BAD_USER_INPUT", root.Access, updateUserDoc, inputOf("id", ada.ID, column, "x"))
			for document, id := range map[string]string{suspendDoc: ada.ID, deleteUserDoc: ada.ID, endUserDoc: ada.ID, reactivateDoc: ada.ID} {
				s.expect(t, "BAD_USER_INPUT", root.Access, document, inputOf("id", id, column, "x"))
			}
		}
		for _, column := range []string{"role", "emailVerified", "id"} {
			s.expect(t, "BAD_USER_INPUT", "", registerDoc, inputOf("email", "x@example.com", "password", goodPass, column, "admin"))
		}
		s.expect(t, "BAD_USER_INPUT", root.Access, createUserDoc, inputOf("email", "x@example.com", "id", db.NewUserID().String()))
		for _, column := range []string{"password", "newPassword", "emailVerified"} {
			s.expect(t, "BAD_USER_INPUT", root.Access, updateUserDoc, inputOf("id", ada.ID, column, goodPass))
		}
		for _, secret := range []string{"password", "passwordHash", "password_hash", "emailCanonical", "sessions { id }", "apiKeys { id }", "hash", "secret"} {
			if a := s.graphql(t, root.Access, `{ user(id: "`+ada.ID+`") { id `+secret+` } }`, nil); a.Data != nil || a.code() != "BAD_USER_INPUT" {
				t.Errorf("%s: %s", secret, a.Raw)
			}
		}
		all := s.expect(t, "", root.Access, `{ users { nodes { `+userParts+` number createdAt updatedAt } } }`, nil).Raw
		if strings.Contains(all, "argon2") || !strings.Contains(all, ada.ID) {
			t.Error(all)
		}
	})
}

// AZ-06: there is always one administrator who can sign in, whoever goes and how.
func TestAZ06_LastAdmin(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root := s.admin(t, dsn, "root@example.com")
		ways := []struct {
			name, document string
			fields         []any
		}{
			{"demote", updateUserDoc, []any{"role", "user"}},
			{"deactivate", updateUserDoc, []any{"active", false}},
			{"both", updateUserDoc, []any{"role", "user", "active", false}},
			{"suspend", suspendDoc, nil},
			{"delete", deleteUserDoc, nil},
		}
		alone := func(what string) {
			t.Helper()
			for _, w := range ways {
				a := s.expect(t, "CONFLICT", root.Access, w.document, inputOf(append(w.fields, "id", root.ID)...))
				if !strings.Contains(a.Raw, `["input","id"]`) || !s.is(t, root.Access, root) {
					t.Errorf("%s, %s: %s", what, w.name, a.Raw)
				}
			}
		}
		alone("alone")
		// Other changes of the last one are fine, and so is saying what is so.
		s.expect(t, "", root.Access, updateUserDoc, inputOf("id", root.ID, "name", "Root", "role", "admin", "active", true))
		s.expect(t, "", root.Access, reactivateDoc, inputOf("id", root.ID))
		// An administrator who can not sign in does not count, and may be demoted and deleted.
		for _, w := range ways {
			other := s.admin(t, dsn, w.name+"@example.com")
			s.expect(t, "", root.Access, suspendDoc, inputOf("id", other.ID))
			alone("beside a suspended one")
			s.expect(t, "", root.Access, w.document, inputOf(append(w.fields, "id", other.ID)...))
		}
		s.expect(t, "", root.Access, endUserDoc, inputOf("id", root.ID)) // oneself: the sessions end, the role stays
		root = s.loginAs(t, root, "BODY")
		// With another one there, one may go oneself.
		other := s.admin(t, dsn, "last@example.com")
		s.expect(t, "", root.Access, updateUserDoc, inputOf("id", root.ID, "role", "user"))
		s.expect(t, "FORBIDDEN", root.Access, usersDoc, nil)
		s.expect(t, "CONFLICT", other.Access, deleteUserDoc, inputOf("id", other.ID))
	})
}

// AZ-06 raced: sixteen administrators let one another and themselves go at the same moment, in every way.
func TestAZ06_LastAdminRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := cluster(t, dsn, 2)
		s, side := instances[0], openSide(t, dsn)
		admins := make([]account, 16)
		for n := range admins {
			admins[n] = s.register(t, fmt.Sprintf("a%d@example.com", n))
		}
		for round := range amount(6, 60) {
			side.exec(t, `UPDATE users SET role = 'admin', status = 'ACTIVE'`)
			for n := range admins {
				admins[n] = s.cheapSession(t, admins[n])
			}
			answers := together(len(admins), func(n int) (*answer, error) {
				target := admins[n].ID
				if round%2 == 1 {
					target = admins[(n+1)%len(admins)].ID
				}
				document, fields := updateUserDoc, []any{"id", target, "role", "user"}
				if (round/2+n)%3 == 1 {
					document, fields = suspendDoc, []any{"id", target}
				}
				return send(instances[n%len(instances)].URL, admins[n].Access, document, inputOf(fields...))
			})
			done, kept := 0, 0
			for n, a := range answers {
				code := "no answer"
				if a != nil {
					code = a.code()
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
			left := side.count(t, `SELECT count(*) FROM users WHERE role = 'admin' AND status = 'ACTIVE'`)
			if left < 1 || left != len(admins)-done || round%2 == 0 && (left != 1 || kept != 1) {
				t.Fatalf("round %d: %d administrators left, %d let go, %d kept", round, left, done, kept)
			}
		}
		// Deleting: fewer and fewer, down to one.
		side.exec(t, `UPDATE users SET role = 'admin', status = 'ACTIVE'`)
		for n := range admins {
			admins[n] = s.cheapSession(t, admins[n])
		}
		for _, a := range together(len(admins), func(n int) (*answer, error) {
			return send(instances[n%len(instances)].URL, admins[n].Access, deleteUserDoc, inputOf("id", admins[n].ID))
		}) {
			if a == nil || a.Status != http.StatusOK || a.code() != "" && a.code() != "CONFLICT" {
				t.Errorf("delete: %+v", a)
			}
		}
		if n := side.count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d left", n)
		}
	})
}

// ID-02: of many who are given one name at the same moment, one gets it, and nobody else's account changes.
func TestAdmin_UniqueNamesRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root := s.admin(t, dsn, "root@example.com")
		ids := make([]string, 16)
		for n := range ids {
			a := s.expect(t, "", root.Access, createUserDoc, inputOf("email", fmt.Sprintf("u%d@example.com", n)))
			ids[n] = a.text("createUser", "user", "id")
		}
		for field, value := range map[string]string{"email": "one@example.com", "username": "the.one"} {
			done := 0
			for n, a := range together(len(ids), func(n int) (*answer, error) {
				return send(s.URL, root.Access, updateUserDoc, inputOf("id", ids[n], field, value, "name", field))
			}) {
				switch {
				case a != nil && a.code() == "":
					done++
				case a == nil || a.code() != "ALREADY_EXISTS" || !strings.Contains(a.Raw, `["input","`+field+`"]`):
					t.Errorf("%s %d: %+v", field, n, a)
				}
			}
			if n := openSide(t, dsn).count(t, `SELECT count(*) FROM users WHERE name = '`+field+`'`); done != 1 || n > 1 {
				t.Errorf("%s: %d done, %d changed", field, done, n)
			}
		}
		done := 0
		for _, a := range together(16, func(n int) (*answer, error) {
			return send(s.URL, root.Access, createUserDoc, inputOf("email", "NEW@example.com", "username", fmt.Sprint("new", n)))
		}) {
			if a != nil && a.code() == "" {
				done++
			} else if a == nil || a.code() != "ALREADY_EXISTS" {
				t.Errorf("createUser: %+v", a)
			}
		}
		if done != 1 {
			t.Errorf("%d accounts of one address", done)
		}
	})
}

// An account is erased, suspended and signed out in the middle of everything that its owner does: nothing fails inside, and
// nothing of it is left or alive.
func TestAdmin_EndsUnderWay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := cluster(t, dsn, 2)
		s, side := instances[0], openSide(t, dsn)
		root := s.admin(t, dsn, "root@example.com")
		for round := range amount(6, 60) {
			ada := s.register(t, fmt.Sprintf("ada%d@example.com", round))
			document := []string{deleteUserDoc, suspendDoc, endUserDoc}[round%3]
			sessions := make([]account, 8)
			for n := range sessions {
				sessions[n] = s.cheapSession(t, ada)
			}
			for n, a := range together(28, func(n int) (*answer, error) {
				url, one := instances[n%len(instances)].URL, sessions[n%8]
				switch n % 7 {
				case 0:
					return send(url, "", refreshDoc, map[string]any{"token": one.Refresh})
				case 1:
					return send(url, one.Access, createKey, nil)
				case 2:
					return send(url, one.Access, logoutDoc, inputOf("everywhere", n%2 == 0))
				case 3:
					return send(url, one.Access, revokeOthersDoc, nil)
				case 4:
					return send(url, "", loginDoc, inputOf("email", ada.Email, "password", goodPass))
				case 5:
					return send(url, one.Access, meDoc, nil)
				}
				return send(url, root.Access, document, inputOf("id", ada.ID))
			}) {
				if a == nil || a.code() == "INTERNAL_SERVER_ERROR" {
					t.Errorf("round %d, %d: %+v", round, n, a)
				}
			}
			switch round % 3 {
			case 0:
				if n := side.count(t, `SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM api_keys k WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = k.user_id))`); n != 1+2*(round/3) {
					t.Errorf("round %d: %d rows", round, n)
				}
			case 1:
				if n := side.count(t, `SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.status = 'SUSPENDED' AND s.revoked_at IS NULL`); n != 0 {
					t.Errorf("round %d: %d sessions of suspended accounts", round, n)
				}
			}
		}
		for _, i := range instances {
			if strings.Contains(i.log.String(), `"level":"ERROR"`) {
				t.Errorf("log: %s", i.log)
			}
		}
	})
}

// AZ-03 and AZ-04 from the terminal: the role comes and goes beside a server that runs, and counts with the next request.
func TestAZ04_PromoteAndDemote(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env, dir := processEnv(dsn), t.TempDir()
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		s.expect(t, "FORBIDDEN", ada.Access, usersDoc, nil)
		got := command(t, dir, env, "admin", "promote", "ada@example.com")
		if got.code != 0 || got.stdout != "ada@example.com ("+ada.ID+") had the role user and has the role admin now.\n" || got.stderr != "" {
			t.Errorf("%+v", got)
		}
		s.expect(t, "", ada.Access, usersDoc, nil)
		if got = command(t, dir, env, "admin", "demote", "ada@example.com"); got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "last administrator") {
			t.Errorf("%+v", got)
		}
		s.admin(t, dsn, "bob@example.com")
		if got = command(t, dir, env, "admin", "demote", "ada@example.com"); got.code != 0 || !strings.Contains(got.stdout, "has the role user now") {
			t.Errorf("%+v", got)
		}
		s.expect(t, "FORBIDDEN", ada.Access, usersDoc, nil)
		if got = command(t, dir, env, "admin", "promote"); got.code != 1 || !strings.Contains(got.stderr, "--help") {
			t.Errorf("%+v", got)
		}
	})
}

// TestSE23_GivingTheRoleAdmin wants a recent proof of who makes administrators, or changes the own address as one; a key has none.
func TestSE23_GivingTheRoleAdmin(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_ACCESS_TTL=2h")
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		key := s.graphql(t, root.Access, createKey, inputOf("name", "k", "scopes", []string{"USERS_READ", "USERS_WRITE", "SESSIONS_WRITE"})).
			text("createApiKey", "secret")
		s.clock.add(time.Hour)
		for name, c := range map[string]struct {
			token, document string
			input           map[string]any
			want            string
		}{
			"make an admin":         {root.Access, createUserDoc, inputOf("email", "x@example.com", "role", "admin"), "SUDO_REQUIRED"},
			"make one by key":       {key, createUserDoc, inputOf("email", "x@example.com", "role", "admin"), "SUDO_REQUIRED"},
			"raise":                 {root.Access, updateUserDoc, inputOf("id", ada.ID, "role", "admin"), "SUDO_REQUIRED"},
			"the own address":       {root.Access, updateUserDoc, inputOf("id", root.ID, "email", "thief@example.com"), "SUDO_REQUIRED"},
			"an ordinary account":   {root.Access, createUserDoc, inputOf("email", "y@example.com"), ""},
			"somebody's address":    {root.Access, updateUserDoc, inputOf("id", ada.ID, "email", "ada@new.example"), ""},
			"an address by the key": {key, updateUserDoc, inputOf("id", root.ID, "email", "thief@example.com"), "SUDO_REQUIRED"},
		} {
			if a := s.graphql(t, c.token, c.document, c.input); a.code() != c.want {
				t.Errorf("%s: %.300s, want %q", name, a.Raw, c.want)
			}
		}
		if a := s.graphql(t, root.Access, sudoDoc, inputOf("password", goodPass)); a.code() != "" {
			t.Fatal(a.Raw)
		}
		s.expect(t, "", root.Access, updateUserDoc, inputOf("id", ada.ID, "role", "admin"))
	})
}
