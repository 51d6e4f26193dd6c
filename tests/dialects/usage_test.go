package dialects

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// Every answer in the name of a dialect says when it ends, whatever the answer is (RFC 9745, RFC 8594).
func TestSunset_Headers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.WithOldAPI(t), "DRAGOMAN_CORS_ORIGINS=https://app.example.com")
		ada := s.Register(t, "ada@example.com")
		const (
			whole = "@1767225600 Mon, 30 Jun 2036 00:00:00 GMT </graphql>; rel=\"successor-version\""
			own   = "@1767225600 Tue, 31 Mar 2026 00:00:00 GMT <https://api.example.com/v2/echo>; " +
				"rel=\"successor-version\""
		)
		for _, c := range []struct {
			name, method, path, body string
			header                   []string
			status                   int
			want                     string
		}{
			{
				"success, beside a link of the file", "GET", "/old/me", "",
				[]string{"Authorization", "Bearer " + ada.Access},
				200, whole + ", </help>; rel=help",
			},
			{
				"by the other mount", "GET", "/older/me", "",
				[]string{"Authorization", "Bearer " + ada.Access},
				200,
				whole + ", </help>; rel=help",
			},
			{"HEAD", "HEAD", "/old/me", "", []string{"Authorization", "Bearer " + ada.Access}, 200, whole +
				", </help>; rel=help"},
			{"a refusal of an outcome", "GET", "/old/me", "", nil, 401, whole},
			{"a route with an end of its own, which is over", "POST", "/old/echo", `{"text":"a"}`, nil, 200, own},
			{"a refusal of a field", "POST", "/old/echo", `{}`, nil, 400, own},
			{"a refusal of a body", "POST", "/old/echo", `{`, nil, 400, own},
			{
				"a refusal of the origin", "POST", "/old/echo", `{"text":"a"}`,
				[]string{"Sec-Fetch-Site", "cross-site"},
				403, own,
			},
			{"an unknown path", "GET", "/old/nothing", "", nil, 404, whole},
			{"a path in another spelling", "GET", "/old/me/", "", nil, 404, whole},
			{"an unknown method", "DELETE", "/old/me", "", nil, 405, whole},
			{"the page with a button", "GET", "/old/confirm", "", []string{"Sec-Fetch-Dest", "document"}, 200, whole},
			{
				"the page of what came of it", "POST", "/old/confirm?_confirm=1", "",
				[]string{"Authorization", "Bearer " + ada.Access},
				200, whole,
			},
			{
				"a page of a trusted origin", "GET", "/old/users/7", "",
				[]string{"Origin", "https://app.example.com"},
				200, whole,
			},
			{"another dialect", "GET", "/api/v1/auth/keys", "", nil, 401, "  "},
			{"GraphQL", "GET", "/graphql", "", nil, 400, "  "},
			{"nowhere", "GET", "/oldest/me", "", nil, 404, "  "},
		} {
			contentType := ""
			if c.body != "" {
				contentType = "application/json"
			}
			res, body := harness.Fetched(t, c.method, s.URL+c.path, contentType, c.body, c.header...)
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

// callOld sends a request to the old API by a program of that name, at an address.
func callOld(t testing.TB, i *harness.Instance, method, path, body, agent, address string, header ...string) {
	t.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	harness.Fetched(t, method, i.URL+path, contentType, body,
		append(header, "User-Agent", agent, "X-Forwarded-For", address)...)
}

// What reached a dialect is counted by route and by caller, refused or not; nothing else is.
func TestUsage_Counts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.WithOldAPI(t), harness.ViaProxy, "DRAGOMAN_DIALECTS=old-api",
			"DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
		root := s.Admin(t, dsn, "root@example.com")
		_, key := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"PROFILE_READ", "USERS_READ"}})
		none := s.GraphQL(t, root.Access, harness.UsageDoc, nil)
		if list, _ := none.At("dialectUsage").([]any); len(list) != 8 || strings.Contains(none.Raw, "unmatched") {
			t.Fatalf("the mounted routes: %s", none.Raw)
		}
		if want := `{"dialect":"old-api","route":"POST ` +
			`/old/echo","isMounted":true,"count":0,"refusedCount":0,"lastCallAt":null,` +
			`"deprecatedAt":"2026-01-01T00:00:00.000Z","sunsetAt":"2026-03-31T00:00:00.000Z",` +
			`"successor":"https://api.example.com/v2/echo","callers":[]}`; !strings.Contains(none.Raw, want) {
			t.Errorf("%s\nhas no %s", none.Raw, want)
		}
		forged := key[:len("sk_live_")+3] + "AAAAA" + key[len("sk_live_")+8:] // a prefix that nobody has
		callOld(t, s, "GET", "/old/me", "", "curl/8.5", "203.0.113.9", "Authorization", "Bearer "+root.Access)
		callOld(t, s, "HEAD", "/old/me", "", "curl/8.5", "203.0.113.200", "Authorization", "Bearer "+root.Access)
		callOld(t, s, "GET", "/old/me", "", "curl/8.5", "203.0.114.9")
		callOld(t, s, "GET", "/older/me", "", "", "2001:db8:7:8::9")
		callOld(t, s, "GET", "/old/me", "", "script", "203.0.113.9", "X-API-Key", key)
		callOld(t, s, "GET", "/old/me", "", "script", "203.0.113.9", "X-API-Key", forged)
		callOld(t, s, "POST", "/old/echo", `{"text":"yes"}`, "app/1", "203.0.113.9")
		callOld(t, s, "POST", "/old/echo", `{"text":"no"}`, "app/1", "203.0.113.9") // refused with 200
		callOld(t, s, "POST", "/old/echo", `{`, "app/1", "203.0.113.9")
		callOld(t, s, "GET", "/old/confirm", "", "browser", "203.0.113.9", "Sec-Fetch-Dest", "document")
		callOld(t, s, "GET", "/old/users/7", "", strings.Repeat("é", 80), "203.0.113.9")
		callOld(t, s, "GET", "/old/users/8", "", strings.Repeat("é", 80)+"x", "203.0.113.9")
		callOld(t, s, "GET", "/old/nothing", "", "curl/8.5", "203.0.113.9")
		callOld(t, s, "PUT", "/old/me", "", "curl/8.5", "203.0.113.9")
		callOld(t, s, "GET", "/nowhere", "", "curl/8.5", "203.0.113.9")
		want := []string{
			"GET /old/me 5/2 [USER_AGENT curl/8.5 203.0.113.0/24 2/0] [API_KEY " + key[:16] +
				" <nil> 1/0] [USER_AGENT curl/8.5 203.0.114.0/24 1/1] [USER_AGENT script 203.0.113.0/24 1/1]",
			"GET /older/me 1/1 [USER_AGENT  2001:db8:7::/48 1/1]",
			"POST /old/echo 3/2 [USER_AGENT app/1 203.0.113.0/24 3/2]",
			"GET /old/users/{id} 2/0 [USER_AGENT " + strings.Repeat("é", 50) + " 203.0.113.0/24 2/0]",
			"GET /old/confirm 1/0 [USER_AGENT browser 203.0.113.0/24 1/0]",
			"unmatched 2/2 [USER_AGENT curl/8.5 203.0.113.0/24 2/2]",
		}
		if got := s.Used(t, key, nil); !slices.Equal(got, want) {
			t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if got := s.Used(t, root.Access, map[string]any{"first": 1, "dialect": "old-api"}); len(got) != 6 ||
			strings.Count(got[0], "[") != 1 {
			t.Errorf("with one caller: %s", got)
		}
		if a := s.GraphQL(t, root.Access, `{ dialectUsage { route count } }`, nil); strings.Contains(a.Raw,
			"callers") || !strings.Contains(a.Raw, `{"route":"GET /old/me","count":5}`) {
			t.Errorf("without callers: %s", a.Raw)
		}
		for _, unknown := range []string{"", "older-api", "OLD-API", "' OR 1=1 --"} {
			if a := s.GraphQL(t, root.Access, harness.UsageDoc,
				map[string]any{"dialect": unknown}); len(a.Errors) > 0 || len(a.At("dialectUsage").([]any)) != 0 {
				t.Errorf("the dialect %q: %s", unknown, a.Raw)
			}
		}
		for first, ok := range map[int]bool{0: true, 100: true, 101: false, -1: false} {
			if a := s.GraphQL(t, root.Access, harness.UsageDoc,
				map[string]any{"first": first, "routes": 4}); (a.Code() == "") != ok {
				t.Errorf("%d callers: %s", first, a.Raw)
			}
		}
		for routes, ok := range map[int]bool{0: true, 4: true, 5: false, 100: false, 101: false, -1: false} {
			if a := s.GraphQL(t, root.Access, harness.UsageDoc,
				map[string]any{"first": 100, "routes": routes}); (a.Code() == "") != ok {
				t.Errorf("a hundred callers of %d routes: %s", routes, a.Raw)
			}
		}
		for skip, length := range map[int]int{0: 4, 8: 1, 9: 0, 1 << 30: 0, -1: -1} {
			a := s.GraphQL(t, root.Access, harness.UsageDoc, map[string]any{"skip": skip, "routes": 4})
			if list, ok := a.At("dialectUsage").([]any); ok != (length >= 0) || ok && len(list) != length {
				t.Errorf("behind %d routes: %s", skip, a.Raw)
			}
		}
		figures, page := harness.Scrape(t, s.URL, harness.MetricsToken)
		for label, want := range map[string]float64{
			`outcome="ok",route="GET /old/me"`: 3, `outcome="refused",route="GET /old/me"`: 2,
			`outcome="ok",route="GET /old/users/{id}"`: 2,
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
		if strings.Contains(harness.Dump(t, dsn), key[20:]) {
			t.Error("the secret of a key is in the database")
		}
	})
}

