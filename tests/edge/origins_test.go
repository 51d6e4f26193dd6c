package edge

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// forgeries are what a browser says of a request that a page made it send against its user's will.
var forgeries = map[string][]string{
	"another site":      {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
	"a sibling":         {"Sec-Fetch-Site", "same-site", "Origin", "https://blog.example.com"},
	"a sandboxed frame": {"Sec-Fetch-Site", "cross-site", "Origin", "null"},
	"a form of another site": {
		"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Origin",
		"https://evil.example",
	},
	"without an origin":         {"Sec-Fetch-Site", "cross-site"},
	"an old browser":            {"Origin", "https://evil.example"},
	"an old browser, sandboxed": {"Origin", "null"},
	"a lookalike":               {"Sec-Fetch-Site", "same-site", "Origin", "https://app.example.com.evil.example"},
	"the other scheme":          {"Sec-Fetch-Site", "cross-site", "Origin", "http://app.example.com"},
	"another port":              {"Sec-Fetch-Site", "same-site", "Origin", "https://app.example.com:8443"},
}

// honest are requests of pages that may, and of programs.
var honest = map[string][]string{
	"a program":          nil,
	"a page of its own":  {"Sec-Fetch-Site", "same-origin", "Origin", "https://auth.example.com"},
	"a listed page":      {"Sec-Fetch-Site", "same-site", "Origin", "https://app.example.com"},
	"a listed, old page": {"Origin", "https://app.example.com"},
	"behind a proxy":     {"Origin", "https://auth.example.com"},
}

// TestHT03_ForgedRequests: a page that is not trusted makes nothing happen with the cookie of its visitor, and does not
// sign the visitor in.
func TestHT03_ForgedRequests(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL=https://auth.example.com",
			"DRAGOMAN_CORS_ORIGINS=https://app.example.com")
		ada := s.Register(t, "ada@example.com")
		c, _ := s.BrowserIn(t, "ada@example.com")
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		for name, header := range forgeries {
			with := append(slices.Clone(header), harness.Carrying(c)...)
			for _, path := range []string{"/graphql", "/query"} {
				for _, document := range []string{
					`mutation { logout { userErrors { code } } }`, `{ me { id email } }`,
					`mutation { revokeOtherSessions { revokedCount } }`,
				} {
					body := `{"query":"` + document + `"}`
					for _, accept := range []string{"application/json", "application/graphql-response+json"} {
						res, text := harness.Fetched(t, "POST", s.URL+path, "application/json", body,
							append(with, "Accept", accept)...)
						if res.StatusCode != http.StatusForbidden ||
							!strings.HasPrefix(text, `{"errors":[{"message":"Pages of this origin`) ||
							!strings.Contains(text, `"code":"FORBIDDEN"`) || strings.Contains(text, "data") ||
							!strings.HasPrefix(res.Header.Get("Content-Type"), accept) ||
							res.Header.Get("Set-Cookie") != "" {
							t.Errorf("%s, %s %s: %d %s", name, path, document, res.StatusCode, text)
						}
					}
				}
				for _, kind := range []string{
					"text/plain", "application/x-www-form-urlencoded",
					"multipart/form-data; boundary=x",
				} {
					if res, text := harness.Fetched(t, "POST", s.URL+path, kind,
						`{"query":"mutation { logout { userErrors { code } } }"}`,
						with...); res.StatusCode != http.StatusForbidden {
						t.Errorf("%s, as %s: %d %s", name, kind, res.StatusCode, text)
					}
				}
				res, text := harness.Fetched(t, "GET", s.URL+path+"?query=%7Bme%7Bid%7D%7D", "", "", with...)
				if res.StatusCode < 400 || strings.Contains(text, ada.ID) {
					t.Errorf("%s, GET %s: %d %s", name, path, res.StatusCode, text)
				}
			}
			// The cookie beside a credential of the page's own, and an ambiguous one, are cookies too.
			for _, further := range [][]string{
				{"Authorization", "Bearer " + ada.Access},
				{"Authorization", "Bearer " + c.Value},
			} {
				if a := harness.Asked(t, s.URL, "", harness.LogoutDoc, nil,
					append(with, further...)...); a.Status != http.StatusForbidden {
					t.Errorf("%s, with a token too: %d %s", name, a.Status, a.Raw)
				}
			}
			for field, document := range map[string]string{"login": harness.LoginDoc, "register": harness.RegisterDoc} {
				email := map[string]string{"login": "ada@example.com", "register": "eve@example.com"}[field]
				a := harness.Asked(t, s.URL, "", document,
					harness.InputOf("email", email, "password", harness.GoodPass, "tokenDelivery", "COOKIE"), header...)
				if a.Code() != "INVALID_INPUT" || harness.CookieOf(t, a) != nil || a.At(field, "user") != nil {
					t.Errorf("%s, %s: %s %v", name, field, a.Raw, a.Header)
				}
			}
			// Without a cookie there is nothing to forge: who knows a token may use it.
			if a := harness.Asked(t, s.URL, ada.Access, harness.MeDoc, nil, header...); a.Text("me", "id") != ada.ID {
				t.Errorf("%s, with a token alone: %d %s", name, a.Status, a.Raw)
			}
		}
		if after := conn.Census(t); after != before {
			t.Errorf("something was done: %s, before %s", after, before)
		}
		for name, header := range honest {
			with := append(slices.Clone(header), harness.Carrying(c)...)
			if a := harness.Asked(t, s.URL, "", harness.MeDoc, nil, with...); a.Text("me", "id") != ada.ID {
				t.Errorf("%s: %d %s", name, a.Status, a.Raw)
			}
			res, text := harness.Fetched(t, "GET", s.URL+"/graphql?query=%7Bme%7Bid%7D%7D", "", "",
				append(with, "Apollo-Require-Preflight", "1")...)
			if res.StatusCode != http.StatusOK || !strings.Contains(text, ada.ID) {
				t.Errorf("%s, GET: %d %s", name, res.StatusCode, text)
			}
			res, text = harness.Fetched(t, "GET", s.URL+"/graphql?query=mutation%7Blogout%7BuserErrors%7Bcode%7D%7D%7D",
				"", "", append(with, "Apollo-Require-Preflight", "1")...)
			if res.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s, a mutation by GET: %d %s", name, res.StatusCode, text)
			}
			mine, _ := s.BrowserIn(t, "ada@example.com", header...)
			if a := harness.Asked(t, s.URL, "", harness.LogoutDoc, nil,
				append(harness.Carrying(mine), header...)...); a.Code() != "" || !harness.Cleared(t, a, mine) {
				t.Errorf("%s: logout: %s", name, a.Raw)
			}
		}
	})
}

