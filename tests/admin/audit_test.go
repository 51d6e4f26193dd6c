package admin

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestAU01_EventMatrix sees every operation, done and failed, leave one row that says when, who, what, where and how.
func TestAU01_EventMatrix(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		a := &harness.Auditor{Instance: s, Side: harness.OpenSide(t, dsn)}
		ok := func(action string) harness.AuditRow { return harness.AuditRow{Action: action, Outcome: "ok"} }
		failed := func(action, reason string) harness.AuditRow {
			return harness.AuditRow{Action: action, Outcome: "failed", Reason: reason}
		}
		want := ok("user.created")
		want.Methods, want.User, want.Session = `["PASSWORD"]`, "*", "*"
		ada := harness.InputOf("email", "ada@example.com", "password", harness.GoodPass)
		made := a.Do(t, want, "", harness.RegisterDoc, ada)
		user := made.Text("register", "user", "id")
		if rows := a.Side.Audit(t); rows[0].User != user || rows[0].Session != made.Text("register", "session", "id") {
			t.Errorf("the row names %+v", rows[0])
		}
		a.Do(t, failed("user.created", "already_exists"), "", harness.RegisterDoc, ada)

		want = ok("login.succeeded")
		want.User, want.Session, want.Methods = user, "*", `["PASSWORD"]`
		in := a.Do(t, want, "", harness.LoginDoc, ada)
		session := in.Text("login", "session", "id")

		want = failed("login.succeeded", "wrong_password")
		want.User = user
		a.Do(t, want, "", harness.LoginDoc, harness.InputOf("email", "ada@example.com", "password", "not the password"))
		a.Do(t, failed("login.succeeded", "unknown_account"), "", harness.LoginDoc,
			harness.InputOf("email", "eve@example.com", "password", harness.GoodPass))
		for range 4 {
			s.Login(t, "eve@example.com", harness.GoodPass)
		}
		a.Seen += 4
		a.Do(t, failed("login.succeeded", "throttled"), "", harness.LoginDoc,
			harness.InputOf("email", "eve@example.com", "password", harness.GoodPass))
		a.Side.MustExec(t, `UPDATE users SET status = 'SUSPENDED'`)
		want = failed("login.succeeded", "suspended")
		want.User = user
		a.Do(t, want, "", harness.LoginDoc, ada)
		a.Side.MustExec(t, `UPDATE users SET status = 'ACTIVE'`)

		of := func(r harness.AuditRow, session string) harness.AuditRow { r.User, r.Session = user, session; return r }
		first := in.Text("login", "tokens", "refreshToken")
		second := a.Do(t, of(ok("session.refreshed"), session), "", harness.RefreshDoc, map[string]any{"token": first}).
			Text("refresh", "tokens", "refreshToken")
		third := a.Do(t, of(ok("session.refreshed"), session), "", harness.RefreshDoc, map[string]any{"token": second}).
			Text("refresh", "tokens", "refreshToken")
		a.Clock.Add(time.Second)
		a.Do(t, of(failed("session.refreshed", "token_reused"), session), "", harness.RefreshDoc,
			map[string]any{"token": first})
		a.Do(t, of(failed("session.refreshed", "session_over"), session), "", harness.RefreshDoc,
			map[string]any{"token": third})

		want.Outcome, want.Reason, want.Session, want.Methods = "ok", "", "*", `["PASSWORD"]`
		in = a.Do(t, want, "", harness.LoginDoc, ada)
		session = in.Text("login", "session", "id")
		access := in.Text("login", "tokens", "accessToken")
		want = of(ok("api_key.created"), session)
		want.Key = "*"
		key := a.Do(t, want, access, harness.CreateKey, nil).Text("createApiKey", "apiKey", "id")
		want = of(ok("api_key.deleted"), session)
		want.Key = key
		a.Do(t, want, access, harness.DropKeyDoc, harness.InputOf("id", key))

		other := made.Text("register", "session", "id")
		a.Do(t, of(ok("session.revoked"), other), access, harness.EndSessionDoc, harness.InputOf("id", other))
		s.Login(t, "ada@example.com", harness.GoodPass)
		a.Seen++
		a.Do(t, of(ok("session.others_revoked"), session), access, harness.EndOthersDoc, nil)
		a.Do(t, of(ok("session.ended"), session), access, harness.LogoutDoc, nil)

		in = s.Login(t, "ada@example.com", harness.GoodPass)
		a.Seen++
		a.Do(t, of(ok("session.ended"), in.Text("login", "session", "id")), "", harness.LogoutDoc,
			harness.InputOf("refreshToken", in.Text("login", "tokens", "refreshToken")))
		in = s.Login(t, "ada@example.com", harness.GoodPass)
		a.Seen++
		a.Do(t, of(ok("session.all_ended"), in.Text("login", "session", "id")),
			in.Text("login", "tokens", "accessToken"),
			harness.LogoutDoc, harness.InputOf("everywhere", true))

		if !a.Side.Postgres { // the text says UTC itself
			for _, at := range a.Side.Texts(t, `SELECT CAST(at AS text) FROM audit_events`) {
				if !strings.HasSuffix(at, "+00:00") {
					t.Errorf("the time %q is not in UTC", at)
				}
			}
		}
	})
}

