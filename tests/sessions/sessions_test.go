package sessions

import (
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

func TestSE01_EveryLoginIsANewSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		seen := map[string]bool{ada.Session: true}
		for range 3 {
			// A credential, a cookie and an id of the caller's choice change nothing about that.
			a := harness.SendWith(t, s.URL, http.Header{
				"Authorization": {"Bearer " + ada.Access},
				"Cookie":        {"session=" + ada.Session + "; sid=" + ada.Session},
				"X-Session-Id":  {ada.Session},
			}, harness.LoginDoc, map[string]any{"input": map[string]any{
				"email":    ada.Email,
				"password": harness.GoodPass,
			}})
			id := a.Text("login", "session", "id")
			if id == "" || seen[id] {
				t.Fatalf("session %q again: %s", id, a.Raw)
			}
			seen[id] = true
		}
		if got := s.GraphQL(t, ada.Access, harness.SessionsDoc, nil).Listed("sessions"); len(got) != 4 {
			t.Errorf("sessions: %v", got)
		}
	})
}

// SE-03 and AK-02: the database holds nothing that could be presented, in no spelling.
func TestSE03_NothingPresentableAtRest(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
		issued := []string{harness.GoodPass, harness.Secret, ada.Access, ada.Refresh, key}
		next := s.Refresh(t, ada.Refresh)
		issued = append(issued, next.Text("refresh", "tokens", "accessToken"),
			next.Text("refresh", "tokens", "refreshToken"))
		withToken := s.LoginAs(t, ada, "SESSION_TOKEN")
		issued = append(issued, withToken.Access, withToken.Refresh)
		s.Is(t, key, ada)
		// What fails is on record too, without what was typed.
		const typo = "my-password-in-the-wrong-field"
		s.Login(t, typo, typo)
		s.Login(t, ada.Email, typo)
		s.Refresh(t, "rt1.garbage-that-is-no-token")
		s.Refresh(t, ada.Refresh)
		s.GraphQL(t, next.Text("refresh", "tokens", "accessToken"), harness.LogoutDoc, nil)
		s.Refresh(t, issued[6])
		issued = append(issued, typo, "garbage-that-is-no-token")

		all := harness.Dump(t, dsn)
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
					t.Errorf("a part (%d bytes) of %.12s… stands in the database: %q", len(part), text,
						all[at:at+min(len(part), 20)])
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
		instances := harness.Cluster(t, dsn, 3)
		ada := instances[0].Register(t, "ada@example.com")
		for n := range harness.Amount(200, 10_000) {
			by := instances[n%len(instances)]
			s := by.CheapSession(t, ada)
			for _, i := range instances { // used everywhere, so that a cache would hold it
				if !i.Is(t, s.Access, ada) {
					t.Fatalf("trial %d: a fresh token is refused", n)
				}
			}
			if out := by.GraphQL(t, s.Access, harness.LogoutDoc, nil); out.Code() != "" || out.At("logout") == nil {
				t.Fatalf("trial %d: %s", n, out.Raw)
			}
			for _, i := range instances {
				a := i.GraphQL(t, s.Access, harness.MeDoc, nil)
				if a.At("me") != nil || a.Code() != "UNAUTHENTICATED" {
					t.Fatalf("trial %d: accepted after the logout: %s", n, a.Raw)
				}
			}
			if n%50 == 0 {
				if code := instances[(n+1)%len(instances)].Refresh(t, s.Refresh).Code(); code != "INVALID_TOKEN" {
					t.Fatalf("trial %d: refresh after the logout: %q", n, code)
				}
			}
		}
	})
}

// failing makes a database refuse one kind of write to a table until heal is called.
func failing(t *testing.T, dsn string, conn *sql.DB, event, table string) (heal func()) {
	t.Helper()
	if strings.HasPrefix(dsn, "sqlite:") {
		harness.MustExec(t, conn, `CREATE TRIGGER broken BEFORE `+event+` ON `+table+
			` BEGIN SELECT RAISE(ABORT, 'no space left'); END`)
		return func() { harness.MustExec(t, conn, `DROP TRIGGER broken`) }
	}
	harness.MustExec(t, conn,
		`CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space `+
			`left'; END $$`,
		`CREATE TRIGGER broken BEFORE `+event+` ON `+table+` FOR EACH ROW EXECUTE FUNCTION broken()`)
	return func() { harness.MustExec(t, conn, `DROP TRIGGER broken ON `+table) }
}

