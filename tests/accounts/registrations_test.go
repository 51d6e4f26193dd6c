package accounts

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	proveDoc = `mutation V($input: VerifyEmailInput!) { verifyEmail(input: $input) {
  email user { id } usernameTaken passwordMissing userErrors { code field } } }`
	waitingDoc = `query M($token: String!) { mailedToken(token: $token) { email registration passwordNeeded ` +
		`username } }`
)

// registration is somebody who registered where addresses are confirmed first.
type registration struct {
	device, token string // the device token, and that of the mail
}

func registers(t *testing.T, s *harness.Instance, email, pass, username string) (g registration) {
	t.Helper()
	s.Clock.Add(time.Minute)
	a := harness.Fine(t, s.Registers(t, "email", email, "password", pass, "username", username, "name", "N "+username))
	g.device = a.Text("register", "deviceToken")
	g.token = s.Letter(t, email, db.MailVerifyEmail).Token
	return g
}

// named gives the username of whoever has an address, "" for none.
func named(t *testing.T, side *harness.Side, email string) string {
	t.Helper()
	return side.Texts(t, `SELECT coalesce(username, '') FROM users WHERE email_canonical = '`+email+`'`)[0]
}

func proves(t *testing.T, s *harness.Instance, fields ...any) *harness.Answer {
	t.Helper()
	return s.GraphQL(t, "", proveDoc, harness.InputOf(fields...))
}

// OT-43: a registration makes no account and takes no username. It, and what may follow it, is answered alike for a
// free and for a taken address, with the same statements. Only the mailbox learns the difference.
func TestOT43_NoAccountYet(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, required, "DRAGOMAN_SLOW_STATEMENT=1ns"), harness.OpenSide(t, dsn)
		s.Waited(t, "taken@example.com", "username", "taken")
		var told [][]string
		for n, email := range []string{"warm@example.com", "free@example.com", "taken@example.com"} {
			name := fmt.Sprintf("name%d", n)
			a := harness.Fine(t, s.Registers(t, "email", email, "password", harness.NewPass, "username", name))
			if a.At("register", "user") != nil || !strings.HasPrefix(a.Text("register", "deviceToken"), "dt1.") {
				t.Errorf("%s: %s", email, a.Raw)
			}
			told = append(told, s.Told(a))
			harness.RefusedWith(t, s.Login(t, email, harness.NewPass), "INVALID_CREDENTIALS")
			harness.RefusedWith(t, s.LoginFrom(t, harness.Owner, "username", name, harness.NewPass),
				"INVALID_CREDENTIALS")
			harness.Fine(t, s.Registers(t, "email", "other-"+email, "password", harness.NewPass, "username", name))
		}
		if len(told[0]) == 0 || !slices.Equal(told[1], told[2]) {
			t.Errorf("%q\nand for a taken address\n%q", told[1], told[2])
		}
		if n := side.Count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d accounts", n)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'registration.requested'`); n != 7 {
			t.Errorf("%d events", n)
		}
		if got := kindsTo(t, s, "taken@example.com"); !strings.HasSuffix(got, "address-taken") {
			t.Error(got)
		}
		if got := kindsTo(t, s, "free@example.com"); got != "verify-email" {
			t.Error(got)
		}
		for _, delivery := range []string{"COOKIE", "SESSION_TOKEN"} {
			a := s.Registers(t, "email", "d@example.com", "password", harness.GoodPass, "tokenDelivery", delivery)
			cookie := strings.Contains(strings.Join(a.Header["Set-Cookie"], " "), "device=dt1.")
			if text := a.Text("register", "deviceToken"); a.Code() != "" || cookie != (delivery == "COOKIE") ||
				cookie == (text != "") {
				t.Errorf("%s: %s %q", delivery, a.Raw, a.Header["Set-Cookie"])
			}
		}
	})
}

