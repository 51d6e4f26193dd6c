package admin

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// page asks for users and gives their addresses, without the part behind the @.
func page(t testing.TB, i *harness.Instance, credential string, variables map[string]any) (names []string,
	a *harness.Answer,
) {
	t.Helper()
	a = i.Expect(t, "", credential, harness.UsersDoc, variables)
	edges, _ := a.At("users", "edges").([]any)
	nodes, _ := a.At("users", "nodes").([]any)
	for n, node := range nodes {
		name, _, _ := strings.Cut(node.(map[string]any)["email"].(string), "@")
		names = append(names, name)
		if edges[n].(map[string]any)["node"].(map[string]any)["id"] != node.(map[string]any)["id"] {
			t.Errorf("edges and nodes differ: %s", a.Raw)
		}
	}
	if len(edges) != len(nodes) {
		t.Errorf("%d edges, %d nodes", len(edges), len(nodes))
	}
	if len(edges) > 0 && (a.At("users", "pageInfo", "startCursor") != edges[0].(map[string]any)["cursor"] ||
		a.At("users", "pageInfo", "endCursor") != edges[len(edges)-1].(map[string]any)["cursor"]) {
		t.Errorf("pageInfo and edges differ: %s", a.Raw)
	}
	return names, a
}

// people makes accounts without passwords, in this order.
func people(t testing.TB, i *harness.Instance, credential string, inputs ...map[string]any) {
	t.Helper()
	for _, in := range inputs {
		i.Expect(t, "", credential, harness.CreateUserDoc, map[string]any{"input": in})
	}
}

func TestUsers_Pages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "u0@example.com")
		var want []string
		for n := range 24 {
			people(t, s, root.Access, map[string]any{"email": fmt.Sprintf("u%d@example.com", n+1)})
		}
		for n := range 25 {
			want = append(want, fmt.Sprint("u", 24-n))
		}
		got, a := page(t, s, root.Access, nil)
		if !slices.Equal(got, want[:20]) || a.At("users", "totalCount") != 25.0 ||
			a.At("users", "pageInfo", "hasNextPage") != true ||
			a.At("users", "pageInfo", "hasPreviousPage") != false {
			t.Errorf("the first page: %v %s", got, a.Raw)
		}
		// Forwards while others come and go: nothing twice, nothing left out.
		var all []string
		after := any(nil)
		for n := 0; ; n++ {
			got, a := page(t, s, root.Access, map[string]any{"first": 7, "after": after})
			if all = append(all, got...); a.At("users", "pageInfo", "hasPreviousPage") != (n > 0) {
				t.Errorf("page %d: %s", n, a.Raw)
			}
			if after = a.At("users", "pageInfo", "endCursor"); a.At("users", "pageInfo", "hasNextPage") != true {
				break
			}
			people(t, s, root.Access, map[string]any{"email": fmt.Sprintf("late%d@example.com", n)})
			if n == 1 { // the account that the cursor stands at
				_, at := page(t, s, root.Access, map[string]any{"filter": map[string]any{"search": got[6] + "@"}})
				nodes := at.At("users", "nodes").([]any)
				s.Expect(t, "", root.Access, harness.DeleteUserDoc,
					harness.InputOf("id", nodes[0].(map[string]any)["id"]))
			}
		}
		if !slices.Equal(all, want) {
			t.Errorf("forwards %v", all)
		}
		// Backwards from the end.
		all = nil
		before := any(nil)
		for n := 0; ; n++ {
			got, a := page(t, s, root.Access, map[string]any{
				"last": 6, "before": before,
				"filter": map[string]any{"search": "u"},
			})
			if all = append(got, all...); a.At("users", "pageInfo", "hasNextPage") != (n > 0) {
				t.Errorf("page %d: %s", n, a.Raw)
			}
			if before = a.At("users", "pageInfo", "startCursor"); a.At("users", "pageInfo", "hasPreviousPage") != true {
				break
			}
		}
		want = slices.DeleteFunc(want, func(name string) bool { return name == "u11" })
		if !slices.Equal(all, want) {
			t.Errorf("backwards %v", all)
		}
		// Between two cursors, and pages of nothing.
		_, a = page(t, s, root.Access, map[string]any{"first": 10})
		edges := a.At("users", "edges").([]any)
		cursor := func(n int) any { return edges[n].(map[string]any)["cursor"] }
		whole, _ := page(t, s, root.Access, map[string]any{"first": 10})
		got, _ = page(t, s, root.Access, map[string]any{"after": cursor(2), "before": cursor(6)})
		if !slices.Equal(got, whole[3:6]) {
			t.Errorf("between: %v of %v", got, whole)
		}
		got, _ = page(t, s, root.Access, map[string]any{"after": cursor(2), "before": cursor(6), "last": 2})
		if !slices.Equal(got, whole[4:6]) {
			t.Errorf("the last between: %v of %v", got, whole)
		}
		for _, none := range []map[string]any{
			{"first": 0},
			{"last": 0},
			{"filter": map[string]any{"search": "nobody at all"}},
		} {
			got, a := page(t, s, root.Access, none)
			if len(got) != 0 || a.At("users", "pageInfo", "endCursor") != nil {
				t.Errorf("%v: %s", none, a.Raw)
			}
		}
		if got, _ = page(t, s, root.Access, map[string]any{
			"first": nil, "after": nil, "last": nil, "before": nil,
			"filter": nil,
		}); len(got) != 20 {
			t.Errorf("all null: %v", got)
		}
		for _, bad := range []map[string]any{
			{"first": 101},
			{"first": -1},
			{"last": 101},
			{"last": -1},
			{"first": "5"},
		} {
			s.Expect(t, "BAD_USER_INPUT", root.Access, harness.UsersDoc, bad)
		}
	})
}