// SE-06 and AU-04: an end that is not stored, or whose event is not stored, is an error and changes nothing.
func TestSE06_FailedRevocationIsAnError(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.Register(t, "ada@example.com")
		other := s.LoginAs(t, ada, "BODY")
		keyID, key := s.NewKey(t, ada.Access, nil)
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
			{"logout", "sessions", ada.Access, harness.LogoutDoc, nil},
			{"logout by refresh token", "sessions", "", harness.LogoutDoc, input("refreshToken", ada.Refresh)},
			{"logout everywhere", "sessions", ada.Access, harness.LogoutDoc, input("everywhere", true)},
			{"revoke a session", "sessions", ada.Access, harness.RevokeSessionDoc, input("id", other.Session)},
			{"revoke the others", "sessions", ada.Access, harness.RevokeOthersDoc, nil},
			{"delete a key", "api_keys", ada.Access, harness.DeleteKeyDoc, map[string]any{"id": keyID}},
		}
		for _, end := range ends {
			for _, broken := range [][2]string{{"UPDATE", end.table}, {"INSERT", "audit_events"}} {
				heal := failing(t, dsn, conn, broken[0], broken[1])
				a := s.GraphQL(t, end.credential, end.document, end.variables)
				heal()
				if a.Code() != "INTERNAL_SERVER_ERROR" || strings.Contains(a.Raw, "userErrors") ||
					strings.Contains(a.Raw, "space") {
					t.Errorf("%s while %s on %s fails: %d %s", end.name, broken[0], broken[1], a.Status, a.Raw)
				}
				for name, credential := range map[string]string{
					"own session":   ada.Access,
					"other session": other.Access, "key": key,
				} {
					if !s.Is(t, credential, ada) {
						t.Fatalf("%s failed, and yet it ended: %s", end.name, name)
					}
				}
			}
		}
		// With the table broken, reuse of a refresh token is no success either.
		access, second := s.NextOf(t, ada.Refresh)
		if !s.Is(t, access, ada) { // otherwise a reuse may be a retry
			t.Fatal("the new access token does not work")
		}
		s.Clock.Add(11 * time.Second)
		heal := failing(t, dsn, conn, "UPDATE", "sessions")
		if a := s.Refresh(t, ada.Refresh); a.Code() != "INTERNAL_SERVER_ERROR" || a.At("refresh", "tokens") != nil {
			t.Errorf("reuse while the table fails: %s", a.Raw)
		}
		heal()
		if a := s.Refresh(t, ada.Refresh); a.Code() != "TOKEN_REUSED" {
			t.Errorf("reuse afterwards: %s", a.Raw)
		}
		if a := s.Refresh(t, second); a.Code() != "INVALID_TOKEN" {
			t.Errorf("the newest afterwards: %s", a.Raw)
		}
	})
}

// SE-06, AV-01: without a database nobody is anybody, and nothing says that it worked.
func TestSE06_DatabaseGone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
		if err := s.App.DB.Close(); err != nil {
			t.Fatal(err)
		}
		for name, a := range map[string]*harness.Answer{
			"logout":            s.GraphQL(t, ada.Access, harness.LogoutDoc, nil),
			"me":                s.GraphQL(t, ada.Access, harness.MeDoc, nil),
			"me by key":         s.GraphQL(t, key, harness.MeDoc, nil),
			"refresh":           s.Refresh(t, ada.Refresh),
			"login":             s.Login(t, ada.Email, harness.GoodPass),
			"sessions":          s.GraphQL(t, ada.Access, harness.SessionsDoc, nil),
			"currentCredential": s.GraphQL(t, ada.Access, harness.CurrentDoc, nil),
			"revokeSession": s.GraphQL(t, ada.Access, harness.RevokeSessionDoc,
				map[string]any{"input": map[string]any{"id": ada.Session}}),
		} {
			if a.Code() != "INTERNAL_SERVER_ERROR" || strings.Contains(a.Raw, "userErrors") ||
				a.Header.Get("Www-Authenticate") != "" {
				t.Errorf("%s: %d %s", name, a.Status, a.Raw)
			}
		}
	})
}

