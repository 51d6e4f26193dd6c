package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// askings are the mutations by which anybody asks for a mail to any address.
func askings() map[string]db.MailKind {
	return map[string]db.MailKind{sendVerifyDoc: db.MailVerifyEmail, askResetDoc: db.MailResetPassword, askMagicDoc: db.MailMagicLink}
}

// told gives the statements that the server logged for the request of an answer, where it logs all of them.
func (i *instance) told(a *answer) (texts []string) {
	for line := range strings.Lines(i.log.String()) {
		var entry struct {
			Msg, SQL  string
			RequestID string `json:"request_id"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "slow statement" && entry.RequestID == a.Header.Get("X-Request-Id") {
			texts = append(texts, entry.SQL)
		}
	}
	return texts
}

// LG-05: to ask for a mail to an address that is somebody's, nobody's, suspended or confirmed makes no difference, neither in the
// answer nor in what the server does for it.
func TestLG05_Uniform(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SLOW_STATEMENT=1ns")
		for _, email := range []string{"ada@example.com", "eve@example.com", "carl@example.com"} {
			i.register(t, email)
		}
		s := openSide(t, dsn)
		s.exec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'eve@example.com'`)
		s.exec(t, `UPDATE users SET email_verified_at = created_at, password_hash = NULL WHERE email_canonical = 'carl@example.com'`)
		for document := range askings() {
			var body string
			var did []string
			for _, email := range []string{"warm@example.com", "ada@example.com", "nobody@example.com", "eve@example.com", "carl@example.com"} {
				a := fine(t, i.graphql(t, "", document, inputOf("email", email)))
				texts := i.told(a)
				if email == "warm@example.com" {
					if body, did = a.Raw, texts; len(did) == 0 {
						t.Fatal("nothing is logged")
					}
				}
				if a.Raw != body || !slices.Equal(texts, did) {
					t.Errorf("%s for %s:\n%s\n%s\nnot\n%s\n%s", document, email, a.Raw, strings.Join(texts, "\n"), body, strings.Join(did, "\n"))
				}
			}
		}
		for _, nobody := range []string{"nobody@example.com", "eve@example.com", "warm@example.com"} {
			if got := i.letters(t, nobody, ""); len(got) != 0 {
				t.Errorf("%d mails to %s", len(got), nobody)
			}
		}
		if got := i.letters(t, "carl@example.com", ""); len(got) != 2 { // nothing to confirm
			t.Errorf("%d mails to somebody without a password", len(got))
		}
		// A code beside an address that is nobody's is like a wrong one.
		known := i.graphql(t, "", magicDoc, inputOf("token", wrongCode(i.letter(t, "ada@example.com", db.MailMagicLink)), "email", "ada@example.com"))
		unknown := i.graphql(t, "", magicDoc, inputOf("token", "123456", "email", "nobody@example.com"))
		if did, got := i.told(known), i.told(unknown); known.Raw != unknown.Raw || !slices.Equal(got, did) {
			t.Errorf("%s\n%s\nnot\n%s\n%s", unknown.Raw, strings.Join(got, "\n"), known.Raw, strings.Join(did, "\n"))
		}
	})
}

