package signin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const oldPass = "short 1" // shorter than a new one may be

// record is what an old system says of somebody: name, value, name, value …
func record(fields ...any) string {
	b, _ := json.Marshal(harness.InputOf(fields...)["input"])
	return string(b)
}

// asking starts a server that asks an old system.
func asking(t *testing.T, dsn string, env ...string) (*harness.Instance, *harness.OldSystem) {
	t.Helper()
	clock := harness.NewClock()
	old := harness.NewOldSystem(t, clock)
	return harness.StartWithClock(t, clock, dsn, old.Env(env...)...), old
}

// knows adds somebody to the old system.
func knows(old *harness.OldSystem, email string, fields ...any) {
	old.People[email] = harness.Person{
		Password: oldPass, Record: record(append([]any{"email", email, "emailVerified", true}, fields...)...),
	}
}

// MI-10: the first sign-in of somebody whom nobody here knows asks the old system once and makes the account, through
// GraphQL and every dialect, by email and by username. From then on the old system is not asked. The password is the
// one that the person has, however short.
func TestMI10_Migrate(t *testing.T) {
	t.Parallel()
	routes := []struct{ route, body string }{
		{"POST /v1/auth/login", `{"data":{"type":"users","attributes":{"email":"EMAIL","password":"PASSWORD"}}}`},
		{"POST /auth/login", `{"email":"EMAIL","password":"PASSWORD"}`},
		{"POST /sign_in", `{"email":"EMAIL","password":"PASSWORD"}`},
		{"POST /api/v1/auth/login", `{"username":"EMAIL","password":"PASSWORD"}`},
		{"POST /login", `{"email":"EMAIL","password":"PASSWORD"}`},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, old := asking(t, dsn, "DRAGOMAN_DIALECTS=all", "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
		side := harness.OpenSide(t, dsn)
		ways := map[string]func() string{
			"ada@example.com": func() string {
				a := s.Login(t, " Ada@Example.com", oldPass)
				return a.Text("login", "tokens", "accessToken") + a.Text("login", "user", "email")
			},
			"count.ess": func() string {
				return s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", "Count.Ess", "password",
					oldPass)).Text("login", "user", "id")
			},
		}
		for n, by := range routes {
			email := fmt.Sprintf("by-%d@example.com", n)
			ways[email] = func() string {
				r, err := s.Call(by.route, strings.NewReplacer("EMAIL", email, "PASSWORD", oldPass).Replace(by.body))
				if err != nil || r.Status >= 300 {
					t.Errorf("%s: %d %s, %v", by.route, r.Status, r.Body, err)
				}
				return r.Body
			}
		}
		for name := range ways {
			knows(old, name, "id", "old-"+name)
		}
		old.People["Ada@Example.com"] = old.People["ada@example.com"]
		old.People["Count.Ess"] = harness.Person{
			Password: oldPass, Record: record("username", "count.ess", "email", "c@example.com", "id", "old-count.ess"),
		}
		for name, signIn := range ways {
			for _, questions := range []int{1, 0} {
				if signIn() == "" {
					t.Errorf("%s does not sign in", name)
				}
				asked := old.Asked()
				if len(asked) != questions {
					t.Errorf("%s: the old system was asked %v", name, asked)
				}
				for _, q := range asked {
					kind := map[bool]string{true: "email", false: "username"}[strings.Contains(name, "@")]
					if !strings.EqualFold(q.Identifier, name) || q.Kind != kind || len(q.RequestID) < 20 ||
						!strings.Contains(s.Logged.String(), q.RequestID) {
						t.Errorf("%s: the question %+v", name, q)
					}
				}
			}
			if n := side.Count(t,
				`SELECT count(*) FROM audit_events WHERE action = 'user.migrated' AND outcome = 'ok' `+
					`AND reason = 'external_id=old-`+name+
					`' AND user_id = (SELECT id FROM users WHERE external_id = 'old-`+
					name+`') AND request_id IN (SELECT request_id FROM audit_events WHERE action = 'login.succeeded')`); n != 1 {
				t.Errorf("%s: %d events", name, n)
			}
		}
		if n := side.Count(t, `SELECT count(*) FROM users WHERE password_hash LIKE '$argon2id$%'`); n != len(ways) {
			t.Errorf("%d accounts", n)
		}
		figures, _ := harness.Scrape(t, s.URL, harness.MetricsToken)
		if n := figures[`dragoman_migrations_total{outcome="migrated"}`]; n != float64(len(ways)) {
			t.Errorf("the metric says %v", n)
		}
		if log := s.Logged.String(); strings.Contains(log, oldPass) || strings.Contains(log, "in-the-query") {
			t.Error("the log has a password, or the token of the URL")
		}
	})
}

