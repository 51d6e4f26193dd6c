package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const readableDoc = `query R($first: Int, $after: String) { readableUsers(first: $first, after: $after) {
  nodes { email } edges { cursor node { email } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`

// AZ-02, AZ-08: the list is what the caller may read at this moment: everybody, or oneself alone.
func TestAZ02_ReadableUsers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		key := s.graphql(t, ada.Access, createKey, nil).text("createApiKey", "secret")
		rootKey := s.graphql(t, root.Access, createKey, map[string]any{"input": map[string]any{"scopes": []string{"USERS_READ"}}}).text("createApiKey", "secret")
		emails := func(a *answer) (all []string) {
			nodes, _ := a.at("readableUsers", "nodes").([]any)
			for _, node := range nodes {
				all = append(all, node.(map[string]any)["email"].(string))
			}
			return all
		}
		for credential, want := range map[string][]string{ada.Access: {"ada@example.com"}, key: {"ada@example.com"}, root.Access: {"ada@example.com", "root@example.com"}} {
			a := s.expect(t, "", credential, readableDoc, nil)
			if got := emails(a); !slices.Equal(got, want) || a.at("readableUsers", "totalCount") != float64(len(want)) || a.at("readableUsers", "pageInfo", "hasNextPage") != false {
				t.Errorf("%s", a.Raw)
			}
		}
		s.expect(t, "UNAUTHENTICATED", "", readableDoc, nil)
		s.expect(t, "FORBIDDEN", rootKey, readableDoc, nil) // as in user: PROFILE_READ in any case
		a := s.expect(t, "", ada.Access, readableDoc, map[string]any{"first": 1})
		cursor := a.text("readableUsers", "pageInfo", "endCursor")
		a = s.expect(t, "", ada.Access, readableDoc, map[string]any{"after": cursor})
		if len(emails(a)) > 0 || a.at("readableUsers", "pageInfo", "hasPreviousPage") != true {
			t.Errorf("%s", a.Raw)
		}
		if a := s.expect(t, "", root.Access, readableDoc, map[string]any{"after": cursor}); fmt.Sprint(emails(a)) != "[root@example.com]" {
			t.Errorf("%s", a.Raw)
		}
		s.expect(t, "BAD_USER_INPUT", ada.Access, readableDoc, map[string]any{"after": "x"})
		if got := emails(s.expect(t, "", ada.Access, readableDoc, map[string]any{"first": 0})); len(got) > 0 {
			t.Errorf("%v", got)
		}
		s.setRole(t, dsn, root, "user")
		if got := emails(s.expect(t, "", root.Access, readableDoc, nil)); !slices.Equal(got, []string{"root@example.com"}) {
			t.Errorf("%v", got) // AZ-03
		}
	})
}

// An account can be made suspended: nobody signs in before it is let in, and the event says so.
func TestAdmin_CreateSuspended(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root := s.admin(t, dsn, "root@example.com")
		input := map[string]any{"email": "ada@example.com", "password": goodPass, "active": false}
		a := s.expect(t, "", root.Access, `mutation C($input: CreateUserInput!) { createUser(input: $input) { user { id status } userErrors { code } } }`, map[string]any{"input": input})
		if a.text("createUser", "user", "status") != "SUSPENDED" {
			t.Errorf("%s", a.Raw)
		}
		if a := s.login(t, "ada@example.com", goodPass); a.code() != "INVALID_CREDENTIALS" {
			t.Errorf("%s", a.Raw)
		}
		if notes := openSide(t, dsn).texts(t, "SELECT reason FROM audit_events WHERE action = 'create_user'"); !slices.Equal(notes, []string{"role_user suspended password"}) {
			t.Errorf("notes %q", notes)
		}
		s.expect(t, "", root.Access, reactivateDoc, map[string]any{"input": map[string]any{"id": a.text("createUser", "user", "id")}})
		if a := s.login(t, "ada@example.com", goodPass); a.code() != "" {
			t.Errorf("%s", a.Raw)
		}
	})
}
