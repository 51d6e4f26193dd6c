package harness

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// These tests are about the engine of dialects, on a dialect of their own that uses all of it.

const (
	CardHolder = "reader@example.com"
	ReaderPass = "paper and ink"
)

// Library starts a server that speaks the library card dialect.
func Library(t *testing.T, dsn string, env ...string) *Instance {
	t.Helper()
	return Start(t, dsn, append([]string{
		"DRAGOMAN_DIALECTS_DIR=" + Path("rest/testdata"),
		"DRAGOMAN_DIALECTS=library-card",
	}, env...)...)
}

// Ask calls a route; nothing is demanded of the answer.
func (i *Instance) Ask(t testing.TB, route, body string, header ...string) Reply {
	t.Helper()
	r, err := i.Call(route, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// WantExactly requires the status and the body, byte for byte. A body of JSON ends with a line feed beside.
func (r Reply) WantExactly(t testing.TB, status int, body string) {
	t.Helper()
	if strings.Contains(r.Header.Get("Content-Type"), "json") {
		body = strings.TrimSuffix(body, "\n") + "\n"
	}
	if r.Status != status || r.Body != body {
		t.Errorf("%s: %d %q, want %d %q", r.Asked, r.Status, r.Body, status, body)
	}
}

// WantError requires an error in the form of the library dialect.
func (r Reply) WantError(t testing.TB, status int, code string) {
	t.Helper()
	begins := fmt.Sprintf(`{"ok":false,"status":%d,"code":%q,`, status, code)
	if r.Status != status || !strings.HasPrefix(r.Body, begins) || strings.Contains(r.Body, `"text":""`) ||
		r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%s: %d %q %s, want %d %s", r.Asked, r.Status, r.Body, r.Header.Get("Content-Type"), status, code)
	}
}

// Cookies are those that an answer sets, as they stand there, by their name.
func (r Reply) Cookies() map[string]string {
	all := map[string]string{}
	for _, line := range OwnCookies(r.Header) {
		name, rest, _ := strings.Cut(line, "=")
		all[name] = rest
	}
	return all
}

// card is a reader with a card.
type card struct{ Token, Session, Again string }

// NewCard registers the reader, at the first call, and signs in.
func (i *Instance) NewCard(t testing.TB) card {
	t.Helper()
	i.Ask(t, "POST /desk/readers", `{"reader":{"email":"`+CardHolder+`","password":"`+ReaderPass+`"}}`)
	r := i.Ask(t, "POST /desk/cards", `{"email":"`+CardHolder+`","password":"`+ReaderPass+`"}`)
	var c card
	if r.Status != http.StatusCreated || json.Unmarshal([]byte(r.Body), &c) != nil || c.Token == "" || c.Session == "" {
		t.Fatalf("no card: %d %s", r.Status, r.Body)
	}
	return c
}

// Alive tells whether a credential answers `me`.
func (i *Instance) Alive(t testing.TB, credential string) bool {
	t.Helper()
	return i.GraphQL(t, credential, MeDoc, nil).Text("me", "email") != ""
}

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

// WithOldAPI is the setting that serves it.
func WithOldAPI(t testing.TB, changes ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := strings.NewReplacer(changes...).Replace(oldAPI)
	if err := os.WriteFile(filepath.Join(dir, "old.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return "DRAGOMAN_DIALECTS_DIR=" + dir
}

// usage reads the whole list, four routes at a time.
func (i *Instance) usage(t testing.TB, credential string, variables map[string]any) (all []any) {
	t.Helper()
	for page := map[string]any{"routes": 4}; ; page["skip"] = len(all) {
		maps.Copy(page, variables)
		a := i.GraphQL(t, credential, UsageDoc, page)
		list, ok := a.At("dialectUsage").([]any)
		if !ok {
			t.Fatalf("dialectUsage: %s", a.Raw)
		}
		if all = append(all, list...); len(list) < 4 {
			return all
		}
	}
}

// Used asks what was called and gives one line for each route with calls: route count/refused, then its callers.
func (i *Instance) Used(t testing.TB, credential string, variables map[string]any) []string {
	t.Helper()
	var lines []string
	for _, one := range i.usage(t, credential, variables) {
		u := one.(map[string]any)
		if u["count"].(float64) == 0 {
			continue
		}
		line := fmt.Sprintf("%s %v/%v", u["route"], u["count"], u["refusedCount"])
		for _, one := range u["callers"].([]any) {
			c := one.(map[string]any)
			line += fmt.Sprintf(" [%s %s %v %v/%v]", c["kind"], c["value"], c["addressBlock"], c["count"],
				c["refusedCount"])
		}
		lines = append(lines, line)
	}
	return lines
}

// ViaProxy has the server believe X-Forwarded-For.
const ViaProxy = "DRAGOMAN_TRUSTED_PROXIES=127.0.0.1/32"