// OT-44: of those who prove an address at once, by whichever mail, one makes the account. Its events are there once,
// and the other registrations end.
func TestOT44_FirstProofWins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, required), harness.OpenSide(t, dsn)
		for round := range 4 {
			email := fmt.Sprintf("ada%d@example.com", round)
			var all []registration
			for n := range 3 {
				all = append(all,
					registers(t, s, email, fmt.Sprint(harness.GoodPass, n), fmt.Sprintf("ada%d.%d", round, n)))
			}
			answers := harness.Together(24, func(n int) (*harness.Answer, error) {
				return harness.Send(s.URL, "", proveDoc, harness.InputOf("token", all[n%3].token, "deviceToken",
					all[n/3%3].device))
			})
			won := 0
			for _, a := range answers {
				switch {
				case a == nil:
				case a.Code() == "":
					won++
				case a.Code() != "INVALID_TOKEN":
					t.Error(a.Raw)
				}
			}
			if won != 1 {
				t.Errorf("%d made the account", won)
			}
			for what, want := range map[string]int{
				`users WHERE email_canonical = '%s' AND email_verified_at IS NOT NULL`:                           1,
				`registrations WHERE address_canonical = '%s'`:                                                   0,
				`one_time_tokens WHERE address_canonical = '%s' AND (user_id IS NULL OR invalidated_at IS NULL)`: 0,
				`mails WHERE address_canonical = '%s' AND user_id IS NULL`:                                       0,
				`audit_events a JOIN users u ON u.id = a.user_id WHERE u.email_canonical = '%s' AND a.action = ` +
					`'user.created'`: 1,
				`audit_events a JOIN users u ON u.id = a.user_id WHERE u.email_canonical = '%s' AND a.action = ` +
					`'email.verified'`: 1,
			} {
				if n := side.Count(t, fmt.Sprintf(`SELECT count(*) FROM `+what, email)); n != want {
					t.Errorf("%d %s", n, what)
				}
			}
			// Whoever comes later, by another mail, learns that the address is confirmed.
			for _, g := range all {
				harness.RefusedWith(t, proves(t, s, "token", g.token, "deviceToken", g.device), "INVALID_TOKEN")
				harness.Fine(t, proves(t, s, "token", g.token, "allowConfirmed", true))
			}
		}
	})
}

// OT-45: the password of a registration counts for who shows its device token or types it. Everybody else chooses one;
// a call without any of them is refused, and the token stays good.
func TestOT45_WhosePassword(t *testing.T) {
	t.Parallel()
	const strangers, owners = "a stranger chose these words", "an owner chose these words"
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, required), harness.OpenSide(t, dsn)
		n := 0
		type shown = func(stranger, owner registration) []any
		device := func(_, o registration) []any { return []any{"deviceToken", o.device} }
		fields := func(all ...any) shown { return func(_, _ registration) []any { return all } }
		for name, row := range map[string]struct {
			fields   shown
			own      bool // whose mail is followed
			password string
			username string
		}{
			"device, by the mail of the other": {device, false, owners, "owner"},
			"device, by the own mail":          {device, true, owners, "owner"},
			"typed, by the other's mail":       {fields("password", owners), false, owners, "owner"},
			"chosen, by the own mail": {
				fields("newPassword", harness.NewPass), true, harness.NewPass, "owner",
			},
			"chosen, by the other's mail": {
				fields("newPassword", harness.NewPass), false, harness.NewPass, "stranger",
			},
			"chosen and empty": {
				fields("newPassword", harness.NewPass, "startEmpty", true), false, harness.NewPass, "",
			},
			"device, and chosen": {func(_, o registration) []any {
				return []any{"newPassword", harness.NewPass, "deviceToken", o.device}
			}, false, harness.NewPass, "owner"},
		} {
			n++
			email := fmt.Sprintf("victim%d@example.com", n)
			stranger := registers(t, s, email, strangers, fmt.Sprintf("stranger%d", n))
			owner := registers(t, s, email, owners, fmt.Sprintf("owner%d", n))
			elsewhere := registers(t, s, "other-"+email, owners, fmt.Sprintf("elsewhere%d", n))
			token := stranger.token
			if row.own {
				token = owner.token
			}
			for _, wrong := range [][]any{
				{}, {"deviceToken", elsewhere.device}, {"deviceToken", "junk"}, {"password", "some other words"},
			} {
				if a := proves(t, s, append(wrong, "token", token)...); a.Code() != "INVALID_INPUT" {
					t.Errorf("%s, %v: %s", name, wrong, a.Raw)
				}
			}
			harness.RefusedWith(t, proves(t, s, "token", token, "newPassword", "short"), "PASSWORD_TOO_WEAK")
			told := s.GraphQL(t, "", waitingDoc, map[string]any{"token": token})
			if told.At("mailedToken", "registration") != true || told.At("mailedToken", "passwordNeeded") != true {
				t.Errorf("%s: %s", name, told.Raw)
			}
			a := harness.Fine(t, proves(t, s, append(row.fields(stranger, owner), "token", token)...))
			username := ""
			if row.username != "" {
				username = fmt.Sprint(row.username, n)
			}
			if got := named(t, side, email); got != username || a.At("verifyEmail", "passwordMissing") != false ||
				a.Text("verifyEmail", "email") != email || a.At("verifyEmail", "user") != nil {
				t.Errorf("%s: %s %s", name, got, a.Raw)
			}
			harness.Fine(t, s.Login(t, email, row.password))
			for _, other := range []string{strangers, owners, harness.NewPass} {
				if other != row.password {
					harness.RefusedWith(t, s.Login(t, email, other), "INVALID_CREDENTIALS")
				}
			}
		}
	})
}