// TestHT06_OriginsOfServer is what pages are told at every place of the server, before they ask and with the answer.
func TestHT06_OriginsOfServer(t *testing.T) {
	t.Parallel()
	local := harness.Start(t, dbtest.SQLite(t))
	listed := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_CORS_ORIGINS=https://app.example.com,http://localhost:5173")
	nobody := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_CORS_ORIGINS=none")
	public := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL=https://auth.example.com")
	all := map[*harness.Instance]string{local: "local", listed: "listed", nobody: "nobody", public: "public"}
	const exposed = "X-Request-Id, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, X-Device-Token, Link, " +
		"X-Not-Sent, X-Session-Token"
	for origin, may := range map[string][]*harness.Instance{
		"http://localhost:5173":         {local, listed},
		"http://localhost:5174":         {local},
		"http://127.0.0.1:3000":         {local},
		"http://[::1]:3000":             {local},
		"https://app.example.com":       {listed},
		"https://app.example.com:444":   {},
		"https://evil.example":          {},
		"http://localhost.evil.example": {},
		"https://auth.example.com":      {}, // its own pages need not ask
		"null":                          {},
		"*":                             {},
		"":                              {},
	} {
		for s, name := range all {
			allowed := slices.Contains(may, s)
			for _, c := range []struct{ method, path string }{
				{"POST", "/graphql"},
				{"GET", "/query"},
				{"POST", "/sign_in"},
				{"DELETE", "/sessions/1"},
				{"POST", harness.Generic + "/login"},
				{"GET", "/.well-known/jwks.json"},
				{"GET", "/nothing"},
			} {
				var header []string
				if origin != "" {
					header = []string{"Origin", origin}
				}
				for _, r := range []struct {
					method    string
					preflight bool
				}{{c.method, false}, {"OPTIONS", true}} {
					var asks []string
					if r.preflight {
						asks = []string{
							"Access-Control-Request-Method", c.method, "Access-Control-Request-Headers",
							"content-type,x-api-key",
						}
					}
					res, text := harness.Fetched(t, r.method, s.URL+c.path, "application/json", `{}`,
						append(asks, header...)...)
					h, where := res.Header, name+" "+r.method+" "+c.path+" from "+origin
					if !slices.Contains(strings.Split(strings.Join(h.Values("Vary"), ", "), ", "), "Origin") {
						t.Errorf("%s: Vary %q", where, h.Values("Vary"))
					}
					if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Request-Id") == "" {
						t.Errorf("%s: %v", where, h)
					}
					if public := c.path == "/.well-known/jwks.json"; public && !r.preflight && !allowed &&
						h.Get("Access-Control-Allow-Origin") != "*" {
						t.Errorf("%s: %v", where, h)
					}
					if !allowed {
						for field := range h {
							if c.path == "/.well-known/jwks.json" && !r.preflight && field == "Access-Control-Allow-Origin" {
								continue
							}
							if strings.HasPrefix(field, "Access-Control-") {
								t.Errorf("%s: %s: %q", where, field, h[field])
							}
						}
						if r.preflight && res.StatusCode < 400 {
							t.Errorf("%s: %d", where, res.StatusCode)
						}
						continue
					}
					if h.Get("Access-Control-Allow-Origin") != origin ||
						len(h.Values("Access-Control-Allow-Origin")) != 1 ||
						h.Get("Access-Control-Allow-Credentials") != "true" {
						t.Errorf("%s: %v", where, h)
					}
					switch {
					case !r.preflight && h.Get("Access-Control-Expose-Headers") != exposed:
						t.Errorf("%s: exposed %q", where, h.Get("Access-Control-Expose-Headers"))
					case r.preflight && (res.StatusCode != 204 || text != "" ||
						h.Get("Access-Control-Allow-Headers") != "content-type,x-api-key" ||
						!strings.Contains(h.Get("Access-Control-Allow-Methods"), c.method) ||
						h.Get("Access-Control-Max-Age") == ""):
						t.Errorf("%s: %d %s %v", where, res.StatusCode, text, h)
					}
				}
			}
		}
	}
}

