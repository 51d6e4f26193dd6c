package main

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

const (
	currentDoc       = `{ currentCredential { kind permissions expiresAt session { id } apiKey { id } } }`
	oneSessionDoc    = `query One($id: ID, $number: Int) { session(id: $id, number: $number) { id number } }`
	revokeSessionDoc = `mutation Revoke($input: RevokeSessionInput!) { revokeSession(input: $input) { revokedSessionId userErrors { code message field } } }`
	revokeOthersDoc  = `mutation Others { revokeOtherSessions { revokedCount userErrors { code message field } } }`
	deleteKeyDoc     = `mutation Delete($id: ID!) { deleteApiKey(input: {id: $id}) { deletedApiKeyId userErrors { code message field } } }`
)

// mustCount runs a query that gives one number.

// loginAs signs in again and gives the new session's tokens; with SESSION_TOKEN the session token is in Refresh.
func (i *instance) loginAs(t testing.TB, who account, delivery string) account {
	t.Helper()
	a := i.graphql(t, "", loginDoc, map[string]any{"input": map[string]any{
		"email": who.Email, "password": goodPass, "tokenDelivery": delivery,
	}})
	if a.code() != "" || a.text("login", "tokens", "accessToken") == "" {
		t.Fatalf("login %s: %s", who.Email, a.Raw)
	}
	second := a.text("login", "tokens", "refreshToken")
	if delivery == "SESSION_TOKEN" {
		if second != "" {
			t.Fatalf("a refresh token beside the session token: %s", a.Raw)
		}
		second = a.text("login", "tokens", "sessionToken")
	}
	return account{
		ID: who.ID, Email: who.Email, Session: a.text("login", "session", "id"),
		Access: a.text("login", "tokens", "accessToken"), Refresh: second,
	}
}

// cheapSession starts a session without hashing a password, for tests that need hundreds of them.
func (i *instance) cheapSession(t *testing.T, who account) account {
	t.Helper()
	ctx := t.Context()
	a, err := i.app.DB.Attempt(ctx, db.Identifier{Canonical: who.Email})
	if err != nil || a.User.ID.String() != who.ID {
		t.Fatalf("attempt: %v %v", a, err)
	}
	s := db.NewSession(ctx, a.User.ID, 720*time.Hour, 336*time.Hour, db.Clock(i.clock.now()), db.AuthPassword)
	if started, err := i.app.DB.Login(ctx, a, s, 100); err != nil || !started {
		t.Fatalf("login: %v %v", started, err)
	}
	master, err := secret.New([]byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	r := i.refresh(t, token.NewCodec(master, i.clock.now).Refresh(s.ID.UUID, 0).Reveal())
	if r.code() != "" {
		t.Fatalf("refresh: %s", r.Raw)
	}
	return account{
		ID: who.ID, Email: who.Email, Session: s.ID.String(),
		Access: r.text("refresh", "tokens", "accessToken"), Refresh: r.text("refresh", "tokens", "refreshToken"),
	}
}

// newKey makes an API key; input may be nil.
func (i *instance) newKey(t testing.TB, credential string, input map[string]any) (id, key string) {
	t.Helper()
	if input == nil {
		input = map[string]any{}
	}
	a := i.graphql(t, credential, createKey, map[string]any{"input": input})
	if a.code() != "" || a.text("createApiKey", "secret") == "" {
		t.Fatalf("createApiKey: %s", a.Raw)
	}
	return a.text("createApiKey", "apiKey", "id"), a.text("createApiKey", "secret")
}

// sendWith sends a document with headers as they are given.
func sendWith(t testing.TB, url string, header http.Header, document string, variables map[string]any) *answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/json")
	a, err := receive(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// listed gives the ids of a list of the data, in order.
func (a *answer) listed(field string) (ids []string) {
	rows, _ := a.at(field).([]any)
	for _, row := range rows {
		id, _ := row.(map[string]any)["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("not a time: %q", text)
	}
	return at
}

func TestSE01_EveryLoginIsANewSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		seen := map[string]bool{ada.Session: true}
		for range 3 {
			// A credential, a cookie and an id of the caller's choice change nothing about that.
			a := sendWith(t, s.URL, http.Header{
				"Authorization": {"Bearer " + ada.Access}, "Cookie": {"session=" + ada.Session + "; sid=" + ada.Session},
				"X-Session-Id": {ada.Session},
			}, loginDoc, map[string]any{"input": map[string]any{"email": ada.Email, "password": goodPass}})
			id := a.text("login", "session", "id")
			if id == "" || seen[id] {
				t.Fatalf("session %q again: %s", id, a.Raw)
			}
			seen[id] = true
		}
		if got := s.graphql(t, ada.Access, sessionsDoc, nil).listed("sessions"); len(got) != 4 {
			t.Errorf("sessions: %v", got)
		}
	})
}

// SE-03 and AK-02: the database holds nothing that could be presented, in no spelling.
func TestSE03_NothingPresentableAtRest(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		_, key := s.newKey(t, ada.Access, nil)
		issued := []string{goodPass, testSecret, ada.Access, ada.Refresh, key}
		next := s.refresh(t, ada.Refresh)
		issued = append(issued, next.text("refresh", "tokens", "accessToken"), next.text("refresh", "tokens", "refreshToken"))
		withToken := s.loginAs(t, ada, "SESSION_TOKEN")
		issued = append(issued, withToken.Access, withToken.Refresh)
		s.is(t, key, ada)
		// What fails is on record too, without what was typed.
		const typo = "my-password-in-the-wrong-field"
		s.login(t, typo, typo)
		s.login(t, ada.Email, typo)
		s.refresh(t, "rt1.garbage-that-is-no-token")
		s.refresh(t, ada.Refresh)
		s.graphql(t, next.text("refresh", "tokens", "accessToken"), logoutDoc, nil)
		s.refresh(t, issued[6])
		issued = append(issued, typo, "garbage-that-is-no-token")

		all := dump(t, dsn)
		for _, there := range []string{ada.Email, "sk_live_" + key[8:16], "$argon2id$"} {
			if !strings.Contains(all, there) {
				t.Fatalf("the dump is not one: no %q in it", there)
			}
		}
		for _, text := range issued {
			if text == "" {
				t.Fatal("a credential was not issued")
			}
			for _, part := range partsOf(text) {
				if at := strings.Index(all, part); at >= 0 {
					t.Errorf("a part (%d bytes) of %.12s… stands in the database: %q", len(part), text, all[at:at+min(len(part), 20)])
				}
			}
		}
	})
}