// TestAU01_RefusalsOfTheSignedIn is the rest of the matrix: refusals and repetitions that change nothing.
func TestAU01_RefusalsOfTheSignedIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		a := &harness.Auditor{Instance: s, Side: harness.OpenSide(t, dsn), Seen: 1}
		of := func(action, outcome string) harness.AuditRow {
			return harness.AuditRow{Action: action, Outcome: outcome, User: ada.ID, Session: ada.Session}
		}
		steps := []struct {
			name       string
			want       harness.AuditRow
			credential string
			document   string
			variables  map[string]any
			reason     bool
		}{
			{
				"revoke a session that is not there", of("session.revoked", "failed"), ada.Access,
				harness.EndSessionDoc,
				harness.InputOf("number", 1), true,
			},
			{
				"delete a key that is not there", of("api_key.deleted", "failed"), ada.Access, harness.DropKeyDoc,
				harness.InputOf("id", "key_x"), true,
			},
			{
				"revoke the others, where there are none", of("session.others_revoked", "ok"), ada.Access,
				harness.EndOthersDoc, nil, false,
			},
		}
		for _, step := range steps {
			t.Run(step.name, func(t *testing.T) {
				before := len(a.Side.Audit(t))
				got := harness.Asked(t, a.URL, step.credential, step.document, step.variables)
				fresh := a.Side.Audit(t)[before:]
				if len(fresh) != 1 || fresh[0].Action != harness.ActionOf(step.want.Action, step.want.Outcome) ||
					fresh[0].Outcome != step.want.Outcome ||
					(fresh[0].Reason != "") != step.reason || fresh[0].User != step.want.User {
					t.Errorf("audit rows %+v, want one like %+v (answer %s)", fresh, step.want, got.Raw)
				}
			})
		}
		t.Run("refresh with a forged token", func(t *testing.T) { // never reaches the database: SECURITY.md says so
			before := len(a.Side.Audit(t))
			if code := s.Refresh(t, ada.Refresh[:len(ada.Refresh)-6]+"AAAAAA").Code(); code != "INVALID_TOKEN" {
				t.Errorf("answered %s", code)
			}
			if fresh := a.Side.Audit(t)[before:]; len(fresh) != 0 {
				t.Errorf("audit rows %+v", fresh)
			}
		})
		t.Run("refresh again within the grace", func(t *testing.T) {
			next := s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "refreshToken")
			before := len(a.Side.Audit(t))
			if again := s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "refreshToken"); again != next ||
				next == "" {
				t.Fatalf("the successors are %q and %q", next, again)
			}
			if fresh := a.Side.Audit(t)[before:]; len(fresh) != 1 || fresh[0].Action != "session.refreshed" {
				t.Errorf("audit rows %+v, want one", fresh)
			}
		})
	})
}