// OT-45: the device token of a registration that became an account by the proof of somebody else is that of no device.
func TestOT45_DeviceOfAStranger(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn, required)
		for n, row := range []struct {
			fields func(g registration) []any
			known  bool
		}{
			{func(registration) []any { return []any{"newPassword", harness.NewPass} }, false},
			{func(g registration) []any {
				return []any{"newPassword", harness.NewPass, "deviceToken", g.device}
			}, true},
		} {
			email := fmt.Sprintf("ada%d@example.com", n)
			g := registers(t, s, email, harness.GoodPass, fmt.Sprintf("ada%d", n))
			s.Clock.Add(time.Second)
			harness.Fine(t, proves(t, s, append(row.fields(g), "token", g.token)...))
			for i := range 5 {
				s.LoginFrom(t, fmt.Sprintf("198.51.100.%d", i), "email", email, harness.WrongPass)
			}
			a := s.LoginOn(t, harness.Attacker, g.device, email, harness.NewPass)
			if (a.Code() == "") != row.known {
				t.Errorf("%d: %s", n, a.Raw)
			}
			s.Clock.Add(time.Hour)
		}
	})
}

// OT-46: a program that shows nothing but the token gets the password of a registration that alone waited since the
// mail. Else the account has none, nor what registrations say, and a mail lets its owner choose one.
func TestOT46_Programs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, required)
		register := func(email, pass, username string) registration {
			s.Clock.Add(time.Minute)
			r := s.REST(t, "POST /api/auth/register",
				harness.FieldsOf("username", username, "email", email, "password", pass))
			if r.Status != http.StatusCreated {
				t.Fatalf("%d %s", r.Status, r.Body)
			}
			return registration{r.Header.Get("X-Device-Token"), s.Letter(t, email, db.MailVerifyEmail).Token}
		}
		activate := func(g registration, header ...string) {
			if r := s.REST(t, "PUT /api/user/activate-account/"+g.token, "", header...); r.Status != http.StatusOK {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
		const stranger = "a stranger chose these words"
		nobodys := func(email string) { // no password of a registration counts
			t.Helper()
			harness.RefusedWith(t, s.Login(t, email, harness.GoodPass), "INVALID_CREDENTIALS")
			harness.RefusedWith(t, s.Login(t, email, stranger), "INVALID_CREDENTIALS")
			l := s.Letter(t, email, db.MailSetPassword)
			a := harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
				harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
			if l.ResolvedMail.User.Username != nil || l.ResolvedMail.User.Name != nil {
				t.Errorf("%s: the account has the names of a registration", email)
			}
			if a.At("resetPassword", "user", "emailVerified") != true {
				t.Error(a.Raw)
			}
			harness.Fine(t, s.Login(t, email, harness.NewPass))
		}
		activate(register("alone@example.com", harness.GoodPass, "alone"))
		harness.Fine(t, s.Login(t, "alone@example.com", harness.GoodPass))

		register("two@example.com", stranger, "stranger2")
		activate(register("two@example.com", harness.GoodPass, "owner2"))
		nobodys("two@example.com")

		register("past@example.com", harness.GoodPass, "owner3") // ended meanwhile, and waited when the mail was sent
		s.Clock.Add(2 * time.Hour)
		late := register("past@example.com", stranger, "stranger3")
		s.Clock.Add(2 * time.Hour)
		activate(late)
		nobodys("past@example.com")

		register("shows@example.com", stranger, "stranger4")
		owner := register("shows@example.com", harness.GoodPass, "owner4")
		activate(owner, "X-Device-Token", owner.device)
		harness.Fine(t, s.Login(t, "shows@example.com", harness.GoodPass))
	})
}