// MI-10: nobody is asked without the setting, about an account that there is, about a name that nobody here could have,
// without a password, or by a signed-in person.
func TestMI10_NeverAsked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, old := asking(t, dsn)
		side := harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		for _, email := range []string{"eve@example.com", "off@example.com", "bob@example.com"} {
			s.Register(t, email)
		}
		side.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
		side.MustExec(t, `UPDATE users SET password_disabled_at = created_at WHERE email_canonical = 'off@example.com'`)
		side.MustExec(t, `UPDATE users SET username = 'bob.x', username_canonical = 'bob.x',
pending_email = 'shown@example.com', pending_email_canonical = 'shown@example.com', pending_shown = true
WHERE email_canonical = 'bob@example.com'`)
		for _, name := range []string{
			"ada@example.com", "eve@example.com", "off@example.com", "shown@example.com", "bob.x", "no address", "a@b",
			"nobody@example.com", "admin\u200b",
		} {
			knows(old, name)
		}
		var all sync.WaitGroup
		for _, c := range []struct{ field, name, password string }{
			{"email", "ada@example.com", oldPass},
			{"email", "eve@example.com", oldPass},
			{"email", "eve@example.com", harness.GoodPass},
			{"email", "off@example.com", harness.GoodPass},
			{"email", "shown@example.com", oldPass},
			{"username", "bob.x", oldPass},
			{"username", "BOB.X", oldPass},
			{"email", "no address", oldPass},
			{"email", "a@b", oldPass},
			{"username", "admin\u200b", oldPass},
			{"email", "nobody@example.com", ""},
		} {
			all.Go(func() {
				a, err := harness.Send(s.URL, "", harness.LoginDoc,
					harness.InputOf(c.field, c.name, "password", c.password))
				if err != nil || a.Code() != "INVALID_CREDENTIALS" && !(c.name == "admin\u200b" && a.Code() != "") {
					t.Errorf("%s: %v, %v", c.name, a, err)
				}
			})
		}
		all.Wait()
		s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", oldPass))
		s.GraphQL(t, ada.Access, harness.ChangePasswordDoc, harness.InputOf("currentPassword", oldPass, "newPassword",
			harness.NewPass))
		s.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", "nobody@example.com"))
		s.GraphQL(t, "", harness.AskMagicDoc, harness.InputOf("email", "nobody@example.com"))
		if asked := old.Asked(); len(asked) != 0 {
			t.Errorf("it was asked %+v", asked)
		}
		off := harness.StartWithClock(t, s.Clock, dsn)
		harness.RefusedWith(t, off.Login(t, "nobody@example.com", oldPass), "INVALID_CREDENTIALS")
		harness.Fine(t, s.Login(t, "nobody@example.com", oldPass))
		if asked := old.Asked(); len(asked) != 1 {
			t.Errorf("it was asked %+v", asked)
		}
	})
}

