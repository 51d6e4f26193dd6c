package sessions

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// A spent refresh token is as bad in a logout as in a refresh.
func TestSE11_LogoutWithASpentToken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		next := s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "refreshToken")
		s.Refresh(t, next)
		a := s.GraphQL(t, "", harness.LogoutDoc, map[string]any{"input": map[string]any{"refreshToken": ada.Refresh}})
		if a.Code() != "TOKEN_REUSED" || s.Is(t, ada.Access, ada) {
			t.Errorf("%s", a.Raw)
		}
	})
}

// The check itself: it finds what is not declared, and nothing else.
func TestUndeclaredRefusalsAreFound(t *testing.T) {
	t.Parallel()
	const logout = `mutation { logout { userErrors { code } } }`
	for _, c := range []struct {
		document, answer string
		found            bool
	}{
		{logout, `{"data":{"logout":{"userErrors":[]}}}`, false},
		{logout, `{"data":{"logout":{"userErrors":[{"code":"INVALID_TOKEN"}]}}}`, false},
		{logout, `{"data":{"logout":{"userErrors":[{"code":"CONFLICT"}]}}}`, true},
		{
			logout, `{"data":{"logout":null},"errors":[{"path":["logout"],"extensions":{"code":"UNAUTHENTICATED"}}]}`,
			false,
		},
		{logout, `{"data":{"logout":null},"errors":[{"path":["logout"],"extensions":{"code":"RATE_LIMITED"}}]}`, false},
		{
			`{ serverInfo { version } }`,
			`{"errors":[{"path":["serverInfo"],"extensions":{"code":"RATE_LIMITED"}}]}`, true,
		},
		{
			logout,
			`{"data":{"logout":null},"errors":[{"path":["logout"],"extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`,
			false,
		},
		{logout, `{"data":{"logout":null},"errors":[{"path":["logout","userErrors"],"extensions":{}}]}`, true},
		{logout, `{"errors":[{"extensions":{"code":"BAD_USER_INPUT"}}]}`, false},
		{logout, `not JSON`, false},
		{`mutation { a: logout { userErrors { code } } }`, `{"data":{"a":{"userErrors":[{"code":"CONFLICT"}]}}}`, true},
		{
			`mutation { ...A } fragment A on Mutation { ...{ a: logout { userErrors { code } } } ...A }`,
			`{"data":{"a":{"userErrors":[{"code":"CONFLICT"}]}}}`, true,
		},
		{
			`query A { a: me { id } } query B { a: sessions { id } }`,
			`{"errors":[{"path":["a"],"extensions":{"code":"UNAUTHENTICATED"}}]}`, false,
		},
		{`{ a: serverInfo { version } }`, `{"errors":[{"path":["a"],"extensions":{"code":"UNAUTHENTICATED"}}]}`, true},
		{`{ keys { id } }`, `{"errors":[{"path":["keys"],"message":"The argument \"a\" is ` +
			`refused","extensions":{"code":"BAD_USER_INPUT"}}]}`, false},
		{`{ keys { id } }`, `{"errors":[{"path":["keys"],"message":"Give one of ` +
			`them.","extensions":{"code":"BAD_USER_INPUT"}}]}`, true},
		{`{`, `{"errors":[{"path":["keys"],"extensions":{"code":"CONFLICT"}}]}`, false},
	} {
		body, err := json.Marshal(map[string]any{"query": c.document})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		a := &harness.Answer{}
		_ = json.Unmarshal([]byte(c.answer), a)
		if err := harness.Undeclared(r, a); (err != nil) != c.found {
			t.Errorf("%s %s: %v", c.document, c.answer, err)
		}
	}
}
