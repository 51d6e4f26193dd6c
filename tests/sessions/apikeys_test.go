package sessions

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// keyNamed gives one key of the list; nil when it is not there.
func keyNamed(t testing.TB, i *harness.Instance, credential, id string) map[string]any {
	t.Helper()
	rows, ok := i.GraphQL(t, credential, harness.KeysDoc, nil).At("keys").([]any)
	if !ok {
		t.Fatal("no list of keys")
	}
	for _, row := range rows {
		if key := row.(map[string]any); key["id"] == id {
			return key
		}
	}
	return nil
}

// AK-01: the key has the documented form, is shown once, and what lists show of it is not enough to use it.
func TestAK01_ShownOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		id, key := s.NewKey(t, ada.Access, nil)
		if !regexp.MustCompile(`^sk_live_[0-9A-Za-z]{44}$`).MatchString(key) || !strings.HasPrefix(id, "key_") {
			t.Errorf("id %q", id)
		}
		for _, credential := range []string{ada.Access, key} {
			a := s.GraphQL(t, credential, harness.KeysDoc, nil)
			if strings.Contains(a.Raw, key[16:46]) || strings.Contains(a.Raw, key[40:]) {
				t.Errorf("the list shows the secret: %s", a.Raw)
			}
			if row := keyNamed(t, s, credential, id); row == nil || row["prefix"] != key[:16] ||
				row["name"] != "API key" ||
				fmt.Sprint(row["scopes"]) != "[PROFILE_READ]" || row["expiresAt"] != nil {
				t.Errorf("the key in the list: %v", row)
			}
		}
		for _, field := range []string{"secret", "hash", "handle", "userId", "revokedAt"} {
			if a := s.GraphQL(t, ada.Access, `{ keys { id `+field+` } }`, nil); a.Data != nil || a.Code() == "" {
				t.Errorf("the field %s: %s", field, a.Raw)
			}
		}
		if a := s.GraphQL(t, key[:16], harness.MeDoc, nil); a.At("me") != nil {
			t.Error("the prefix alone is somebody")
		}
	})
}

// AK-03: a key with a wrong checksum is nobody's. That no statement runs for it is in TestStatements_Junk.
func TestAK03_Junk(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, one := s.NewKey(t, ada.Access, nil)
		_, two := s.NewKey(t, ada.Access, nil)
		for name, junk := range map[string]string{
			"checksum of another key": one[:46] + two[46:], "handle of another key": one[:8] + two[8:16] + one[16:],
			"zeros": "sk_live_" + strings.Repeat("0", 44), "short": one[:51], "long": one + "0", "prefix": "sk_test_" +
				one[8:],
			"case": "sk_LIVE_" + one[8:],
		} {
			for _, header := range []http.Header{{"X-Api-Key": {junk}}, {"Authorization": {"Bearer " + junk}}} {
				if a := harness.SendWith(t, s.URL, header, harness.MeDoc, nil); a.At("me") != nil ||
					a.Code() != "UNAUTHENTICATED" || a.Header.Get("Www-Authenticate") == "" {
					t.Errorf("%s: %s", name, a.Raw)
				}
			}
		}
	})
}