// AZ-08: a cursor is good for the list, the filter and the server that it was made for, and in one spelling.
func TestAZ08_Cursors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		for n := range 3 {
			people(t, s, root.Access, map[string]any{"email": fmt.Sprintf("u%d@example.com", n)})
		}
		_, a := page(t, s, root.Access, map[string]any{"first": 2, "filter": map[string]any{"search": "u"}})
		cursor := a.Text("users", "pageInfo", "endCursor")
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := page(t, s, root.Access, map[string]any{
			"after":  cursor,
			"filter": map[string]any{"search": "u"},
		}); !slices.Equal(got, []string{"u0"}) {
			t.Errorf("after the cursor: %v", got)
		}
		// Space around the search is no other search.
		page(t, s, root.Access, map[string]any{
			"after":  cursor,
			"filter": map[string]any{"search": " u ", "status": nil},
		})
		bad := func(what, text string, filter any) {
			t.Helper()
			for _, name := range []string{"after", "before"} {
				got := s.GraphQL(t, root.Access, harness.UsersDoc, map[string]any{name: text, "filter": filter})
				if got.Code() != "BAD_USER_INPUT" || got.At("users") != nil || text != "" &&
					strings.Contains(got.Raw, text) {
					t.Errorf("%s: %s", what, got.Raw)
				}
			}
		}
		same := map[string]any{"search": "u"}
		bad("no filter", cursor, nil)
		bad("another search", cursor, map[string]any{"search": "u0"})
		bad("a further condition", cursor, map[string]any{"search": "u", "status": "ACTIVE"})
		bad("another role", cursor, map[string]any{"search": "u", "role": "user"})
		bad("the search as role", cursor, map[string]any{"role": "u"})
		for n := range raw {
			changed := slices.Clone(raw)
			changed[n] ^= 1
			bad(fmt.Sprint("byte ", n), base64.RawURLEncoding.EncodeToString(changed), same)
		}
		for what, text := range map[string]string{
			"empty": "", "id": root.ID, "cut": cursor[:20], "longer": cursor + "AAAA", "padded": cursor + "=",
			"line break":      cursor[:10] + "\n" + cursor[10:],
			"spare bits":      cursor[:len(cursor)-1] + string(cursor[len(cursor)-1]+1),
			"standard base64": base64.StdEncoding.EncodeToString(raw) + "/",
			"nonsense":        "nonsense",
		} {
			bad(what, text, same)
		}
		// Another server's, under another secret, of the same list and filter.
		elsewhere := dbtest.SQLite(t)
		foreign := harness.Start(t, elsewhere, "DRAGOMAN_SECRET=Qm7Zt2Lw9Xc4Vb6Nk1Jh8Gf3Ds5Ap0Ou-YiTr")
		other := foreign.Admin(t, elsewhere, "u@example.com")
		_, a = page(t, foreign, other.Access, map[string]any{"filter": same})
		bad("of another server", a.Text("users", "pageInfo", "endCursor"), same)
	})
}

