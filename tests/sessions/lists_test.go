package sessions

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	sessionPagesDoc = `query P($first: Int, $after: String) { list: sessionConnection(first: $first, after: $after) { ` +
		`totalCount nodes { id isCurrent } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage ` +
		`startCursor endCursor } } }`
	keyPagesDoc = `query P($first: Int, $after: String) { list: keyConnection(first: $first, after: $after) { ` +
		`totalCount nodes { id name } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage ` +
		`startCursor endCursor } } }`
)

// moreSessions starts n sessions of who without hashing, and gives their ids, newest first.
func moreSessions(t *testing.T, s *harness.Instance, who harness.Account, n int) (ids []string) {
	t.Helper()
	for range n {
		a, err := s.App.DB.Attempt(t.Context(), db.Identifier{Canonical: who.Email})
		if err != nil || a.User.ID.String() != who.ID {
			t.Fatalf("attempt: %v %v", a, err)
		}
		now := db.Clock(s.Clock.Now())
		one := db.NewSession(t.Context(), a.User.ID, 720*time.Hour, 336*time.Hour, now, db.AuthPassword)
		if started, err := s.App.DB.Login(t.Context(), a, one, 300); err != nil || !started {
			t.Fatalf("login: %v %v", started, err)
		}
		ids = append(ids, one.ID.String())
		s.Clock.Add(time.Second)
	}
	slices.Reverse(ids)
	return ids
}

// SE-29: the list of at most 100 sessions holds the session that asks, however many there are, in every dialect that
// lists sessions; newest first.
func TestSE29_ListsHoldTheCurrentSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_LIMIT=300", "DRAGOMAN_ACCESS_TTL=1h")
		ada := s.Person(t, "ada@example.com", "ada")
		zero := s.SignIn(t, ada.Email, harness.GoodPass)
		wolf, _ := s.PairOf(t, ada.Email, harness.GoodPass)
		newer := moreSessions(t, s, ada.Account, 128)
		a := s.GraphQL(t, ada.Access, harness.SessionsDoc, nil)
		got := a.Listed("sessions")
		if want := append(slices.Clone(newer[:99]), ada.Session); !slices.Equal(got, want) {
			t.Errorf("sessions: %d of them, the last %s, want %s", len(got), got[len(got)-1], ada.Session)
		}
		if n := strings.Count(a.Raw, `"isCurrent":true`); n != 1 {
			t.Errorf("%d sessions are the current one", n)
		}
		var zeros []harness.ZeroSession
		r := s.REST(t, "GET /sessions", "", harness.Bearer(zero.Token)...)
		if err := json.Unmarshal([]byte(r.Body), &zeros); err != nil || len(zeros) != 100 || zeros[99].ID != zero.ID {
			t.Errorf("authentication-zero: %d sessions, %v, the last %+v, want %d", len(zeros), err,
				zeros[max(0, len(zeros)-1)], zero.ID)
		}
		var wolves struct {
			Sessions []struct {
				ID string `json:"_id"`
			}
			Total int
		}
		own, _ := harness.ClaimsOf(t, wolf)["sid"].(string)
		r = s.REST(t, "GET /api/sessions", "", harness.Bearer(wolf)...)
		if err := json.Unmarshal([]byte(r.Body), &wolves); err != nil || wolves.Total != 100 ||
			wolves.Sessions[99].ID != own {
			t.Errorf("wolfpal: %d sessions, %v, want %s at the end", wolves.Total, err, own)
		}
		// An API key has no session: its list is that of the newest.
		_, key := s.NewKey(t, ada.Access, nil)
		if got := s.GraphQL(t, key, harness.SessionsDoc, nil).Listed("sessions"); !slices.Equal(got, newer[:100]) {
			t.Errorf("by an API key: %d sessions", len(got))
		}
	})
}

// pages reads a whole list page by page, each of the given length, and gives the ids and the cursors.
func pages(t *testing.T, s *harness.Instance, credential, document string, first int) (ids, cursors []string) {
	t.Helper()
	variables := map[string]any{"first": first}
	for n := 0; ; n++ {
		a := s.GraphQL(t, credential, document, variables)
		nodes, _ := a.At("list", "nodes").([]any)
		edges, _ := a.At("list", "edges").([]any)
		if a.Code() != "" || len(a.Errors) > 0 || len(nodes) != len(edges) || len(nodes) > first || n > 200 {
			t.Fatalf("page %d: %s", n, a.Raw)
		}
		for i, node := range nodes {
			edge := edges[i].(map[string]any)
			if edge["node"].(map[string]any)["id"] != node.(map[string]any)["id"] {
				t.Fatalf("edges and nodes differ: %s", a.Raw)
			}
			ids = append(ids, node.(map[string]any)["id"].(string))
			cursors = append(cursors, edge["cursor"].(string))
		}
		if a.At("list", "pageInfo", "hasPreviousPage") != (n > 0) {
			t.Errorf("page %d: %s", n, a.Raw)
		}
		if a.At("list", "pageInfo", "hasNextPage") != true {
			return ids, cursors
		}
		if len(cursors) == 0 || a.Text("list", "pageInfo", "endCursor") != cursors[len(cursors)-1] {
			t.Fatalf("page %d: %s", n, a.Raw)
		}
		variables["after"] = a.Text("list", "pageInfo", "endCursor")
	}
}