// Days are whole days of UTC, what is not mounted any more is still told, and after 400 days it is forgotten.
func TestUsage_Days(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		clock.At = time.Date(2027, 3, 10, 23, 59, 58, 0, time.UTC)
		s := harness.StartWithClock(t, clock, dsn, harness.WithOldAPI(t), harness.ViaProxy)
		callOld(t, s, "GET", "/old/users/1", "", "a", "203.0.113.9")
		clock.Add(4 * time.Second) // the next day
		callOld(t, s, "GET", "/old/users/1", "", "b", "203.0.113.9")
		callOld(t, s, "GET", "/old/users/1", "", "a", "203.0.113.9")
		root := s.Admin(t, dsn, "root@example.com")
		const route = "GET /old/users/{id} "
		both := []string{route + "3/0 [USER_AGENT a 203.0.113.0/24 2/0] [USER_AGENT b 203.0.113.0/24 1/0]"}
		later := []string{route + "2/0 [USER_AGENT a 203.0.113.0/24 1/0] [USER_AGENT b 203.0.113.0/24 1/0]"}
		for since, want := range map[string][]string{
			"": both, "0001-01-01T00:00:00Z": both, "2027-03-10T00:00:00Z": both, "2027-03-10T23:59:59Z": both,
			"2027-03-11T01:00:00+02:00": both,
			"2027-03-11T00:00:00Z":      later, "2027-03-11T23:00:00Z": later, "2027-03-12T00:00:00Z": nil,
			"2999-01-01T00:00:00Z": nil,
		} {
			variables := map[string]any{"since": since}
			if since == "" {
				variables = nil
			}
			if got := s.Used(t, root.Access, variables); !slices.Equal(got, want) {
				t.Errorf("since %q: %s", since, got)
			}
		}
		if a := s.GraphQL(t, root.Access, harness.UsageDoc,
			map[string]any{"first": 0, "routes": 100}); !strings.Contains(a.Raw, `"lastCallAt":"2027-03-11T00:00:02.000Z"`) {
			t.Errorf("the last call: %s", a.Raw)
		}

		bare := harness.StartWithClock(t, clock, dsn, "DRAGOMAN_DIALECTS=none")
		_, key := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_READ"}})
		a := bare.GraphQL(t, key, harness.UsageDoc, nil)
		if !slices.Equal(bare.Used(t, key, nil), both) || !strings.Contains(a.Raw, `"isMounted":false`) ||
			strings.Contains(a.Raw, `"isMounted":true`) {
			t.Errorf("when it is not mounted: %s", a.Raw)
		}
		for _, step := range []struct {
			after time.Duration
			left  int
		}{{399 * 24 * time.Hour, 3}, {24 * time.Hour, 2}, {24 * time.Hour, 0}} {
			clock.Add(step.after)
			if _, err := s.App.DB.Sweep(t.Context(), db.Clock(clock.Now())); err != nil {
				t.Fatal(err)
			}
			if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM dialect_usage"); n != step.left {
				t.Errorf("%s later there are %d rows, not %d", step.after, n, step.left)
			}
		}
	})
}