// MI-11: what is neither yes nor no is answered as every failed sign-in is, makes no account, and is one line of the
// log with the request id. A redirect is not followed.
func TestMI11_Answers(t *testing.T) {
	t.Parallel()
	type answer = func(w http.ResponseWriter, r *http.Request, q harness.Question)
	says := func(status int, body string) answer {
		return func(w http.ResponseWriter, _ *http.Request, q harness.Question) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(strings.ReplaceAll(body, "EMAIL", q.Identifier)))
		}
	}
	yes := record("email", "EMAIL")
	answers := map[string]struct {
		says           answer
		reason, logged string // of the event; in the log
	}{
		"404": {says(404, "{}"), "unknown_account", ""},
		"401": {says(401, ""), "unknown_account", ""},
		"403": {says(403, yes), "unknown_account", ""},
		"400": {says(400, ""), "old_system_failed", "status 400"},
		"500": {says(500, yes), "old_system_failed", "status 500"},
		"201": {says(201, yes), "old_system_failed", "status 201"},
		"204": {says(204, ""), "old_system_failed", "status 204"},
		"redirected": {func(w http.ResponseWriter, r *http.Request, _ harness.Question) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "old_system_failed", "status 307"},
		"hanging": {func(_ http.ResponseWriter, r *http.Request, _ harness.Question) {
			select {
			case <-r.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}, "old_system_failed", "no answer within 2s"},
		"dripping": {func(w http.ResponseWriter, r *http.Request, _ harness.Question) {
			for range 100 {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		}, "old_system_failed", "no answer within 2s"},
		"closed": {func(w http.ResponseWriter, _ *http.Request, q harness.Question) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = conn.Write([]byte(q.Password + "\r\n"))
			_ = conn.Close()
		}, "old_system_failed", "is not HTTP"},
		"huge":     {says(200, `{"name":"`+strings.Repeat("x", 70<<10)+`"}`), "old_system_failed", "64 KiB"},
		"empty":    {says(200, ""), "old_system_failed", "not a JSON object"},
		"HTML":     {says(200, "<html>"), "old_system_failed", "not a JSON object"},
		"null":     {says(200, "null"), "old_system_failed", "not a JSON object"},
		"an array": {says(200, "["+yes+"]"), "old_system_failed", "not a JSON object"},
		"two":      {says(200, yes+yes), "old_system_failed", "something follows"},
		"twice":    {says(200, `{"email":"eve@example.com","email":"EMAIL"}`), "old_system_failed", "twice"},
		"a column": {says(200, `{"e-mail":"EMAIL"}`), "old_system_failed", "there is no such column"},
		"a type":   {says(200, `{"email":["EMAIL"]}`), "old_system_failed", "email"},
		"nobody":   {says(200, `{}`), "record_refused", "neither an email nor a username"},
		"another":  {says(200, record("email", "eve@example.com")), "record_refused", "asked about"},
		"a letter": {says(200, record("email", "\u0430EMAIL")), "record_refused", "email"},
		"a name":   {says(200, record("username", "EMAIL")), "record_refused", "username"},
		"no email": {says(200, record("username", "ada")), "record_refused", "asked about"},
		"pending": {
			says(200, record("email", "eve@example.com", "pendingEmail", "EMAIL", "pendingEmailShown", true)),
			"record_refused", "asked about",
		},
		"the future": {
			says(200, record("email", "EMAIL", "createdAt", "2999-01-01")), "record_refused", "createdAt",
		},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, old := asking(t, dsn)
		side := harness.OpenSide(t, dsn)
		s.Register(t, "known@example.com")
		want := s.Login(t, "known@example.com", oldPass)
		old.Says(func(w http.ResponseWriter, r *http.Request, q harness.Question) {
			if strings.Contains(r.URL.Path, "elsewhere") {
				t.Error("a redirect is followed")
			}
			name, _, _ := strings.Cut(q.Identifier, "@")
			answers[strings.ReplaceAll(name, ".", " ")].says(w, r, q)
		})
		var all sync.WaitGroup
		for name := range answers {
			all.Go(func() {
				email := strings.ReplaceAll(name, " ", ".") + "@example.com"
				a, err := harness.Send(s.URL, "", harness.LoginDoc,
					harness.InputOf("email", email, "password", oldPass))
				if err != nil || a.Raw != want.Raw || a.Status != want.Status {
					t.Errorf("%s: %v, %v", name, a, err)
				}
			})
		}
		all.Wait()
		asked, log := map[string]string{}, s.Logged.String()
		for _, q := range old.Asked() {
			asked[q.Identifier] += q.RequestID
		}
		for name, c := range answers {
			id := asked[strings.ReplaceAll(name, " ", ".")+"@example.com"]
			var lines []string
			for _, line := range linesWith(log, id) {
				lines = append(lines, linesWith(line, "old system:")...)
			}
			if len(id) != 26 || c.logged == "" && len(lines) > 0 || c.logged != "" &&
				(len(lines) != 1 || !strings.Contains(lines[0], c.logged)) {
				t.Errorf("%s: asked by %q, and the log has %q", name, id, lines)
			}
			if got := side.Texts(t, `SELECT reason FROM audit_events WHERE action = 'login.failed' AND request_id = '`+
				id+`'`); len(got) != 1 || got[0] != c.reason {
				t.Errorf("%s: the reasons %v", name, got)
			}
		}
		if strings.Contains(log, oldPass) || strings.Contains(log, "in-the-query") {
			t.Errorf("the log has a password, or the URL")
		}
		if n := side.Count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

// linesWith gives the lines of a log that hold a text.
func linesWith(log, text string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}

// MI-12: what a person brings along is kept as an import keeps it, but a role makes no administrator, and a hash counts
// for nothing. What people set themselves and our rules refuse is left out.
func TestMI12_Record(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, old := asking(t, dsn)
		side := harness.OpenSide(t, dsn)
		knows(old, "ada@example.com", "id", 4711, "number", 7, "username", "ada.x", "name", "Ada", "phone", "12",
			"locale", "de-at", "metadata", map[string]any{"a": 1}, "appMetadata", map[string]any{"b": true},
			"role", "admin", "passwordHash", "plain: "+harness.GoodPass,
			"identities", []any{map[string]any{"provider": "google", "subject": "1048"}},
			"createdAt", "2020-02-03T04:05:06Z", "lastLoginAt", "2021-01-01T00:00:00Z")
		a := harness.Fine(t, s.Login(t, "ada@example.com", oldPass))
		if n := side.Count(t, `SELECT count(*) FROM users u JOIN linked_identities l ON l.user_id = u.id
WHERE u.external_id = '4711' AND u.number = 7 AND u.username = 'ada.x'
AND u.name = 'Ada' AND u.phone IS NULL AND u.locale = 'de-AT' AND u.role = 'user' AND u.status = 'ACTIVE'
AND u.email_verified_at IS NOT NULL AND l.provider = 'google' AND l.subject = '1048'
AND u.metadata IS NOT NULL AND u.app_metadata IS NOT NULL`); n != 1 {
			t.Errorf("the account is another: %v", a.Raw)
		}
		var created time.Time
		if err := side.QueryRow(`SELECT created_at FROM users`).Scan(&created); err != nil || created.Year() != 2020 {
			t.Errorf("made in %v, %v", created, err)
		}
		harness.RefusedWith(t, s.Login(t, "ada@example.com", harness.GoodPass), "INVALID_CREDENTIALS")

		// An authenticator app guards the account from the first sign-in on.
		knows(old, "cleo@example.com", "totpSecret", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
		for range 2 {
			a := harness.Fine(t, s.GraphQL(t, "", harness.MfaLoginDoc, harness.InputOf("email", "cleo@example.com",
				"password", oldPass)))
			code, err := totp.Code([]byte("Hello!\xde\xad\xbe\xefHello!\xde\xad\xbe\xef"), s.Clock.Now())
			if err != nil || a.At("login", "tokens") != nil {
				t.Fatalf("%s, %v", a.Raw, err)
			}
			harness.Fine(t, s.Answers(t, a.Text("login", "challenge", "token"), code))
			s.Clock.Add(totp.Period)
		}
		if n := side.Count(t, `SELECT count(*) FROM authenticators WHERE length(sealed) > 20`); n != 1 {
			t.Error("the secret of the authenticator app is not sealed")
		}

		// Who is suspended there is suspended here, and told what everybody is told.
		knows(old, "eve@example.com", "status", "suspended")
		harness.RefusedWith(t, s.Login(t, "eve@example.com", oldPass), "INVALID_CREDENTIALS")
		if got := side.Texts(t, `SELECT reason FROM audit_events WHERE action = 'login.failed' ORDER BY id DESC`); len(
			got) == 0 || got[0] != "suspended" {
			t.Errorf("the reasons %v", got)
		}
		if n := side.Count(t, `SELECT count(*) FROM users WHERE status = 'SUSPENDED'`); n != 1 ||
			len(old.Asked()) != 3 {
			t.Errorf("%d are suspended", n)
		}
	})
}

// MI-12: a record never changes an account that exists, nor takes anything of it.
func TestMI12_Taken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, old := asking(t, dsn)
		side := harness.OpenSide(t, dsn)
		knows(old, "bob@example.com", "id", "b7", "username", "bob.x",
			"identities", []any{map[string]any{"provider": "google", "subject": "1048"}})
		bob := harness.Fine(t, s.Login(t, "bob@example.com", oldPass)).Text("login", "user", "id")
		before := strings.Join(side.Texts(t, `SELECT id || coalesce(email, '') || updated_at FROM users`), "\n")
		for name, fields := range map[string][]any{
			"id":         {"id", "b7"},
			"our id":     {"id", bob},
			"identities": {"id", "n2", "identities", []any{map[string]any{"provider": "google", "subject": "1048"}}},
		} {
			knows(old, "ada@example.com", fields...)
			s.Clock.Add(time.Minute)
			harness.RefusedWith(t, s.Login(t, "ada@example.com", oldPass), "INVALID_CREDENTIALS")
			if len(linesWith(s.Logged.String(), "makes no account")) == 0 {
				t.Errorf("%s: nothing is logged", name)
			}
		}
		if after := strings.Join(side.Texts(t, `SELECT id || coalesce(email, '') || updated_at FROM users`),
			"\n"); after !=
			before {
			t.Errorf("%s became %s", before, after)
		}
		// A number is drawn anew, and a username that another one has is left out, as by an import.
		side.MustExec(t, `UPDATE users SET number = 12`)
		knows(old, "ada@example.com", "id", "n3", "number", 12, "username", "Bob.X")
		harness.Fine(t, s.Login(t, "ada@example.com", oldPass))
		if n := side.Count(t, `SELECT count(*) FROM users WHERE external_id = 'n3' AND username IS NULL AND number `+
			`<> 12`); n !=
			1 {
			t.Error("the account has what the other one has")
		}
		// An account that was imported without a password gets none by the name of somebody whom nobody here knows.
		side.MustExec(t, `UPDATE users SET password_hash = NULL WHERE external_id = 'n3'`)
		side.MustExec(t, `UPDATE audit_events SET action = 'user.imported' WHERE action = 'user.migrated'`)
		old.People["ada.x"] = harness.Person{
			Password: oldPass, Record: record("email", "ada@example.com", "emailVerified", true, "id", "n3", "username",
				"ada.x", "passwordHash", oldHash(t, oldPass)),
		}
		harness.RefusedWith(t, s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("username", "ada.x", "password",
			oldPass)), "INVALID_CREDENTIALS")
		if n := side.Count(t, `SELECT count(*) FROM users WHERE password_hash IS NULL`); n != 1 {
			t.Error("an account got a password")
		}
	})
}

