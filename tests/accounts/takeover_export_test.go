package accounts

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
	strangersAgent = "StrangersBrowser/9.7"
	behindProxy    = "DRAGOMAN_TRUSTED_PROXIES=127.0.0.0/8"
)

// strangerAt makes an account with an address that its person mistyped, and leaves traces of that person in all lists.
// It gives the id
// of the account, and what nobody else may see of them.
func strangerAt(t *testing.T, s *harness.Instance, email string, n int) (id string, traces []string) {
	t.Helper()
	traces = []string{
		strangersAgent, fmt.Sprintf("198.51.100.%d", n), fmt.Sprintf("strangers key %d", n),
		fmt.Sprintf("stranger%d@example.net", n),
	}
	as := func(credential, document string, input map[string]any) *harness.Answer {
		return harness.Fine(t, harness.Asked(t, s.URL, credential, document, input,
			"User-Agent", traces[0], "X-Forwarded-For", traces[1]))
	}
	a := as("", harness.RegisterDoc, harness.InputOf("email", email, "password", harness.GoodPass,
		"username", fmt.Sprintf("stranger%d", n), "name", "A Stranger"))
	access := a.Text("register", "tokens", "accessToken")
	s.NewKey(t, access, map[string]any{"name": traces[2]})
	as(access, askDoc, harness.InputOf("email", traces[3]))
	s.Deliver(t)
	return a.Text("register", "user", "id"), traces
}

// importedTraces gives an account what an import would have brought along.
func importedTraces(t *testing.T, side *harness.Side, email string) {
	t.Helper()
	blob := `x'01'`
	if side.Postgres {
		blob = `'\x01'::bytea`
	}
	of := ` FROM users WHERE email_canonical = '` + email + `'`
	side.MustExec(t, `INSERT INTO linked_identities (provider, subject, user_id, email, created_at)
SELECT 'google', email, id, 'stranger@gmail.test', created_at`+of)
	side.MustExec(t, `INSERT INTO authenticators (id, user_id, name, sealed, created_at, confirmed_at) SELECT id, id, 'App', `+blob+`, created_at, created_at`+of)
	side.MustExec(t, `UPDATE users SET phone = '+4930123456', app_metadata = '{"tier":"gold"}', `+
		`external_id = 'old|'||email WHERE email_canonical = '`+email+`'`)
}

// countOf counts the rows of a table that belong to the account of an address.
func countOf(t *testing.T, side *harness.Side, table, email string) int {
	t.Helper()
	return side.Count(t, `SELECT count(*) FROM `+table+
		` x JOIN users u ON u.id = x.user_id WHERE u.email_canonical = '`+
		email+`'`)
}

// ownersWay is a way in which the owner of a mailbox comes to the account that somebody else made with its address.
type ownersWay struct {
	name   string
	keeps  bool // the way is no take-over: nothing is removed
	follow func(t *testing.T, s *harness.Instance, who harness.Account, empty bool)
}

func ownersWays() []ownersWay {
	by := func(ask string, kind db.MailKind, redeem string, code bool, in ...any) func(
		*testing.T, *harness.Instance, harness.Account, bool) {
		return func(t *testing.T, s *harness.Instance, who harness.Account, empty bool) {
			t.Helper()
			l := s.Mailed(t, ask, who.Email, kind)
			fields := append(in, "token", l.Token, "startEmpty", empty)
			if code {
				fields = append(in, "token", l.Code, "email", who.Email, "startEmpty", empty)
			}
			harness.Fine(t, s.GraphQL(t, "", redeem, harness.InputOf(fields...)))
		}
	}
	password := []any{"newPassword", harness.NewPass}
	ways := []ownersWay{{"confirmation", true, func(t *testing.T, s *harness.Instance, who harness.Account, _ bool) {
		t.Helper()
		harness.Fine(t, s.Proves(t, who.Email))
	}}}
	for _, code := range []bool{false, true} {
		ways = append(ways,
			ownersWay{
				fmt.Sprint("reset, code ", code), false,
				by(harness.AskResetDoc, db.MailResetPassword, harness.ResetDoc, code, password...),
			},
			ownersWay{
				fmt.Sprint("magic link, code ", code), false,
				by(harness.AskMagicDoc, db.MailMagicLink, harness.MagicDoc, code),
			})
	}
	return ways
}