// TestAU02_CanarySecrets sends secrets through every flow, right and wrong and in the wrong place, at log level debug,
// and looks for them in the log and in the database.
func TestAU02_CanarySecrets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		secrets := map[string]string{"server secret": harness.Secret}
		canary := func(what string) string {
			secrets[what] = "Canary-" + hex.EncodeToString([]byte(what)) + "-9fQ"
			return secrets[what]
		}
		keep := func(what, text string) string {
			if len(text) < 20 {
				t.Fatalf("%s: %q", what, text)
			}
			secrets[what], secrets[what+", its end"] = text, text[len(text)-20:]
			return text
		}
		right := canary("password")
		in := s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", "ada@example.com", "username", "ada.l",
			"password", right))
		access := keep("access token", in.Text("register", "tokens", "accessToken"))
		refresh := keep("refresh token", in.Text("register", "tokens", "refreshToken"))
		s.Login(t, "ada@example.com", canary("wrong password"))
		s.Login(t, "nobody@example.com", canary("password of nobody"))
		s.Login(t, canary("password as email"), "x")
		s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", canary("password as username"), "password", "y"))
		s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", "ada@example.com", "password",
			canary("password of a taken address")))
		s.GraphQL(t, "", harness.RegisterDoc, harness.InputOf("email", canary("password as a new email"), "password",
			harness.GoodPass))
		session := s.GraphQL(t, "", harness.LoginDoc,
			harness.InputOf("username", "ada.l", "password", right, "tokenDelivery", "SESSION_TOKEN"))
		token := keep("session token", session.Text("login", "tokens", "sessionToken"))
		key := keep("API key", s.GraphQL(t, access, harness.CreateKey, nil).Text("createApiKey", "secret"))
		for _, credential := range []string{access, token, key, canary("junk credential"), refresh, "sk_live_" +
			canary("junk key")} {
			s.GraphQL(t, credential, harness.SessionsDoc, nil)
			s.GraphQL(t, credential, `{ currentCredential { kind } }`, nil)
			s.GraphQL(t, credential, harness.EndSessionDoc, harness.InputOf("id", credential))
			s.GraphQL(t, credential, harness.DropKeyDoc, harness.InputOf("id", credential))
		}
		second := keep("second refresh token", s.Refresh(t, refresh).Text("refresh", "tokens", "refreshToken"))
		s.Refresh(t, canary("junk refresh token"))
		s.Refresh(t, access)
		keep("third refresh token", s.Refresh(t, second).Text("refresh", "tokens", "refreshToken"))
		var answers strings.Builder
		for _, document := range []string{
			`mutation { login(input: {email: "a@b.example", password: "%s"}) { userErrors { message } } }`,
			`mutation { login(input: {email: "a@b.example", password: "%s" `,
			`mutation { login(input: {email: "a@b.example", pass: "%s"}) { userErrors { message } } }`,
			`mutation { login(input: {email: ["%s"], password: 1}) { userErrors { message } } }`,
			`mutation { refresh(input: {refreshToken: "%s", x: 1}) { userErrors { message } } }`,
			`{ session(id: "%s") { id } }`,
		} {
			a := s.GraphQL(t, access, fmt.Sprintf(document, canary("literal")), nil)
			answers.WriteString(a.Raw)
		}
		for _, variables := range []map[string]any{
			{"input": canary("variable")},
			{"input": map[string]any{"email": map[string]any{"x": canary("variable")}}},
			harness.InputOf("email", 1, "password", canary("variable")),
			harness.InputOf("password", canary("variable")),
			harness.InputOf("email", "a@b.example", "username", "abc", "password", canary("variable")),
		} {
			answers.WriteString(s.GraphQL(t, "", harness.LoginDoc, variables).Raw)
		}
		if r, err := harness.Client.Get(s.URL + "/graphql?query=" + canary("query string")); err == nil {
			_ = r.Body.Close()
		}
		s.Refresh(t, refresh) // reuse: ends the session
		s.GraphQL(t, token, harness.LogoutDoc, harness.InputOf("everywhere", true))

		stored := harness.Dump(t, dsn)
		if !strings.Contains(stored, "ada@example.com") || !strings.Contains(s.Logged.String(), "/graphql") {
			t.Fatal("the places to look at are empty")
		}
		for what, secret := range secrets {
			places := map[string]string{"the log": s.Logged.String(), "the database": stored}
			if what == "literal" || what == "variable" {
				places["an answer"] = answers.String()
			}
			for place, text := range places {
				for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.ToLower(secret)} {
					if strings.Contains(text, form) {
						t.Errorf("%s holds the %s", place, what)
					}
				}
			}
		}
	})
}

// TestAU03_LogInjection sends user agents that would break a line of a log or paint a terminal.
func TestAU03_LogInjection(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		agents := map[string]string{
			"line break":   "a\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}",
			"escape":       "\x1b[31mred\x1b[0m",
			"C1 escape":    "\u009b31mred",
			"NUL":          "a\x00b",
			"broken UTF-8": "a\xff\xfeb",
			"separators":   "a\u2028b\u2029c",
			"long":         strings.Repeat("é", 5000),
		}
		for name, agent := range agents {
			// In this process: net/http refuses most of these before the edge sees them, and a proxy may not.
			body, _ := json.Marshal(map[string]any{
				"query":     harness.LoginDoc,
				"variables": harness.InputOf("email", "x@y.example", "password", "zzzz zzzz"),
			})
			r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
			r.Header["User-Agent"], r.Header["Content-Type"] = []string{agent}, []string{"application/json"}
			w := httptest.NewRecorder()
			s.App.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.URL.Path = "/x\r\n{\"level\":\"ERROR\"}\x1b[31m"
		s.App.Handler.ServeHTTP(httptest.NewRecorder(), r)
		rows := harness.OpenSide(t, dsn).Audit(t)
		if len(rows) != len(agents) {
			t.Fatalf("%d audit rows for %d user agents", len(rows), len(agents))
		}
		for _, row := range rows {
			if len(row.Agent) > 512 || strings.ContainsFunc(row.Agent, func(r rune) bool {
				return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd
			}) {
				t.Errorf("kept the user agent %.600q", row.Agent)
			}
		}
		for line := range strings.SplitSeq(strings.TrimSpace(s.Logged.String()), "\n") {
			var entry struct{ Level string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "ERROR" ||
				strings.ContainsRune(line, 0x1b) {
				t.Errorf("log line %q: %v", line, err)
			}
		}
		if got := harness.Talk(t, s.URL,
			"GET /healthz HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\n b\x1b[31m\r\n\r\n"); got.Status != 400 {
			t.Errorf("an escape on the wire: %d", got.Status)
		}
	})
}
