package program

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// MI-09: hashes that come weeks after the accounts go to those that still have no password, and to nobody who chose or
// lost one here, became an administrator, has another address, or proved an address that the former system did not know
// to be proved. A hash alone makes no account.
func TestMI09_HashesLater(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, env, dir := harness.Start(t, dsn), harness.ProcessEnv(dsn), t.TempDir()
		names := []string{"plain", "chose", "moved", "chief", "proved", "mailed", "other"}
		var users, hashes []string
		hash := hashOf(t)
		for _, name := range names {
			email := name + "@example.com"
			verified := map[bool]string{true: "true", false: "false"}[name != "proved"]
			users = append(users, `{"user_id":"auth0|`+name+`","email":"`+email+`","email_verified":`+verified+`}`)
			if name == "other" {
				email = "somebody@example.com"
			}
			hashes = append(hashes, `{"_id":{"$oid":"`+name+`"},"email":"`+email+`","email_verified":`+verified+
				`,"passwordHash":"`+hash+`"}`)
		}
		hashes = append(hashes, `{"_id":{"$oid":"nobody"},"email":"nobody@example.com","passwordHash":"`+hash+`"}`)
		run := func(want string, args ...string) {
			t.Helper()
			if got := command(t, dir, env, args...); got.code != 0 || !strings.Contains(got.stdout, want) {
				t.Errorf("%v: %+v; want %s", args, got, want)
			}
		}
		run("7 records: 7 imported.\n7: no password comes along; ", "users", "import", "--from=auth0",
			fileOf(t, "users.json", users...))
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc, harness.InputOf("newPassword", harness.NewPass, "token",
			s.Mailed(t, harness.AskResetDoc, "chose@example.com", db.MailResetPassword).Token)))
		run("", "users", "set-email", "moved@example.com", "away@example.com")
		run("", "users", "set-email", "away@example.com", "moved@example.com")
		run("", "admin", "promote", "chief@example.com")
		for _, name := range []string{"proved", "mailed"} {
			harness.Fine(t, s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token",
				s.Mailed(t, harness.AskMagicDoc, name+"@example.com", db.MailMagicLink).Token)))
		}
		const (
			taken = "2: there already, and without a password: the account takes the hash of the file (line 1; line 6).\n"
			left  = "4: there already, and without a password, and the hash stays out: "
			alone = "1 passed over: a password hash without an account, neither in the files nor here (line 8).\n"
		)
		file := fileOf(t, "hashes.json", hashes...)
		for _, want := range []string{"7 records: 0 can be imported", taken, left, alone} {
			run(want, "users", "import", "--from=auth0", file, "--check")
		}
		run(taken, "users", "import", "--from=auth0", file)
		run("7 records: 0 imported, 7 are there already.\n", "users", "import", "--from=auth0", file)
		for _, name := range []string{"plain", "mailed"} {
			harness.Fine(t, s.Login(t, name+"@example.com", harness.GoodPass))
		}
		harness.Fine(t, s.Login(t, "chose@example.com", harness.NewPass))
		for _, name := range []string{"chose", "moved", "chief", "proved", "other", "somebody", "nobody"} {
			harness.RefusedWith(t, s.Login(t, name+"@example.com", harness.GoodPass), "INVALID_CREDENTIALS")
		}
		side := harness.OpenSide(t, dsn)
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'password.imported' AND dialect = `+
			`'terminal' AND user_id IN (SELECT id FROM users WHERE external_id IN ('auth0|plain', 'auth0|mailed'))`); n != 2 {
			t.Errorf("%d events", n)
		}
		if n := side.Count(t, `SELECT sum(imported) FROM foreign_hashes`); n != 2 {
			t.Errorf("%d hashes are counted, so that unknown names imitate them (LG-03)", n)
		}
	})
}