// partsOf gives a credential and its secret parts, as text, as bytes and in hexadecimal.
func partsOf(text string) []string {
	parts := []string{text, hex.EncodeToString([]byte(text)), base64.StdEncoding.EncodeToString([]byte(text))}
	if strings.HasPrefix(text, "sk_live_") {
		return append(parts, text[8:46], text[16:46], text[16:])
	}
	if dot := strings.LastIndexByte(text, '.'); dot > 0 {
		mac := text[dot+1:]
		parts = append(parts, mac)
		for skip := range 5 { // the key id in front of a MAC has 4 characters
			if raw, err := base64.RawURLEncoding.DecodeString(mac[min(skip, len(mac)):]); err == nil && len(raw) >= 16 {
				parts = append(parts, string(raw), hex.EncodeToString(raw))
			}
		}
	}
	return parts
}

// SE-05: three instances on Postgres, one on SQLite; what one has ended no other takes.
func TestSE05_LogoutIsSeenByEveryInstanceAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := cluster(t, dsn, 3)
		ada := instances[0].register(t, "ada@example.com")
		for n := range amount(200, 10_000) {
			by := instances[n%len(instances)]
			s := by.cheapSession(t, ada)
			for _, i := range instances { // used everywhere, so that a cache would hold it
				if !i.is(t, s.Access, ada) {
					t.Fatalf("trial %d: a fresh token is refused", n)
				}
			}
			if out := by.graphql(t, s.Access, logoutDoc, nil); out.code() != "" || out.at("logout") == nil {
				t.Fatalf("trial %d: %s", n, out.Raw)
			}
			for _, i := range instances {
				a := i.graphql(t, s.Access, meDoc, nil)
				if a.at("me") != nil || len(a.Errors) > 0 {
					t.Fatalf("trial %d: accepted after the logout: %s", n, a.Raw)
				}
			}
			if n%50 == 0 {
				if code := instances[(n+1)%len(instances)].refresh(t, s.Refresh).code(); code != "INVALID_TOKEN" {
					t.Fatalf("trial %d: refresh after the logout: %q", n, code)
				}
			}
		}
	})
}

// cluster starts n instances that share a database, an address and a clock; on SQLite one.
func cluster(t *testing.T, dsn string, n int) []*instance {
	t.Helper()
	if strings.HasPrefix(dsn, "sqlite:") {
		n = 1
	}
	c := newClock()
	var all []*instance
	for range n {
		all = append(all, startWithClock(t, c, dsn, "DRAGOMAN_PUBLIC_URL=http://auth.example.com"))
	}
	return all
}

// failing makes a database refuse one kind of write to a table until heal is called.
func failing(t *testing.T, dsn string, conn *sql.DB, event, table string) (heal func()) {
	t.Helper()
	if strings.HasPrefix(dsn, "sqlite:") {
		mustExec(t, conn, `CREATE TRIGGER broken BEFORE `+event+` ON `+table+` BEGIN SELECT RAISE(ABORT, 'no space left'); END`)
		return func() { mustExec(t, conn, `DROP TRIGGER broken`) }
	}
	mustExec(t, conn,
		`CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left'; END $$`,
		`CREATE TRIGGER broken BEFORE `+event+` ON `+table+` FOR EACH ROW EXECUTE FUNCTION broken()`)
	return func() { mustExec(t, conn, `DROP TRIGGER broken ON `+table) }
}

// SE-06 and AU-04: an end that is not stored, or whose event is not stored, is an error and changes nothing.
func TestSE06_FailedRevocationIsAnError(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.register(t, "ada@example.com")
		other := s.loginAs(t, ada, "BODY")
		keyID, key := s.newKey(t, ada.Access, nil)
		input := func(pairs ...any) map[string]any {
			m := map[string]any{}
			for n := 0; n < len(pairs); n += 2 {
				m[pairs[n].(string)] = pairs[n+1]
			}
			return map[string]any{"input": m}
		}
		ends := []struct {
			name, table, credential, document string
			variables                         map[string]any
		}{
			{"logout", "sessions", ada.Access, logoutDoc, nil},
			{"logout by refresh token", "sessions", "", logoutDoc, input("refreshToken", ada.Refresh)},
			{"logout everywhere", "sessions", ada.Access, logoutDoc, input("everywhere", true)},
			{"revoke a session", "sessions", ada.Access, revokeSessionDoc, input("id", other.Session)},
			{"revoke the others", "sessions", ada.Access, revokeOthersDoc, nil},
			{"delete a key", "api_keys", ada.Access, deleteKeyDoc, map[string]any{"id": keyID}},
		}
		for _, end := range ends {
			for _, broken := range [][2]string{{"UPDATE", end.table}, {"INSERT", "audit_events"}} {
				heal := failing(t, dsn, conn, broken[0], broken[1])
				a := s.graphql(t, end.credential, end.document, end.variables)
				heal()
				if a.code() != "INTERNAL_SERVER_ERROR" || strings.Contains(a.Raw, "userErrors") || strings.Contains(a.Raw, "space") {
					t.Errorf("%s while %s on %s fails: %d %s", end.name, broken[0], broken[1], a.Status, a.Raw)
				}
				for name, credential := range map[string]string{"own session": ada.Access, "other session": other.Access, "key": key} {
					if !s.is(t, credential, ada) {
						t.Fatalf("%s failed, and yet it ended: %s", end.name, name)
					}
				}
			}
		}
		// With the table broken, reuse of a refresh token is no success either.
		second := s.refresh(t, ada.Refresh).text("refresh", "tokens", "refreshToken")
		s.clock.add(11 * time.Second)
		heal := failing(t, dsn, conn, "UPDATE", "sessions")
		if a := s.refresh(t, ada.Refresh); a.code() != "INTERNAL_SERVER_ERROR" || a.at("refresh", "tokens") != nil {
			t.Errorf("reuse while the table fails: %s", a.Raw)
		}
		heal()
		if a := s.refresh(t, ada.Refresh); a.code() != "TOKEN_REUSED" {
			t.Errorf("reuse afterwards: %s", a.Raw)
		}
		if a := s.refresh(t, second); a.code() != "INVALID_TOKEN" {
			t.Errorf("the newest afterwards: %s", a.Raw)
		}
	})
}

