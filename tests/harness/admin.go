package harness

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
)

const (
	UserParts = `id email emailVerified username name metadata status lastLoginAt roles { name isBuiltIn permissions ` +
		`} permissions`
)

// Admin registers somebody and makes them an administrator, as the operator does.
func (i *Instance) Admin(t testing.TB, dsn, email string) Account {
	t.Helper()
	who := i.Register(t, email)
	i.SetRole(t, dsn, who, "admin")
	return who
}

// SetRole gives an account a role beside the server.
func (i *Instance) SetRole(t testing.TB, dsn string, who Account, role string) {
	t.Helper()
	OpenSide(t, dsn).MustExec(t, `UPDATE users SET role = '`+role+`' WHERE email_canonical = '`+who.Email+`'`)
}

// Expect runs a document and demands a code, "" for success.
func (i *Instance) Expect(t testing.TB, want, credential, document string, variables map[string]any) *Answer {
	t.Helper()
	a := i.GraphQL(t, credential, document, variables)
	if a.Code() != want {
		t.Errorf("%.60s %v: %s, want %q", document, variables, a.Raw, want)
	}
	return a
}

// AuditRow is a row of audit_events as text, "" for NULL.
type AuditRow struct {
	at                                                                              time.Time
	Action, Outcome, Reason, User, Session, Key, Methods, Dialect, ip, Agent, ReqID string
}

// Audit reads the events, the oldest first.
func (s *Side) Audit(t testing.TB) []AuditRow {
	t.Helper()
	rows, err := s.Query(`SELECT at, action, outcome, reason, user_id, session_id, key_id, methods, dialect, ip, ` +
		`user_agent,
request_id FROM audit_events ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []AuditRow
	for rows.Next() {
		var r AuditRow
		var reason, methods, ip, agent sql.NullString
		var user db.UserID
		var session db.SessionID
		var key db.KeyID
		if err := rows.Scan(&r.at, &r.Action, &r.Outcome, &reason, &user, &session, &key, &methods, &r.Dialect, &ip,
			&agent,
			&r.ReqID); err != nil {
			t.Fatal(err)
		}
		r.Reason, r.Methods, r.ip, r.Agent = reason.String, methods.String, ip.String, agent.String
		if !user.IsZero() {
			r.User = user.String()
		}
		if !session.IsZero() {
			r.Session = session.String()
		}
		if !key.IsZero() {
			r.Key = key.String()
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Asked sends a document with more header fields: name, value, name, value …
func Asked(t testing.TB, url, credential, document string, variables map[string]any, header ...string) *Answer {
	t.Helper()
	a, err := Send(url, credential, document, variables, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// InputOf makes the variables {input: {…}} of names and values in turn.
func InputOf(fields ...any) map[string]any {
	in := map[string]any{}
	for i := 0; i+1 < len(fields); i += 2 {
		in[fields[i].(string)] = fields[i+1]
	}
	return map[string]any{"input": in}
}

const auditAgent = "Mozilla/5.0 (X11; Linux x86_64) Audit/1.0"

// Auditor drives a server and looks at the one audit row that each operation leaves.
type Auditor struct {
	*Instance
	Side *Side
	Seen int
}

// ActionOf is the action of an event with this outcome: a failure has a name of its own.
func ActionOf(action, outcome string) string {
	for _, a := range db.Actions() {
		if outcome == "failed" && a.Done == action {
			return a.Failed
		}
	}
	return action
}

// Do sends a document and demands exactly one new audit row, or, with want.action "", none.
func (a *Auditor) Do(t *testing.T, want AuditRow, credential, document string, variables map[string]any) *Answer {
	t.Helper()
	a.Clock.Add(time.Millisecond)
	got := Asked(t, a.URL, credential, document, variables, "User-Agent", auditAgent)
	rows := a.Side.Audit(t)
	fresh := rows[a.Seen:]
	a.Seen = len(rows)
	if len(fresh) != 1 {
		t.Errorf("%s %s %s: %d audit rows, want 1 (answer %s)", want.Action, want.Outcome, want.Reason, len(fresh),
			got.Raw)
		return got
	}
	want.Action = ActionOf(want.Action, want.Outcome)
	want.at, want.Dialect, want.ip, want.Agent = db.Clock(a.Clock.Now()), "graphql", "127.0.0.1", auditAgent
	want.ReqID = got.Header.Get("X-Request-Id")
	row := fresh[0]
	if !row.at.Equal(want.at) {
		t.Errorf("%s %s: at %v, want %v", want.Action, want.Reason, row.at, want.at)
	}
	row.at = want.at
	row.Methods = strings.ReplaceAll(row.Methods, " ", "")
	if want.Session == "*" && row.Session != "" {
		row.Session = "*"
	}
	if want.Key == "*" && row.Key != "" {
		row.Key = "*"
	}
	if want.User == "*" && row.User != "" {
		row.User = "*"
	}
	if row != want {
		t.Errorf("the audit row is\n%+v, want\n%+v", row, want)
	}
	return got
}