// Two instances add up, side by side, and what a server has not written at its end is written then.
func TestUsage_Instances(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	setting := harness.WithOldAPI(t)
	clock := harness.NewClock()
	one, two := harness.StartWithClock(t, clock, dsn, setting, harness.ViaProxy),
		harness.StartWithClock(t, clock, dsn, setting, harness.ViaProxy)
	root := one.Admin(t, dsn, "root@example.com")
	const rounds, calls = 5, 8
	for range rounds {
		done := make(chan error, 2)
		for _, s := range []*harness.Instance{one, two} {
			for n := range calls {
				callOld(t, s, "GET", "/old/users/1", "", fmt.Sprint("agent ", n), "203.0.113.9")
			}
			go func() { done <- s.App.DB.FlushUsage(t.Context()) }()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	_, key := one.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_READ"}})
	got := two.Used(t, key, map[string]any{"first": 20})
	if len(got) != 1 || !strings.HasPrefix(got[0], "GET /old/users/{id} 80/0 ") ||
		strings.Count(got[0], " 10/0]") != calls {
		t.Errorf("two instances: %s", got)
	}
}

func TestUsage_Restart(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		setting := harness.WithOldAPI(t)
		t.Run("before", func(t *testing.T) { // which ends the server
			s := harness.Start(t, dsn, setting, harness.ViaProxy)
			s.Admin(t, dsn, "root@example.com")
			callOld(t, s, "GET", "/old/users/1", "", "a", "203.0.113.9")
		})
		s := harness.Start(t, dsn, setting, harness.ViaProxy)
		callOld(t, s, "GET", "/old/users/1", "", "a", "203.0.113.9")
		root := s.Login(t, "root@example.com", harness.GoodPass).Text("login", "tokens", "accessToken")
		if got := s.Used(t, root, nil); !slices.Equal(got, []string{"GET /old/users/{id} 2/0 [USER_AGENT a " +
			"203.0.113.0/24 2/0]"}) {
			t.Errorf("after a restart: %s", got)
		}
	})
}