// SE-29: sessionConnection and keyConnection reach everything that the caller has, and nothing else.
func TestSE29_Pages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_LIMIT=300", "DRAGOMAN_ACCESS_TTL=1h")
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		sessions := append(moreSessions(t, s, ada, 130), ada.Session)
		ended := sessions[5]
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.RevokeSessionDoc, harness.InputOf("id", ended)))
		sessions = slices.Delete(sessions, 5, 6)
		var keys []string
		for n := range 23 {
			id, _ := s.NewKey(t, ada.Access, map[string]any{"name": fmt.Sprint("key ", n)})
			keys = append([]string{id}, keys...)
		}
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": keys[3]}))
		keys = slices.Delete(keys, 3, 4)
		s.NewKey(t, bob.Access, nil)
		_, key := s.NewKey(t, bob.Access, nil)
		for _, list := range []struct {
			document string
			want     []string
		}{{sessionPagesDoc, sessions}, {keyPagesDoc, keys}} {
			for _, first := range []int{1, 7, 22, 100} {
				if first == 1 && len(list.want) > 100 {
					continue
				}
				if got, _ := pages(t, s, ada.Access, list.document, first); !slices.Equal(got, list.want) {
					t.Errorf("by %d: %d of %d", first, len(got), len(list.want))
				}
			}
			a := s.GraphQL(t, ada.Access, list.document, nil)
			if nodes, _ := a.At("list", "nodes").([]any); len(nodes) != 20 ||
				a.At("list", "totalCount") != float64(len(list.want)) {
				t.Errorf("by default: %d of %v", len(nodes), a.At("list", "totalCount"))
			}
			if a := s.GraphQL(t, ada.Access, list.document, map[string]any{"first": 0}); a.At("list", "pageInfo",
				"hasNextPage") != true || a.At("list", "pageInfo", "endCursor") != nil {
				t.Errorf("none of them: %s", a.Raw)
			}
			if a := s.GraphQL(t, bob.Access, list.document, nil); strings.Contains(a.Raw, list.want[0]) ||
				len(a.At("list", "nodes").([]any)) == 0 {
				t.Errorf("bob sees %s", a.Raw)
			}
			if a := s.GraphQL(t, key, list.document, nil); a.Code() != "" || len(a.At("list", "nodes").([]any)) == 0 {
				t.Errorf("by an API key of bob: %s", a.Raw)
			}
			if a := s.GraphQL(t, "", list.document, nil); a.Code() != "UNAUTHENTICATED" {
				t.Errorf("by nobody: %s", a.Raw)
			}
		}
		if n := strings.Count(s.GraphQL(t, ada.Access, sessionPagesDoc, map[string]any{"first": 100}).Raw,
			`"isCurrent":true`); n != 0 {
			t.Errorf("%d current sessions among the newest hundred", n)
		}
	})
}

// AZ-08: a cursor is good for its list and its person, in one spelling, and goes on behind an entry that ended.
func TestAZ08_CursorsOfOwnLists(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Admin(t, dsn, "ada@example.com"), s.Register(t, "bob@example.com")
		sessions := append(moreSessions(t, s, ada, 4), ada.Session)
		for n := range 3 {
			s.NewKey(t, ada.Access, map[string]any{"name": fmt.Sprint("key ", n)})
		}
		_, ofSessions := pages(t, s, ada.Access, sessionPagesDoc, 2)
		_, ofKeys := pages(t, s, ada.Access, keyPagesDoc, 2)
		ofUsers := s.GraphQL(t, ada.Access, harness.UsersDoc, nil).Text("users", "pageInfo", "endCursor")
		raw, err := base64.RawURLEncoding.DecodeString(ofSessions[0])
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)-1] ^= 1
		for name, row := range map[string]struct{ credential, document, cursor string }{
			"sessions, of keys":       {ada.Access, sessionPagesDoc, ofKeys[0]},
			"keys, of sessions":       {ada.Access, keyPagesDoc, ofSessions[0]},
			"sessions, of users":      {ada.Access, sessionPagesDoc, ofUsers},
			"keys, of users":          {ada.Access, keyPagesDoc, ofUsers},
			"users, of sessions":      {ada.Access, harness.UsersDoc, ofSessions[0]},
			"somebody else, sessions": {bob.Access, sessionPagesDoc, ofSessions[0]},
			"somebody else, keys":     {bob.Access, keyPagesDoc, ofKeys[0]},
			"another MAC":             {ada.Access, sessionPagesDoc, base64.RawURLEncoding.EncodeToString(raw)},
			"padded":                  {ada.Access, sessionPagesDoc, ofSessions[0] + "="},
			"an id":                   {ada.Access, sessionPagesDoc, ada.Session},
			"nothing":                 {ada.Access, sessionPagesDoc, ""},
		} {
			a := s.GraphQL(t, row.credential, row.document, map[string]any{"after": row.cursor})
			if a.Code() != "BAD_USER_INPUT" || strings.Contains(a.Raw, "nodes") {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
		for _, first := range []int{-1, 101} {
			for _, document := range []string{sessionPagesDoc, keyPagesDoc} {
				if a := s.GraphQL(t, ada.Access, document, map[string]any{"first": first}); a.Code() !=
					"BAD_USER_INPUT" {
					t.Errorf("%d: %s", first, a.Raw)
				}
			}
		}
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.RevokeSessionDoc, harness.InputOf("id", sessions[1])))
		a := s.GraphQL(t, ada.Access, sessionPagesDoc, map[string]any{"after": ofSessions[1], "first": 1})
		if nodes, _ := a.At("list", "nodes").([]any); len(nodes) != 1 ||
			nodes[0].(map[string]any)["id"] != sessions[2] {
			t.Errorf("behind a session that ended: %s", a.Raw)
		}
	})
}