// MI-12 and OT-43: where addresses are confirmed first, an address that the old system confirmed counts, one that it
// did not is confirmed here, and a registration that waits gets nothing of the account.
func TestMI12_RequireVerified(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, old := asking(t, dsn, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on")
		side := harness.OpenSide(t, dsn)
		const ada, ben = "ada@example.com", "ben@example.com"
		harness.Fine(t, s.Registers(t, "email", ada, "password", harness.GoodPass))
		harness.Fine(t, s.Registers(t, "email", ben, "password", harness.GoodPass))
		link := s.Letter(t, ada, db.MailVerifyEmail).Token
		s.Letter(t, ben, db.MailVerifyEmail)
		knows(old, ada)
		old.People[ben] = harness.Person{Password: oldPass, Record: record("email", ben)}
		harness.Fine(t, s.Login(t, ada, oldPass))
		harness.RefusedWith(t, s.Login(t, ben, oldPass), "EMAIL_NOT_VERIFIED")
		harness.RefusedWith(t, s.Login(t, ben, oldPass), "EMAIL_NOT_VERIFIED")
		if asked := old.Asked(); len(asked) != 2 {
			t.Errorf("it was asked %v", asked)
		}
		proof := s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", link, "password", harness.GoodPass))
		if proof.Code() == "" {
			t.Errorf("a registration is proved beside the account that proved its address: %s", proof.Raw)
		}
		harness.RefusedWith(t, s.Login(t, ada, harness.GoodPass), "INVALID_CREDENTIALS")
		harness.Fine(t, s.Login(t, ada, oldPass))
		// Whoever reads the mailbox has the address (OT-22): the registration becomes an account, and the other one
		// lost it.
		harness.Fine(t, s.Proves(t, ben, "password", harness.GoodPass))
		harness.Fine(t, s.Login(t, ben, harness.GoodPass))
		harness.RefusedWith(t, s.Login(t, ben, oldPass), "INVALID_CREDENTIALS")
		if n := side.Count(t, `SELECT count(*) FROM users WHERE email_canonical IN ('`+ada+`', '`+ben+`')`); n != 2 {
			t.Errorf("%d accounts", n)
		}
	})
}