// A caller who calls itself something else every time fills neither the memory nor the table.
func TestUsage_Cap(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.WithOldAPI(t), harness.ViaProxy)
		root := s.Admin(t, dsn, "root@example.com")
		fill := func(from, to int) {
			for n := from; n < to; n++ {
				s.App.DB.CountUse(db.Use{
					Dialect: "old-api", Route: "GET /old/me", Kind: db.CallerUserAgent, Caller: fmt.Sprint("agent ", n),
					Block: "203.0.113.0/24", At: s.Clock.Now(),
				})
			}
		}
		fill(0, 150)
		s.Used(t, root.Access, nil) // written
		fill(100, 250)              // 50 known ones, and twice as many new ones as there is room for
		callOld(t, s, "GET", "/old/me", "", "a late one", "203.0.113.9", "Authorization", "Bearer "+root.Access)
		callOld(t, s, "GET", "/older/me", "", "a late one", "203.0.113.9", "Authorization", "Bearer "+root.Access)
		s.Used(t, root.Access, nil)
		fill(1000, 1500)
		got := s.Used(t, root.Access, map[string]any{"first": 100})
		if len(got) != 2 || !strings.HasPrefix(got[0], "GET /old/me 801/0 [OTHER  <nil> 551/0] ") ||
			strings.Count(got[0], " 2/0]") != 50 ||
			got[1] != "GET /older/me 1/0 [USER_AGENT a late one 203.0.113.0/24 1/0]" {
			t.Errorf("%s", got)
		}
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM dialect_usage"); n != 202 {
			t.Errorf("%d rows, not 200, the one for all others, and the one of another route", n)
		}
	})
}

// AZ-02: nobody but administrators, and keys of theirs that may read accounts.
func TestAZ02_Usage(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		_, narrow := s.NewKey(t, root.Access,
			map[string]any{"scopes": []string{"PROFILE_READ", "USERS_WRITE", "SESSIONS_WRITE"}})
		for credential, want := range map[string]string{
			"": "UNAUTHENTICATED", "nonsense": "UNAUTHENTICATED",
			ada.Access: "FORBIDDEN", narrow: "FORBIDDEN", root.Access: "",
		} {
			a := s.GraphQL(t, credential, harness.UsageDoc, nil)
			if a.Code() != want || (a.At("dialectUsage") != nil) != (want == "") {
				t.Errorf("%.20q: %s", credential, a.Raw)
			}
		}
	})
}

// A request to a dialect costs no statement more than the same document over GraphQL.
func TestStatements_Dialects(t *testing.T) {
	t.Parallel()
	s, dsn := harness.BudgetServer(t, harness.WithOldAPI(t))
	ada := s.Register(t, "ada@example.com")
	_, key := s.NewKey(t, ada.Access, nil)
	call := func(method, path, credential string) func() {
		return func() { harness.Fetched(t, method, s.URL+path, "", "", "Authorization", "Bearer "+credential) }
	}
	s.Is(t, key, ada)
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
		if n, lines := harness.Statements(t, dsn, c.do); n != c.want {
			t.Errorf("%s: %d statements, not %d:\n  %s", c.name, n, c.want, strings.Join(lines, "\n  "))
		}
	}
	if n, lines := harness.Statements(t, dsn, func() { _ = s.App.DB.FlushUsage(t.Context()) }); n != 1 {
		t.Errorf("all of it is written by %d statements: %s", n, lines)
	}
	if n, _ := harness.Statements(t, dsn, func() { _ = s.App.DB.FlushUsage(t.Context()) }); n != 0 {
		t.Errorf("nothing is written by %d statements", n)
	}
}
