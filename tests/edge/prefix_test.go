package edge

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestPG09_Paths asks for every path below a prefix, with it and without it, as the two kinds of proxy forward them:
// both are answered alike, and every other spelling is 404, as it is at the root.
func TestPG09_Paths(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=http://127.0.0.1:8080/accounts")
	root := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=http://127.0.0.1:8080")
	status := func(i *harness.Instance, path string) int {
		t.Helper()
		h := harness.Talk(t, i.URL, "GET "+path+" HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n")
		if to := h.Header.Get("Location"); to != "" {
			t.Errorf("%s leads to %s", path, to)
		}
		return h.Status
	}
	for _, path := range []string{
		"/", "/healthz", "/readyz", "/.well-known/jwks.json", "/docs", "/docs/graphql/me", "/playground", "/account",
		"/account/verify-email", "/favicon.ico", "/graphql?query=%7Bme%7Bid%7D%7D", "/nothing", "/docs/",
		"/login/magic/x", "/v1/auth/login", "/sessions", "/readyz/", "//", "//graphql", "/docs//graphql",
		"/docs/../graphql", "/docs/%2e%2e/graphql", "/docs%2Fgraphql", "/%64ocs", "/.", "/..", "/%2e%2e/x",
	} {
		want := status(root, path)
		if got := status(s, "/accounts"+path); got != want {
			t.Errorf("/accounts%s: %d, want %d", path, got, want)
		}
		if got := status(s, path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := status(s, "/accounts"); got != http.StatusOK {
		t.Errorf("/accounts: %d", got)
	}
	for _, path := range []string{
		"/Accounts/docs", "/accountsdocs", "/accounts-docs", "/%61ccounts/docs", "/accounts%2Fdocs", "//accounts/docs",
		"/./accounts/docs", "/docs/../accounts/docs", "/accounts/accounts/docs", "/accounts/accounts",
		"/accounts/./docs", "/accounts/../accounts/docs", "/accounts/..", "/accounts/%2e%2e/docs", "/accounts;/docs",
		"/accounts//docs", "/accounts/docs%2f", "/accounts%00/docs",
	} {
		if got := status(s, path); got != http.StatusNotFound && got != http.StatusBadRequest {
			t.Errorf("%s: %d, want 404", path, got)
		}
	}
	if log := s.Logged.String(); !strings.Contains(log, `"path":"/docs/graphql/me"`) ||
		strings.Contains(log, `"path":"/accounts/docs/graphql/me"`) {
		t.Error("the log does not name paths as the server knows them")
	}
}

// TestPG08_GivesItOut reads what programs get below a prefix of https: key sets, OpenAPI, redirects, HSTS, links and
// messages. No header of a request says what the prefix is.
func TestPG08_GivesItOut(t *testing.T) {
	t.Parallel()
	for name, strips := range harness.Proxies {
		s, front := harness.Below(t, dbtest.SQLite(t), strips, true, harness.WithOldAPI(t), "DRAGOMAN_DIALECTS=old-api",
			"DRAGOMAN_START_PAGE=on", "DRAGOMAN_PLAYGROUND=on")
		client := front.Client(nil)
		get := func(path string, header ...string) (*http.Response, string) {
			t.Helper()
			r, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i+1 < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			return res, string(body)
		}
		for path, want := range map[string]string{
			"":                           "Dragoman is running here",
			"/":                          s.URL + "/graphql -H",
			"/docs/old-api/openapi.json": `"url": "` + s.URL + `"`,
			"/docs/old-api":              s.URL + "/older",
			"/.well-known/jwks.json":     `"keys":[`,
			"/nothing":                   "by POST to " + harness.Prefix + "/graphql.",
			"/docs/graphql/frontend":     s.URL + "/graphql",
		} {
			if res, body := get(path); !strings.Contains(body, want) ||
				res.Header.Get("Strict-Transport-Security") != "max-age=31536000" {
				t.Errorf("%s, %s: %d %v", name, path, res.StatusCode, res.Header)
			}
		}
		person := []string{"Accept", "text/html", "Sec-Fetch-Dest", "document", "X-Forwarded-Prefix", "/evil"}
		for path, want := range map[string]string{"/graphql": "/playground", "/old": "/docs/old-api"} {
			if res, _ := get(path, person...); res.Header.Get("Location") != harness.Prefix+want {
				t.Errorf("%s, %s: %d %v", name, path, res.StatusCode, res.Header)
			}
		}
		res, _ := get("/old/me")
		if links := strings.Join(res.Header.Values("Link"), ", "); res.StatusCode != http.StatusUnauthorized ||
			links != `<`+harness.Prefix+`/graphql>; rel="successor-version"` {
			t.Errorf("%s: %d %s", name, res.StatusCode, links)
		}
		if _, body := get("/old/confirm?x=1", person...); !strings.Contains(body,
			`action="`+harness.Prefix+`/old/confirm?x=1&amp;_confirm=1"`) {
			t.Errorf("%s: the button of a GET that changes something: %s", name, body)
		}
		front.Whole(t)
	}
}

// TestPG08_Cookies keeps the cookies of the server and of dialects in a jar, below a prefix of https: each is kept for
// the prefix alone, comes back to the routes that read it, and is cleared when its session ends. Pages of another
// origin are refused as ever.
func TestPG08_Cookies(t *testing.T) {
	t.Parallel()
	for name, strips := range harness.Proxies {
		s, front := harness.Below(t, dbtest.SQLite(t), strips, true, "DRAGOMAN_DIALECTS=all")
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		client := front.Client(jar)
		ask := func(route, body string, status int, text string, header ...string) []*http.Cookie {
			t.Helper()
			method, path, _ := strings.Cut(route, " ")
			r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			for i := 0; i+1 < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != status || !strings.Contains(string(got), text) {
				t.Errorf("%s, %s: %d %s, want %d %s", name, route, res.StatusCode, got, status, text)
			}
			for _, c := range res.Cookies() {
				if c.Path != harness.Prefix+"/" || !c.Secure || !c.HttpOnly || c.Domain != "" {
					t.Errorf("%s, %s: the cookie %s", name, route, c.Raw)
				}
			}
			return res.Cookies()
		}
		kept := func(path string) (names []string) {
			u, err := url.Parse(front.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range jar.Cookies(u) {
				names = append(names, c.Name)
			}
			slices.Sort(names)
			return names
		}
		const me = `{"query":"{ me { email } }"}`
		ask("POST /graphql", `{"query":"mutation { register(input: {email: \"ada@example.com\", password: \"`+
			harness.GoodPass+`\", tokenDelivery: COOKIE}) { userErrors { code } } }"}`, 200, `"userErrors":[]`)
		if got := kept(harness.Prefix + "/graphql"); !slices.Equal(got, []string{
			"__Secure-device", "__Secure-dragoman_session",
		}) {
			t.Errorf("%s: the jar has %s", name, got)
		}
		if got := kept("/graphql"); got != nil {
			t.Errorf("%s: the other program gets %s", name, got)
		}
		ask("POST /graphql", me, 200, "ada@example.com", "Origin", front.URL, "Sec-Fetch-Site", "same-origin")
		ask("POST /graphql", me, 200, "ada@example.com", "Origin", front.URL) // of a browser without Sec-Fetch
		ask("POST /graphql", me, 403, "FORBIDDEN", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		ask("POST /graphql", me, 403, "FORBIDDEN", "Origin", "https://evil.example")
		ask("POST /graphql", `{"query":"mutation { logout { userErrors { code } } }"}`, 200, `"userErrors":[]`)
		if got := kept(harness.Prefix + "/graphql"); !slices.Equal(got, []string{"__Secure-device"}) {
			t.Errorf("%s: after signing out the jar has %s", name, got)
		}

		companion := harness.CompanionBody("name", "Bob", "email", "bob@example.com", "password", harness.GoodPass)
		ask("POST "+harness.Companion+"/register", companion, 201, "access_token")
		for range 2 {
			if set := ask("POST "+harness.Companion+"/refresh", "{}", 200, "access_token"); len(set) < 2 {
				t.Errorf("%s: a refresh sets %v", name, set)
			}
		}
		ask("DELETE "+harness.Companion+"/refresh", "{}", 204, "")
		ask("POST "+harness.Companion+"/refresh", "{}", 400, "")

		ask("POST /login", `{"email":"ada@example.com","password":"`+harness.GoodPass+`"}`, 200, `"success":true`)
		ask("GET /user", "", 200, "ada@example.com")
		ask("GET /token/refresh", "", 200, `"success":true`, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "empty")
		ask("GET /token/revoke", "", 200, "")
		ask("GET /user", "", 401, "")
		front.Whole(t)
	}
}
