package accounts

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// move gives the account of somebody another address, as an administrator.
func move(t *testing.T, i *harness.Instance, admin string, who harness.Account, email string) {
	t.Helper()
	harness.Fine(t, i.GraphQL(t, admin, harness.UpdateUserDoc, harness.InputOf("id", who.ID, "email", email)))
}

// choose follows the setup mail to an address.
func choose(t *testing.T, i *harness.Instance, email string) {
	t.Helper()
	harness.Fine(t, i.GraphQL(t, "", harness.ResetDoc, harness.InputOf(
		"token", i.Letter(t, email, db.MailSetPassword).Token, "newPassword", harness.NewPass)))
}

// AZ-20: a mail about an earlier change of the address, which waits when an administrator moves it, carries no link
// that takes the address back.
func TestAZ20_MailsThatWait(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", harness.MailWaits)
		root := s.Admin(t, dsn, "root@example.com")
		for name, waiting := range map[string]func(who harness.Account){
			"held": func(who harness.Account) {
				changeAtOnce(t, s, who.Access, "next-"+who.Email)
				harness.Fine(t, s.GraphQL(t, who.Access, harness.VerifyDoc,
					harness.InputOf("token", s.Letter(t, "next-"+who.Email, db.MailConfirmChange).Token)))
				s.Deliver(t)
			},
			"queued": func(who harness.Account) { changeAtOnce(t, s, who.Access, "next-"+who.Email) },
			"asked": func(who harness.Account) {
				harness.Fine(t, s.GraphQL(t, who.Access, askDoc, harness.InputOf("email", "next-"+who.Email)))
			},
		} {
			who, rightful := confirmed(t, s, name+"@example.com"), "rightful-"+name+"@example.org"
			waiting(who)
			move(t, s, root.Access, who, rightful)
			choose(t, s, rightful)
			for range 3 {
				s.Clock.Add(time.Minute)
				s.Deliver(t)
			}
			for _, l := range s.Letters(t, who.Email, "") {
				if l.Mail.Kind == db.MailChangeAsked {
					t.Errorf("%s: a change that is off is told of", name)
				}
				if l.Token != "" && l.Mail.Kind == db.MailEmailChanged {
					back := s.GraphQL(t, "", cancelDoc, harness.InputOf("token", l.Token))
					harness.RefusedWith(t, back, "INVALID_TOKEN")
				}
			}
			harness.Fine(t, s.Login(t, rightful, harness.NewPass))
		}
	})
}

// AZ-21: from the moment that an administrator moves the address until somebody proves it, nothing of before opens the
// account: no password, API key or known device.
func TestAZ21_NothingOfBefore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		root, who := s.Admin(t, dsn, "root@example.com"), confirmed(t, s, "ada@example.com")
		_, key := s.NewKey(t, who.Access, nil)
		harness.Fine(t, s.Login(t, who.Email, harness.GoodPass))
		move(t, s, root.Access, who, "rightful@example.org")
		harness.RefusedWith(t, s.Login(t, "rightful@example.org", harness.GoodPass), "INVALID_CREDENTIALS")
		if s.Is(t, key, who) || s.Is(t, who.Access, who) {
			t.Error("a key or a session goes on")
		}
		if n := side.Count(t, `SELECT count(*) FROM known_devices WHERE user_id = (SELECT id FROM users WHERE `+
			`email_canonical = 'rightful@example.org')`); n != 0 {
			t.Errorf("%d known devices", n)
		}
		if n := side.Count(t, `SELECT count(*) FROM users WHERE email_canonical = 'rightful@example.org' `+
			`AND devices_cleared_at IS NOT NULL AND password_hash IS NULL`); n != 1 {
			t.Error("a device of before counts, or the password")
		}
		choose(t, s, "rightful@example.org")
		harness.Fine(t, s.Login(t, "rightful@example.org", harness.NewPass))

		// Another spelling moves nothing, nor does the own address, which waits.
		bob := confirmed(t, s, "bob@example.com")
		_, key = s.NewKey(t, bob.Access, nil)
		move(t, s, root.Access, bob, "Bob@Example.com")
		move(t, s, root.Access, root, "other-root@example.com")
		if harness.Fine(t, s.Login(t, bob.Email, harness.GoodPass)); !s.Is(t, key, bob) {
			t.Error("another spelling ends the API keys")
		}
		harness.Fine(t, s.Login(t, root.Email, harness.GoodPass))
	})
}

// AZ-21: a server that sends no mail keeps the password, since nothing could set another one.
func TestAZ21_WithoutMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SMTP_URL=none")
		root, who := s.Admin(t, dsn, "root@example.com"), s.Register(t, "ada@example.com")
		_, key := s.NewKey(t, who.Access, nil)
		move(t, s, root.Access, who, "moved@example.com")
		harness.Fine(t, s.Login(t, "moved@example.com", harness.GoodPass))
		if s.Is(t, key, who) || s.Is(t, who.Access, who) {
			t.Error("a key or a session goes on")
		}
	})
}

// AZ-22: what an administrator gave an account is no longer theirs once its person replaced the address that they gave,
// or changed it themselves.
func TestAZ22_InvitedEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		for field, value := range map[string]any{
			"email": "victim@example.com", "name": "x", "metadata": map[string]any{"a": 1}, "username": "nick",
			"locale": "de",
		} {
			email := field + "@example.com"
			harness.Fine(t, s.GraphQL(t, root.Access, harness.CreateUserDoc,
				harness.InputOf("email", email, "password", harness.GoodPass)))
			in := harness.Fine(t, s.Login(t, email, harness.GoodPass)).Text("login", "tokens", "accessToken")
			if field == "email" {
				changeAtOnce(t, s, in, "victim@example.com")
				email = "victim@example.com"
			} else {
				harness.Fine(t, s.GraphQL(t, in, harness.UpdateMeDoc, harness.InputOf(field, value)))
			}
			is := side.Count(t, `SELECT count(*) FROM users WHERE invited AND email_canonical = '`+email+`'`) == 1
			if is != (field == "locale") {
				t.Errorf("after a change of %s: invited %t", field, is)
			}
		}
	})
}

// AZ-13: an administrator's own address waits for one that somebody has unconfirmed, as anybody's does.
func TestAZ13_OwnAddressHeldUnproved(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := confirmed(t, s, "root@example.com")
		s.SetRole(t, dsn, root, "admin")
		s.Register(t, "typed@example.com")
		s.Clock.Add(time.Minute)
		move(t, s, root.Access, root, "typed@example.com")
		if len(s.Letters(t, "typed@example.com", db.MailAddressTaken)) != 0 {
			t.Error("an address that nobody proved is told as taken")
		}
		harness.Fine(t, s.GraphQL(t, root.Access, harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, "typed@example.com", db.MailConfirmChange).Token)))
	})
}
