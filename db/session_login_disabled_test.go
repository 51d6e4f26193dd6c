package db_test

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// LG-09: where no mail can tell of it and bring another password, none is disabled: guessing for a day would shut the
// owner out for good.
func TestLG09_NotWithoutMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		fail := func(mails ...*db.Mail) {
			a, err := d.Attempt(from(t, ""), db.Identifier{Canonical: "ada@example.com"})
			if err != nil {
				t.Fatal(err)
			}
			a.Notices.Disabled = mails
			if err := d.LoginFailed(from(t, ""), a, "wrong_password", true, noon()); err != nil {
				t.Fatal(err)
			}
		}
		conn := dbtest.Beside(t, dsn)
		fail()
		execute(t, conn, `UPDATE throttles SET failures = 150`)
		fail()
		if n := count(t, conn, `users WHERE password_disabled_at IS NOT NULL`); n != 0 {
			t.Error("disabled without a mail")
		}
		fail(notice(u))
		if n := count(t, conn, `users WHERE password_disabled_at IS NOT NULL`); n != 1 || count(t, conn, `mails`) != 1 {
			t.Error("not disabled")
		}
	})
}
