package mail

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// askings are the mutations by which anybody asks for a mail to any address.
func askings() map[string]db.MailKind {
	return map[string]db.MailKind{
		harness.SendVerifyDoc: db.MailVerifyEmail, harness.AskResetDoc: db.MailResetPassword,
		harness.AskMagicDoc: db.MailMagicLink,
	}
}

// LG-05: to ask for a mail to an address that is somebody's, nobody's, suspended or confirmed makes no difference,
// neither in the answer nor in what the server does for it.
func TestLG05_Uniform(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		// The mails of the registrations wait, so that eve is suspended before hers is looked at.
		i := harness.Start(t, dsn, harness.MailWaits, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SLOW_STATEMENT=1ns")
		for _, email := range []string{"ada@example.com", "eve@example.com", "carl@example.com"} {
			i.Register(t, email)
		}
		s := harness.OpenSide(t, dsn)
		s.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
		s.MustExec(t, `UPDATE users SET email_verified_at = created_at, password_hash = NULL WHERE email_canonical = `+
			`'carl@example.com'`)
		for document := range askings() {
			var body string
			var did []string
			for _, email := range []string{
				"warm@example.com", "ada@example.com", "nobody@example.com",
				"eve@example.com", "carl@example.com",
			} {
				a := harness.Fine(t, i.GraphQL(t, "", document, harness.InputOf("email", email)))
				texts := i.Told(a)
				if email == "warm@example.com" {
					if body, did = a.Raw, texts; len(did) == 0 {
						t.Fatal("nothing is logged")
					}
				}
				if a.Raw != body || !slices.Equal(texts, did) {
					t.Errorf("%s for %s:\n%s\n%s\nnot\n%s\n%s", document, email, a.Raw, strings.Join(texts, "\n"), body,
						strings.Join(did, "\n"))
				}
			}
		}
		for _, nobody := range []string{"nobody@example.com", "eve@example.com", "warm@example.com"} {
			if got := i.Letters(t, nobody, ""); len(got) != 0 {
				t.Errorf("%d mails to %s", len(got), nobody)
			}
		}
		if got := i.Letters(t, "carl@example.com", ""); len(got) != 2 { // nothing to confirm
			t.Errorf("%d mails to somebody without a password", len(got))
		}
		// A code beside an address that is nobody's is like a wrong one.
		known := i.GraphQL(t, "", harness.MagicDoc,
			harness.InputOf("token", wrongCode(i.Letter(t, "ada@example.com", db.MailMagicLink)), "email",
				"ada@example.com"))
		unknown := i.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", "123456", "email", "nobody@example.com"))
		if did, got := i.Told(known), i.Told(unknown); known.Raw != unknown.Raw || !slices.Equal(got, did) {
			t.Errorf("%s\n%s\nnot\n%s\n%s", unknown.Raw, strings.Join(got, "\n"), known.Raw, strings.Join(did, "\n"))
		}
	})
}

// TestLG05_Timing compares how long it takes to ask for a mail to an address that is somebody's and to one that is not.
// Nothing else of this package runs beside it.
func TestLG05_Timing(t *testing.T) { //nolint:paralleltest // it measures
	pairs, bound := 60, 0.6
	if harness.FullRun {
		pairs, bound = 1000, 0.05
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			i := harness.Start(t, dsn(t))
			i.Register(t, "ada@example.com")
			took := map[string][]time.Duration{}
			for n := range pairs + 3 {
				for k := range 2 {
					class := []string{"ada@example.com", "nobody@example.com"}[(n+k)%2]
					began := time.Now()
					harness.Fine(t, i.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", class)))
					if n >= 3 { // the first ones prepare statements
						took[class] = append(took[class], time.Since(began))
					}
				}
			}
			median := func(class string) time.Duration {
				slices.Sort(took[class])
				return took[class][len(took[class])/2]
			}
			known, unknown := median("ada@example.com"), median("nobody@example.com")
			t.Logf("medians of %d: known %v, unknown %v", pairs, known, unknown)
			if difference := (known - unknown).Abs().Seconds() / known.Seconds(); difference > bound {
				t.Errorf("they differ by %.1f %%", 100*difference)
			}
		})
	}
}

// OT-17: a mailbox gets twelve mails within an hour and thirty within a day, of all kinds together, whoever asks and
// however it is written, and nobody can tell. On Postgres all instances count together.
func TestOT17_Flood(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		s := harness.OpenSide(t, dsn)
		ada := i.Register(t, "ada@example.com") // which mails too
		instances := []*harness.Instance{i, i}
		if s.Postgres {
			instances[1] = harness.StartWithClock(t, i.Clock, dsn, "DRAGOMAN_RATE_LIMITS=on")
		}
		began := i.Clock.Now()
		id := regexp.MustCompile(`req_[0-9a-z]+`)
		for _, c := range []struct{ hour, mails int }{{0, 12}, {1, 24}, {2, 30}, {3, 30}, {25, 42}} {
			i.Clock.Add(began.Add(time.Duration(c.hour) * time.Hour).Sub(i.Clock.Now()))
			for document := range askings() {
				bodies := map[string]bool{}
				for n := range 10 {
					i.Clock.Add(30 * time.Second)
					for _, email := range []string{"Ada@example.com", "nobody@example.com"} {
						a := harness.Fine(t, instances[n%2].GraphQL(t, "", document, harness.InputOf("email", email)))
						bodies[id.ReplaceAllString(a.Raw, "")] = true
						i.Deliver(t) // one that a newer one overtakes is not sent
					}
				}
				if len(bodies) != 1 {
					t.Errorf("%s: %v", document, bodies)
				}
			}
			if got := len(i.Letters(t, ada.Email, "")); got != c.mails {
				t.Errorf("%d mails in the hour %d", got, c.hour)
			}
		}
	})
}

