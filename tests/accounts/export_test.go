package accounts

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// exportOf gives the exported data of a person as text and as a value.
func exportOf(t *testing.T, s *harness.Instance, who harness.Account) (string, map[string]any) {
	t.Helper()
	a := harness.Fine(t, s.GraphQL(t, who.Access, harness.ExportDoc, nil))
	data, ok := a.At("exportMyData", "data").(map[string]any)
	if !ok {
		t.Fatalf("no data: %s", a.Raw)
	}
	return harness.JSONOf(t, data), data
}

// entries gives a list of an export, and demands that it is whole or not.
func entries(t *testing.T, data map[string]any, name string, complete bool) (list []map[string]any) {
	t.Helper()
	part, ok := data[name].(map[string]any)
	if !ok || part["complete"] != complete {
		t.Fatalf("%s is complete: %v", name, part["complete"])
	}
	for _, e := range part["entries"].([]any) {
		list = append(list, e.(map[string]any))
	}
	return list
}

// AU-08: an export has everything of its person, nothing of anybody else, and no secret.
func TestAU08_ExportMyData(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		root := s.Admin(t, dsn, "root@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc, harness.InputOf("username", "countess",
			"name", "Ada", "locale", "de", "metadata", map[string]any{"plan": "gold"})))
		_, key := s.NewKey(t, ada.Access, map[string]any{"name": "backup script"})
		bobsKey, _ := s.NewKey(t, bob.Access, nil)
		s.Login(t, ada.Email, harness.WrongPass)
		magic := s.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink)
		again := s.Login(t, ada.Email, harness.GoodPass)
		token := again.Text("login", "deviceToken")
		renamed := harness.InputOf("id", ada.ID, "name", "Lady Ada")
		harness.Fine(t, s.GraphQL(t, root.Access, harness.UpdateUserDoc, renamed))
		s.Login(t, ada.Email, harness.WrongPass)

		text, data := exportOf(t, s, ada)
		account := data["account"].(map[string]any)
		for field, want := range map[string]any{
			"id": ada.ID, "email": "ada@example.com", "username": "countess", "name": "Lady Ada", "locale": "de",
			"role": "user", "status": "ACTIVE", "invited": false,
		} {
			if account[field] != want {
				t.Errorf("account.%s: %v, want %v", field, account[field], want)
			}
		}
		if plan := account["metadata"].(map[string]any)["plan"]; plan != "gold" {
			t.Errorf("metadata: %v", account["metadata"])
		}
		if n := len(entries(t, data, "sessions", true)); n != 2 {
			t.Errorf("%d sessions", n)
		}
		if keys := entries(t, data, "apiKeys", true); len(keys) != 1 || keys[0]["name"] != "backup script" ||
			!strings.HasPrefix(key, keys[0]["prefix"].(string)) {
			t.Errorf("keys: %v", keys)
		}
		eventsOfAda(t, entries(t, data, "events", true))
		mails := entries(t, data, "mails", true)
		if !slices.ContainsFunc(mails, func(m map[string]any) bool { return m["kind"] == "magic-link" }) {
			t.Errorf("mails: %v", mails)
		}
		for _, name := range []string{"oneTimeTokens", "knownDevices", "failures"} {
			if len(entries(t, data, name, true)) == 0 {
				t.Errorf("nothing in %s: %s", name, text)
			}
		}
		side := harness.OpenSide(t, dsn)
		secrets := side.Texts(t, `SELECT password_hash FROM users WHERE password_hash IS NOT NULL`)
		for _, foreign := range append(secrets, bob.ID, bob.Email, bob.Session, bobsKey, root.ID, root.Session,
			root.Email, ada.Access, ada.Refresh, key, key[len(key)-20:], magic.Token, magic.Code, token) {
			if foreign == "" || strings.Contains(text, foreign) {
				t.Errorf("the export has %q: %s", foreign, text)
			}
		}
		s.Clock.Add(11 * time.Minute)
		aged := s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
		s.Expect(t, "SUDO_REQUIRED", aged, harness.ExportDoc, nil)
		if n := side.Count(t, `SELECT count(*) FROM audit_events
WHERE action = 'user.export_failed' AND reason = 'sudo_required'`); n != 1 {
			t.Errorf("%d refused exports are on record", n)
		}
	})
}

// eventsOfAda looks at the events of an export: the newest first, its own among them, and of an administrator what they
// did, without who and from where.
func eventsOfAda(t *testing.T, events []map[string]any) {
	t.Helper()
	if events[0]["action"] != "user.exported" || events[0]["byAdministrator"] != false || events[0]["session"] == nil ||
		events[0]["ipAddress"] == nil {
		t.Errorf("the export itself: %v", events[0])
	}
	seen := map[string]bool{}
	for _, e := range events {
		seen[e["action"].(string)] = true
		if e["byAdministrator"] == true && (e["session"] != nil || e["ipAddress"] != nil || e["userAgent"] != nil ||
			e["action"] != "user.updated") {
			t.Errorf("an administrator: %v", e)
		}
	}
	for _, action := range []string{"user.created", "login.failed", "login.succeeded", "api_key.created", "user.updated"} {
		if !seen[action] {
			t.Errorf("no %s in %v", action, seen)
		}
	}
}

// AU-08: the lists of an export are bounded, and say so.
func TestAU08_Bounded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		side := harness.OpenSide(t, dsn)
		numbers := `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) `
		id := `unhex(printf('%032x', i))`
		if strings.HasPrefix(dsn, "postgres") {
			id = `lpad(to_hex(i), 32, '0')::uuid`
		}
		side.MustExec(t, numbers+`INSERT INTO audit_events (id, at, action, outcome, user_id, dialect, request_id)
SELECT `+id+`, u.created_at, 'session.refreshed', 'ok', u.id, 'graphql', 'r' FROM n, users u`)
		_, data := exportOf(t, s, ada)
		events := entries(t, data, "events", false)
		if len(events) != 10_000 || events[0]["action"] != "user.exported" {
			t.Errorf("%d events, first %v", len(events), events[0])
		}
	})
}

// AU-08: an account is exported five times an hour, from wherever.
func TestAU08_Limit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		s := harness.Limited(t, c, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		export := func(who harness.Account, n int) int {
			return harness.Asked(t, s.URL, who.Access, harness.ExportDoc, nil, "X-Forwarded-For",
				fmt.Sprintf("192.0.2.%d", n)).Status
		}
		for n := range 6 {
			want := http.StatusOK
			if n == 5 {
				want = http.StatusTooManyRequests
			}
			if got := export(ada, n); got != want {
				t.Errorf("number %d: %d", n+1, got)
			}
		}
		if got := export(bob, 1); got != http.StatusOK {
			t.Errorf("somebody else: %d", got)
		}
		s.Clock.Add(12 * time.Minute)
		ada.Access = s.Login(t, ada.Email, harness.GoodPass).Text("login", "tokens", "accessToken")
		if got := export(ada, 7); got != http.StatusOK {
			t.Errorf("twelve minutes later: %d", got)
		}
	})
}
