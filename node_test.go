package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const (
	updateKeyDoc = `mutation U($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id name prefix scopes createdAt expiresAt } userErrors { code message field } } }`
	rotateKeyDoc = `mutation R($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { apiKey { id name prefix scopes createdAt } secret userErrors { code message field } } }`
	nodeDoc      = `query N($id: ID!) { node(id: $id) { __typename id ... on User { email } ... on Session { isCurrent device { name } } ... on ApiKey { name } } }`
	nodesDoc     = `query N($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }`
)

// SE-18, AK-07: node and nodes know what is one's own, and nothing else at all.
func TestNode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		other := s.loginAs(t, ada, "SESSION_TOKEN")
		keyID, key := s.newKey(t, ada.Access, nil)
		goneKey, _ := s.newKey(t, ada.Access, nil)
		s.graphql(t, ada.Access, deleteKeyDoc, map[string]any{"id": goneKey})
		goneSession := s.loginAs(t, ada, "BODY")
		s.graphql(t, goneSession.Access, logoutDoc, nil)
		bobKey, _ := s.newKey(t, bob.Access, nil)
		_, none := s.newKey(t, ada.Access, map[string]any{"scopes": []string{}})
		own := map[string]string{ada.ID: "User", ada.Session: "Session", other.Session: "Session", keyID: "ApiKey"}
		foreign := []string{
			bob.ID, bob.Session, bobKey, goneKey, goneSession.Session, "", "x", "user_", ada.ID + "x", ada.ID[:len(ada.ID)-1], strings.ToUpper(ada.ID),
			"sess_" + strings.TrimPrefix(ada.ID, "user_"), "key_" + strings.TrimPrefix(ada.Session, "sess_"), "user_00000000000000000000000000",
			"sess_00000000000000000000000000", "key_00000000000000000000000000", "evt_00000000000000000000000000", "' OR 1=1 --", strings.Repeat("x", 5000),
		}
		for _, credential := range []string{ada.Access, other.Refresh, key} {
			for id, kind := range own {
				a := s.graphql(t, credential, nodeDoc, map[string]any{"id": id})
				if a.text("node", "__typename") != kind || a.text("node", "id") != id || len(a.Errors) > 0 {
					t.Errorf("%s: %s", id, a.Raw)
				}
			}
			for _, id := range foreign {
				if a := s.graphql(t, credential, nodeDoc, map[string]any{"id": id}); a.at("node") != nil || len(a.Errors) > 0 || !strings.Contains(a.Raw, `"node":null`) {
					t.Errorf("%.60q: %s", id, a.Raw)
				}
			}
		}
		var ids, want []string
		for _, id := range slices.Concat([]string{ada.ID, keyID, bob.ID, ada.Session, ada.Session}, foreign, []string{other.Session}) {
			ids = append(ids, id)
			if own[id] == "" {
				id = ""
			}
			want = append(want, id)
		}
		a := s.graphql(t, ada.Access, nodesDoc, map[string]any{"ids": ids})
		rows, _ := a.at("nodes").([]any)
		var got []string
		for _, row := range rows {
			node, _ := row.(map[string]any)
			id, _ := node["id"].(string)
			got = append(got, id)
		}
		if !slices.Equal(got, want) || len(a.Errors) > 0 {
			t.Errorf("nodes: %s", a.Raw)
		}
		for n, code := range map[int]string{0: "", 1: "", 100: "", 101: "BAD_USER_INPUT"} {
			many := slices.Repeat([]string{ada.Session}, n)
			if n == 0 {
				many = []string{}
			}
			a := s.graphql(t, ada.Access, nodesDoc, map[string]any{"ids": many})
			if rows, _ := a.at("nodes").([]any); a.code() != code || code == "" && len(rows) != n {
				t.Errorf("%d ids: %.200s", n, a.Raw)
			}
		}
		for credential, code := range map[string]string{"": "UNAUTHENTICATED", none: "FORBIDDEN"} {
			if a := s.graphql(t, credential, nodeDoc, map[string]any{"id": ada.ID}); a.code() != code || a.at("node") != nil {
				t.Errorf("%q: %s", code, a.Raw)
			}
			if a := s.graphql(t, credential, nodesDoc, map[string]any{"ids": []string{ada.ID}}); a.code() != code {
				t.Errorf("%q: %s", code, a.Raw)
			}
		}
	})
}

func TestUpdateAPIKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		end := s.clock.now().Add(time.Hour).UTC().Format(time.RFC3339)
		id, key := s.newKey(t, ada.Access, map[string]any{"name": "one", "expiresAt": end})
		bobKey, _ := s.newKey(t, bob.Access, nil)
		for _, row := range []struct {
			input map[string]any
			want  string
		}{
			{map[string]any{}, "one [PROFILE_READ]"},
			{map[string]any{"name": " two "}, "two [PROFILE_READ]"},
			{map[string]any{"name": nil, "scopes": nil}, "two [PROFILE_READ]"},
			{map[string]any{"scopes": []string{}}, "two []"},
			{map[string]any{"scopes": []string{"PROFILE_READ", "PROFILE_READ"}, "name": "three"}, "three [PROFILE_READ]"},
		} {
			row.input["id"] = id
			a := s.graphql(t, ada.Access, updateKeyDoc, map[string]any{"input": row.input})
			got, _ := a.at("updateApiKey", "apiKey").(map[string]any)
			if fmt.Sprint(got["name"], " ", got["scopes"]) != row.want || got["id"] != id || got["prefix"] != key[:16] || got["expiresAt"] == nil {
				t.Errorf("%v: %s", row.input, a.Raw)
			}
			// It counts from the next request on.
			want := map[bool]string{true: "", false: "FORBIDDEN"}[strings.Contains(row.want, "PROFILE")]
			if a := s.graphql(t, key, meDoc, nil); a.code() != want {
				t.Errorf("%v: the key answers %s", row.input, a.Raw)
			}
		}
		for _, row := range []struct {
			code  string
			input map[string]any
		}{
			{"INVALID_INPUT", map[string]any{"id": id, "name": strings.Repeat("x", 101)}},
			{"INVALID_INPUT", map[string]any{"id": id, "name": "a\nb"}},
			{"BAD_USER_INPUT", map[string]any{"id": id, "scopes": []string{"EVERYTHING"}}},
			{"BAD_USER_INPUT", map[string]any{"id": id, "scopes": []any{nil}}},
			{"NOT_FOUND", map[string]any{"id": bobKey, "name": "mine"}},
			{"NOT_FOUND", map[string]any{"id": "key_00000000000000000000000000", "name": "x"}},
			{"NOT_FOUND", map[string]any{"id": "x", "name": "x"}},
		} {
			if a := s.graphql(t, ada.Access, updateKeyDoc, map[string]any{"input": row.input}); a.code() != row.code {
				t.Errorf("%v: %s, want %s", row.input, a.Raw, row.code)
			}
		}
		if key := s.keyNamed(t, bob.Access, bobKey); key["name"] != "API key" {
			t.Errorf("somebody else's key: %v", key)
		}
		s.clock.add(2 * time.Hour)
		ada.Access = s.refresh(t, ada.Refresh).text("refresh", "tokens", "accessToken")
		for _, document := range []string{updateKeyDoc, rotateKeyDoc} {
			if a := s.graphql(t, ada.Access, document, inputOf("id", id)); a.code() != "NOT_FOUND" {
				t.Errorf("an expired key: %s", a.Raw)
			}
		}
	})
}

// A rotated key has a new secret, shown once; the old one is dead at the next request. Of many rotations at once one secret
// is left.
func TestRotateAPIKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		id, old := s.newKey(t, ada.Access, map[string]any{"name": "backup"})
		if !s.is(t, old, ada) {
			t.Fatal("the key does not work")
		}
		s.clock.add(time.Hour) // no fresh sign-in is needed
		ada.Access = s.refresh(t, ada.Refresh).text("refresh", "tokens", "accessToken")
		a := s.graphql(t, ada.Access, rotateKeyDoc, inputOf("id", id))
		fresh := a.text("rotateApiKey", "secret")
		if a.text("rotateApiKey", "apiKey", "id") != id || a.text("rotateApiKey", "apiKey", "name") != "backup" || fresh == old || fresh == "" ||
			a.text("rotateApiKey", "apiKey", "prefix") != fresh[:16] || a.at("rotateApiKey", "apiKey", "scopes") == nil {
			t.Fatalf("%s", a.Raw)
		}
		if s.is(t, old, ada) || !s.is(t, fresh, ada) || strings.Contains(s.graphql(t, ada.Access, keysDoc, nil).Raw, fresh[16:46]) {
			t.Error("the old secret works, or the new one does not, or is listed")
		}
		if stored := dump(t, dsn); strings.Contains(stored, fresh[16:]) { // AK-02
			t.Error("the new secret is stored")
		}
		for _, credential := range []string{bob.Access, fresh} {
			if a := s.graphql(t, credential, rotateKeyDoc, inputOf("id", id)); a.code() == "" || a.at("rotateApiKey", "secret") != nil {
				t.Errorf("somebody else rotates: %s", a.Raw)
			}
		}
		working := 0
		for _, a := range together(16, func(int) (*answer, error) { return send(s.URL, ada.Access, rotateKeyDoc, inputOf("id", id)) }) {
			if a == nil || a.code() != "" {
				t.Fatalf("%+v", a)
			}
			if s.is(t, a.text("rotateApiKey", "secret"), ada) {
				working++
			}
		}
		if working != 1 || s.is(t, fresh, ada) || len(s.graphql(t, ada.Access, keysDoc, nil).listed("keys")) != 1 {
			t.Errorf("%d secrets work", working)
		}
	})
}