// A search is for a plain substring, and finds the same on both databases.
func TestUsers_Filters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		people(t, s, root.Access,
			map[string]any{"email": "Alpha@Example.com", "username": "First.One", "name": "Ada Lovelace"},
			map[string]any{"email": "percent%@example.com", "name": "100% Émile"},
			map[string]any{"email": "under_score@example.com", "name": `Back\slash 'quote' ?0 $1 :x`},
			map[string]any{"email": "plain@other.example", "username": "under-score"},
			map[string]any{"email": "boss@example.com", "role": "admin", "name": "İstanbul ß ſ K"},
		)
		_, a := page(t, s, root.Access, map[string]any{"filter": map[string]any{"search": "plain@other"}})
		s.Expect(t, "", root.Access, harness.SuspendDoc,
			harness.InputOf("id", a.At("users", "nodes").([]any)[0].(map[string]any)["id"]))
		for _, row := range []struct {
			filter map[string]any
			want   string
		}{
			{map[string]any{}, "boss plain under_score percent% Alpha root"},
			{map[string]any{"search": ""}, "boss plain under_score percent% Alpha root"},
			{map[string]any{"search": "ALPHA@"}, "Alpha"},
			{map[string]any{"search": "alpha@example"}, "Alpha"},
			{map[string]any{"search": "first.ONE"}, "Alpha"},
			{map[string]any{"search": "a l"}, "Alpha"},
			{map[string]any{"search": "lovelace"}, "Alpha"},
			{map[string]any{"search": "%"}, "percent%"},
			{map[string]any{"search": "%@"}, "percent%"},
			{map[string]any{"search": "_"}, "under_score"},
			{map[string]any{"search": "under"}, "plain under_score"},
			{map[string]any{"search": "under-"}, "plain"},
			{map[string]any{"search": `\`}, "under_score"},
			{map[string]any{"search": `back\SLASH`}, "under_score"},
			{map[string]any{"search": "'quote'"}, "under_score"},
			{map[string]any{"search": "?0 $1 :X"}, "under_score"},
			{map[string]any{"search": "' OR 1=1 --"}, ""},
			{map[string]any{"search": "Émile"}, "percent%"},
			{map[string]any{"search": "E\u0301mile"}, "percent%"}, // the same letter in two code points
			{map[string]any{"search": "émile"}, ""},               // only a to z match their capitals
			{map[string]any{"search": "İSTANBUL"}, "boss"},
			{map[string]any{"search": "istanbul"}, ""},
			{map[string]any{"search": "ß"}, "boss"},
			{map[string]any{"search": "ss"}, "boss"},
			{map[string]any{"search": "K"}, "boss under_score"}, // K, and not the Kelvin sign alone
			{map[string]any{"role": "admin"}, "boss root"},
			{map[string]any{"role": "user", "search": "example.com"}, "under_score percent% Alpha"},
			{map[string]any{"role": "owner"}, ""},
			{map[string]any{"role": nil, "status": nil, "search": nil}, "boss plain under_score percent% Alpha root"},
			{map[string]any{"status": "SUSPENDED"}, "plain"},
			{map[string]any{"status": "ACTIVE", "role": "user"}, "under_score percent% Alpha"},
		} {
			got, a := page(t, s, root.Access, map[string]any{"filter": row.filter})
			if strings.Join(got, " ") != row.want || a.At("users", "totalCount") != float64(len(got)) {
				t.Errorf("%v: %q of %v, want %q", row.filter, strings.Join(got, " "), a.At("users", "totalCount"),
					row.want)
			}
		}
		for _, bad := range []any{
			map[string]any{"search": strings.Repeat("x", 201)},
			map[string]any{"search": "a\x00b"},
			map[string]any{"search": "\ufffd"},
			map[string]any{"search": " "},
			map[string]any{"status": "PENDING"},
			map[string]any{"email": "x"},
			map[string]any{"search": 1},
			map[string]any{"search": []string{"x"}},
			"x",
		} {
			s.Expect(t, "BAD_USER_INPUT", root.Access, harness.UsersDoc, map[string]any{"filter": bad})
		}
		s.Expect(t, "BAD_USER_INPUT", root.Access, `{ users(filter: {search: "`+strings.Repeat("x", 201)+
			`"}) { totalCount } }`, nil)
		// Without totalCount nothing is counted, and with it alone nothing else is shown.
		if a := s.Expect(t, "", root.Access, `{ users(first: 1) { totalCount } }`, nil); a.At("users",
			"totalCount") != 6.0 {
			t.Error(a.Raw)
		}
		if a := s.Expect(t, "", root.Access, `{ ...A } fragment A on Query { users { ...B } } fragment B on `+
			`UserConnection { n: totalCount }`, nil); a.At("users", "n") != 6.0 {
			t.Error(a.Raw)
		}
	})
}

// Lists and changes of accounts cost a bounded number of statements.
func TestStatements_Administration(t *testing.T) {
	t.Parallel()
	s, dsn := harness.BudgetServer(t)
	root := s.Admin(t, dsn, "root@example.com")
	type shape struct {
		name string
		want int
		do   func()
	}
	shapes := func(round int) []shape {
		made := s.Expect(t, "", root.Access, harness.CreateUserDoc,
			harness.InputOf("email", fmt.Sprintf("first%d@example.com", round)))
		id := made.Text("createUser", "user", "id")
		ask := func(document string, variables map[string]any) func() {
			return func() { s.Expect(t, "", root.Access, document, variables) }
		}
		return []shape{
			{"oneself", 1, ask(userDoc, map[string]any{"id": root.ID})},
			{"user", 2, ask(userDoc, map[string]any{"id": id})},
			{"users", 3, ask(harness.UsersDoc, nil)},
			{"users uncounted", 2, ask(`{ users { nodes { id roles { name } permissions } } }`, nil)},
			{"createUser", 6, ask(harness.CreateUserDoc,
				harness.InputOf("email", fmt.Sprintf("u%d@example.com", round)))},
			{"updateUser", 5, ask(harness.UpdateUserDoc, harness.InputOf("id", id, "name", "x"))},
			{"suspendUser", 5, ask(harness.SuspendDoc, harness.InputOf("id", id))},
			{"revokeUserSessions", 5, ask(harness.EndUserDoc, harness.InputOf("id", id))},
			{"deleteUser", 5, ask(harness.DeleteUserDoc, harness.InputOf("id", id))},
		}
	}
	for _, warm := range shapes(0) {
		warm.do()
	}
	for _, one := range shapes(1) {
		if n, lines := harness.Statements(t, dsn, one.do); n != one.want {
			t.Errorf("%s: %d statements, not %d:\n  %s", one.name, n, one.want, strings.Join(lines, "\n  "))
		}
	}
}

// ID-06: what no row can hold is a mistake of the caller, in filters too.
func TestID06_UserFilter(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		for _, filter := range []map[string]any{
			{"role": "\x00"},
			{"role": "user\x00"},
			{"search": "\x00"},
			{"search": "a\x00b"},
			{"role": `a'b\`},
			{"search": `a'b\?0%_`},
		} {
			a := s.GraphQL(t, root.Access, `query($filter: UserFilter) { users(filter: $filter) { totalCount nodes { `+
				`id } } }`, map[string]any{"filter": filter})
			if code := a.Code(); code != "" && code != "BAD_USER_INPUT" || code == "" &&
				a.At("users", "totalCount") != 0.0 {
				t.Errorf("%q: %s", filter, a.Raw)
			}
		}
	})
}