// SE-07 and LG-01: from the moment of the suspension nothing of the account works, and sign-in tells nothing apart.
func TestSE07_SuspendedAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		st := s.LoginAs(t, ada, "SESSION_TOKEN")
		_, key := s.NewKey(t, ada.Access, nil)
		rotated := s.Refresh(t, s.LoginAs(t, ada, "BODY").Refresh)
		credentials := map[string]string{
			"access token": ada.Access, "session token": st.Refresh, "API key": key,
			"access token after a refresh": rotated.Text("refresh", "tokens", "accessToken"),
		}
		harness.MustExec(t, conn, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'ada@example.com'`)
		for name, credential := range credentials {
			a := s.GraphQL(t, credential, harness.MeDoc, nil)
			if a.At("me") != nil || a.Code() != "UNAUTHENTICATED" || a.Header.Get("Www-Authenticate") == "" {
				t.Errorf("me by %s: %s", name, a.Raw)
			}
			if a := s.GraphQL(t, credential, harness.SessionsDoc, nil); a.Code() != "UNAUTHENTICATED" {
				t.Errorf("sessions by %s: %s", name, a.Raw)
			}
			if a := s.GraphQL(t, credential, harness.CreateKey, nil); a.Code() != "UNAUTHENTICATED" {
				t.Errorf("createApiKey by %s: %s", name, a.Raw)
			}
		}
		for name, token := range map[string]string{
			"current": ada.Refresh, "newest": rotated.Text("refresh", "tokens", "refreshToken"),
		} {
			if a := s.Refresh(t, token); a.Code() != "INVALID_TOKEN" || a.At("refresh", "tokens") != nil {
				t.Errorf("refresh by the %s token: %s", name, a.Raw)
			}
		}
		right, wrong := s.Login(t, ada.Email, harness.GoodPass), s.Login(t, ada.Email, "not the password")
		nobody := s.Login(t, "nobody@example.com", harness.GoodPass)
		if right.Raw != wrong.Raw || right.Raw != nobody.Raw || right.Status != wrong.Status ||
			right.Code() != "INVALID_CREDENTIALS" {
			t.Errorf("LG-01: %d %s, wrong password %d %s, nobody %s", right.Status, right.Raw, wrong.Status, wrong.Raw,
				nobody.Raw)
		}
		if !s.Is(t, bob.Access, bob) {
			t.Error("somebody else was suspended too")
		}
	})
}

// SE-07 for an account that is gone, with its rows.
func TestSE07_DeletedAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
		harness.MustExec(t, conn, `DELETE FROM api_keys`, `DELETE FROM sessions`, `DELETE FROM users`)
		for _, credential := range []string{ada.Access, key} {
			if a := s.GraphQL(t, credential, harness.MeDoc, nil); a.At("me") != nil || a.Code() != "UNAUTHENTICATED" {
				t.Errorf("me: %s", a.Raw)
			}
		}
		if a := s.Refresh(t, ada.Refresh); a.Code() != "INVALID_TOKEN" {
			t.Errorf("refresh: %s", a.Raw)
		}
		again := s.Register(t, "ada@example.com") // ID-08: the old credentials do not attach to the new account
		if s.Is(t, ada.Access, again) || s.Is(t, key, again) {
			t.Error("a credential of the old account is the new one's")
		}
	})
}

// SE-16: idle and absolute limits, by access token, session token and refresh token, one second around each.
func TestSE16_Limits(t *testing.T) {
	t.Parallel()
	const life, idle, step = 2 * time.Hour, 30 * time.Minute, 20 * time.Minute
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_TTL=2h", "DRAGOMAN_SESSION_IDLE=30m", "DRAGOMAN_ACCESS_TTL=2h")
		ada := s.Register(t, "ada@example.com")
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
					credential := s.LoginAs(t, ada, delivery)
					use := func() bool { return usedBy(t, s, path, &credential) }
					left := limit.at + off
					for left > idle+time.Second { // stay in use until the absolute limit
						s.Clock.Add(step)
						left -= step
						if !use() {
							t.Fatalf("%s: dead %s before the %s limit", path, left, limit.name)
						}
					}
					s.Clock.Add(left)
					if got, want := use(), off < 0; got != want {
						t.Errorf("%s %s from the %s limit: %v", path, off, limit.name, got)
					}
				}
			}
		}
	})
}

// usedBy uses a session in one of the three ways, as far as to what is written about it, and tells whether it went.
func usedBy(t *testing.T, i *harness.Instance, path string, a *harness.Account) bool {
	t.Helper()
	if path == "refresh token" {
		r := i.Refresh(t, a.Refresh)
		if r.Code() != "" {
			if r.Code() != "INVALID_TOKEN" {
				t.Errorf("refresh: %s", r.Raw)
			}
			return false
		}
		a.Refresh = r.Text("refresh", "tokens", "refreshToken")
		return true
	}
	credential := a.Access
	if path == "session token" {
		credential = a.Refresh
	}
	ok := i.Is(t, credential, *a)
	if err := i.App.DB.FlushTouches(t.Context()); err != nil { // what housekeeping does every few seconds
		t.Fatal(err)
	}
	return ok
}

// SE-16: what a session shows as its end is the idle limit, and never lies behind the absolute one. A use within the
// minute is not written, a later one is, with the next flush.
func TestSE16_SlidingEnd(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=40m", "DRAGOMAN_ACCESS_TTL=1h")
		begin := s.Clock.Now()
		ada := s.Register(t, "ada@example.com")
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
			s.Clock.Add(step.after)
			s.Is(t, ada.Access, ada)
			if step.flush {
				if err := s.App.DB.FlushTouches(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			a := s.GraphQL(t, ada.Access, harness.SessionsDoc, nil)
			rows, _ := a.At("sessions").([]any)
			if len(rows) != 1 {
				t.Fatalf("step %d: %s", n, a.Raw)
			}
			end := harness.Instant(t, rows[0].(map[string]any)["expiresAt"].(string))
			if diff := end.Sub(begin.Add(step.want)); diff.Abs() > time.Millisecond {
				t.Errorf("step %d: the end is %s off", n, diff)
			}
		}
		s.Clock.Add(5 * time.Minute) // the absolute limit
		if s.Is(t, ada.Access, ada) {
			t.Error("alive at the absolute limit")
		}
	})
}

// SE-16: a session that is used all the time does not run into its idle limit, however short that is.
func TestSE16_ShortIdleLimit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=5m", "DRAGOMAN_ACCESS_TTL=1h")
		ada := s.Register(t, "ada@example.com")
		for n := range 40 {
			s.Clock.Add(20 * time.Second)
			if !usedBy(t, s, "access token", &ada) {
				t.Fatalf("use number %d, 20 seconds after the one before, is refused for idleness", n+1)
			}
		}
		s.Clock.Add(5*time.Minute + time.Second)
		if usedBy(t, s, "access token", &ada) {
			t.Error("alive after more than the idle limit")
		}
	})
}

// SE-16: the last moments of a session are a success or a refusal and never an internal error.
func TestSE16_LastSecond(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=1h")
		ada := s.Register(t, "ada@example.com")
		s.Clock.Add(time.Hour - 500*time.Millisecond)
		a := s.Refresh(t, ada.Refresh)
		if a.Status != http.StatusOK || len(a.Errors) > 0 {
			t.Errorf("refresh half a second before the end: %d %s", a.Status, a.Raw)
		}
	})
}

// SE-16: an access token does not promise more than its session has left.
func TestSE16_AccessTokenEndsWithItsSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_TTL=1h", "DRAGOMAN_SESSION_IDLE=1h", "DRAGOMAN_ACCESS_TTL=10m")
		end := s.Clock.Now().Add(time.Hour)
		ada := s.Register(t, "ada@example.com")
		s.Clock.Add(57 * time.Minute)
		a := s.Refresh(t, ada.Refresh)
		exp := harness.ClaimsOf(t, a.Text("refresh", "tokens", "accessToken"))["exp"].(float64)
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
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.Register(t, "ada@example.com")
		counts := func() string {
			var all []string
			for _, table := range []string{"users", "sessions", "api_keys", "audit_events"} {
				all = append(all, strconv.Itoa(harness.MustCount(t, conn, "SELECT count(*) FROM "+table)))
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
				harness.RegisterDoc,
				map[string]any{"email": "eve@example.com", "password": harness.GoodPass},
				[]string{
					"id", "number", "role", "roles", "status", "emailVerified", "emailVerifiedAt", "createdAt",
					"passwordHash", "sessionId", "expiresAt",
				},
			},
			"login": {
				harness.LoginDoc,
				map[string]any{"email": ada.Email, "password": harness.GoodPass},
				[]string{"id", "sessionId", "sid", "expiresAt", "createdAt", "token", "remember", "EMAIL"},
			},
			"logout": {harness.LogoutDoc, map[string]any{"everywhere": false}, []string{"id", "userId", "sessionId"}},
			"revokeSession": {
				harness.RevokeSessionDoc,
				map[string]any{"id": ada.Session},
				[]string{"userId", "expiresAt", "revokedAt"},
			},
			"createApiKey": {
				harness.CreateKey,
				map[string]any{"name": "k"},
				[]string{
					"userId", "user", "id", "secret", "prefix", "handle", "hash", "createdAt", "lastUsedAt",
					"revokedAt",
				},
			},
		}
		for name, base := range bases {
			for _, extra := range base.extra {
				input := map[string]any{extra: ada.ID}
				for k, v := range base.input {
					input[k] = v
				}
				a := s.GraphQL(t, ada.Access, base.document, map[string]any{"input": input})
				if a.Code() != "BAD_USER_INPUT" || len(a.Data) != 0 {
					t.Errorf("%s with %s: %s", name, extra, a.Raw)
				}
			}
		}
		for _, document := range []string{
			`mutation { refresh(input: {refreshToken: "x", expiresAt: "2099-01-01T00:00:00Z"}) { userErrors { code } ` +
				`} }`,
			`mutation { login(input: {email: "ada@example.com", password: "p", role: "admin"}) { userErrors { code } ` +
				`} }`,
			`mutation { deleteApiKey(input: {id: "x", userId: "y"}) { userErrors { code } } }`,
		} {
			if a := s.GraphQL(t, ada.Access, document, nil); a.Code() == "" || a.Data != nil {
				t.Errorf("%s: %s", document, a.Raw)
			}
		}
		if after := counts(); after != before {
			t.Errorf("rows before %s, after %s", before, after)
		}
		if !s.Is(t, ada.Access, ada) {
			t.Error("a refused request ended the session")
		}
	})
}

// SE-18: somebody else's session is answered like one that does not exist, byte for byte.
func TestSE18_ForeignSessionIsAbsent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		number := s.GraphQL(t, ada.Access, harness.OneSessionDoc, map[string]any{"id": ada.Session}).At("session",
			"number").(float64)
		if got := s.GraphQL(t, ada.Access, harness.OneSessionDoc, map[string]any{"number": int(number)}).Text("session",
			"id"); got != ada.Session {
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
		_, key := s.NewKey(t, bob.Access, nil)
		for _, document := range []string{harness.OneSessionDoc, harness.RevokeSessionDoc} {
			first := ""
			for _, what := range absent {
				variables := what
				if document == harness.RevokeSessionDoc {
					variables = map[string]any{"input": what}
				}
				a := s.GraphQL(t, bob.Access, document, variables)
				if first == "" {
					first = a.Raw
				}
				if a.Raw != first || a.Status != http.StatusOK {
					t.Errorf("%v: %d %s, want %s", what, a.Status, a.Raw, first)
				}
				if document == harness.OneSessionDoc {
					if byKey := s.GraphQL(t, key, document, variables); byKey.Raw != first {
						t.Errorf("%v by key: %s", what, byKey.Raw)
					}
				}
			}
			if document == harness.RevokeSessionDoc && !strings.Contains(first, "NOT_FOUND") ||
				document == harness.OneSessionDoc && !strings.Contains(first, `"session":null`) {
				t.Errorf("absent: %s", first)
			}
		}
		if !s.Is(t, ada.Access, ada) {
			t.Error("the session was ended by somebody else")
		}
		if got := s.GraphQL(t, bob.Access, harness.SessionsDoc, nil).Listed("sessions"); len(got) != 1 ||
			got[0] != bob.Session {
			t.Errorf("the list of the other: %v", got)
		}
		// An ended session of one's own is absent too.
		other := s.LoginAs(t, ada, "BODY")
		s.GraphQL(t, other.Access, harness.LogoutDoc, nil)
		if a := s.GraphQL(t, ada.Access, harness.OneSessionDoc,
			map[string]any{"id": other.Session}); a.At("session") != nil || a.Code() != "" {
			t.Errorf("an ended session: %s", a.Raw)
		}
		for _, bad := range []map[string]any{{}, {"id": ada.Session, "number": 1}} {
			if a := s.GraphQL(t, ada.Access, harness.OneSessionDoc, bad); a.Code() != "BAD_USER_INPUT" {
				t.Errorf("%v: %s", bad, a.Raw)
			}
			if a := s.GraphQL(t, ada.Access, harness.RevokeSessionDoc,
				map[string]any{"input": bad}); a.Code() != "INVALID_INPUT" {
				t.Errorf("revoke %v: %s", bad, a.Raw)
			}
		}
	})
}

func TestSE20_RevokeSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		one, two := s.LoginAs(t, ada, "BODY"), s.LoginAs(t, ada, "SESSION_TOKEN")
		number := s.GraphQL(t, two.Access, harness.OneSessionDoc, map[string]any{"id": two.Session}).At("session",
			"number").(float64)
		for name, row := range map[string]struct {
			what  map[string]any
			ended harness.Account
		}{
			"by id":     {map[string]any{"id": one.Session}, one},
			"by number": {map[string]any{"number": int(number)}, two},
		} {
			a := s.GraphQL(t, ada.Access, harness.RevokeSessionDoc, map[string]any{"input": row.what})
			if a.Text("revokeSession", "revokedSessionId") != row.ended.Session || a.Code() != "" {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if s.Is(t, row.ended.Access, ada) {
				t.Errorf("%s: the session lives", name)
			}
			if a := s.GraphQL(t, ada.Access, harness.RevokeSessionDoc,
				map[string]any{"input": row.what}); a.Code() != "NOT_FOUND" ||
				a.At("revokeSession", "revokedSessionId") != nil {
				t.Errorf("%s again: %s", name, a.Raw)
			}
		}
		if s.Is(t, two.Refresh, ada) {
			t.Error("the session token lives")
		}
		if !s.Is(t, ada.Access, ada) {
			t.Fatal("the own session ended")
		}
		// The own one may be revoked as well: what follows in the same request is nobody's.
		a := s.GraphQL(t, ada.Access, `mutation($input: RevokeSessionInput!) {
			a: revokeSession(input: $input) { revokedSessionId userErrors { code } } b: revokeOtherSessions { `+
			`revokedCount userErrors { code } } }`,
			map[string]any{"input": map[string]any{"id": ada.Session}})
		if a.Text("a", "revokedSessionId") != ada.Session || a.At("b") != nil || len(a.Errors) != 1 ||
			a.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
			t.Errorf("the own session, then another field: %s", a.Raw)
		}
	})
}

func TestSE20_RevokeOtherSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		var others []harness.Account
		for range 3 {
			others = append(others, s.LoginAs(t, ada, "BODY"))
		}
		count := func(want float64) {
			t.Helper()
			a := s.GraphQL(t, ada.Access, harness.RevokeOthersDoc, nil)
			if got, _ := a.At("revokeOtherSessions", "revokedCount").(float64); got != want || a.Code() != "" {
				t.Errorf("%v sessions ended, not %v: %s", got, want, a.Raw)
			}
		}
		s.GraphQL(t, others[0].Access, harness.LogoutDoc, nil)
		count(2)
		count(0)
		for _, o := range others {
			if s.Is(t, o.Access, ada) || s.Refresh(t, o.Refresh).Code() != "INVALID_TOKEN" {
				t.Error("another session lives")
			}
		}
		if !s.Is(t, ada.Access, ada) || !s.Is(t, bob.Access, bob) {
			t.Error("too much ended")
		}
	})
}

func TestLogout_ByRefreshTokenAndEverywhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=1m")
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		out := func(credential string, input map[string]any) *harness.Answer {
			t.Helper()
			return s.GraphQL(t, credential, harness.LogoutDoc, map[string]any{"input": input})
		}

		one := s.LoginAs(t, ada, "BODY")
		s.Clock.Add(2 * time.Minute) // all access tokens are over
		if a := out(one.Access, nil); a.Code() != "UNAUTHENTICATED" ||
			a.Header.Get("Www-Authenticate") != `Bearer error="invalid_token"` {
			t.Errorf("by an access token that is over: %s", a.Raw)
		}
		if a := out("", map[string]any{"refreshToken": one.Refresh}); a.Code() != "" || a.At("logout") == nil {
			t.Errorf("by refresh token: %s", a.Raw)
		}
		if a := s.Refresh(t, one.Refresh); a.Code() != "INVALID_TOKEN" {
			t.Errorf("refresh afterwards: %s", a.Raw)
		}
		if a := out("", map[string]any{"refreshToken": one.Refresh}); a.Code() != "INVALID_TOKEN" {
			t.Errorf("a second logout by refresh token: %s", a.Raw)
		}
		if a := out("", map[string]any{"refreshToken": "nonsense"}); a.Code() != "INVALID_TOKEN" {
			t.Errorf("nonsense: %s", a.Raw)
		}

		// A refresh token in the input wins over the credential of the request, even of somebody else.
		two := s.LoginAs(t, ada, "BODY")
		fresh := s.LoginAs(t, bob, "BODY")
		if a := out(fresh.Access, map[string]any{"refreshToken": two.Refresh}); a.Code() != "" {
			t.Errorf("by refresh token beside a credential: %s", a.Raw)
		}
		if s.Is(t, two.Access, ada) || !s.Is(t, fresh.Access, bob) {
			t.Error("the wrong session ended")
		}
		if a := out(fresh.Access, map[string]any{"refreshToken": "nonsense"}); a.Code() != "INVALID_TOKEN" ||
			!s.Is(t, fresh.Access, bob) {
			t.Errorf("nonsense beside a credential: %s", a.Raw)
		}

		three, four := s.LoginAs(t, ada, "BODY"), s.LoginAs(t, ada, "SESSION_TOKEN")
		if a := out(four.Refresh, map[string]any{"everywhere": true}); a.Code() != "" {
			t.Errorf("everywhere: %s", a.Raw)
		}
		for _, credential := range []string{three.Access, four.Access, four.Refresh} {
			if s.Is(t, credential, ada) {
				t.Error("a session outlived logout everywhere")
			}
		}
		if a := out(four.Refresh, map[string]any{"everywhere": true}); a.Code() != "UNAUTHENTICATED" {
			t.Errorf("everywhere, by a session that is over: %s", a.Raw)
		}
		if a := out("", map[string]any{"everywhere": true, "refreshToken": three.Refresh}); a.Code() !=
			"INVALID_TOKEN" {
			t.Errorf("everywhere, by the refresh token of a session that is over: %s", a.Raw)
		}
		if !s.Is(t, fresh.Access, bob) {
			t.Error("somebody else was signed out")
		}
		if a := out("", nil); a.Code() != "UNAUTHENTICATED" || a.Header.Get("Www-Authenticate") != "" {
			t.Errorf("by nobody: %s %v", a.Raw, a.Header)
		}
	})
}

// Whoever presents more than one credential, or one of no known form, presents none.
func TestCredentials_AmbiguousCountsAsNone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
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
			a := harness.SendWith(t, s.URL, header, harness.MeDoc, nil)
			if a.At("me") != nil || a.Code() != "UNAUTHENTICATED" || !strings.Contains(a.Raw, `"me":null`) {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if got := a.Header.Get("Www-Authenticate"); got != `Bearer error="invalid_token"` {
				t.Errorf("%s: WWW-Authenticate %q", name, got)
			}
			for _, document := range []string{
				harness.SessionsDoc, harness.KeysDoc, harness.LogoutDoc,
				harness.RevokeOthersDoc, harness.CreateKey,
			} {
				if a := harness.SendWith(t, s.URL, header, document, nil); a.Code() != "UNAUTHENTICATED" {
					t.Errorf("%s: %s", name, a.Raw)
				}
			}
		}
		for name, header := range map[string]http.Header{
			"scheme in lower case": {"Authorization": {"bearer " + ada.Access}},
			"key":                  {"X-Api-Key": {key}},
		} {
			if a := harness.SendWith(t, s.URL, header, harness.MeDoc, nil); a.Text("me", "id") != ada.ID ||
				a.Header.Get("Www-Authenticate") != "" {
				t.Errorf("%s: %s", name, a.Raw)
			}
		}
	})
}

// A credential that is over: `me` is null and says why in a header, everything else is UNAUTHENTICATED.
func TestCredentials_Stale(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		over := s.LoginAs(t, ada, "SESSION_TOKEN")
		keyID, key := s.NewKey(t, ada.Access, nil)
		s.GraphQL(t, over.Access, harness.LogoutDoc, nil)
		s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": keyID})
		for name, credential := range map[string]string{
			"access token": over.Access, "session token": over.Refresh, "key": key,
			"tampered": ada.Access[:len(ada.Access)-4] + "AAAA", "refresh token": ada.Refresh,
		} {
			a := s.GraphQL(t, credential, harness.MeDoc, nil)
			if a.Status != http.StatusOK || a.At("me") != nil || a.Code() != "UNAUTHENTICATED" ||
				a.Header.Get("Www-Authenticate") != `Bearer error="invalid_token"` {
				t.Errorf("me by a stale %s: %d %s %v", name, a.Status, a.Raw, a.Header)
			}
			if a := s.GraphQL(t, credential, harness.CurrentDoc, nil); a.At("currentCredential") != nil ||
				a.Code() != "UNAUTHENTICATED" {
				t.Errorf("currentCredential by a stale %s: %s", name, a.Raw)
			}
			if a := s.GraphQL(t, credential, harness.SessionsDoc, nil); a.Code() != "UNAUTHENTICATED" ||
				a.Header.Get("Www-Authenticate") == "" {
				t.Errorf("sessions by a stale %s: %s", name, a.Raw)
			}
		}
		for document, code := range map[string]string{
			harness.MeDoc: "", harness.CurrentDoc: "",
			harness.SessionsDoc: "UNAUTHENTICATED", harness.KeysDoc: "UNAUTHENTICATED",
		} {
			a := s.GraphQL(t, "", document, nil)
			if a.Code() != code || a.Header.Get("Www-Authenticate") != "" {
				t.Errorf("%s by nobody: %s %q", document, a.Raw, a.Header.Get("Www-Authenticate"))
			}
		}
	})
}

// The three kinds of credential, as currentCredential describes them.
func TestCredentials_Current(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_TTL=10h", "DRAGOMAN_SESSION_IDLE=2h", "DRAGOMAN_ACCESS_TTL=10m")
		now := s.Clock.Now()
		ada := s.Register(t, "ada@example.com")
		with := s.LoginAs(t, ada, "SESSION_TOKEN")
		foreverID, forever := s.NewKey(t, ada.Access, nil)
		dayID, day := s.NewKey(t, ada.Access,
			map[string]any{"expiresAt": now.Add(24 * time.Hour).UTC().Format(time.RFC3339)})
		noneID, none := s.NewKey(t, ada.Access, map[string]any{"scopes": []string{}})
		for name, row := range map[string]struct {
			credential, kind, session, key string
			ends                           time.Duration
			may                            string
		}{
			"access token": {
				ada.Access, "ACCESS_TOKEN", ada.Session, "", 10 * time.Minute,
				"[PROFILE_READ]",
			},
			"access beside session": {
				with.Access, "ACCESS_TOKEN", with.Session, "", 10 * time.Minute,
				"[PROFILE_READ]",
			},
			"session token": {
				with.Refresh, "SESSION_TOKEN", with.Session, "", 2 * time.Hour,
				"[PROFILE_READ]",
			},
			"key":                     {forever, "API_KEY", "", foreverID, 0, "[PROFILE_READ]"},
			"key that ends":           {day, "API_KEY", "", dayID, 24 * time.Hour, "[PROFILE_READ]"},
			"key that may do nothing": {none, "API_KEY", "", noneID, 0, "[]"},
			"session token registered": {
				registeredToken(t, s, "eve@example.com"), "SESSION_TOKEN", "", "",
				2 * time.Hour, "[PROFILE_READ]",
			},
		} {
			a := s.GraphQL(t, row.credential, harness.CurrentDoc, nil)
			if a.Text("currentCredential", "kind") != row.kind ||
				fmt.Sprint(a.At("currentCredential", "permissions")) != row.may ||
				a.Text("currentCredential", "apiKey", "id") != row.key ||
				row.session != "" && a.Text("currentCredential", "session", "id") != row.session ||
				(row.key == "") != (a.At("currentCredential", "session") != nil) {
				t.Errorf("%s: %s", name, a.Raw)
			}
			end := a.Text("currentCredential", "expiresAt")
			if row.ends == 0 {
				if end != "" {
					t.Errorf("%s ends: %s", name, a.Raw)
				}
				continue
			}
			// An access token's end is in whole seconds.
			if off := harness.Instant(t, end).Sub(now.Add(row.ends)); off > 0 || off < -time.Second {
				t.Errorf("%s ends %s off: %s", name, off, a.Raw)
			}
		}
	})
}

// registeredToken registers with the delivery SESSION_TOKEN.
func registeredToken(t testing.TB, i *harness.Instance, email string) string {
	t.Helper()
	a := i.GraphQL(t, "", harness.RegisterDoc, map[string]any{"input": map[string]any{
		"email": email, "password": harness.GoodPass, "tokenDelivery": "SESSION_TOKEN",
	}})
	if a.At("register", "tokens", "refreshToken") != nil || a.Text("register", "tokens", "accessToken") == "" {
		t.Fatalf("register: %s", a.Raw)
	}
	st := a.Text("register", "tokens", "sessionToken")
	if me := i.GraphQL(t, st, harness.MeDoc, nil); me.Text("me", "email") != email {
		t.Fatalf("the session token does not answer me: %s", me.Raw)
	}
	return st
}

// A session shows the device of its last sign-in or refresh, newest first.
func TestSessions_List(t *testing.T) {
	t.Parallel()
	const iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) " +
		"Version/17.4 Mobile/15E148 Safari/604.1"
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		s.Clock.Add(time.Second)
		two := s.LoginAs(t, ada, "BODY")
		s.Clock.Add(time.Second)
		harness.SendWith(t, s.URL, http.Header{"User-Agent": {iphone}}, harness.RefreshDoc,
			map[string]any{"token": ada.Refresh})
		a := s.GraphQL(t, two.Access, harness.SessionsDoc, nil)
		rows, _ := a.At("sessions").([]any)
		if got := a.Listed("sessions"); len(got) != 2 || got[0] != two.Session || got[1] != ada.Session {
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
		_, key := s.NewKey(t, ada.Access, nil)
		for _, row := range s.GraphQL(t, key, harness.SessionsDoc, nil).At("sessions").([]any) {
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
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_LIMIT=3")
		ada, bob := s.Register(t, "ada@example.com"), s.Register(t, "bob@example.com")
		var access []string
		for range 3 { // with that of the registration there are four
			access = append(access, s.Login(t, ada.Email, harness.GoodPass).Text("login", "tokens", "accessToken"))
		}
		if s.Is(t, ada.Access, ada) || s.Refresh(t, ada.Refresh).Code() == "" {
			t.Error("the oldest session lives on")
		}
		for n, token := range append(access, bob.Access) {
			who := ada
			if n == len(access) {
				who = bob
			}
			if !s.Is(t, token, who) {
				t.Errorf("session %d has ended too", n)
			}
		}
		if got := harness.OpenSide(t, dsn).Texts(t,
			"SELECT revoked_reason FROM sessions WHERE revoked_at IS NOT NULL"); len(got) != 1 ||
			got[0] != "session_limit" {
			t.Errorf("ended for %q", got)
		}
		s.GraphQL(t, access[1], harness.LogoutDoc, nil)
		s.Login(t, ada.Email, harness.GoodPass)
		if !s.Is(t, access[0], ada) {
			t.Error("a session that has ended counts against the limit")
		}
	})
}

// TestSE21_SessionLimitRaced signs in many times at once: no attempt fails, and not more than the limit live on when it
// is quiet.
func TestSE21_SessionLimitRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SESSION_LIMIT=5")
		ada := s.Register(t, "ada@example.com")
		var all sync.WaitGroup
		for range 24 {
			all.Go(func() {
				if a, err := harness.Send(s.URL, "", harness.LoginDoc,
					harness.InputOf("email", ada.Email, "password", harness.GoodPass)); err != nil || a.Code() != "" {
					t.Errorf("%v %+v", err, a)
				}
			})
		}
		all.Wait()
		s.Login(t, ada.Email, harness.GoodPass)
		if n := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"); n != 5 {
			t.Errorf("%d sessions live", n)
		}
	})
}
