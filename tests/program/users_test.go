package program

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestLG23_Terminal wants that the operator lifts what failures did to any account, beside a server that runs: it says
// what there was, and leaves an event without an actor.
func TestLG23_Terminal(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env, dir := harness.ProcessEnv(dsn), t.TempDir()
		s, side := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on"), harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		code := s.Mailed(t, harness.AskResetDoc, root.Email, db.MailResetPassword).Code
		for range 5 {
			s.Login(t, root.Email, harness.WrongPass)
			s.GraphQL(t, "", harness.ResetDoc, harness.InputOf("token", strings.Map(func(r rune) rune {
				return '0' + (r-'0'+1)%10
			}, code), "email", root.Email, "newPassword", harness.NewPass))
		}
		side.MustExec(t, `UPDATE users SET password_disabled_at = created_at`)
		got := command(t, dir, env, "users", "unlock", "Root@example.com")
		if got.code != 0 || got.stderr != "" ||
			!strings.HasPrefix(got.stdout, root.ID+" is unlocked: 5 failed sign-ins are forgotten, ") ||
			!strings.Contains(got.stdout, " is in force again") {
			t.Errorf("%+v", got)
		}
		if n := side.Count(t, `SELECT (SELECT count(*) FROM throttles) + (SELECT count(*) FROM code_tries) + `+
			`(SELECT count(*) FROM users WHERE password_disabled_at IS NOT NULL)`); n != 0 {
			t.Errorf("%d are left", n)
		}
		harness.Fine(t, s.Login(t, root.Email, harness.GoodPass))
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.unlocked' AND `+
			`dialect = 'terminal' AND actor_id IS NULL`); n != 1 {
			t.Errorf("%d events", n)
		}
		if got := command(t, dir, env, "users", "unlock", "nobody@example.com"); got.code != 1 || got.stdout != "" ||
			!strings.Contains(got.stderr, "no account") {
			t.Errorf("nobody: %+v", got)
		}
	})
}

// TestAZ13_SetEmail wants that the operator gives any account another address, beside a server that runs: it is
// confirmed, password, sessions and earlier mails end, the former address gets a notice without a link, and the new one
// a mail to choose a password.
func TestAZ13_SetEmail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env, dir := harness.ProcessEnv(dsn), t.TempDir()
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		s.Register(t, "taken@example.com")
		reset := s.Mailed(t, harness.AskResetDoc, root.Email, db.MailResetPassword).Token
		got := command(t, dir, env, "users", "set-email", root.ID, "Next@example.com")
		if got.code != 0 || got.stderr != "" || got.stdout != root.ID+
			" had the email address root@example.com and has Next@example.com now, confirmed. "+
			"Password, sessions and API keys ended. A mail to the new address lets its reader choose a password.\n" {
			t.Errorf("%+v", got)
		}
		s.Expect(t, "INVALID_TOKEN", "", harness.ResetDoc,
			harness.InputOf("token", reset, "newPassword", harness.NewPass))
		if s.Is(t, root.Access, root) {
			t.Error("a session goes on")
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users WHERE taken_over_at IS NOT NULL`); n !=
			1 {
			t.Errorf("%d accounts have another person", n)
		}
		harness.RefusedWith(t, s.Login(t, "next@example.com", harness.GoodPass), "INVALID_CREDENTIALS")
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc, harness.InputOf(
			"token", s.Letter(t, "next@example.com", db.MailSetPassword).Token, "newPassword", harness.NewPass)))
		in := harness.Fine(t, s.Login(t, "next@example.com", harness.NewPass)).Text("login", "tokens", "accessToken")
		if a := s.GraphQL(t, in, `{ me { emailVerified } }`, nil); a.At("me", "emailVerified") != true {
			t.Error(a.Raw)
		}
		if l := s.Letter(t, root.Email, db.MailEmailChanged); l.Token != "" ||
			l.Mail.Data.NewAddress != "Next@example.com" {
			t.Errorf("%+v", l.Mail)
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.updated' `+
			`AND reason = 'email' AND dialect = 'terminal' AND actor_id IS NULL`); n != 1 {
			t.Errorf("%d events", n)
		}
		for _, refused := range []struct{ who, email, says string }{
			{"next@example.com", "taken@example.com", "choose another one"},
			{"nobody@example.com", "x@example.com", "no account"},
			{"next@example.com", "nonsense", "nonsense"},
		} {
			got := command(t, dir, env, "users", "set-email", refused.who, refused.email)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, refused.says) {
				t.Errorf("%v: %+v", refused, got)
			}
		}
		if got := command(t, dir, env, "users", "set-email", "next@example.com", "next@example.com"); got.code != 0 ||
			!s.Is(t, in, root) {
			t.Errorf("another spelling: %+v", got)
		}
	})
}