// AK-04 and AK-05: what a person does with a session, a key can not; what it may is in its scopes.
func TestAK05_WhatAKeyMay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		other := s.LoginAs(t, ada, "SESSION_TOKEN")
		readID, read := s.NewKey(t, ada.Access, map[string]any{"scopes": []string{"PROFILE_READ", "PROFILE_READ"}})
		_, none := s.NewKey(t, ada.Access, map[string]any{"scopes": []string{}})
		if row := keyNamed(t, s, ada.Access, readID); fmt.Sprint(row["scopes"]) != "[PROFILE_READ]" {
			t.Errorf("a scope that was named twice: %v", row)
		}
		// What each gets: "" for an answer.
		for _, row := range []struct {
			name, document string
			variables      map[string]any
			read, none     string
		}{
			{"me", harness.MeDoc, nil, "", "FORBIDDEN"},
			{"sessions", harness.SessionsDoc, nil, "", "FORBIDDEN"},
			{"session", harness.OneSessionDoc, map[string]any{"id": ada.Session}, "", "FORBIDDEN"},
			{"keys", harness.KeysDoc, nil, "", "FORBIDDEN"},
			{"currentCredential", harness.CurrentDoc, nil, "", ""},
			{"serverInfo", `{ serverInfo { version } }`, nil, "", ""},
			{"createApiKey", harness.CreateKey, nil, "FORBIDDEN", "FORBIDDEN"},
			{"deleteApiKey", harness.DeleteKeyDoc, map[string]any{"id": readID}, "FORBIDDEN", "FORBIDDEN"},
			{
				"revokeSession", harness.RevokeSessionDoc,
				map[string]any{"input": map[string]any{"id": other.Session}},
				"FORBIDDEN", "FORBIDDEN",
			},
			{"revokeOtherSessions", harness.RevokeOthersDoc, nil, "FORBIDDEN", "FORBIDDEN"},
			{"logout", harness.LogoutDoc, nil, "FORBIDDEN", "FORBIDDEN"},
			{
				"logout everywhere", harness.LogoutDoc,
				map[string]any{"input": map[string]any{"everywhere": true}},
				"FORBIDDEN", "FORBIDDEN",
			},
		} {
			for credential, want := range map[string]string{read: row.read, none: row.none} {
				a := s.GraphQL(t, credential, row.document, row.variables)
				if a.Code() != want || strings.Contains(a.Raw, "sk_live_") && row.name == "createApiKey" {
					t.Errorf("%s by a key: %s, want %q", row.name, a.Raw, want)
				}
			}
			if a := s.GraphQL(t, "", row.document, row.variables); a.Code() != "" && a.Code() != "UNAUTHENTICATED" {
				t.Errorf("%s by nobody: %s", row.name, a.Raw)
			}
		}
		if len(s.GraphQL(t, ada.Access, harness.KeysDoc, nil).Listed("keys")) != 2 || !s.Is(t, other.Refresh, ada) ||
			!s.Is(t, ada.Access, ada) {
			t.Error("a key changed something")
		}
		// A session token manages keys like an access token.
		id, _ := s.NewKey(t, other.Refresh, nil)
		if a := s.GraphQL(t, other.Refresh, harness.DeleteKeyDoc, map[string]any{"id": id}); a.Text("deleteApiKey",
			"deletedApiKeyId") != id {
			t.Errorf("delete by session token: %s", a.Raw)
		}
	})
}

// AK-06: a key ends by the clock, and cannot be made with its end behind it.
func TestAK06_Expiry(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		at := func(after time.Duration) string { return s.Clock.Now().Add(after).UTC().Format(time.RFC3339Nano) }
		for _, off := range []time.Duration{-time.Second, 0, time.Second} {
			id, key := s.NewKey(t, ada.Access, map[string]any{"expiresAt": at(time.Minute)})
			s.Clock.Add(time.Minute + off)
			alive := off < 0
			if s.Is(t, key, ada) != alive || (keyNamed(t, s, ada.Access, id) != nil) != alive {
				t.Errorf("%s from its end: used and listed as if it were otherwise", off)
			}
			want := map[bool]string{true: "", false: "NOT_FOUND"}[alive]
			if code := s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": id}).Code(); code != want {
				t.Errorf("%s from its end, deleted: %q", off, code)
			}
		}
		for name, end := range map[string]string{
			"now": at(0), "a second ago": at(-time.Second), "long ago": "0001-01-01T00:00:00Z",
			"another zone": "1999-12-31T23:59:59-12:00",
		} {
			a := s.GraphQL(t, ada.Access, harness.CreateKey, map[string]any{"input": map[string]any{"expiresAt": end}})
			if a.Code() != "INVALID_INPUT" || !strings.Contains(a.Raw, `["input","expiresAt"]`) {
				t.Errorf("a key that ended %s: %s", name, a.Raw)
			}
		}
		for _, bad := range []any{"tomorrow", 1, "", "2099-01-01", "2099-13-01T00:00:00Z"} {
			a := s.GraphQL(t, ada.Access, harness.CreateKey, map[string]any{"input": map[string]any{"expiresAt": bad}})
			if a.Code() != "BAD_USER_INPUT" || a.At("createApiKey") != nil {
				t.Errorf("the end %v: %s", bad, a.Raw)
			}
		}
		// Far away, and around the last year that RFC 3339 can write: a working key, or a refusal of the input.
		for _, far := range []string{
			"2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00",
			"9999-12-31T23:59:59.999999999Z",
		} {
			a := s.GraphQL(t, ada.Access, harness.CreateKey, map[string]any{"input": map[string]any{"expiresAt": far}})
			key := a.Text("createApiKey", "secret")
			if len(a.Errors) > 0 || a.Code() != "" && a.Code() != "INVALID_INPUT" || a.Code() == "" &&
				!s.Is(t, key, ada) {
				t.Errorf("a key until %s: %s", far, a.Raw)
			}
			if key == "" {
				continue
			}
			if row := keyNamed(t, s, ada.Access, a.Text("createApiKey", "apiKey", "id")); row == nil ||
				!strings.HasPrefix(row["expiresAt"].(string), far[:10]) {
				t.Errorf("a key until %s in the list: %v", far, row)
			}
			if c := s.GraphQL(t, key, harness.CurrentDoc, nil); c.Text("currentCredential", "kind") != "API_KEY" {
				t.Errorf("a key until %s: %s", far, c.Raw)
			}
		}
	})
}

