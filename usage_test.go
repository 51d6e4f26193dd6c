package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// oldAPI is a dialect on its way out, with a route that goes earlier and one that nobody calls.
const oldAPI = `dialect: old-api
title: Old API
mounts: [/old, /older]
deprecated: 2026-01-01
sunset: 2036-06-30
successor: /graphql
cookies: {s: {path: /}}
errors:
  body: {error: =.code}
  UNAUTHENTICATED: {status: 401}
  FORBIDDEN: {status: 403}
  BAD_USER_INPUT: {status: 400}
  INVALID_INPUT: {status: 200}
routes:
  - route: GET /me
    document: "query Me { me { id } }"
    outcomes: [{when: .me == null, error: UNAUTHENTICATED}]
    headers: {Link: "</help>; rel=help"}
    body: {id: =.me.id}
  - route: POST /echo
    accepts: [json]
    fields: {text: string!}
    checks: [{when: .params.text == "no", error: INVALID_INPUT}]
    sunset: 2026-03-31
    successor: https://api.example.com/v2/echo
    body: {ok: true}
  - route: GET /users/{id}
    body: {}
  - route: GET /confirm
    title: Confirm
    changesState: true
    document: "mutation End { logout { userErrors { code message } } }"
    errors: {INVALID_TOKEN: {status: 400}, TOKEN_REUSED: {status: 400}}
    status: 204
`