// SE-06, AV-01: without a database nobody is anybody, and nothing says that it worked.
func TestSE06_DatabaseGone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		_, key := s.newKey(t, ada.Access, nil)
		if err := s.app.DB.Close(); err != nil {
			t.Fatal(err)
		}
		for name, a := range map[string]*answer{
			"logout":            s.graphql(t, ada.Access, logoutDoc, nil),
			"me":                s.graphql(t, ada.Access, meDoc, nil),
			"me by key":         s.graphql(t, key, meDoc, nil),
			"refresh":           s.refresh(t, ada.Refresh),
			"login":             s.login(t, ada.Email, goodPass),
			"sessions":          s.graphql(t, ada.Access, sessionsDoc, nil),
			"currentCredential": s.graphql(t, ada.Access, currentDoc, nil),
			"revokeSession":     s.graphql(t, ada.Access, revokeSessionDoc, map[string]any{"input": map[string]any{"id": ada.Session}}),
		} {
			if a.code() != "INTERNAL_SERVER_ERROR" || strings.Contains(a.Raw, "userErrors") || a.Header.Get("Www-Authenticate") != "" {
				t.Errorf("%s: %d %s", name, a.Status, a.Raw)
			}
		}
	})
}

// SE-07 and LG-01: from the moment of the suspension nothing of the account works, and sign-in tells nothing apart.
func TestSE07_SuspendedAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		st := s.loginAs(t, ada, "SESSION_TOKEN")
		_, key := s.newKey(t, ada.Access, nil)
		rotated := s.refresh(t, s.loginAs(t, ada, "BODY").Refresh)
		credentials := map[string]string{
			"access token": ada.Access, "session token": st.Refresh, "API key": key,
			"access token after a refresh": rotated.text("refresh", "tokens", "accessToken"),
		}
		mustExec(t, conn, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'ada@example.com'`)
		for name, credential := range credentials {
			a := s.graphql(t, credential, meDoc, nil)
			if a.at("me") != nil || len(a.Errors) > 0 || a.Header.Get("Www-Authenticate") == "" {
				t.Errorf("me by %s: %s", name, a.Raw)
			}
			if a := s.graphql(t, credential, sessionsDoc, nil); a.code() != "UNAUTHENTICATED" {
				t.Errorf("sessions by %s: %s", name, a.Raw)
			}
			if a := s.graphql(t, credential, createKey, nil); a.code() != "UNAUTHENTICATED" {
				t.Errorf("createApiKey by %s: %s", name, a.Raw)
			}
		}
		for name, token := range map[string]string{
			"current": ada.Refresh, "newest": rotated.text("refresh", "tokens", "refreshToken"),
		} {
			if a := s.refresh(t, token); a.code() != "INVALID_TOKEN" || a.at("refresh", "tokens") != nil {
				t.Errorf("refresh by the %s token: %s", name, a.Raw)
			}
		}
		right, wrong := s.login(t, ada.Email, goodPass), s.login(t, ada.Email, "not the password")
		nobody := s.login(t, "nobody@example.com", goodPass)
		if right.Raw != wrong.Raw || right.Raw != nobody.Raw || right.Status != wrong.Status || right.code() != "INVALID_CREDENTIALS" {
			t.Errorf("LG-01: %d %s, wrong password %d %s, nobody %s", right.Status, right.Raw, wrong.Status, wrong.Raw, nobody.Raw)
		}
		if !s.is(t, bob.Access, bob) {
			t.Error("somebody else was suspended too")
		}
	})
}

// SE-07 for an account that is gone, with its rows.
func TestSE07_DeletedAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.register(t, "ada@example.com")
		_, key := s.newKey(t, ada.Access, nil)
		mustExec(t, conn, `DELETE FROM api_keys`, `DELETE FROM sessions`, `DELETE FROM users`)
		for _, credential := range []string{ada.Access, key} {
			if a := s.graphql(t, credential, meDoc, nil); a.at("me") != nil || len(a.Errors) > 0 {
				t.Errorf("me: %s", a.Raw)
			}
		}
		if a := s.refresh(t, ada.Refresh); a.code() != "INVALID_TOKEN" {
			t.Errorf("refresh: %s", a.Raw)
		}
		again := s.register(t, "ada@example.com") // ID-08: the old credentials do not attach to the new account
		if s.is(t, ada.Access, again) || s.is(t, key, again) {
			t.Error("a credential of the old account is the new one's")
		}
	})
}

// SE-16: idle and absolute limits, by access token, session token and refresh token, one second around each.
func TestSE16_Limits(t *testing.T) {
	t.Parallel()
	const life, idle, step = 2 * time.Hour, 30 * time.Minute, 20 * time.Minute
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_TTL=2h", "DRAGOMAN_SESSION_IDLE=30m", "DRAGOMAN_ACCESS_TTL=2h")
		ada := s.register(t, "ada@example.com")
		for _, path := range []string{"access token", "session token", "refresh token"} {
			for _, limit := range []struct {
				name string
				at   time.Duration
			}{{"idle", idle}, {"absolute", life}} {
				for _, off := range []time.Duration{-time.Second, 0, time.Second} {
					delivery := "BODY"
					if path == "session token" {
						delivery = "SESSION_TOKEN"
					}
					credential := s.loginAs(t, ada, delivery)
					use := func() bool { return s.usedBy(t, path, &credential) }
					left := limit.at + off
					for left > idle+time.Second { // stay in use until the absolute limit
						s.clock.add(step)
						left -= step
						if !use() {
							t.Fatalf("%s: dead %s before the %s limit", path, left, limit.name)
						}
					}
					s.clock.add(left)
					if got, want := use(), off < 0; got != want {
						t.Errorf("%s %s from the %s limit: %v", path, off, limit.name, got)
					}
				}
			}
		}
	})
}

// usedBy uses a session in one of the three ways, as far as to what is written about it, and tells whether it went.
func (i *instance) usedBy(t *testing.T, path string, a *account) bool {
	t.Helper()
	if path == "refresh token" {
		r := i.refresh(t, a.Refresh)
		if r.code() != "" {
			if r.code() != "INVALID_TOKEN" {
				t.Errorf("refresh: %s", r.Raw)
			}
			return false
		}
		a.Refresh = r.text("refresh", "tokens", "refreshToken")
		return true
	}
	credential := a.Access
	if path == "session token" {
		credential = a.Refresh
	}
	ok := i.is(t, credential, *a)
	if err := i.app.DB.FlushTouches(t.Context()); err != nil { // what housekeeping does every few seconds
		t.Fatal(err)
	}
	return ok
}

// SE-16: what a session shows as its end is the idle limit, and never lies behind the absolute one. A use within the
// minute is not written, a later one is, with the next flush.
func TestSE16_SlidingEnd(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=40m", "DRAGOMAN_ACCESS_TTL=1h")
		begin := s.clock.now()
		ada := s.register(t, "ada@example.com")
		steps := []struct {
			after time.Duration // since the step before
			flush bool
			want  time.Duration // the end shown, since the beginning
		}{
			{0, true, 40 * time.Minute},
			{59 * time.Second, true, 40 * time.Minute},
			{time.Second, false, 40 * time.Minute},
			{0, true, 41 * time.Minute},
			{9 * time.Minute, true, 50 * time.Minute},
			{15 * time.Minute, true, time.Hour}, // 25 minutes in: 65 would be too late
			{30 * time.Minute, true, time.Hour},
		}
		for n, step := range steps {
			s.clock.add(step.after)
			s.is(t, ada.Access, ada)
			if step.flush {
				if err := s.app.DB.FlushTouches(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			a := s.graphql(t, ada.Access, sessionsDoc, nil)
			rows, _ := a.at("sessions").([]any)
			if len(rows) != 1 {
				t.Fatalf("step %d: %s", n, a.Raw)
			}
			end := instant(t, rows[0].(map[string]any)["expiresAt"].(string))
			if diff := end.Sub(begin.Add(step.want)); diff.Abs() > time.Millisecond {
				t.Errorf("step %d: the end is %s off", n, diff)
			}
		}
		s.clock.add(5 * time.Minute) // the absolute limit
		if s.is(t, ada.Access, ada) {
			t.Error("alive at the absolute limit")
		}
	})
}

// SE-16: a session that is used all the time does not run into its idle limit, however short that is.
func TestSE16_ShortIdleLimit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=5m", "DRAGOMAN_ACCESS_TTL=1h")
		ada := s.register(t, "ada@example.com")
		for n := range 40 {
			s.clock.add(20 * time.Second)
			if !s.usedBy(t, "access token", &ada) {
				t.Fatalf("use number %d, 20 seconds after the one before, is refused for idleness", n+1)
			}
		}
		s.clock.add(5*time.Minute + time.Second)
		if s.usedBy(t, "access token", &ada) {
			t.Error("alive after more than the idle limit")
		}
	})
}

// SE-16: the last moments of a session are a success or a refusal and never an internal error.
func TestSE16_LastSecond(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=1h")
		ada := s.register(t, "ada@example.com")
		s.clock.add(time.Hour - 500*time.Millisecond)
		a := s.refresh(t, ada.Refresh)
		if a.Status != http.StatusOK || len(a.Errors) > 0 {
			t.Errorf("refresh half a second before the end: %d %s", a.Status, a.Raw)
		}
	})
}

// SE-16: an access token does not promise more than its session has left.
func TestSE16_AccessTokenEndsWithItsSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=1h", "DRAGOMAN_ACCESS_TTL=10m")
		end := s.clock.now().Add(time.Hour)
		ada := s.register(t, "ada@example.com")
		s.clock.add(57 * time.Minute)
		a := s.refresh(t, ada.Refresh)
		exp := claimsOf(t, a.text("refresh", "tokens", "accessToken"))["exp"].(float64)
		if int64(exp) > end.Unix() {
			t.Errorf("the token ends %d seconds after its session", int64(exp)-end.Unix())
		}
		if int64(exp) < end.Unix()-2 {
			t.Errorf("the token ends %d seconds before its session", end.Unix()-int64(exp))
		}
	})
}

// SE-17: what a client may not set is not an input at all; nothing runs.
func TestSE17_ForeignFieldsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.register(t, "ada@example.com")
		counts := func() string {
			var all []string
			for _, table := range []string{"users", "sessions", "api_keys", "audit_events"} {
				all = append(all, strconv.Itoa(mustCount(t, conn, "SELECT count(*) FROM "+table)))
			}
			return strings.Join(all, " ")
		}
		before := counts()
		bases := map[string]struct {
			document string
			input    map[string]any
			extra    []string
		}{
			"register": {
				registerDoc,
				map[string]any{"email": "eve@example.com", "password": goodPass},
				[]string{"id", "number", "role", "roles", "status", "emailVerified", "emailVerifiedAt", "createdAt", "passwordHash", "sessionId", "expiresAt"},
			},
			"login": {
				loginDoc,
				map[string]any{"email": ada.Email, "password": goodPass},
				[]string{"id", "sessionId", "sid", "expiresAt", "createdAt", "token", "remember", "EMAIL"},
			},
			"logout": {logoutDoc, map[string]any{"everywhere": false}, []string{"id", "userId", "sessionId"}},
			"revokeSession": {
				revokeSessionDoc, map[string]any{"id": ada.Session}, []string{"userId", "expiresAt", "revokedAt"},
			},
			"createApiKey": {
				createKey,
				map[string]any{"name": "k"},
				[]string{"userId", "user", "id", "secret", "prefix", "handle", "hash", "createdAt", "lastUsedAt", "revokedAt"},
			},
		}
		for name, base := range bases {
			for _, extra := range base.extra {
				input := map[string]any{extra: ada.ID}
				for k, v := range base.input {
					input[k] = v
				}
				a := s.graphql(t, ada.Access, base.document, map[string]any{"input": input})
				if a.code() != "BAD_USER_INPUT" || len(a.Data) != 0 {
					t.Errorf("%s with %s: %s", name, extra, a.Raw)
				}
			}
		}
		for _, document := range []string{
			`mutation { refresh(input: {refreshToken: "x", expiresAt: "2099-01-01T00:00:00Z"}) { userErrors { code } } }`,
			`mutation { login(input: {email: "ada@example.com", password: "p", role: "admin"}) { userErrors { code } } }`,
			`mutation { deleteApiKey(input: {id: "x", userId: "y"}) { userErrors { code } } }`,
		} {
			if a := s.graphql(t, ada.Access, document, nil); a.code() == "" || a.Data != nil {
				t.Errorf("%s: %s", document, a.Raw)
			}
		}
		if after := counts(); after != before {
			t.Errorf("rows before %s, after %s", before, after)
		}
		if !s.is(t, ada.Access, ada) {
			t.Error("a refused request ended the session")
		}
	})
}

// SE-18: somebody else's session is answered like one that does not exist, byte for byte.
func TestSE18_ForeignSessionIsAbsent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		number := s.graphql(t, ada.Access, oneSessionDoc, map[string]any{"id": ada.Session}).at("session", "number").(float64)
		if got := s.graphql(t, ada.Access, oneSessionDoc, map[string]any{"number": int(number)}).text("session", "id"); got != ada.Session {
			t.Fatalf("the own session by number: %q", got)
		}
		absent := []map[string]any{
			{"id": db.NewSessionID().String()},
			{"id": ada.ID},
			{"id": "sess_"},
			{"id": "nonsense"},
			{"id": ""},
			{"id": "sess_00000000000000000000000000"},
			{"id": strings.ToUpper(ada.Session)},
			{"number": 1},
			{"number": 0},
			{"number": -1},
			{"id": ada.Session},
			{"number": int(number)}, // the last two exist, and are somebody else's
		}
		_, key := s.newKey(t, bob.Access, nil)
		for _, document := range []string{oneSessionDoc, revokeSessionDoc} {
			first := ""
			for _, what := range absent {
				variables := what
				if document == revokeSessionDoc {
					variables = map[string]any{"input": what}
				}
				a := s.graphql(t, bob.Access, document, variables)
				if first == "" {
					first = a.Raw
				}
				if a.Raw != first || a.Status != http.StatusOK {
					t.Errorf("%v: %d %s, want %s", what, a.Status, a.Raw, first)
				}
				if document == oneSessionDoc {
					if byKey := s.graphql(t, key, document, variables); byKey.Raw != first {
						t.Errorf("%v by key: %s", what, byKey.Raw)
					}
				}
			}
			if document == revokeSessionDoc && !strings.Contains(first, "NOT_FOUND") || document == oneSessionDoc && !strings.Contains(first, `"session":null`) {
				t.Errorf("absent: %s", first)
			}
		}
		if !s.is(t, ada.Access, ada) {
			t.Error("the session was ended by somebody else")
		}
		if got := s.graphql(t, bob.Access, sessionsDoc, nil).listed("sessions"); len(got) != 1 || got[0] != bob.Session {
			t.Errorf("the list of the other: %v", got)
		}
		// An ended session of one's own is absent too.
		other := s.loginAs(t, ada, "BODY")
		s.graphql(t, other.Access, logoutDoc, nil)
		if a := s.graphql(t, ada.Access, oneSessionDoc, map[string]any{"id": other.Session}); a.at("session") != nil || a.code() != "" {
			t.Errorf("an ended session: %s", a.Raw)
		}
		for _, bad := range []map[string]any{{}, {"id": ada.Session, "number": 1}} {
			if a := s.graphql(t, ada.Access, oneSessionDoc, bad); a.code() != "BAD_USER_INPUT" {
				t.Errorf("%v: %s", bad, a.Raw)
			}
			if a := s.graphql(t, ada.Access, revokeSessionDoc, map[string]any{"input": bad}); a.code() != "INVALID_INPUT" {
				t.Errorf("revoke %v: %s", bad, a.Raw)
			}
		}
	})
}

func TestSE20_RevokeSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		one, two := s.loginAs(t, ada, "BODY"), s.loginAs(t, ada, "SESSION_TOKEN")
		number := s.graphql(t, two.Access, oneSessionDoc, map[string]any{"id": two.Session}).at("session", "number").(float64)
		for name, row := range map[string]struct {
			what  map[string]any
			ended account
		}{
			"by id":     {map[string]any{"id": one.Session}, one},
			"by number": {map[string]any{"number": int(number)}, two},
		} {
			a := s.graphql(t, ada.Access, revokeSessionDoc, map[string]any{"input": row.what})
			if a.text("revokeSession", "revokedSessionId") != row.ended.Session || a.code() != "" {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if s.is(t, row.ended.Access, ada) {
				t.Errorf("%s: the session lives", name)
			}
			if a := s.graphql(t, ada.Access, revokeSessionDoc, map[string]any{"input": row.what}); a.code() != "NOT_FOUND" || a.at("revokeSession", "revokedSessionId") != nil {
				t.Errorf("%s again: %s", name, a.Raw)
			}
		}
		if s.is(t, two.Refresh, ada) {
			t.Error("the session token lives")
		}
		if !s.is(t, ada.Access, ada) {
			t.Fatal("the own session ended")
		}
		// The own one may be revoked as well: what follows in the same request is nobody's.
		a := s.graphql(t, ada.Access, `mutation($input: RevokeSessionInput!) {
			a: revokeSession(input: $input) { revokedSessionId userErrors { code } } b: revokeOtherSessions { revokedCount userErrors { code } } }`,
			map[string]any{"input": map[string]any{"id": ada.Session}})
		if a.text("a", "revokedSessionId") != ada.Session || a.at("b") != nil || len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
			t.Errorf("the own session, then another field: %s", a.Raw)
		}
	})
}

func TestSE20_RevokeOtherSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		var others []account
		for range 3 {
			others = append(others, s.loginAs(t, ada, "BODY"))
		}
		count := func(want float64) {
			t.Helper()
			a := s.graphql(t, ada.Access, revokeOthersDoc, nil)
			if got, _ := a.at("revokeOtherSessions", "revokedCount").(float64); got != want || a.code() != "" {
				t.Errorf("%v sessions ended, not %v: %s", got, want, a.Raw)
			}
		}
		s.graphql(t, others[0].Access, logoutDoc, nil)
		count(2)
		count(0)
		for _, o := range others {
			if s.is(t, o.Access, ada) || s.refresh(t, o.Refresh).code() != "INVALID_TOKEN" {
				t.Error("another session lives")
			}
		}
		if !s.is(t, ada.Access, ada) || !s.is(t, bob.Access, bob) {
			t.Error("too much ended")
		}
	})
}

func TestLogout_ByRefreshTokenAndEverywhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_ACCESS_TTL=1m")
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		out := func(credential string, input map[string]any) *answer {
			t.Helper()
			return s.graphql(t, credential, logoutDoc, map[string]any{"input": input})
		}

		one := s.loginAs(t, ada, "BODY")
		s.clock.add(2 * time.Minute) // all access tokens are over
		if a := out(one.Access, nil); a.code() != "UNAUTHENTICATED" || a.Header.Get("Www-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("by an access token that is over: %s", a.Raw)
		}
		if a := out("", map[string]any{"refreshToken": one.Refresh}); a.code() != "" || a.at("logout") == nil {
			t.Errorf("by refresh token: %s", a.Raw)
		}
		if a := s.refresh(t, one.Refresh); a.code() != "INVALID_TOKEN" {
			t.Errorf("refresh afterwards: %s", a.Raw)
		}
		if a := out("", map[string]any{"refreshToken": one.Refresh}); a.code() != "INVALID_TOKEN" {
			t.Errorf("a second logout by refresh token: %s", a.Raw)
		}
		if a := out("", map[string]any{"refreshToken": "nonsense"}); a.code() != "INVALID_TOKEN" {
			t.Errorf("nonsense: %s", a.Raw)
		}

		// A refresh token in the input wins over the credential of the request, even of somebody else.
		two := s.loginAs(t, ada, "BODY")
		fresh := s.loginAs(t, bob, "BODY")
		if a := out(fresh.Access, map[string]any{"refreshToken": two.Refresh}); a.code() != "" {
			t.Errorf("by refresh token beside a credential: %s", a.Raw)
		}
		if s.is(t, two.Access, ada) || !s.is(t, fresh.Access, bob) {
			t.Error("the wrong session ended")
		}
		if a := out(fresh.Access, map[string]any{"refreshToken": "nonsense"}); a.code() != "INVALID_TOKEN" || !s.is(t, fresh.Access, bob) {
			t.Errorf("nonsense beside a credential: %s", a.Raw)
		}

		three, four := s.loginAs(t, ada, "BODY"), s.loginAs(t, ada, "SESSION_TOKEN")
		if a := out(four.Refresh, map[string]any{"everywhere": true}); a.code() != "" {
			t.Errorf("everywhere: %s", a.Raw)
		}
		for _, credential := range []string{three.Access, four.Access, four.Refresh} {
			if s.is(t, credential, ada) {
				t.Error("a session outlived logout everywhere")
			}
		}
		if a := out(four.Refresh, map[string]any{"everywhere": true}); a.code() != "UNAUTHENTICATED" {
			t.Errorf("everywhere, by a session that is over: %s", a.Raw)
		}
		if a := out("", map[string]any{"everywhere": true, "refreshToken": three.Refresh}); a.code() != "INVALID_TOKEN" {
			t.Errorf("everywhere, by the refresh token of a session that is over: %s", a.Raw)
		}
		if !s.is(t, fresh.Access, bob) {
			t.Error("somebody else was signed out")
		}
		if a := out("", nil); a.code() != "UNAUTHENTICATED" || a.Header.Get("Www-Authenticate") != "" {
			t.Errorf("by nobody: %s %v", a.Raw, a.Header)
		}
	})
}

// Whoever presents more than one credential, or one of no known form, presents none.
func TestCredentials_AmbiguousCountsAsNone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		_, key := s.newKey(t, ada.Access, nil)
		bearer := "Bearer " + ada.Access
		for name, header := range map[string]http.Header{
			"token and key":            {"Authorization": {bearer}, "X-Api-Key": {key}},
			"token and empty key":      {"Authorization": {bearer}, "X-Api-Key": {""}},
			"token and other's key":    {"Authorization": {"Bearer " + bob.Access}, "X-Api-Key": {key}},
			"two tokens":               {"Authorization": {bearer, "Bearer " + bob.Access}},
			"the same token twice":     {"Authorization": {bearer, bearer}},
			"two keys":                 {"X-Api-Key": {key, key}},
			"tokens in one header":     {"Authorization": {bearer + ", " + bearer}},
			"another scheme":           {"Authorization": {"Basic " + ada.Access}},
			"no scheme":                {"Authorization": {ada.Access}},
			"scheme alone":             {"Authorization": {"Bearer"}},
			"two spaces":               {"Authorization": {"Bearer  " + ada.Access}},
			"empty key":                {"X-Api-Key": {""}},
			"nonsense":                 {"Authorization": {"Bearer nonsense"}},
			"two in the text of a key": {"X-Api-Key": {key + "," + key}},
		} {
			a := sendWith(t, s.URL, header, meDoc, nil)
			if a.at("me") != nil || len(a.Errors) > 0 || !strings.Contains(a.Raw, `"me":null`) {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if got := a.Header.Get("Www-Authenticate"); got != `Bearer error="invalid_token"` {
				t.Errorf("%s: WWW-Authenticate %q", name, got)
			}
			for _, document := range []string{sessionsDoc, keysDoc, logoutDoc, revokeOthersDoc, createKey} {
				if a := sendWith(t, s.URL, header, document, nil); a.code() != "UNAUTHENTICATED" {
					t.Errorf("%s: %s", name, a.Raw)
				}
			}
		}
		for name, header := range map[string]http.Header{
			"scheme in lower case": {"Authorization": {"bearer " + ada.Access}},
			"key":                  {"X-Api-Key": {key}},
		} {
			if a := sendWith(t, s.URL, header, meDoc, nil); a.text("me", "id") != ada.ID || a.Header.Get("Www-Authenticate") != "" {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
	})
}

// A credential that is over: `me` is null and says why in a header, everything else is UNAUTHENTICATED.
func TestCredentials_Stale(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		over := s.loginAs(t, ada, "SESSION_TOKEN")
		keyID, key := s.newKey(t, ada.Access, nil)
		s.graphql(t, over.Access, logoutDoc, nil)
		s.graphql(t, ada.Access, deleteKeyDoc, map[string]any{"id": keyID})
		for name, credential := range map[string]string{
			"access token": over.Access, "session token": over.Refresh, "key": key,
			"tampered": ada.Access[:len(ada.Access)-4] + "AAAA", "refresh token": ada.Refresh,
		} {
			a := s.graphql(t, credential, meDoc, nil)
			if a.Status != http.StatusOK || a.at("me") != nil || len(a.Errors) > 0 || a.Header.Get("Www-Authenticate") != `Bearer error="invalid_token"` {
				t.Errorf("me by a stale %s: %d %s %v", name, a.Status, a.Raw, a.Header)
			}
			if a := s.graphql(t, credential, currentDoc, nil); a.at("currentCredential") != nil || len(a.Errors) > 0 {
				t.Errorf("currentCredential by a stale %s: %s", name, a.Raw)
			}
			if a := s.graphql(t, credential, sessionsDoc, nil); a.code() != "UNAUTHENTICATED" || a.Header.Get("Www-Authenticate") == "" {
				t.Errorf("sessions by a stale %s: %s", name, a.Raw)
			}
		}
		for document, code := range map[string]string{meDoc: "", currentDoc: "", sessionsDoc: "UNAUTHENTICATED", keysDoc: "UNAUTHENTICATED"} {
			a := s.graphql(t, "", document, nil)
			if a.code() != code || a.Header.Get("Www-Authenticate") != "" {
				t.Errorf("%s by nobody: %s %q", document, a.Raw, a.Header.Get("Www-Authenticate"))
			}
		}
	})
}

// The three kinds of credential, as currentCredential describes them.
func TestCredentials_Current(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_TTL=10h", "DRAGOMAN_SESSION_IDLE=2h", "DRAGOMAN_ACCESS_TTL=10m")
		now := s.clock.now()
		ada := s.register(t, "ada@example.com")
		with := s.loginAs(t, ada, "SESSION_TOKEN")
		foreverID, forever := s.newKey(t, ada.Access, nil)
		dayID, day := s.newKey(t, ada.Access, map[string]any{"expiresAt": now.Add(24 * time.Hour).UTC().Format(time.RFC3339)})
		noneID, none := s.newKey(t, ada.Access, map[string]any{"scopes": []string{}})
		for name, row := range map[string]struct {
			credential, kind, session, key string
			ends                           time.Duration
			may                            string
		}{
			"access token":             {ada.Access, "ACCESS_TOKEN", ada.Session, "", 10 * time.Minute, "[PROFILE_READ]"},
			"access beside session":    {with.Access, "ACCESS_TOKEN", with.Session, "", 10 * time.Minute, "[PROFILE_READ]"},
			"session token":            {with.Refresh, "SESSION_TOKEN", with.Session, "", 2 * time.Hour, "[PROFILE_READ]"},
			"key":                      {forever, "API_KEY", "", foreverID, 0, "[PROFILE_READ]"},
			"key that ends":            {day, "API_KEY", "", dayID, 24 * time.Hour, "[PROFILE_READ]"},
			"key that may do nothing":  {none, "API_KEY", "", noneID, 0, "[]"},
			"session token registered": {s.registeredToken(t, "eve@example.com"), "SESSION_TOKEN", "", "", 2 * time.Hour, "[PROFILE_READ]"},
		} {
			a := s.graphql(t, row.credential, currentDoc, nil)
			if a.text("currentCredential", "kind") != row.kind || fmt.Sprint(a.at("currentCredential", "permissions")) != row.may ||
				a.text("currentCredential", "apiKey", "id") != row.key ||
				row.session != "" && a.text("currentCredential", "session", "id") != row.session ||
				(row.key == "") != (a.at("currentCredential", "session") != nil) {
				t.Errorf("%s: %s", name, a.Raw)
			}
			end := a.text("currentCredential", "expiresAt")
			if row.ends == 0 {
				if end != "" {
					t.Errorf("%s ends: %s", name, a.Raw)
				}
				continue
			}
			// An access token's end is in whole seconds.
			if off := instant(t, end).Sub(now.Add(row.ends)); off > 0 || off < -time.Second {
				t.Errorf("%s ends %s off: %s", name, off, a.Raw)
			}
		}
	})
}

// registeredToken registers with the delivery SESSION_TOKEN.
func (i *instance) registeredToken(t testing.TB, email string) string {
	t.Helper()
	a := i.graphql(t, "", registerDoc, map[string]any{"input": map[string]any{
		"email": email, "password": goodPass, "tokenDelivery": "SESSION_TOKEN",
	}})
	if a.at("register", "tokens", "refreshToken") != nil || a.text("register", "tokens", "accessToken") == "" {
		t.Fatalf("register: %s", a.Raw)
	}
	st := a.text("register", "tokens", "sessionToken")
	if me := i.graphql(t, st, meDoc, nil); me.text("me", "email") != email {
		t.Fatalf("the session token does not answer me: %s", me.Raw)
	}
	return st
}

// A session shows the device of its last sign-in or refresh, newest first.
func TestSessions_List(t *testing.T) {
	t.Parallel()
	const iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		s.clock.add(time.Second)
		two := s.loginAs(t, ada, "BODY")
		s.clock.add(time.Second)
		sendWith(t, s.URL, http.Header{"User-Agent": {iphone}}, refreshDoc, map[string]any{"token": ada.Refresh})
		a := s.graphql(t, two.Access, sessionsDoc, nil)
		rows, _ := a.at("sessions").([]any)
		if got := a.listed("sessions"); len(got) != 2 || got[0] != two.Session || got[1] != ada.Session {
			t.Fatalf("sessions: %s", a.Raw)
		}
		first, second := rows[0].(map[string]any), rows[1].(map[string]any)
		if first["isCurrent"] != true || second["isCurrent"] != false {
			t.Errorf("isCurrent: %s", a.Raw)
		}
		if second["userAgent"] != iphone || second["device"].(map[string]any)["name"] != "Safari on iPhone" ||
			second["ipAddress"] != "127.0.0.1" || fmt.Sprint(second["authMethods"]) != "[PASSWORD]" {
			t.Errorf("the refreshed session: %v", second)
		}
		_, key := s.newKey(t, ada.Access, nil)
		for _, row := range s.graphql(t, key, sessionsDoc, nil).at("sessions").([]any) {
			if row.(map[string]any)["isCurrent"] != false {
				t.Errorf("a session is the current one of an API key: %v", row)
			}
		}
	})
}

// TestSE21_SessionLimit signs in once more than an account may have sessions: the oldest one ends, at once and alone.
func TestSE21_SessionLimit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_LIMIT=3")
		ada, bob := s.register(t, "ada@example.com"), s.register(t, "bob@example.com")
		var access []string
		for range 3 { // with that of the registration there are four
			access = append(access, s.login(t, ada.Email, goodPass).text("login", "tokens", "accessToken"))
		}
		if s.is(t, ada.Access, ada) || s.refresh(t, ada.Refresh).code() == "" {
			t.Error("the oldest session lives on")
		}
		for n, token := range append(access, bob.Access) {
			who := ada
			if n == len(access) {
				who = bob
			}
			if !s.is(t, token, who) {
				t.Errorf("session %d has ended too", n)
			}
		}
		if got := openSide(t, dsn).texts(t, "SELECT revoked_reason FROM sessions WHERE revoked_at IS NOT NULL"); len(got) != 1 || got[0] != "session_limit" {
			t.Errorf("ended for %q", got)
		}
		s.graphql(t, access[1], logoutDoc, nil)
		s.login(t, ada.Email, goodPass)
		if !s.is(t, access[0], ada) {
			t.Error("a session that has ended counts against the limit")
		}
	})
}

// TestSE21_SessionLimitRaced signs in many times at once: no attempt fails, and not more than the limit live on when it is quiet.
func TestSE21_SessionLimitRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SESSION_LIMIT=5")
		ada := s.register(t, "ada@example.com")
		var all sync.WaitGroup
		for range 24 {
			all.Go(func() {
				if a, err := send(s.URL, "", loginDoc, inputOf("email", ada.Email, "password", goodPass)); err != nil || a.code() != "" {
					t.Errorf("%v %+v", err, a)
				}
			})
		}
		all.Wait()
		s.login(t, ada.Email, goodPass)
		if n := openSide(t, dsn).count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"); n != 5 {
			t.Errorf("%d sessions live", n)
		}
	})
}