// AK-06: the first use is written at once, later ones at most once a minute.
func TestAK06_LastUsed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		id, key := s.NewKey(t, ada.Access, nil)
		begin := s.Clock.Now()
		if row := keyNamed(t, s, ada.Access, id); row["lastUsedAt"] != nil {
			t.Errorf("used before its first use: %v", row)
		}
		for n, step := range []struct {
			after, want time.Duration
			flush       bool
		}{
			{0, 0, false},
			{30 * time.Second, 0, true},
			{29 * time.Second, 0, true},
			{2 * time.Second, 0, false},
			{0, 61 * time.Second, true},
			{59 * time.Second, 61 * time.Second, true},
			{time.Hour, time.Hour + 2*time.Minute, true},
		} {
			s.Clock.Add(step.after)
			if !s.Is(t, key, ada) {
				t.Fatal("the key does not work")
			}
			if step.flush {
				if err := s.App.DB.FlushTouches(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			used, _ := keyNamed(t, s, s.Fresh(t, ada), id)["lastUsedAt"].(string)
			if used == "" || harness.Instant(t, used).Sub(begin.Add(step.want)).Abs() > time.Millisecond {
				t.Errorf("step %d: last used %q, not %s after the beginning", n, used, step.want)
			}
		}
	})
}

// AK-06: a deleted key is refused by every instance from the next request on; also with uses of it under way.
func TestAK06_RevokedAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 3)
		ada := instances[0].Register(t, "ada@example.com")
		for n := range harness.Amount(20, 1000) {
			by := instances[n%len(instances)]
			id, key := by.NewKey(t, ada.Access, nil)
			var users sync.WaitGroup
			for _, i := range instances {
				users.Go(func() { _, _ = harness.Send(i.URL, key, harness.MeDoc, nil) })
			}
			if a := by.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": id}); a.Text("deleteApiKey",
				"deletedApiKeyId") != id {
				t.Fatalf("delete: %s", a.Raw)
			}
			for _, i := range instances {
				if a := i.GraphQL(t, key, harness.MeDoc, nil); a.At("me") != nil || a.Code() != "UNAUTHENTICATED" {
					t.Fatalf("trial %d: accepted after its end: %s", n, a.Raw)
				}
			}
			users.Wait()
		}
		if got := instances[0].GraphQL(t, ada.Access, harness.KeysDoc, nil).Listed("keys"); len(got) != 0 {
			t.Errorf("deleted keys in the list: %v", got)
		}
	})
}

// AK-07: a foreign id, a missing one and one of no form get the same bytes.
func TestAK07_ForeignKeyIsAbsent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		id, key := s.NewKey(t, ada.Access, nil)
		overID, _ := s.NewKey(t, bob.Access, nil)
		s.GraphQL(t, bob.Access, harness.DeleteKeyDoc, map[string]any{"id": overID})
		first := ""
		for _, absent := range []string{
			db.NewKeyID().String(), id, overID, "key_00000000000000000000000000", "", "nonsense", ada.ID, ada.Session,
			strings.ToUpper(id), " " + id, key, key[:16],
		} {
			a := s.GraphQL(t, bob.Access, harness.DeleteKeyDoc, map[string]any{"id": absent})
			if first == "" {
				first = a.Raw
			}
			if a.Raw != first || a.Code() != "NOT_FOUND" {
				t.Errorf("%q: %s, want %s", absent, a.Raw, first)
			}
		}
		if !s.Is(t, key, ada) {
			t.Error("somebody else deleted the key")
		}
		if got := s.GraphQL(t, bob.Access, harness.KeysDoc, nil).Listed("keys"); len(got) != 0 {
			t.Errorf("somebody else's keys: %v", got)
		}
	})
}