// gateDialect has a cookie, a route that changes state by GET, and what it needs to sign in.
const gateDialect = `dialect: gate
title: Gate
mounts: [/gate]
cookies: {pass: {}}
credentials: [cookie pass]
errors:
  body: {error: =.code}
  UNAUTHENTICATED: {status: 401}
  BAD_USER_INPUT: {status: 400}
  FORBIDDEN: {status: 403}
routes:
  - route: POST /in
    accepts: [json]
    fields: {email: string!, password: string!}
    variables: {input: "=.params | {email, password}"}
    document: |
      mutation In($input: LoginInput!) { login(input: $input) { tokens { accessToken } userErrors { code message ` +
	`retryAfterSeconds } } }
    cookies: {pass: =.login.tokens.accessToken}
    body: {ok: true}
    errors: {INVALID_INPUT: {status: 400}, INVALID_CREDENTIALS: {status: 403}, EMAIL_NOT_VERIFIED: {status: 403}, ` +
	`NOT_FOUND: {status: 403}, ACCOUNT_LOCKED: {status: 429}}
  - route: POST /out
    accepts: []
    document: mutation Out { revokeOtherSessions { userErrors { code message } } }
    body: {ok: true}
  - route: GET /out
    changesState: true
    document: mutation Out { revokeOtherSessions { userErrors { code message } } }
    body: {ok: true}
`

