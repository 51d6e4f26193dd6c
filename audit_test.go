package main

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// auditRow is a row of audit_events as text, "" for NULL.
type auditRow struct {
	at                                                                              time.Time
	action, outcome, reason, user, session, key, methods, dialect, ip, agent, reqID string
}

func (s *side) audit(t testing.TB) []auditRow {
	t.Helper()
	rows, err := s.Query(`SELECT at, action, outcome, reason, user_id, session_id, key_id, methods, dialect, ip, user_agent,
request_id FROM audit_events ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []auditRow
	for rows.Next() {
		var r auditRow
		var reason, methods, ip, agent sql.NullString
		var user db.UserID
		var session db.SessionID
		var key db.KeyID
		if err := rows.Scan(&r.at, &r.action, &r.outcome, &reason, &user, &session, &key, &methods, &r.dialect, &ip, &agent,
			&r.reqID); err != nil {
			t.Fatal(err)
		}
		r.reason, r.methods, r.ip, r.agent = reason.String, methods.String, ip.String, agent.String
		if !user.IsZero() {
			r.user = user.String()
		}
		if !session.IsZero() {
			r.session = session.String()
		}
		if !key.IsZero() {
			r.key = key.String()
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// asked sends a document with more header fields: name, value, name, value …
func asked(t testing.TB, url, credential, document string, variables map[string]any, header ...string) *answer {
	t.Helper()
	a, err := send(url, credential, document, variables, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func inputOf(fields ...any) map[string]any {
	in := map[string]any{}
	for i := 0; i+1 < len(fields); i += 2 {
		in[fields[i].(string)] = fields[i+1]
	}
	return map[string]any{"input": in}
}

const (
	dropKeyDoc    = `mutation D($input: DeleteApiKeyInput!) { deleteApiKey(input: $input) { deletedApiKeyId userErrors { code message field } } }`
	endSessionDoc = `mutation R($input: RevokeSessionInput!) { revokeSession(input: $input) { revokedSessionId userErrors { code message field } } }`
	endOthersDoc  = `mutation { revokeOtherSessions { revokedCount userErrors { code message field } } }`
)

const auditAgent = "Mozilla/5.0 (X11; Linux x86_64) Audit/1.0"

// auditor drives a server and looks at the one audit row that each operation leaves.
type auditor struct {
	*instance
	side *side
	seen int
}

// do sends a document and demands exactly one new audit row, or, with want.action "", none.
func (a *auditor) do(t *testing.T, want auditRow, credential, document string, variables map[string]any) *answer {
	t.Helper()
	a.clock.add(time.Millisecond)
	got := asked(t, a.URL, credential, document, variables, "User-Agent", auditAgent)
	rows := a.side.audit(t)
	fresh := rows[a.seen:]
	a.seen = len(rows)
	if len(fresh) != 1 {
		t.Errorf("%s %s %s: %d audit rows, want 1 (answer %s)", want.action, want.outcome, want.reason, len(fresh), got.Raw)
		return got
	}
	want.at, want.dialect, want.ip, want.agent = db.Clock(a.clock.now()), "graphql", "127.0.0.1", auditAgent
	want.reqID = got.Header.Get("X-Request-Id")
	row := fresh[0]
	if !row.at.Equal(want.at) {
		t.Errorf("%s %s: at %v, want %v", want.action, want.reason, row.at, want.at)
	}
	row.at = want.at
	row.methods = strings.ReplaceAll(row.methods, " ", "")
	if want.session == "*" && row.session != "" {
		row.session = "*"
	}
	if want.key == "*" && row.key != "" {
		row.key = "*"
	}
	if want.user == "*" && row.user != "" {
		row.user = "*"
	}
	if row != want {
		t.Errorf("the audit row is\n%+v, want\n%+v", row, want)
	}
	return got
}

// TestAU01_EventMatrix sees every operation, done and failed, leave one row that says when, who, what, where and how.
func TestAU01_EventMatrix(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		a := &auditor{instance: s, side: openSide(t, dsn)}
		ok := func(action string) auditRow { return auditRow{action: action, outcome: "ok"} }
		failed := func(action, reason string) auditRow {
			return auditRow{action: action, outcome: "failed", reason: reason}
		}
		want := ok("register")
		want.methods, want.user, want.session = `["PASSWORD"]`, "*", "*"
		ada := inputOf("email", "ada@example.com", "password", goodPass)
		made := a.do(t, want, "", registerDoc, ada)
		user := made.text("register", "user", "id")
		if rows := a.side.audit(t); rows[0].user != user || rows[0].session != made.text("register", "session", "id") {
			t.Errorf("the row names %+v", rows[0])
		}
		a.do(t, failed("register", "already_exists"), "", registerDoc, ada)

		want = ok("login")
		want.user, want.session, want.methods = user, "*", `["PASSWORD"]`
		in := a.do(t, want, "", loginDoc, ada)
		session := in.text("login", "session", "id")

		want = failed("login", "wrong_password")
		want.user = user
		a.do(t, want, "", loginDoc, inputOf("email", "ada@example.com", "password", "not the password"))
		a.do(t, failed("login", "unknown_account"), "", loginDoc, inputOf("email", "eve@example.com", "password", goodPass))
		for range 4 {
			s.login(t, "eve@example.com", goodPass)
		}
		a.seen += 4
		a.do(t, failed("login", "throttled"), "", loginDoc, inputOf("email", "eve@example.com", "password", goodPass))
		a.side.exec(t, `UPDATE users SET status = 'SUSPENDED'`)
		want = failed("login", "suspended")
		want.user = user
		a.do(t, want, "", loginDoc, ada)
		a.side.exec(t, `UPDATE users SET status = 'ACTIVE'`)

		of := func(r auditRow, session string) auditRow { r.user, r.session = user, session; return r }
		first := in.text("login", "tokens", "refreshToken")
		second := a.do(t, of(ok("refresh"), session), "", refreshDoc, map[string]any{"token": first}).
			text("refresh", "tokens", "refreshToken")
		third := a.do(t, of(ok("refresh"), session), "", refreshDoc, map[string]any{"token": second}).
			text("refresh", "tokens", "refreshToken")
		a.clock.add(time.Second)
		a.do(t, of(failed("refresh", "token_reused"), session), "", refreshDoc, map[string]any{"token": first})
		a.do(t, of(failed("refresh", "session_over"), session), "", refreshDoc, map[string]any{"token": third})

		want.outcome, want.reason, want.session, want.methods = "ok", "", "*", `["PASSWORD"]`
		in = a.do(t, want, "", loginDoc, ada)
		session = in.text("login", "session", "id")
		access := in.text("login", "tokens", "accessToken")
		want = of(ok("create_api_key"), session)
		want.key = "*"
		key := a.do(t, want, access, createKey, nil).text("createApiKey", "apiKey", "id")
		want = of(ok("delete_api_key"), session)
		want.key = key
		a.do(t, want, access, dropKeyDoc, inputOf("id", key))

		other := made.text("register", "session", "id")
		a.do(t, of(ok("revoke_session"), other), access, endSessionDoc, inputOf("id", other))
		s.login(t, "ada@example.com", goodPass)
		a.seen++
		a.do(t, of(ok("revoke_other_sessions"), session), access, endOthersDoc, nil)
		a.do(t, of(ok("logout"), session), access, logoutDoc, nil)

		in = s.login(t, "ada@example.com", goodPass)
		a.seen++
		a.do(t, of(ok("logout"), in.text("login", "session", "id")), "", logoutDoc,
			inputOf("refreshToken", in.text("login", "tokens", "refreshToken")))
		in = s.login(t, "ada@example.com", goodPass)
		a.seen++
		a.do(t, of(ok("logout_everywhere"), in.text("login", "session", "id")), in.text("login", "tokens", "accessToken"),
			logoutDoc, inputOf("everywhere", true))

		if !a.side.postgres { // the text says UTC itself
			for _, at := range a.side.texts(t, `SELECT CAST(at AS text) FROM audit_events`) {
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
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		a := &auditor{instance: s, side: openSide(t, dsn), seen: 1}
		of := func(action, outcome string) auditRow {
			return auditRow{action: action, outcome: outcome, user: ada.ID, session: ada.Session}
		}
		steps := []struct {
			name       string
			want       auditRow
			credential string
			document   string
			variables  map[string]any
			reason     bool
		}{
			{"revoke a session that is not there", of("revoke_session", "failed"), ada.Access, endSessionDoc, inputOf("number", 1), true},
			{"delete a key that is not there", of("delete_api_key", "failed"), ada.Access, dropKeyDoc, inputOf("id", "key_x"), true},
			{"revoke the others, where there are none", of("revoke_other_sessions", "ok"), ada.Access, endOthersDoc, nil, false},
		}
		for _, step := range steps {
			t.Run(step.name, func(t *testing.T) {
				before := len(a.side.audit(t))
				got := asked(t, a.URL, step.credential, step.document, step.variables)
				fresh := a.side.audit(t)[before:]
				if len(fresh) != 1 || fresh[0].action != step.want.action || fresh[0].outcome != step.want.outcome ||
					(fresh[0].reason != "") != step.reason || fresh[0].user != step.want.user {
					t.Errorf("audit rows %+v, want one like %+v (answer %s)", fresh, step.want, got.Raw)
				}
			})
		}
		t.Run("refresh with a forged token", func(t *testing.T) { // never reaches the database: SECURITY.md says so
			before := len(a.side.audit(t))
			if code := s.refresh(t, ada.Refresh[:len(ada.Refresh)-6]+"AAAAAA").code(); code != "INVALID_TOKEN" {
				t.Errorf("answered %s", code)
			}
			if fresh := a.side.audit(t)[before:]; len(fresh) != 0 {
				t.Errorf("audit rows %+v", fresh)
			}
		})
		t.Run("refresh again within the grace", func(t *testing.T) {
			next := s.refresh(t, ada.Refresh).text("refresh", "tokens", "refreshToken")
			before := len(a.side.audit(t))
			if again := s.refresh(t, ada.Refresh).text("refresh", "tokens", "refreshToken"); again != next || next == "" {
				t.Fatalf("the successors are %q and %q", next, again)
			}
			if fresh := a.side.audit(t)[before:]; len(fresh) != 1 || fresh[0].action != "refresh" {
				t.Errorf("audit rows %+v, want one", fresh)
			}
		})
	})
}

// TestAU02_CanarySecrets sends secrets through every flow, right and wrong and in the wrong place, at log level debug, and
// looks for them in the log and in the database.
func TestAU02_CanarySecrets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		secrets := map[string]string{"server secret": testSecret}
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
		in := s.graphql(t, "", registerDoc, inputOf("email", "ada@example.com", "username", "ada.l", "password", right))
		access := keep("access token", in.text("register", "tokens", "accessToken"))
		refresh := keep("refresh token", in.text("register", "tokens", "refreshToken"))
		s.login(t, "ada@example.com", canary("wrong password"))
		s.login(t, "nobody@example.com", canary("password of nobody"))
		s.login(t, canary("password as email"), "x")
		s.graphql(t, "", loginDoc, inputOf("username", canary("password as username"), "password", "y"))
		s.graphql(t, "", registerDoc, inputOf("email", "ada@example.com", "password", canary("password of a taken address")))
		s.graphql(t, "", registerDoc, inputOf("email", canary("password as a new email"), "password", goodPass))
		session := s.graphql(t, "", loginDoc, inputOf("username", "ada.l", "password", right, "tokenDelivery", "SESSION_TOKEN"))
		token := keep("session token", session.text("login", "tokens", "sessionToken"))
		key := keep("API key", s.graphql(t, access, createKey, nil).text("createApiKey", "secret"))
		for _, credential := range []string{access, token, key, canary("junk credential"), refresh, "sk_live_" + canary("junk key")} {
			s.graphql(t, credential, sessionsDoc, nil)
			s.graphql(t, credential, `{ currentCredential { kind } }`, nil)
			s.graphql(t, credential, endSessionDoc, inputOf("id", credential))
			s.graphql(t, credential, dropKeyDoc, inputOf("id", credential))
		}
		second := keep("second refresh token", s.refresh(t, refresh).text("refresh", "tokens", "refreshToken"))
		s.refresh(t, canary("junk refresh token"))
		s.refresh(t, access)
		keep("third refresh token", s.refresh(t, second).text("refresh", "tokens", "refreshToken"))
		var answers strings.Builder
		for _, document := range []string{
			`mutation { login(input: {email: "a@b.example", password: "%s"}) { userErrors { message } } }`,
			`mutation { login(input: {email: "a@b.example", password: "%s" `,
			`mutation { login(input: {email: "a@b.example", pass: "%s"}) { userErrors { message } } }`,
			`mutation { login(input: {email: ["%s"], password: 1}) { userErrors { message } } }`,
			`mutation { refresh(input: {refreshToken: "%s", x: 1}) { userErrors { message } } }`,
			`{ session(id: "%s") { id } }`,
		} {
			a := s.graphql(t, access, fmt.Sprintf(document, canary("literal")), nil)
			answers.WriteString(a.Raw)
		}
		for _, variables := range []map[string]any{
			{"input": canary("variable")},
			{"input": map[string]any{"email": map[string]any{"x": canary("variable")}}},
			inputOf("email", 1, "password", canary("variable")), inputOf("password", canary("variable")),
			inputOf("email", "a@b.example", "username", "abc", "password", canary("variable")),
		} {
			answers.WriteString(s.graphql(t, "", loginDoc, variables).Raw)
		}
		if r, err := client.Get(s.URL + "/graphql?query=" + canary("query string")); err == nil {
			_ = r.Body.Close()
		}
		s.refresh(t, refresh) // reuse: ends the session
		s.graphql(t, token, logoutDoc, inputOf("everywhere", true))

		stored := dump(t, dsn)
		if !strings.Contains(stored, "ada@example.com") || !strings.Contains(s.log.String(), "/graphql") {
			t.Fatal("the places to look at are empty")
		}
		for what, secret := range secrets {
			places := map[string]string{"the log": s.log.String(), "the database": stored}
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
		s := start(t, dsn)
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
			body, _ := json.Marshal(map[string]any{"query": loginDoc, "variables": inputOf("email", "x@y.example", "password", "zzzz zzzz")})
			r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
			r.Header["User-Agent"], r.Header["Content-Type"] = []string{agent}, []string{"application/json"}
			w := httptest.NewRecorder()
			s.app.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.URL.Path = "/x\r\n{\"level\":\"ERROR\"}\x1b[31m"
		s.app.Handler.ServeHTTP(httptest.NewRecorder(), r)
		rows := openSide(t, dsn).audit(t)
		if len(rows) != len(agents) {
			t.Fatalf("%d audit rows for %d user agents", len(rows), len(agents))
		}
		for _, row := range rows {
			if len(row.agent) > 512 || strings.ContainsFunc(row.agent, func(r rune) bool {
				return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd
			}) {
				t.Errorf("kept the user agent %.600q", row.agent)
			}
		}
		for line := range strings.SplitSeq(strings.TrimSpace(s.log.String()), "\n") {
			var entry struct{ Level string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level == "ERROR" || strings.ContainsRune(line, 0x1b) {
				t.Errorf("log line %q: %v", line, err)
			}
		}
		if got := talk(t, s.URL, "GET /healthz HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\n b\x1b[31m\r\n\r\n"); got.status != 400 {
			t.Errorf("an escape on the wire: %d", got.status)
		}
	})
}