// OT-47: a username is taken when the account is made. One that went meanwhile makes the account without it, and is
// said.
func TestOT47_UsernameAtRedemption(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, required), harness.OpenSide(t, dsn)
		ada := registers(t, s, "ada@example.com", harness.GoodPass, "lovelace")
		bob := registers(t, s, "bob@example.com", harness.GoodPass, "lovelace")
		a := harness.Fine(t, proves(t, s, "token", bob.token, "deviceToken", bob.device))
		if named(t, side, "bob@example.com") != "lovelace" || a.At("verifyEmail", "usernameTaken") != nil {
			t.Error(a.Raw)
		}
		a = harness.Fine(t, proves(t, s, "token", ada.token, "deviceToken", ada.device))
		if named(t, side, "ada@example.com") != "" || a.Text("verifyEmail", "usernameTaken") != "lovelace" {
			t.Error(a.Raw)
		}
		harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass))
		harness.RefusedWith(t, s.Registers(t, "email", "eve@example.com", "password", harness.GoodPass, "username",
			"Lovelace"), "ALREADY_EXISTS")
	})
}

// OT-48: a few registrations wait for an address, as long as a link to it is good, and any link that was sent serves
// them all. Asked for again, the link goes to the newest. A proof by another account ends them.
func TestOT48_LinksServeAll(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, required), harness.OpenSide(t, dsn)
		var all []registration
		for n := range 7 {
			all = append(all, registers(t, s, "ada@example.com", harness.GoodPass, fmt.Sprintf("ada%d", n)))
		}
		if n := side.Count(t, `SELECT count(*) FROM registrations`); n != 5 {
			t.Errorf("%d wait", n)
		}
		// The oldest one is gone: its person chooses a password, by its own link.
		harness.RefusedWith(t, proves(t, s, "token", all[0].token, "deviceToken", all[0].device), "INVALID_INPUT")
		l := s.Mailed(t, harness.SendVerifyDoc, "ada@example.com", db.MailVerifyEmail)
		told := s.GraphQL(t, "", waitingDoc, map[string]any{"token": l.Token})
		if told.Text("mailedToken", "username") != "ada6" {
			t.Error(told.Raw)
		}
		harness.Fine(t, proves(t, s, "token", all[0].token, "deviceToken", all[4].device))
		if got := named(t, side, "ada@example.com"); got != "ada4" {
			t.Error(got)
		}

		code := registers(t, s, "code@example.com", harness.GoodPass, "code")
		newest := s.Letter(t, "code@example.com", db.MailVerifyEmail)
		harness.RefusedWith(t, proves(t, s, "token", newest.Code, "email", "code@example.com"), "INVALID_INPUT")
		harness.Fine(t, proves(t, s, "token", newest.Code, "email", "code@example.com", "deviceToken", code.device))

		late := registers(t, s, "late@example.com", harness.GoodPass, "late")
		s.Clock.Add(23 * time.Hour)
		again := s.Mailed(t, harness.SendVerifyDoc, "late@example.com", db.MailVerifyEmail)
		s.Clock.Add(2 * time.Hour)
		harness.RefusedWith(t, proves(t, s, "token", late.token, "deviceToken", late.device), "INVALID_TOKEN")
		harness.Fine(t, proves(t, s, "token", again.Token, "deviceToken", late.device))

		eve := s.Waited(t, "eve@example.com")
		beaten := registers(t, s, "moves@example.com", harness.GoodPass, "moves")
		harness.Fine(t, s.GraphQL(t, eve.Access, askDoc,
			harness.InputOf("email", "moves@example.com", "currentPassword", harness.GoodPass)))
		harness.Fine(t, s.GraphQL(t, eve.Access, harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, "moves@example.com", db.MailConfirmChange).Token)))
		harness.RefusedWith(t, proves(t, s, "token", beaten.token, "deviceToken", beaten.device), "INVALID_TOKEN")
		if n := side.Count(t, `SELECT count(*) FROM registrations`); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