// TestHT03_HT04_DialectOrigins: the cookies of dialects follow the same list, and so do their GETs that change state.
func TestHT03_HT04_DialectOrigins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gate.yaml"), []byte(gateDialect), 0o600); err != nil {
		t.Fatal(err)
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL=https://auth.example.com",
			"DRAGOMAN_CORS_ORIGINS=https://app.example.com",
			"DRAGOMAN_DIALECTS_DIR="+dir, "DRAGOMAN_DIALECTS=gate")
		s.Register(t, "ada@example.com")
		res, text := harness.Fetched(t, "POST", s.URL+"/gate/in", "application/json",
			harness.Credentials("email", "ada@example.com", harness.GoodPass))
		if len(res.Cookies()) != 2 || res.StatusCode != http.StatusOK { // its own, and that of the device
			t.Fatalf("%d %s", res.StatusCode, text)
		}
		cookies := slices.DeleteFunc(res.Cookies(),
			func(c *http.Cookie) bool { return strings.HasSuffix(c.Name, "device") })
		pass := harness.Carrying(cookies[0])
		for _, group := range []struct {
			requests map[string][]string
			status   int
		}{{forgeries, http.StatusForbidden}, {honest, http.StatusOK}} {
			for name, header := range group.requests {
				with := append(slices.Clone(header), pass...)
				for _, method := range []string{"POST", "GET"} {
					res, text := harness.Fetched(t, method, s.URL+"/gate/out", "", "", with...)
					if method == "GET" && slices.Contains(header, "navigate") {
						// a page, and no change
						if res.StatusCode != http.StatusOK || !strings.Contains(text, "<button") {
							t.Errorf("%s, GET: %d %s", name, res.StatusCode, text)
						}
						continue
					}
					if res.StatusCode != group.status || group.status == http.StatusForbidden &&
						text != `{"error":"CROSS_SITE"}`+"\n" && text != `{"error":"CROSS_SITE"}` {
						t.Errorf("%s, %s: %d %s", name, method, res.StatusCode, text)
					}
				}
				res, _ := harness.Fetched(t, "POST", s.URL+"/gate/in", "application/json",
					harness.Credentials("email", "ada@example.com", harness.GoodPass), header...)
				want := 0
				if group.status == http.StatusOK {
					want = 2
				}
				if got := len(res.Cookies()); got != want {
					t.Errorf("%s: %d cookies, %d", name, got, res.StatusCode)
				}
			}
		}
		for name, header := range map[string][]string{
			"an image": {"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "image"},
			"an image of a listed page": {
				"Sec-Fetch-Site", "same-site", "Sec-Fetch-Dest", "image", "Origin",
				"https://app.example.com",
			},
		} {
			if res, text := harness.Fetched(t, "GET", s.URL+"/gate/out", "", "",
				append(header, pass...)...); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %d %s", name, res.StatusCode, text)
			}
		}
		for name, header := range map[string][]string{"a link": {
			"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest",
			"document",
		}, "a prefetch": {"Sec-Purpose", "prefetch"}} {
			if res, text := harness.Fetched(t, "GET", s.URL+"/gate/out", "", "",
				append(header, pass...)...); res.StatusCode != http.StatusOK || !strings.Contains(text, "<button") {
				t.Errorf("%s: %d %s", name, res.StatusCode, text)
			}
		}
	})
}
