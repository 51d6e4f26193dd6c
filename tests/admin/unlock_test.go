package admin

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	securityDoc = `query S($id: ID!) { user(id: $id) { security { failures lockedUntil passwordDisabledAt } } }`
	verifiedDoc = `query V($code: String!, $email: String!) {
  tokenIsValid(purpose: PASSWORD_RESET, token: $code, email: $email) }`
)

// security gives what a caller sees of an account, "" for null.
func security(t *testing.T, s *harness.Instance, credential, id string) string {
	t.Helper()
	a := s.GraphQL(t, credential, securityDoc, map[string]any{"id": id})
	if a.Code() != "" {
		t.Fatal(a.Raw)
	}
	v, _ := a.At("user", "security").(map[string]any)
	if v == nil {
		return ""
	}
	return fmt.Sprint(v["failures"], " ", v["lockedUntil"] != nil, " ", v["passwordDisabledAt"] != nil)
}

// locked makes an account that strangers and a thief closed everything for: the names, the session, the device, the
// password and the codes.
func locked(t *testing.T, s *harness.Instance, side *harness.Side, name string) (who harness.Account, device string) {
	t.Helper()
	email := name + "@example.com"
	a := harness.Fine(t, s.GraphQL(t, "", harness.RegisterDoc,
		harness.InputOf("email", email, "username", name, "password", harness.GoodPass)))
	who = harness.Account{
		ID: a.Text("register", "user", "id"), Email: email, Access: a.Text("register", "tokens", "accessToken"),
	}
	device = a.Text("register", "deviceToken")
	code := s.Mailed(t, harness.AskResetDoc, email, db.MailResetPassword).Code
	for n := range 5 {
		s.LoginFrom(t, fmt.Sprintf("198.51.100.%d", n), "email", email, harness.WrongPass)
		s.LoginFrom(t, fmt.Sprintf("198.51.100.%d", n), "username", name, harness.WrongPass)
		s.LoginOn(t, harness.Owner, device, email, harness.WrongPass)
		s.GraphQL(t, who.Access, harness.SudoDoc, harness.InputOf("password", harness.WrongPass))
		s.GraphQL(t, "", verifiedDoc, map[string]any{"code": other(code), "email": email})
	}
	side.MustExec(t, `UPDATE throttles SET failures = 99 WHERE scope = '*'`)
	s.Clock.Add(3 * time.Second)
	s.LoginFrom(t, harness.Attacker, "email", email, harness.WrongPass)
	return who, device
}

// flood uses up the budget of a mailbox.
func flood(t *testing.T, s *harness.Instance, email string) {
	t.Helper()
	for range 13 {
		s.Clock.Add(time.Minute + time.Second)
		for _, document := range []string{harness.AskMagicDoc, harness.AskResetDoc} {
			s.GraphQL(t, "", document, harness.InputOf("email", email))
			s.Deliver(t)
		}
	}
}

// other is a wrong code.
func other(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// TestLG23_Unlock locks an account in every way that strangers have, and lifts all of it: by an administrator and by a
// key over an ordinary account, by a person with a recent proof over an administrator.
func TestLG23_Unlock(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, "DRAGOMAN_ACCESS_TTL=24h", "DRAGOMAN_LIMIT_LOGIN=10000/15m",
			"DRAGOMAN_LIMIT_RECOVERY=10000/15m", "DRAGOMAN_LIMIT_VERIFICATION=10000/15m",
			"DRAGOMAN_LIMIT_ACCOUNT=10000/15m")
		side := harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		_, key := s.NewKey(t, root.Access, map[string]any{
			"scopes": []string{"PROFILE_READ", "USERS_READ", "USERS_WRITE"},
		})
		for n, by := range []string{root.Access, key} {
			ada, device := locked(t, s, side, fmt.Sprint("ada", n))
			if got := security(t, s, root.Access, ada.ID); got != "100 true true" {
				t.Errorf("locked: %q", got)
			}
			flood(t, s, ada.Email)
			before := len(s.Letters(t, ada.Email, db.MailResetPassword))
			harness.Fine(t, s.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", ada.Email)))
			if n := len(s.Letters(t, ada.Email, db.MailResetPassword)); n != before {
				t.Fatalf("the budget is not used up: %d mails, and %d before", n, before)
			}
			if got := security(t, s, root.Access, ada.ID); got != "100 false true" {
				t.Errorf("later: %q", got)
			}
			s.LoginFrom(t, harness.Attacker, "username", fmt.Sprint("ada", n), harness.WrongPass)
			for _, credential := range []string{ada.Access, ""} {
				harness.RefusedWith(t, s.GraphQL(t, credential, harness.UnlockDoc, harness.InputOf("id", ada.ID)),
					map[bool]string{true: "UNAUTHENTICATED", false: "FORBIDDEN"}[credential == ""])
			}
			a := harness.Fine(t, s.GraphQL(t, by, harness.UnlockDoc, harness.InputOf("id", ada.ID)))
			if v, _ := a.At("unlockUser", "user", "security").(map[string]any); v == nil ||
				v["failures"] != float64(0) || v["lockedUntil"] != nil || v["passwordDisabledAt"] != nil {
				t.Errorf("unlocked: %s", a.Raw)
			}
			if n := side.Count(t, `SELECT (SELECT count(*) FROM throttles) + `+
				`(SELECT count(*) FROM code_tries WHERE tries > 0)`); n != 0 {
				t.Errorf("%d rows are left", n)
			}
			harness.Fine(t, s.LoginFrom(t, harness.Attacker, "email", ada.Email, harness.GoodPass))
			harness.Fine(t, s.LoginFrom(t, harness.Attacker, "username", fmt.Sprint("ada", n), harness.GoodPass))
			harness.Fine(t, s.LoginOn(t, harness.Owner, device, ada.Email, harness.GoodPass))
			harness.Fine(t, s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)))
			harness.Fine(t, s.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", ada.Email)))
			letters := s.Letters(t, ada.Email, db.MailResetPassword)
			if len(letters) != before+1 {
				t.Fatalf("no mail to recover: %d, and %d before", len(letters), before)
			}
			if a := s.GraphQL(t, "", verifiedDoc, map[string]any{
				"code": letters[0].Code, "email": ada.Email,
			}); a.At("tokenIsValid") != true {
				t.Errorf("the code is not valid: %s", a.Raw)
			}
		}
	})
}