func TestKeys_Names(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		for name, want := range map[string]string{
			"deploy": "deploy", "  CI  ": "CI", "Schlüssel 🔑": "Schlüssel 🔑", "x": "x",
			strings.Repeat("ä", 100): strings.Repeat("ä", 100),
			"<b>&\"'":                "<b>&\"'", "'; DROP TABLE api_keys; --": "'; DROP TABLE api_keys; --",
			"?1 $1 ?": "?1 $1 ?",
			"":        "", "   ": "", strings.Repeat("x", 101): "", "line\nbreak": "", "bidi\u202e": "",
			"zero\u200bwidth": "", "esc\u001b[31m": "",
		} {
			a := s.GraphQL(t, ada.Access, harness.CreateKey, map[string]any{"input": map[string]any{"name": name}})
			if want == "" {
				if a.Code() != "INVALID_INPUT" || !strings.Contains(a.Raw, `["input","name"]`) ||
					a.At("createApiKey", "secret") != nil {
					t.Errorf("%q: %s", name, a.Raw)
				}
				continue
			}
			if row := keyNamed(t, s, ada.Access, a.Text("createApiKey", "apiKey", "id")); row == nil ||
				row["name"] != want {
				t.Errorf("%q became %v: %s", name, row["name"], a.Raw)
			}
		}
	})
}

// At most 100 working keys, also when several are asked for at once; ended ones do not count.
func TestKeys_Limit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		var ids []string
		for range 99 {
			id, _ := s.NewKey(t, ada.Access, nil)
			ids = append(ids, id)
		}
		soon := s.Clock.Now().Add(time.Minute).UTC().Format(time.RFC3339Nano)
		for round := range 6 { // 16 at once, with room for one
			codes := make([]string, 16)
			var wg sync.WaitGroup
			for n := range codes {
				wg.Go(func() {
					codes[n] = "no answer"
					a, err := harness.Send(s.URL, ada.Access, harness.CreateKey,
						map[string]any{"input": map[string]any{"expiresAt": soon}})
					if err == nil {
						codes[n] = a.Code()
					}
				})
			}
			wg.Wait()
			slices.Sort(codes)
			if want := append([]string{""}, slices.Repeat([]string{"CONFLICT"}, 15)...); !slices.Equal(codes, want) {
				t.Fatalf("round %d: %v", round, codes)
			}
			if round < 5 {
				newest := s.GraphQL(t, ada.Access, harness.KeysDoc, nil).Listed("keys")[0]
				s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": newest})
			}
		}
		full := func() string { return s.GraphQL(t, ada.Access, harness.CreateKey, nil).Code() }
		if code := full(); code != "CONFLICT" {
			t.Errorf("one more than 100: %q", code)
		}
		s.NewKey(t, bob.Access, nil) // the limit is each person's own
		if code := s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": ids[0]}).Code(); code != "" {
			t.Errorf("delete: %q", code)
		}
		if code := full(); code != "" {
			t.Errorf("after one was deleted: %q", code)
		}
		s.Clock.Add(2 * time.Minute)
		if code := full(); code != "" {
			t.Errorf("after some ended: %q", code)
		}
		got := s.GraphQL(t, ada.Access, harness.KeysDoc, nil).Listed("keys")
		if len(got) != 100 {
			t.Errorf("%d keys in the list", len(got))
		}
	})
}

// While a new version is rolled out, servers of the former one work over a schema with columns that they do not know.
func TestColumnsOfALaterVersion(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		id, _ := s.NewKey(t, ada.Access, nil)
		for _, table := range []string{
			"users", "sessions", "api_keys", "mails", "one_time_tokens", "signing_keys",
			"server_secrets",
		} {
			side.MustExec(t, "ALTER TABLE "+table+" ADD COLUMN of_later text")
		}
		for name, call := range map[string]func() *harness.Answer{
			"me":       func() *harness.Answer { return s.GraphQL(t, ada.Access, harness.MeDoc, nil) },
			"sessions": func() *harness.Answer { return s.GraphQL(t, ada.Access, harness.SessionsDoc, nil) },
			"keys":     func() *harness.Answer { return s.GraphQL(t, ada.Access, harness.KeysDoc, nil) },
			"login":    func() *harness.Answer { return s.Login(t, ada.Email, harness.GoodPass) },
			"refresh":  func() *harness.Answer { return s.Refresh(t, ada.Refresh) },
			"updateMe": func() *harness.Answer {
				return s.GraphQL(t, ada.Access, harness.UpdateMeDoc, harness.InputOf("name", "Ada"))
			},
			"updateApiKey": func() *harness.Answer {
				return s.GraphQL(t, ada.Access, harness.UpdateKeyDoc, harness.InputOf("id", id, "name", "x"))
			},
			"rotateApiKey": func() *harness.Answer {
				return s.GraphQL(t, ada.Access, harness.RotateKeyDoc, harness.InputOf("id", id))
			},
		} {
			if a := call(); a.Code() != "" || len(a.Errors) > 0 {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
		if err := s.App.Keys.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