// TestLG05_Timing compares how long it takes to ask for a mail to an address that is somebody's and to one that is not. Nothing
// else of this package runs beside it.
func TestLG05_Timing(t *testing.T) { //nolint:paralleltest // it measures
	pairs, bound := 60, 0.6
	if fullRun {
		pairs, bound = 1000, 0.05
	}
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			i := start(t, dsn(t))
			i.register(t, "ada@example.com")
			took := map[string][]time.Duration{}
			for n := range pairs + 3 {
				for k := range 2 {
					class := []string{"ada@example.com", "nobody@example.com"}[(n+k)%2]
					began := time.Now()
					fine(t, i.graphql(t, "", askResetDoc, inputOf("email", class)))
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

// OT-17: an address gets five mails of a kind within any hour and one a minute, whoever asks and however it is written, and
// nobody can tell. On Postgres all instances count together, by a name that tells no address.
func TestOT17_Flood(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		s := openSide(t, dsn)
		ada := i.register(t, "ada@example.com")
		before := len(i.letters(t, ada.Email, db.MailVerifyEmail)) // register may have mailed
		instances := []*instance{i, i}
		if s.postgres {
			instances[1] = startWithClock(t, i.clock, dsn, "DRAGOMAN_RATE_LIMITS=on")
		}
		id := regexp.MustCompile(`req_[0-9a-z]+`)
		for document, kind := range askings() {
			if kind == db.MailVerifyEmail {
				i.clock.add(time.Hour)
			}
			bodies := map[string]bool{}
			for n := range 20 {
				if n%2 == 0 {
					i.clock.add(time.Minute)
				}
				for _, email := range []string{"Ada@example.com", "nobody@example.com"} {
					a := fine(t, instances[n%2].graphql(t, "", document, inputOf("email", email)))
					bodies[id.ReplaceAllString(a.Raw, "")] = true
				}
			}
			want := 5
			if kind == db.MailVerifyEmail {
				want += before
			}
			if got := len(i.letters(t, ada.Email, kind)); got != want {
				t.Errorf("%s: %d mails", kind, got)
			}
			if len(bodies) != 1 {
				t.Errorf("%s: %v", kind, bodies)
			}
			i.clock.add(59 * time.Minute)
			fine(t, i.graphql(t, "", document, inputOf("email", ada.Email)))
			if got := len(i.letters(t, ada.Email, kind)); got != want+1 {
				t.Errorf("%s: %d mails an hour later", kind, got)
			}
			i.clock.add(15 * time.Minute)
		}
		if stored := dump(t, dsn); s.postgres && strings.Contains(afterTable(stored, "rate_limits"), "example.com") {
			t.Error("AU-02: a limit names an address")
		}
		if n := s.count(t, `SELECT count(*) FROM audit_events WHERE reason = 'limited' AND outcome = 'ok'`); n == 0 {
			t.Error("what was not mailed is not noted")
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
		i := start(t, dsn)
		s := openSide(t, dsn)
		admin := i.register(t, "Admin@Example.com")
		for text, mailed := range map[string]bool{
			"ADMIN@EXAMPLE.COM": true, " admin@example.com ": true,
			"ADM\u0130N@example.com": false, "adm\u0131n@example.com": false, "\u0430dmin@example.com": false, "admin@ex\u0430mple.com": false,
			"admin@example.com\r\nBcc: eve@example.com": false, "admin@example.com,eve@example.com": false, "<admin@example.com>": false,
			"admin@example.com.": false, "admin+x@example.com": false, "a.dmin@example.com": false, "\uff41dmin@example.com": false,
			"admin@example\u3002com": true, // UTS #46: another way to write the dot of the same domain
			"admin":                  false, "": false,
		} {
			before := len(i.letters(t, "admin@example.com", db.MailMagicLink))
			i.graphql(t, "", askMagicDoc, inputOf("email", text))
			if got := len(i.letters(t, "admin@example.com", db.MailMagicLink)) - before; (got == 1) != mailed {
				t.Errorf("%q: %d mails", text, got)
			}
		}
		if n := s.count(t, `SELECT count(*) FROM mails WHERE resolved_at IS NOT NULL AND address <> 'Admin@Example.com'`); n != 0 {
			t.Errorf("%d mails went elsewhere than %s", n, admin.Email)
		}
	})
}

// OT-07: what a request says of itself is in no mail. There is nothing like a redirect that a request could name (OT-08).
func TestOT07_SpoofedHost(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		ada := i.register(t, "ada@example.com")
		for document, kind := range askings() {
			for _, header := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-Host", "Referer", "X-Forwarded-Prefix", "X-Http-Host-Override"} {
				asked(t, i.URL, "", document, inputOf("email", ada.Email), header, "evil.test")
			}
			l := i.letter(t, ada.Email, kind)
			if l.Mail.Link != "" || l.Mail.Dialect != "graphql" {
				t.Errorf("%+v", l.Mail)
			}
		}
		if strings.Contains(afterTable(dump(t, dsn), "mails"), "evil.test") {
			t.Error("the host is kept")
		}
		for _, def := range schema().Types {
			for _, field := range def.Fields {
				if def.Kind == ast.InputObject && regexp.MustCompile(`(?i)redirect|callback|returnTo`).MatchString(field.Name) {
					t.Errorf("%s.%s", def.Name, field.Name)
				}
			}
		}
	})
}

// OT-12: nobody says of themselves that an address is confirmed.
func TestOT12_NoSelfService(t *testing.T) {
	t.Parallel()
	for _, root := range []*ast.Definition{schema().Mutation} {
		for _, field := range root.Fields {
			if field.Directives.ForName("requiresPermission") != nil {
				continue
			}
			for _, argument := range field.Arguments {
				for _, in := range schema().Types[argument.Type.Name()].Fields {
					if strings.Contains(strings.ToLower(in.Name), "verified") || in.Name == "status" || in.Name == "role" {
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
		i := start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		s := openSide(t, dsn)
		ada := i.register(t, "ada@example.com")
		for n := range 30 {
			i.graphql(t, "", askResetDoc, inputOf("email", ada.Email))
			i.graphql(t, "", resetDoc, inputOf("token", fmt.Sprintf("%06d", n), "email", ada.Email, "newPassword", newPass))
		}
		fine(t, i.login(t, ada.Email, goodPass))
		s.exec(t, `DELETE FROM one_time_tokens`)
		i.clock.add(time.Hour)
		for range 6 {
			i.login(t, ada.Email, "wrong horse battery staple")
		}
		s.exec(t, `UPDATE users SET password_disabled_at = created_at`) // LG-09
		refusedWith(t, i.login(t, ada.Email, goodPass), "ACCOUNT_LOCKED")
		l := i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		i.login(t, ada.Email, "wrong horse battery staple")
		fine(t, i.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", newPass)))
		if n := s.count(t, `SELECT (SELECT count(*) FROM throttles) + (SELECT count(*) FROM users WHERE password_disabled_at IS NOT NULL)`); n != 0 {
			t.Error("the failures are remembered")
		}
		fine(t, i.login(t, ada.Email, newPass))
	})
}