// afterTable is what a dump says of a table.
func afterTable(stored, table string) string {
	_, rest, _ := strings.Cut(stored, table)
	return rest
}

// OT-10: a mail goes to the address of an account as it stands there, or nowhere.
func TestOT10_StoredAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		admin := i.Register(t, "Admin@Example.com")
		for text, mailed := range map[string]bool{
			"ADMIN@EXAMPLE.COM": true, " admin@example.com ": true,
			"ADM\u0130N@example.com": false, "adm\u0131n@example.com": false, "\u0430dmin@example.com": false,
			"admin@ex\u0430mple.com":                    false,
			"admin@example.com\r\nBcc: eve@example.com": false, "admin@example.com,eve@example.com": false,
			"<admin@example.com>": false,
			"admin@example.com.":  false, "admin+x@example.com": false, "a.dmin@example.com": false,
			"\uff41dmin@example.com": false,
			"admin@example\u3002com": true, // UTS #46: another way to write the dot of the same domain
			"admin":                  false, "": false,
		} {
			before := len(i.Letters(t, "admin@example.com", db.MailMagicLink))
			i.GraphQL(t, "", harness.AskMagicDoc, harness.InputOf("email", text))
			if got := len(i.Letters(t, "admin@example.com", db.MailMagicLink)) - before; (got == 1) != mailed {
				t.Errorf("%q: %d mails", text, got)
			}
		}
		if n := s.Count(t,
			`SELECT count(*) FROM mails WHERE resolved_at IS NOT NULL AND address <> 'Admin@Example.com'`); n != 0 {
			t.Errorf("%d mails went elsewhere than %s", n, admin.Email)
		}
	})
}

// OT-07: what a request says of itself is in no mail. The one place to return to that a request
// can name is compared with a list (OT-08) and stands in no link.
func TestOT07_SpoofedHost(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		ada := i.Register(t, "ada@example.com")
		for document, kind := range askings() {
			for _, header := range []string{
				"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host",
				"Referer", "X-Forwarded-Prefix", "X-Http-Host-Override",
			} {
				harness.Asked(t, i.URL, "", document, harness.InputOf("email", ada.Email), header, "evil.test")
			}
			l := i.Letter(t, ada.Email, kind)
			if l.Mail.Link != "" || l.Mail.Dialect != "graphql" {
				t.Errorf("%+v", l.Mail)
			}
		}
		if strings.Contains(afterTable(harness.Dump(t, dsn), "mails"), "evil.test") {
			t.Error("the host is kept")
		}
		for _, def := range harness.Schema().Types {
			for _, field := range def.Fields {
				if def.Kind == ast.InputObject &&
					regexp.MustCompile(`(?i)redirect|callback|return|url`).MatchString(field.Name) &&
					field.Name != "returnTo" { // which is compared with a list (OT-39)
					t.Errorf("%s.%s", def.Name, field.Name)
				}
			}
		}
	})
}

// OT-12: nobody says of themselves that an address is confirmed.
func TestOT12_NoSelfService(t *testing.T) {
	t.Parallel()
	for _, root := range []*ast.Definition{harness.Schema().Mutation} {
		for _, field := range root.Fields {
			if field.Directives.ForName("requiresPermission") != nil {
				continue
			}
			for _, argument := range field.Arguments {
				for _, in := range harness.Schema().Types[argument.Type.Name()].Fields {
					if strings.Contains(strings.ToLower(in.Name), "verified") || in.Name == "status" ||
						in.Name == "role" {
						t.Errorf("%s(%s) takes %s", field.Name, argument.Name, in.Name)
					}
				}
			}
		}
	}
}

// LG-12: failures never stand in the way of a reset, a reset forgets them, and to ask for one locks nothing.
func TestLG12_Lockout(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		s := harness.OpenSide(t, dsn)
		ada := i.Register(t, "ada@example.com")
		for n := range 30 {
			i.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", ada.Email))
			i.GraphQL(t, "", harness.ResetDoc, harness.InputOf("token", fmt.Sprintf("%06d", n), "email", ada.Email,
				"newPassword", harness.NewPass))
		}
		harness.Fine(t, i.Login(t, ada.Email, harness.GoodPass))
		s.MustExec(t, `DELETE FROM one_time_tokens`)
		i.Clock.Add(time.Hour)
		for range 6 {
			i.Login(t, ada.Email, "wrong horse battery staple")
		}
		s.MustExec(t, `UPDATE users SET password_disabled_at = created_at`) // LG-09
		harness.RefusedWith(t, i.Login(t, ada.Email, harness.GoodPass), "ACCOUNT_LOCKED")
		l := i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		i.Login(t, ada.Email, "wrong horse battery staple")
		harness.Fine(t, i.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		if n := s.Count(t, `SELECT (SELECT count(*) FROM throttles) + (SELECT count(*) FROM users WHERE `+
			`password_disabled_at IS NOT NULL)`); n != 0 {
			t.Error("the failures are remembered")
		}
		harness.Fine(t, i.Login(t, ada.Email, harness.NewPass))
	})
}