// AZ-04, AZ-13, LG-23: every command that takes an account takes it by its id, its email address, its username or the
// id of its former system.
func TestAZ04_AccountsNamed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env, dir := harness.ProcessEnv(dsn), t.TempDir()
		s := harness.Start(t, dsn)
		s.Admin(t, dsn, "root@example.com")
		if got := command(t, dir, env, "users", "import", fileOf(t, "users.ndjson",
			`{"id": "auth0|5:7", "email": "ada@example.com", "username": "ada", "emailVerified": true}`)); got.code !=
			0 {
			t.Fatalf("%+v", got)
		}
		id, _, _ := strings.Cut(command(t, dir, env, "users", "unlock", "ada").stdout, " ")
		for _, who := range []string{id, "Ada@example.com", "Ada", "external:auth0|5:7"} {
			for _, args := range [][]string{
				{"admin", "promote", who},
				{"admin", "demote", who},
				{"users", "unlock", who},
				{"users", "set-email", who, "ada@example.com"},
			} {
				if got := command(t, dir, env, args...); got.code != 0 || !strings.Contains(got.stdout, id) {
					t.Errorf("%v: %+v", args, got)
				}
			}
		}
		for _, who := range []string{"external:", "external:auth0|5", "auth0|5:7", "user_00000000000000000000000001"} {
			if got := command(t, dir, env, "admin", "promote", who); got.code != 1 ||
				!strings.Contains(got.stderr, "external:ID") {
				t.Errorf("%s: %+v", who, got)
			}
		}
	})
}

// TestMF17_Terminal wants that the operator removes the second factors of any account beside a server that runs, that
// the owner is told, and that a command ends the sessions in which no second factor was shown once one is required.
func TestMF17_Terminal(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env, dir := harness.ProcessEnv(dsn), t.TempDir()
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		s.Enrols(t, root.Access)
		got := command(t, dir, env, "users", "reset-mfa", root.Email)
		if got.code != 0 || !strings.HasPrefix(got.stdout, root.ID+" has no second factor any more") {
			t.Errorf("%+v", got)
		}
		harness.Fine(t, s.Login(t, root.Email, harness.GoodPass))
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'mfa.reset' AND `+
			`dialect = 'terminal' AND actor_id IS NULL`); n != 1 {
			t.Errorf("%d events", n)
		}
		if n := side.Count(t, `SELECT count(*) FROM mails WHERE kind = 'second-factor' AND dialect = 'terminal'`); n !=
			1 {
			t.Errorf("%d notices", n)
		}
		if got := command(t, dir, env, "users", "reset-mfa", ada.Email); got.code != 1 ||
			!strings.Contains(got.stderr, "no second factor") {
			t.Errorf("%+v", got)
		}

		s.Enrols(t, ada.Access) // raises that session
		if got := command(t, dir, env, "users", "end-sessions", "--without-factor"); got.code != 1 ||
			!strings.Contains(got.stderr, "DRAGOMAN_MFA") {
			t.Errorf("%+v", got)
		}
		got = command(t, dir, append(env, "DRAGOMAN_MFA=required"), "users", "end-sessions", "--without-factor")
		if got.code != 0 || !strings.Contains(got.stdout, " of 1 accounts") {
			t.Errorf("%+v", got)
		}
		if s.Is(t, root.Access, root) || !s.Is(t, ada.Access, ada) {
			t.Error("the wrong sessions ended")
		}
	})
}
