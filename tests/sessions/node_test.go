package sessions

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// SE-18, AK-07: node and nodes know what is one's own, and nothing else at all.
func TestNode(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		other := s.LoginAs(t, ada, "SESSION_TOKEN")
		keyID, key := s.NewKey(t, ada.Access, nil)
		goneKey, _ := s.NewKey(t, ada.Access, nil)
		s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": goneKey})
		goneSession := s.LoginAs(t, ada, "BODY")
		s.GraphQL(t, goneSession.Access, harness.LogoutDoc, nil)
		bobKey, _ := s.NewKey(t, bob.Access, nil)
		_, none := s.NewKey(t, ada.Access, map[string]any{"scopes": []string{}})
		own := map[string]string{ada.ID: "User", ada.Session: "Session", other.Session: "Session", keyID: "ApiKey"}
		foreign := []string{
			bob.ID, bob.Session, bobKey, goneKey, goneSession.Session, "", "x", "user_", ada.ID + "x",
			ada.ID[:len(ada.ID)-1], strings.ToUpper(ada.ID),
			"sess_" + strings.TrimPrefix(ada.ID, "user_"), "key_" + strings.TrimPrefix(ada.Session, "sess_"),
			"user_00000000000000000000000000",
			"sess_00000000000000000000000000", "key_00000000000000000000000000", "evt_00000000000000000000000000",
			"' OR 1=1 --", strings.Repeat("x", 5000),
		}
		for _, credential := range []string{ada.Access, other.Refresh, key} {
			for id, kind := range own {
				a := s.GraphQL(t, credential, harness.NodeDoc, map[string]any{"id": id})
				if a.Text("node", "__typename") != kind || a.Text("node", "id") != id || len(a.Errors) > 0 {
					t.Errorf("%s: %s", id, a.Raw)
				}
			}
			for _, id := range foreign {
				if a := s.GraphQL(t, credential, harness.NodeDoc, map[string]any{"id": id}); a.At("node") != nil ||
					len(a.Errors) > 0 || !strings.Contains(a.Raw, `"node":null`) {
					t.Errorf("%.60q: %s", id, a.Raw)
				}
			}
		}
		var ids, want []string
		for _, id := range slices.Concat([]string{ada.ID, keyID, bob.ID, ada.Session, ada.Session}, foreign,
			[]string{other.Session}) {
			ids = append(ids, id)
			if own[id] == "" {
				id = ""
			}
			want = append(want, id)
		}
		a := s.GraphQL(t, ada.Access, harness.NodesDoc, map[string]any{"ids": ids})
		rows, _ := a.At("nodes").([]any)
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
			a := s.GraphQL(t, ada.Access, harness.NodesDoc, map[string]any{"ids": many})
			if rows, _ := a.At("nodes").([]any); a.Code() != code || code == "" && len(rows) != n {
				t.Errorf("%d ids: %.200s", n, a.Raw)
			}
		}
		for credential, code := range map[string]string{"": "UNAUTHENTICATED", none: "FORBIDDEN"} {
			if a := s.GraphQL(t, credential, harness.NodeDoc, map[string]any{"id": ada.ID}); a.Code() != code ||
				a.At("node") != nil {
				t.Errorf("%q: %s", code, a.Raw)
			}
			if a := s.GraphQL(t, credential, harness.NodesDoc,
				map[string]any{"ids": []string{ada.ID}}); a.Code() != code {
				t.Errorf("%q: %s", code, a.Raw)
			}
		}
	})
}

func TestUpdateAPIKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		end := s.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		id, key := s.NewKey(t, ada.Access, map[string]any{"name": "one", "expiresAt": end})
		bobKey, _ := s.NewKey(t, bob.Access, nil)
		for _, row := range []struct {
			input map[string]any
			want  string
		}{
			{map[string]any{}, "one [PROFILE_READ]"},
			{map[string]any{"name": " two "}, "two [PROFILE_READ]"},
			{map[string]any{"name": nil, "scopes": nil}, "two [PROFILE_READ]"},
			{map[string]any{"scopes": []string{}}, "two []"},
			{
				map[string]any{"scopes": []string{"PROFILE_READ", "PROFILE_READ"}, "name": "three"},
				"three [PROFILE_READ]",
			},
		} {
			row.input["id"] = id
			a := s.GraphQL(t, ada.Access, harness.UpdateKeyDoc, map[string]any{"input": row.input})
			got, _ := a.At("updateApiKey", "apiKey").(map[string]any)
			if fmt.Sprint(got["name"], " ", got["scopes"]) != row.want || got["id"] != id ||
				got["prefix"] != key[:16] || got["expiresAt"] == nil {
				t.Errorf("%v: %s", row.input, a.Raw)
			}
			// It counts from the next request on.
			want := map[bool]string{true: "", false: "FORBIDDEN"}[strings.Contains(row.want, "PROFILE")]
			if a := s.GraphQL(t, key, harness.MeDoc, nil); a.Code() != want {
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
			if a := s.GraphQL(t, ada.Access, harness.UpdateKeyDoc,
				map[string]any{"input": row.input}); a.Code() != row.code {
				t.Errorf("%v: %s, want %s", row.input, a.Raw, row.code)
			}
		}
		if key := keyNamed(t, s, bob.Access, bobKey); key["name"] != "API key" {
			t.Errorf("somebody else's key: %v", key)
		}
		s.Clock.Add(2 * time.Hour)
		ada.Access = s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
		for _, document := range []string{harness.UpdateKeyDoc, harness.RotateKeyDoc} {
			if a := s.GraphQL(t, ada.Access, document, harness.InputOf("id", id)); a.Code() != "NOT_FOUND" {
				t.Errorf("an expired key: %s", a.Raw)
			}
		}
	})
}

// A rotated key has a new secret, shown once; the old one is dead at the next request. Of many rotations at once one
// secret is left.
func TestRotateAPIKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		id, old := s.NewKey(t, ada.Access, map[string]any{"name": "backup"})
		if !s.Is(t, old, ada) {
			t.Fatal("the key does not work")
		}
		s.Clock.Add(time.Hour) // no fresh sign-in is needed
		ada.Access = s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
		a := s.GraphQL(t, ada.Access, harness.RotateKeyDoc, harness.InputOf("id", id))
		fresh := a.Text("rotateApiKey", "secret")
		if a.Text("rotateApiKey", "apiKey", "id") != id || a.Text("rotateApiKey", "apiKey", "name") != "backup" ||
			fresh == old || fresh == "" ||
			a.Text("rotateApiKey", "apiKey", "prefix") != fresh[:16] ||
			a.At("rotateApiKey", "apiKey", "scopes") == nil {
			t.Fatalf("%s", a.Raw)
		}
		if s.Is(t, old, ada) || !s.Is(t, fresh, ada) ||
			strings.Contains(s.GraphQL(t, ada.Access, harness.KeysDoc, nil).Raw, fresh[16:46]) {
			t.Error("the old secret works, or the new one does not, or is listed")
		}
		if stored := harness.Dump(t, dsn); strings.Contains(stored, fresh[16:]) { // AK-02
			t.Error("the new secret is stored")
		}
		for _, credential := range []string{bob.Access, fresh} {
			if a := s.GraphQL(t, credential, harness.RotateKeyDoc, harness.InputOf("id", id)); a.Code() == "" ||
				a.At("rotateApiKey", "secret") != nil {
				t.Errorf("somebody else rotates: %s", a.Raw)
			}
		}
		working := 0
		for _, a := range harness.Together(16, func(int) (*harness.Answer, error) {
			return harness.Send(s.URL, ada.Access, harness.RotateKeyDoc, harness.InputOf("id", id))
		}) {
			if a == nil || a.Code() != "" {
				t.Fatalf("%+v", a)
			}
			if s.Is(t, a.Text("rotateApiKey", "secret"), ada) {
				working++
			}
		}
		if working != 1 || s.Is(t, fresh, ada) ||
			len(s.GraphQL(t, ada.Access, harness.KeysDoc, nil).Listed("keys")) != 1 {
			t.Errorf("%d secrets work", working)
		}
	})
}
