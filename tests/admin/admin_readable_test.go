package admin

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const readableDoc = `query R($first: Int, $after: String) { readableUsers(first: $first, after: $after) {
  nodes { email } edges { cursor node { email } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } ` +
	`totalCount } }`

// AZ-02, AZ-08: the list is what the caller may read at this moment: everybody, or oneself alone.
func TestAZ02_ReadableUsers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		key := s.GraphQL(t, ada.Access, harness.CreateKey, nil).Text("createApiKey", "secret")
		rootKey := s.GraphQL(t, root.Access, harness.CreateKey,
			map[string]any{"input": map[string]any{"scopes": []string{"USERS_READ"}}}).Text("createApiKey", "secret")
		emails := func(a *harness.Answer) (all []string) {
			nodes, _ := a.At("readableUsers", "nodes").([]any)
			for _, node := range nodes {
				all = append(all, node.(map[string]any)["email"].(string))
			}
			return all
		}
		for credential, want := range map[string][]string{
			ada.Access: {"ada@example.com"}, key: {"ada@example.com"},
			root.Access: {"ada@example.com", "root@example.com"},
		} {
			a := s.Expect(t, "", credential, readableDoc, nil)
			if got := emails(a); !slices.Equal(got, want) ||
				a.At("readableUsers", "totalCount") != float64(len(want)) ||
				a.At("readableUsers", "pageInfo", "hasNextPage") != false {
				t.Errorf("%s", a.Raw)
			}
		}
		s.Expect(t, "UNAUTHENTICATED", "", readableDoc, nil)
		s.Expect(t, "FORBIDDEN", rootKey, readableDoc, nil) // as in user: PROFILE_READ in any case
		a := s.Expect(t, "", ada.Access, readableDoc, map[string]any{"first": 1})
		cursor := a.Text("readableUsers", "pageInfo", "endCursor")
		a = s.Expect(t, "", ada.Access, readableDoc, map[string]any{"after": cursor})
		if len(emails(a)) > 0 || a.At("readableUsers", "pageInfo", "hasPreviousPage") != true {
			t.Errorf("%s", a.Raw)
		}
		if a := s.Expect(t, "", root.Access, readableDoc,
			map[string]any{"after": cursor}); fmt.Sprint(emails(a)) != "[root@example.com]" {
			t.Errorf("%s", a.Raw)
		}
		s.Expect(t, "BAD_USER_INPUT", ada.Access, readableDoc, map[string]any{"after": "x"})
		if got := emails(s.Expect(t, "", ada.Access, readableDoc, map[string]any{"first": 0})); len(got) > 0 {
			t.Errorf("%v", got)
		}
		s.SetRole(t, dsn, root, "user")
		if got := emails(s.Expect(t, "", root.Access, readableDoc, nil)); !slices.Equal(got,
			[]string{"root@example.com"}) {
			t.Errorf("%v", got) // AZ-03
		}
	})
}

// An account can be made suspended: nobody signs in before it is let in, and the event says so.
func TestAdmin_CreateSuspended(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		input := map[string]any{"email": "ada@example.com", "password": harness.GoodPass, "active": false}
		a := s.Expect(t, "", root.Access, `mutation C($input: CreateUserInput!) { createUser(input: $input) { user { `+
			`id status } userErrors { code } } }`, map[string]any{"input": input})
		if a.Text("createUser", "user", "status") != "SUSPENDED" {
			t.Errorf("%s", a.Raw)
		}
		if a := s.Login(t, "ada@example.com", harness.GoodPass); a.Code() != "INVALID_CREDENTIALS" {
			t.Errorf("%s", a.Raw)
		}
		if notes := harness.OpenSide(t, dsn).Texts(t, "SELECT reason FROM audit_events WHERE action = 'user.created' "+
			"AND actor_id IS NOT NULL"); !slices.Equal(notes, []string{"role_user suspended password"}) {
			t.Errorf("notes %q", notes)
		}
		s.Expect(t, "", root.Access, harness.ReactivateDoc,
			map[string]any{"input": map[string]any{"id": a.Text("createUser", "user", "id")}})
		if a := s.Login(t, "ada@example.com", harness.GoodPass); a.Code() != "" {
			t.Errorf("%s", a.Raw)
		}
	})
}