// withOldAPI is the setting that serves it.
func withOldAPI(t testing.TB, changes ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer(changes...).Replace(oldAPI)
	if err := os.WriteFile(filepath.Join(dir, "old.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "DRAGOMAN_DIALECTS_DIR=" + dir
}

// Every answer in the name of a dialect says when it ends, whatever the answer is (RFC 9745, RFC 8594).
func TestSunset_Headers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, withOldAPI(t), "DRAGOMAN_CORS_ORIGINS=https://app.example.com")
		ada := s.register(t, "ada@example.com")
		const (
			whole = "@1767225600 Mon, 30 Jun 2036 00:00:00 GMT </graphql>; rel=\"successor-version\""
			own   = "@1767225600 Tue, 31 Mar 2026 00:00:00 GMT <https://api.example.com/v2/echo>; rel=\"successor-version\""
		)
		for _, c := range []struct {
			name, method, path, body string
			header                   []string
			status                   int
			want                     string
		}{
			{"success, beside a link of the file", "GET", "/old/me", "", []string{"Authorization", "Bearer " + ada.Access}, 200, whole + ", </help>; rel=help"},
			{"by the other mount", "GET", "/older/me", "", []string{"Authorization", "Bearer " + ada.Access}, 200, whole + ", </help>; rel=help"},
			{"HEAD", "HEAD", "/old/me", "", []string{"Authorization", "Bearer " + ada.Access}, 200, whole + ", </help>; rel=help"},
			{"a refusal of an outcome", "GET", "/old/me", "", nil, 401, whole},
			{"a route with an end of its own, which is over", "POST", "/old/echo", `{"text":"a"}`, nil, 200, own},
			{"a refusal of a field", "POST", "/old/echo", `{}`, nil, 400, own},
			{"a refusal of a body", "POST", "/old/echo", `{`, nil, 400, own},
			{"a refusal of the origin", "POST", "/old/echo", `{"text":"a"}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, own},
			{"an unknown path", "GET", "/old/nothing", "", nil, 404, whole},
			{"a path in another spelling", "GET", "/old/me/", "", nil, 404, whole},
			{"an unknown method", "DELETE", "/old/me", "", nil, 405, whole},
			{"the page with a button", "GET", "/old/confirm", "", []string{"Sec-Fetch-Dest", "document"}, 200, whole},
			{"the page of what came of it", "POST", "/old/confirm?_confirm=1", "", []string{"Authorization", "Bearer " + ada.Access}, 200, whole},
			{"a page of a trusted origin", "GET", "/old/users/7", "", []string{"Origin", "https://app.example.com"}, 200, whole},
			{"another dialect", "GET", "/api/v1/auth/keys", "", nil, 401, "  "},
			{"GraphQL", "GET", "/graphql", "", nil, 400, "  "},
			{"nowhere", "GET", "/oldest/me", "", nil, 404, "  "},
		} {
			contentType := ""
			if c.body != "" {
				contentType = "application/json"
			}
			res, body := fetched(t, c.method, s.URL+c.path, contentType, c.body, c.header...)
			h := res.Header
			got := h.Get("Deprecation") + " " + h.Get("Sunset") + " " + strings.Join(h.Values("Link"), ", ")
			if res.StatusCode != c.status && c.status != 400 || got != c.want || len(h.Values("Sunset")) > 1 {
				t.Errorf("%s: %d %s\n%s\nwant %s", c.name, res.StatusCode, body, got, c.want)
			}
			if c.name == "a page of a trusted origin" {
				for _, name := range []string{"Deprecation", "Sunset", "Link"} {
					if !slices.Contains(strings.Split(h.Get("Access-Control-Expose-Headers"), ", "), name) {
						t.Errorf("%s is not exposed: %s", name, h.Get("Access-Control-Expose-Headers"))
					}
				}
			}
		}
	})
}

// The log says once of each end that is over, and the banner says it of each dialect.
func TestSunset_Start(t *testing.T) {
	t.Parallel()
	banner := func(setting string) (*process, string) {
		p := spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), setting)
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.out.String(), "dragoman --help") && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond) // it is printed last
		}
		return p, p.out.String()
	}
	p, said := banner(withOldAPI(t, "sunset: 2036-06-30", "sunset: 2026-02-28"))
	if strings.Count(said, `"past its sunset, and still served","dialect":"old-api","sunset":"2026-02-28"`) != 1 ||
		strings.Count(said, `"route":"POST /old/echo","sunset":"2026-03-31"`) != 1 || strings.Count(said, "past its sunset, and") != 3 ||
		!strings.Contains(said, "/old (old-api, past its sunset of 2026-02-28)") {
		t.Errorf("it says %s", said)
	}
	if res, _ := fetched(t, "GET", p.URL+"/old/users/7", "", ""); res.StatusCode != 200 {
		t.Errorf("it is not served any more: %d", res.StatusCode)
	}
	if _, said = banner(withOldAPI(t)); !strings.Contains(said, "(old-api, 2 routes past sunset)") {
		t.Errorf("it says %s", said)
	}
	if _, said = banner(withOldAPI(t, "    sunset: 2026-03-31\n", "")); strings.Contains(said, "past its sunset") || !strings.Contains(said, "(old-api, until 2036-06-30)") {
		t.Errorf("it says %s", said)
	}
}

const usageDoc = `query Usage($since: DateTime, $dialect: String, $first: Int) { dialectUsage(since: $since, dialect: $dialect) {
  dialect route isMounted count refusedCount lastCallAt deprecatedAt sunsetAt successor
  callers(first: $first) { kind value addressBlock count refusedCount lastCallAt } } }`

// used asks what was called and gives one line for each route with calls: route count/refused, then its callers.
func (i *instance) used(t testing.TB, credential string, variables map[string]any) []string {
	t.Helper()
	a := i.graphql(t, credential, usageDoc, variables)
	list, ok := a.at("dialectUsage").([]any)
	if !ok {
		t.Fatalf("dialectUsage: %s", a.Raw)
	}
	var lines []string
	for _, one := range list {
		u := one.(map[string]any)
		if u["count"].(float64) == 0 {
			continue
		}
		line := fmt.Sprintf("%s %v/%v", u["route"], u["count"], u["refusedCount"])
		for _, one := range u["callers"].([]any) {
			c := one.(map[string]any)
			line += fmt.Sprintf(" [%s %s %v %v/%v]", c["kind"], c["value"], c["addressBlock"], c["count"], c["refusedCount"])
		}
		lines = append(lines, line)
	}
	return lines
}

// callOld sends a request to the old API by a program of that name, at an address.
func (i *instance) callOld(t testing.TB, method, path, body, agent, address string, header ...string) {
	t.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	fetched(t, method, i.URL+path, contentType, body, append(header, "User-Agent", agent, "X-Forwarded-For", address)...)
}

const viaProxy = "DRAGOMAN_TRUSTED_PROXIES=127.0.0.1/32"

// What reached a dialect is counted by route and by caller, refused or not; nothing else is.
func TestUsage_Counts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, withOldAPI(t), viaProxy, "DRAGOMAN_DIALECTS=old-api", "DRAGOMAN_METRICS_TOKEN="+metricsToken)
		root := s.admin(t, dsn, "root@example.com")
		_, key := s.newKey(t, root.Access, map[string]any{"scopes": []string{"PROFILE_READ", "USERS_READ"}})
		none := s.graphql(t, root.Access, usageDoc, nil)
		if list, _ := none.at("dialectUsage").([]any); len(list) != 8 || strings.Contains(none.Raw, "unmatched") {
			t.Fatalf("the mounted routes: %s", none.Raw)
		}
		if want := `{"dialect":"old-api","route":"POST /old/echo","isMounted":true,"count":0,"refusedCount":0,"lastCallAt":null,` +
			`"deprecatedAt":"2026-01-01T00:00:00.000Z","sunsetAt":"2026-03-31T00:00:00.000Z","successor":"https://api.example.com/v2/echo","callers":[]}`; !strings.Contains(none.Raw, want) {
			t.Errorf("%s\nhas no %s", none.Raw, want)
		}
		forged := key[:len("sk_live_")+3] + "AAAAA" + key[len("sk_live_")+8:] // a prefix that nobody has
		s.callOld(t, "GET", "/old/me", "", "curl/8.5", "203.0.113.9", "Authorization", "Bearer "+root.Access)
		s.callOld(t, "HEAD", "/old/me", "", "curl/8.5", "203.0.113.200", "Authorization", "Bearer "+root.Access)
		s.callOld(t, "GET", "/old/me", "", "curl/8.5", "203.0.114.9")
		s.callOld(t, "GET", "/older/me", "", "", "2001:db8:7:8::9")
		s.callOld(t, "GET", "/old/me", "", "script", "203.0.113.9", "X-API-Key", key)
		s.callOld(t, "GET", "/old/me", "", "script", "203.0.113.9", "X-API-Key", forged)
		s.callOld(t, "POST", "/old/echo", `{"text":"yes"}`, "app/1", "203.0.113.9")
		s.callOld(t, "POST", "/old/echo", `{"text":"no"}`, "app/1", "203.0.113.9") // refused with 200
		s.callOld(t, "POST", "/old/echo", `{`, "app/1", "203.0.113.9")
		s.callOld(t, "GET", "/old/confirm", "", "browser", "203.0.113.9", "Sec-Fetch-Dest", "document")
		s.callOld(t, "GET", "/old/users/7", "", strings.Repeat("é", 80), "203.0.113.9")
		s.callOld(t, "GET", "/old/users/8", "", strings.Repeat("é", 80)+"x", "203.0.113.9")
		s.callOld(t, "GET", "/old/nothing", "", "curl/8.5", "203.0.113.9")
		s.callOld(t, "PUT", "/old/me", "", "curl/8.5", "203.0.113.9")
		s.callOld(t, "GET", "/nowhere", "", "curl/8.5", "203.0.113.9")
		want := []string{
			"GET /old/me 5/2 [USER_AGENT curl/8.5 203.0.113.0/24 2/0] [API_KEY " + key[:16] + " <nil> 1/0] [USER_AGENT curl/8.5 203.0.114.0/24 1/1] [USER_AGENT script 203.0.113.0/24 1/1]",
			"GET /older/me 1/1 [USER_AGENT  2001:db8:7::/48 1/1]",
			"POST /old/echo 3/2 [USER_AGENT app/1 203.0.113.0/24 3/2]",
			"GET /old/users/{id} 2/0 [USER_AGENT " + strings.Repeat("é", 50) + " 203.0.113.0/24 2/0]",
			"GET /old/confirm 1/0 [USER_AGENT browser 203.0.113.0/24 1/0]",
			"unmatched 2/2 [USER_AGENT curl/8.5 203.0.113.0/24 2/2]",
		}
		if got := s.used(t, key, nil); !slices.Equal(got, want) {
			t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := s.used(t, root.Access, map[string]any{"first": 1, "dialect": "old-api"}); len(got) != 6 || strings.Count(got[0], "[") != 1 {
			t.Errorf("with one caller: %s", got)
		}
		if a := s.graphql(t, root.Access, `{ dialectUsage { route count } }`, nil); strings.Contains(a.Raw, "callers") || !strings.Contains(a.Raw, `{"route":"GET /old/me","count":5}`) {
			t.Errorf("without callers: %s", a.Raw)
		}
		for _, unknown := range []string{"", "older-api", "OLD-API", "' OR 1=1 --"} {
			if a := s.graphql(t, root.Access, usageDoc, map[string]any{"dialect": unknown}); len(a.Errors) > 0 || len(a.at("dialectUsage").([]any)) != 0 {
				t.Errorf("the dialect %q: %s", unknown, a.Raw)
			}
		}
		for first, ok := range map[int]bool{0: true, 100: true, 101: false, -1: false} {
			if a := s.graphql(t, root.Access, usageDoc, map[string]any{"first": first}); (a.code() == "") != ok {
				t.Errorf("%d callers: %s", first, a.Raw)
			}
		}
		figures, page := scrape(t, s.URL, metricsToken)
		for label, want := range map[string]float64{
			`outcome="ok",route="GET /old/me"`: 3, `outcome="refused",route="GET /old/me"`: 2, `outcome="ok",route="GET /old/users/{id}"`: 2,
			`outcome="refused",route="POST /old/echo"`: 2, `outcome="refused",route="unmatched"`: 2,
		} {
			if got := figures[`dragoman_dialect_requests_total{dialect="old-api",`+label+`}`]; got != want {
				t.Errorf("%s: %v, want %v", label, got, want)
			}
		}
		for _, private := range []string{"curl", "203.0", "users/7", "nothing", key[:12]} {
			if strings.Contains(page, private) {
				t.Errorf("the figures tell %q", private)
			}
		}
		if strings.Contains(dump(t, dsn), key[20:]) {
			t.Error("the secret of a key is in the database")
		}
	})
}

// Days are whole days of UTC, what is not mounted any more is still told, and after 400 days it is forgotten.
func TestUsage_Days(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := newClock()
		clock.at = time.Date(2027, 3, 10, 23, 59, 58, 0, time.UTC)
		s := startWithClock(t, clock, dsn, withOldAPI(t), viaProxy)
		s.callOld(t, "GET", "/old/users/1", "", "a", "203.0.113.9")
		clock.add(4 * time.Second) // the next day
		s.callOld(t, "GET", "/old/users/1", "", "b", "203.0.113.9")
		s.callOld(t, "GET", "/old/users/1", "", "a", "203.0.113.9")
		root := s.admin(t, dsn, "root@example.com")
		const route = "GET /old/users/{id} "
		both := []string{route + "3/0 [USER_AGENT a 203.0.113.0/24 2/0] [USER_AGENT b 203.0.113.0/24 1/0]"}
		later := []string{route + "2/0 [USER_AGENT a 203.0.113.0/24 1/0] [USER_AGENT b 203.0.113.0/24 1/0]"}
		for since, want := range map[string][]string{
			"": both, "0001-01-01T00:00:00Z": both, "2027-03-10T00:00:00Z": both, "2027-03-10T23:59:59Z": both, "2027-03-11T01:00:00+02:00": both,
			"2027-03-11T00:00:00Z": later, "2027-03-11T23:00:00Z": later, "2027-03-12T00:00:00Z": nil, "2999-01-01T00:00:00Z": nil,
		} {
			variables := map[string]any{"since": since}
			if since == "" {
				variables = nil
			}
			if got := s.used(t, root.Access, variables); !slices.Equal(got, want) {
				t.Errorf("since %q: %s", since, got)
			}
		}
		if a := s.graphql(t, root.Access, usageDoc, nil); !strings.Contains(a.Raw, `"lastCallAt":"2027-03-11T00:00:02.000Z"`) {
			t.Errorf("the last call: %s", a.Raw)
		}

		bare := startWithClock(t, clock, dsn, "DRAGOMAN_DIALECTS=none")
		_, key := s.newKey(t, root.Access, map[string]any{"scopes": []string{"USERS_READ"}})
		a := bare.graphql(t, key, usageDoc, nil)
		if !slices.Equal(bare.used(t, key, nil), both) || !strings.Contains(a.Raw, `"isMounted":false`) || strings.Contains(a.Raw, `"isMounted":true`) {
			t.Errorf("when it is not mounted: %s", a.Raw)
		}
		for _, step := range []struct {
			after time.Duration
			left  int
		}{{399 * 24 * time.Hour, 3}, {24 * time.Hour, 2}, {24 * time.Hour, 0}} {
			clock.add(step.after)
			if _, err := s.app.DB.Sweep(t.Context(), db.Clock(clock.now())); err != nil {
				t.Fatal(err)
			}
			if n := openSide(t, dsn).count(t, "SELECT count(*) FROM dialect_usage"); n != step.left {
				t.Errorf("%s later there are %d rows, not %d", step.after, n, step.left)
			}
		}
	})
}

// Two instances add up, side by side, and what a server has not written at its end is written then.
func TestUsage_Instances(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	setting := withOldAPI(t)
	clock := newClock()
	one, two := startWithClock(t, clock, dsn, setting, viaProxy), startWithClock(t, clock, dsn, setting, viaProxy)
	root := one.admin(t, dsn, "root@example.com")
	const rounds, calls = 5, 8
	for range rounds {
		done := make(chan error, 2)
		for _, s := range []*instance{one, two} {
			for n := range calls {
				s.callOld(t, "GET", "/old/users/1", "", fmt.Sprint("agent ", n), "203.0.113.9")
			}
			go func() { done <- s.app.DB.FlushUsage(t.Context()) }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	_, key := one.newKey(t, root.Access, map[string]any{"scopes": []string{"USERS_READ"}})
	got := two.used(t, key, nil)
	if len(got) != 1 || !strings.HasPrefix(got[0], "GET /old/users/{id} 80/0 ") || strings.Count(got[0], " 10/0]") != calls {
		t.Errorf("two instances: %s", got)
	}
}

func TestUsage_Restart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		setting := withOldAPI(t)
		t.Run("before", func(t *testing.T) { // which ends the server
			s := start(t, dsn, setting, viaProxy)
			s.admin(t, dsn, "root@example.com")
			s.callOld(t, "GET", "/old/users/1", "", "a", "203.0.113.9")
		})
		s := start(t, dsn, setting, viaProxy)
		s.callOld(t, "GET", "/old/users/1", "", "a", "203.0.113.9")
		root := s.login(t, "root@example.com", goodPass).text("login", "tokens", "accessToken")
		if got := s.used(t, root, nil); !slices.Equal(got, []string{"GET /old/users/{id} 2/0 [USER_AGENT a 203.0.113.0/24 2/0]"}) {
			t.Errorf("after a restart: %s", got)
		}
	})
}

// A caller who calls itself something else every time fills neither the memory nor the table.
func TestUsage_Cap(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, withOldAPI(t), viaProxy)
		root := s.admin(t, dsn, "root@example.com")
		fill := func(from, to int) {
			for n := from; n < to; n++ {
				s.app.DB.CountUse(db.Use{
					Dialect: "old-api", Route: "GET /old/me", Kind: db.CallerUserAgent, Caller: fmt.Sprint("agent ", n), Block: "203.0.113.0/24", At: s.clock.now(),
				})
			}
		}
		fill(0, 150)
		s.used(t, root.Access, nil) // written
		fill(100, 250)              // 50 known ones, and twice as many new ones as there is room for
		s.callOld(t, "GET", "/old/me", "", "a late one", "203.0.113.9", "Authorization", "Bearer "+root.Access)
		s.callOld(t, "GET", "/older/me", "", "a late one", "203.0.113.9", "Authorization", "Bearer "+root.Access)
		s.used(t, root.Access, nil)
		fill(1000, 1500)
		got := s.used(t, root.Access, map[string]any{"first": 100})
		if len(got) != 2 || !strings.HasPrefix(got[0], "GET /old/me 801/0 [OTHER  <nil> 551/0] ") || strings.Count(got[0], " 2/0]") != 50 ||
			got[1] != "GET /older/me 1/0 [USER_AGENT a late one 203.0.113.0/24 1/0]" {
			t.Errorf("%s", got)
		}
		if n := openSide(t, dsn).count(t, "SELECT count(*) FROM dialect_usage"); n != 202 {
			t.Errorf("%d rows, not 200, the one for all others, and the one of another route", n)
		}
	})
}

// AZ-02: nobody but administrators, and keys of theirs that may read accounts.
func TestAZ02_Usage(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		root, ada := s.admin(t, dsn, "root@example.com"), s.register(t, "ada@example.com")
		_, narrow := s.newKey(t, root.Access, map[string]any{"scopes": []string{"PROFILE_READ", "USERS_WRITE", "SESSIONS_WRITE"}})
		for credential, want := range map[string]string{"": "UNAUTHENTICATED", "nonsense": "UNAUTHENTICATED", ada.Access: "FORBIDDEN", narrow: "FORBIDDEN", root.Access: ""} {
			a := s.graphql(t, credential, usageDoc, nil)
			if a.code() != want || (a.at("dialectUsage") != nil) != (want == "") {
				t.Errorf("%.20q: %s", credential, a.Raw)
			}
		}
	})
}

// A request to a dialect costs no statement more than the same document over GraphQL.
func TestStatements_Dialects(t *testing.T) {
	t.Parallel()
	s, dsn := budgetServer(t, withOldAPI(t))
	ada := s.register(t, "ada@example.com")
	_, key := s.newKey(t, ada.Access, nil)
	call := func(method, path, credential string) func() {
		return func() { fetched(t, method, s.URL+path, "", "", "Authorization", "Bearer "+credential) }
	}
	s.is(t, key, ada)
	for _, c := range []struct {
		name string
		want int
		do   func()
	}{
		{"a route with a caller", 1, call("GET", "/old/me", ada.Access)},
		{"a route with an API key", 1, call("GET", "/old/me", key)},
		{"a refusal", 0, call("GET", "/old/me", "")},
		{"a route without a document", 0, call("GET", "/old/users/7", ada.Access)},
		{"an unknown path", 0, call("GET", "/old/nothing", ada.Access)},
	} {
		c.do()
		if n, lines := statements(t, dsn, c.do); n != c.want {
			t.Errorf("%s: %d statements, not %d:\n  %s", c.name, n, c.want, strings.Join(lines, "\n  "))
		}
	}
	if n, lines := statements(t, dsn, func() { _ = s.app.DB.FlushUsage(t.Context()) }); n != 1 {
		t.Errorf("all of it is written by %d statements: %s", n, lines)
	}
	if n, _ := statements(t, dsn, func() { _ = s.app.DB.FlushUsage(t.Context()) }); n != 0 {
		t.Errorf("nothing is written by %d statements", n)
	}
}

// `dragoman dialect usage` prints the same on a terminal; a process that is told to end writes what it has counted.
func TestUsage_Terminal(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := append(processEnv(dsn), withOldAPI(t), "DRAGOMAN_DIALECTS=old-api")
		p := spawn(t, append(env, viaProxy)...)
		const agent = "\u202egpj.elif\u202c curl" // turns the text around on some terminals
		for range 2 {
			fetched(t, "GET", p.URL+"/old/users/1", "", "", "X-Forwarded-For", "203.0.113.9", "User-Agent", agent)
		}
		fetched(t, "GET", p.URL+"/old/me", "", "", "X-Forwarded-For", "2001:db8:1:2::3", "User-Agent", "old app/1.0")
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Fatalf("%v: %s", err, p.out)
		}
		dir := t.TempDir()
		got := command(t, dir, env, "dialect", "usage")
		want := []string{
			"DIALECT ROUTE CALLS REFUSED LAST CALL SUNSET",
			"old-api GET /old/me 1 1 TIME 2036-06-30",
			"old app/1.0 from 2001:db8:1::/48 1 1 TIME",
			"old-api GET /older/me 0 0 - 2036-06-30",
			"old-api POST /old/echo 0 0 - 2026-03-31",
			"old-api POST /older/echo 0 0 - 2026-03-31",
			"old-api GET /old/users/{id} 2 0 TIME 2036-06-30",
			`\u202egpj.elif\u202c curl from 203.0.113.0/24 2 0 TIME`,
			"old-api GET /older/users/{id} 0 0 - 2036-06-30",
			"old-api GET /old/confirm 0 0 - 2036-06-30",
			"old-api GET /older/confirm 0 0 - 2036-06-30",
		}
		_, table, _ := strings.Cut(got.stdout, "\n\n")
		table = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(table, "TIME")
		table = regexp.MustCompile(`(?m)^ +| +$`).ReplaceAllString(regexp.MustCompile(` +`).ReplaceAllString(table, " "), "")
		if got.code != 0 || strings.TrimSpace(table) != strings.Join(want, "\n") {
			t.Errorf("%+v\n%s\nwant\n%s", got, table, strings.Join(want, "\n"))
		}
		got = command(t, dir, env, "dialect", "usage", "--since", "2w", "--callers", "0", "old-api")
		if got.code != 0 || strings.Contains(got.stdout, "203.0.113") || strings.Count(got.stdout, "\n") != 11 {
			t.Errorf("without callers: %+v", got)
		}
		got = command(t, dir, append(processEnv(dsn), "DRAGOMAN_DIALECTS=none"), "dialect", "usage")
		if got.code != 0 || strings.Count(got.stdout, "not served") != 2 {
			t.Errorf("of what is not served: %+v", got)
		}
		for wrong, says := range map[string][]string{
			"nothing is known":     {"older-api"},
			"no time to look back": {"--since", "a month"},
			"30d, 12w or a date":   {"--since=-1d"},
			"0 and 100":            {"--callers", "101"},
		} {
			if got := command(t, dir, env, append([]string{"dialect", "usage"}, says...)...); got.code != 1 || !strings.Contains(got.stderr, wrong) {
				t.Errorf("%s: %+v", says, got)
			}
		}
	})
}