// AU-08, OT-57: whoever comes to an account by the mailbox of its address, or by an administrator, gets nothing of the
// person before in an export, and everything of their own.
func TestAU08_AfterTakeOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, behindProxy)
		root := s.Admin(t, dsn, "root@example.com")
		moves := ownersWay{"administrator", false, func(t *testing.T, s *harness.Instance, who harness.Account,
			_ bool,
		) {
			t.Helper()
			harness.Fine(t, s.GraphQL(t, root.Access, harness.UpdateUserDoc,
				harness.InputOf("id", who.ID, "email", "moved-"+who.Email)))
		}}
		for n, way := range append([]ownersWay{moves}, ownersWays()...) {
			email := fmt.Sprintf("owner%d@example.com", n)
			id, traces := strangerAt(t, s, email, n+1)
			s.Clock.Add(time.Minute)
			way.follow(t, s, harness.Account{ID: id, Email: email}, false)
			if way.name == "administrator" {
				email = "moved-" + email
			}
			s.Clock.Add(time.Minute)
			harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc, harness.InputOf("token",
				s.Mailed(t, harness.AskResetDoc, email, db.MailResetPassword).Token, "newPassword", harness.NewPass)))
			in := harness.Fine(t, s.Login(t, email, harness.NewPass)).Text("login", "tokens", "accessToken")
			s.NewKey(t, in, map[string]any{"name": "owners key"})
			text, data := exportOf(t, s, harness.Account{Access: in})
			for _, trace := range traces {
				if way.keeps && trace == traces[2] {
					continue // the key goes on, so the mail about the password names it
				}
				if strings.Contains(text, trace) {
					t.Errorf("%s: the export has %q: %s", way.name, trace, text)
				}
			}
			if data["account"].(map[string]any)["takenOverAt"] == nil {
				t.Errorf("%s: it does not say since when: %s", way.name, text)
			}
			for _, name := range []string{"sessions", "events", "mails", "oneTimeTokens", "knownDevices"} {
				if len(entries(t, data, name, true)) == 0 {
					t.Errorf("%s: nothing of the owner in %s", way.name, name)
				}
			}
			if keys := entries(t, data, "apiKeys", true); len(keys) != 1 || keys[0]["name"] != "owners key" {
				t.Errorf("%s: keys %v", way.name, keys)
			}
		}
	})
}

// AU-08: whoever makes an account of a registration, and shows neither its device nor its password, gets nothing of the
// person who registered.
func TestAU08_AfterRegistration(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, behindProxy, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on")
		for n, fields := range [][]any{
			{"newPassword", harness.NewPass},
			{"unattended", true},
			{"password", harness.GoodPass},
		} {
			email, own := fmt.Sprintf("owner%d@example.com", n), fields[0] == "password"
			harness.Fine(t, harness.Asked(t, s.URL, "", harness.RegisterDoc, harness.InputOf("email", email, "password",
				harness.GoodPass), "User-Agent", strangersAgent, "X-Forwarded-For", "198.51.100.7"))
			s.Clock.Add(time.Minute)
			harness.Fine(t, s.Proves(t, email, fields...))
			password := harness.NewPass
			if fields[0] != "newPassword" {
				password = harness.GoodPass
			}
			in := harness.Fine(t, s.Login(t, email, password)).Text("login", "tokens", "accessToken")
			text, _ := exportOf(t, s, harness.Account{Access: in})
			for _, trace := range []string{strangersAgent, "198.51.100.7"} {
				if strings.Contains(text, trace) != own {
					t.Errorf("%v: the export has %q: %v", fields, trace, !own)
				}
			}
		}
	})
}

// AU-08: whoever confirms the address while they are signed in to the account has done what was done before too.
func TestAU08_OwnConfirmation(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, ada.Email, db.MailVerifyEmail).Token)))
		text, data := exportOf(t, s, ada)
		if data["account"].(map[string]any)["takenOverAt"] != nil || len(entries(t, data, "sessions", true)) != 1 {
			t.Error(text)
		}
	})
}

// OA-07: a take-over removes the identities and the secret of an authenticator app that an import brought, and starting
// empty the phone number and the data of the application too. The id of the former system stays.
func TestOA07_ImportedTraces(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, behindProxy), harness.OpenSide(t, dsn)
		n := 0
		for _, way := range ownersWays() {
			for _, empty := range []bool{false, true} {
				n++
				email := fmt.Sprintf("owner%d@example.com", n)
				id, _ := strangerAt(t, s, email, n)
				importedTraces(t, side, email)
				way.follow(t, s, harness.Account{ID: id, Email: email}, empty)
				left := countOf(t, side, "linked_identities", email) + countOf(t, side, "authenticators", email)
				if (left == 0) == way.keeps {
					t.Errorf("%s: %d rows are left", way.name, left)
				}
				gone := side.Count(t, `SELECT count(*) FROM users WHERE phone IS NULL AND app_metadata IS NULL `+
					`AND external_id IS NOT NULL AND email_canonical = '`+email+`'`)
				if want := empty && !way.keeps; (gone == 1) != want {
					t.Errorf("%s, empty %v: phone and data are gone: %v", way.name, empty, gone == 1)
				}
			}
		}
	})
}

// AZ-21: an address that an administrator gives removes what an import brought; another spelling of it does not.
func TestAZ21_ImportedTraces(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		root, ada := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		importedTraces(t, side, ada.Email)
		for _, step := range []struct {
			email string
			left  int
		}{{"Ada@example.com", 2}, {"moved@example.com", 0}} {
			harness.Fine(t, s.GraphQL(t, root.Access, harness.UpdateUserDoc,
				harness.InputOf("id", ada.ID, "email", step.email)))
			left := countOf(t, side, "linked_identities", strings.ToLower(step.email)) +
				countOf(t, side, "authenticators", strings.ToLower(step.email))
			noted := side.Count(t, `SELECT count(*) FROM users WHERE taken_over_at IS NOT NULL`)
			if left != step.left || (noted == 1) != (left == 0) {
				t.Errorf("%s: %d rows are left, noted: %d", step.email, left, noted)
			}
		}
	})
}