// OT-49: where the setting is switched off, what waits is still redeemed. Accounts of before it was switched on that
// were never confirmed sign in after a mail alone, and somebody else who proves the address makes an account of their
// own.
func TestOT49_Switched(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		const url = "DRAGOMAN_PUBLIC_URL=http://localhost:8080"
		on, off := harness.StartWithClock(t, c, dsn, url, required), harness.StartWithClock(t, c, dsn, url)
		waits := registers(t, on, "ada@example.com", harness.GoodPass, "ada")
		before := off.Register(t, "bob@example.com")
		c.Add(time.Minute)
		harness.RefusedWith(t, on.Login(t, before.Email, harness.GoodPass), "EMAIL_NOT_VERIFIED")
		l := on.Mailed(t, harness.SendVerifyDoc, before.Email, db.MailVerifyEmail)
		harness.Fine(t, on.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)))
		harness.Fine(t, on.Login(t, before.Email, harness.GoodPass))

		harness.Fine(t, proves(t, off, "token", waits.token, "deviceToken", waits.device))
		harness.Fine(t, off.Login(t, "ada@example.com", harness.GoodPass))

		thief := off.Register(t, "victim@example.com")
		owner := registers(t, on, "victim@example.com", harness.NewPass, "victim")
		// The younger one is meant.
		again := on.Mailed(t, harness.SendVerifyDoc, "victim@example.com", db.MailVerifyEmail)
		if told := on.GraphQL(t, "", waitingDoc, map[string]any{"token": again.Token}); told.At("mailedToken",
			"registration") != true {
			t.Error(told.Raw)
		}
		harness.Fine(t, proves(t, on, "token", again.Token, "deviceToken", owner.device))
		harness.Fine(t, on.Login(t, "victim@example.com", harness.NewPass))
		if got := addresses(t, off, thief.Access); got != "<nil> false <nil>" {
			t.Errorf("the account of before has %s", got)
		}
	})
}

// OT-48: expired registrations are deleted with their tokens, and what was mailed goes with the account.
func TestOT48_Swept(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, required), harness.OpenSide(t, dsn)
		registers(t, s, "gone@example.com", harness.GoodPass, "gone")
		s.Clock.Add(25 * time.Hour)
		now := func() time.Time { return db.Clock(s.Clock.Now()) }
		if _, err := s.App.DB.Sweep(t.Context(), now()); err != nil {
			t.Fatal(err)
		}
		if n := side.Count(t, `SELECT count(*) FROM registrations`); n != 1 {
			t.Errorf("%d: a registration tells a while that others waited", n)
		}
		s.Clock.Add(24 * time.Hour)
		if _, err := s.App.DB.Sweep(t.Context(), now()); err != nil {
			t.Fatal(err)
		}
		if n := side.Count(t, `SELECT count(*) FROM registrations`) +
			side.Count(t, `SELECT count(*) FROM one_time_tokens`); n != 0 {
			t.Errorf("%d rows stay", n)
		}
		ada := s.Waited(t, "ada@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.DeleteAccountDoc, nil))
		if n := side.Count(t, `SELECT count(*) FROM mails WHERE address_canonical = 'ada@example.com'`) +
			side.Count(t, `SELECT count(*) FROM one_time_tokens WHERE address_canonical = 'ada@example.com'`); n != 0 {
			t.Errorf("%d rows of an account that was deleted", n)
		}
	})
}

// OT-48: the mail of a registration that made room for others, before it was sent, goes out for the newest one.
func TestOT48_MailOfADropped(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, required, harness.MailWaits)
		for n := range 6 {
			s.Clock.Add(time.Minute)
			harness.Fine(t, s.Registers(t, "email", "ada@example.com", "password", harness.GoodPass, "username",
				fmt.Sprintf("ada%d", n)))
		}
		all := s.Letters(t, "ada@example.com", db.MailVerifyEmail)
		if len(all) != 6 {
			t.Fatalf("%d mails", len(all))
		}
		told := s.GraphQL(t, "", waitingDoc, map[string]any{"token": all[5].Token})
		if told.Text("mailedToken", "username") != "ada5" {
			t.Error(told.Raw)
		}
	})
}

// OT-48: registrations that come at once are no way past the limit, nor does a mail that is on its way keep the oldest.
func TestOT48_AtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn, required), harness.OpenSide(t, dsn)
		for _, a := range harness.Together(16, func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, "", harness.RegisterDoc, harness.InputOf("email", "ada@example.com", "password",
				harness.GoodPass, "username", fmt.Sprintf("ada%d", n)))
		}) {
			harness.Fine(t, a)
		}
		if n := side.Count(t, `SELECT count(*) FROM registrations`); n != 5 {
			t.Errorf("%d wait", n)
		}
	})
}