// TestLG23_Refused: an unlocked account leaves one event, and one that may not be unlocked stays locked.
func TestLG23_Refused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=1h", "DRAGOMAN_RATE_LIMITS=on")
		side := harness.OpenSide(t, dsn)
		root, boss := s.Admin(t, dsn, "root@example.com"), s.Admin(t, dsn, "boss@example.com")
		_, key := s.NewKey(t, root.Access, map[string]any{"scopes": []string{"USERS_WRITE"}})
		for range 5 {
			s.Login(t, boss.Email, harness.WrongPass)
		}
		harness.RefusedWith(t, s.GraphQL(t, key, harness.UnlockDoc, harness.InputOf("id", boss.ID)), "FORBIDDEN")
		for _, id := range []string{"nonsense", db.NewUserID().String()} {
			harness.RefusedWith(t, s.GraphQL(t, root.Access, harness.UnlockDoc, harness.InputOf("id", id)), "NOT_FOUND")
		}
		s.Clock.Add(11 * time.Minute)
		harness.RefusedWith(t, s.GraphQL(t, root.Access, harness.UnlockDoc, harness.InputOf("id", boss.ID)),
			"SUDO_REQUIRED")
		if got := security(t, s, root.Access, boss.ID); got != "5 false false" {
			t.Errorf("refused, and %q", got)
		}
		harness.Fine(t, s.GraphQL(t, root.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)))
		harness.Fine(t, s.GraphQL(t, root.Access, harness.UnlockDoc, harness.InputOf("id", boss.ID)))
		if got := security(t, s, root.Access, boss.ID); got != "0 false false" {
			t.Errorf("unlocked, and %q", got)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.unlocked' AND outcome = 'ok'`); n != 1 {
			t.Errorf("%d events", n)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.unlock_failed'`); n != 3 {
			t.Errorf("%d events of refusals", n)
		}
	})
}

// TestLG23_Security: what failures did shows to callers with USERS_READ, and to nobody else, the owner included. A page
// of accounts costs one statement for it, however long it is.
func TestLG23_Security(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SLOW_STATEMENT=1ns")
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		_, narrow := s.NewKey(t, root.Access, nil)
		for n := range 7 {
			s.Register(t, fmt.Sprintf("u%d@example.com", n))
		}
		for range 2 {
			s.Login(t, ada.Email, harness.WrongPass)
		}
		for name, row := range map[string]struct{ credential, id, want string }{
			"an administrator": {root.Access, ada.ID, "2 false false"}, "of their own": {root.Access, root.ID, "0 false false"},
			"the owner": {ada.Access, ada.ID, ""}, "a key without USERS_READ": {narrow, root.ID, ""},
		} {
			if got := security(t, s, row.credential, row.id); got != row.want {
				t.Errorf("%s: %q, want %q", name, got, row.want)
			}
		}
		for _, part := range []string{"nodes {", "edges { node {"} {
			doc := `{ users(first: 50) { ` + part + ` email security { failures } }` +
				strings.Repeat(" }", strings.Count(part, "{")) + ` }`
			a := harness.Fine(t, s.GraphQL(t, root.Access, doc, nil))
			if n := strings.Count(a.Raw, `"security"`); n != 9 || !strings.Contains(a.Raw, `"failures":2`) {
				t.Errorf("%d accounts: %s", n, a.Raw)
			}
			if n := strings.Count(strings.Join(s.Told(a), "\n"), "throttles"); n != 1 {
				t.Errorf("%s: %d statements for failures: %q", part, n, s.Told(a))
			}
		}
		s.Clock.Add(25 * time.Hour)
		if got := security(t, s, s.LoginAs(t, root, "BODY").Access, ada.ID); got != "0 false false" {
			t.Errorf("a day later: %q", got)
		}
	})
}
