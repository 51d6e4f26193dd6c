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

const mailedDoc = `query M($token: String!) { mailedToken(token: $token) { purpose email account takesOver username ` +
	`name metadata invited } }`

// another is a code that is not the right one.
func another(l harness.Letter) string {
	return string('0'+(l.Code[0]-'0'+1)%10) + l.Code[1:]
}

// OT-21: whoever reads the mailbox that somebody mistyped gets a notice and no link, whichever way the address is
// corrected.
func TestOT21_MistypedAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for n, correct := range []func(who harness.Account, right string){
			func(who harness.Account, right string) {
				harness.Fine(t, s.GraphQL(t, who.Access, askDoc, harness.InputOf("email", right)))
				harness.Fine(t, s.GraphQL(t, who.Access, harness.VerifyDoc,
					harness.InputOf("token", s.Letter(t, right, db.MailConfirmChange).Token)))
			},
			func(who harness.Account, right string) {
				changeAtOnce(t, s, who.Access, right)
				harness.Fine(t, s.GraphQL(t, who.Access, harness.VerifyDoc,
					harness.InputOf("token", s.Mailed(t, harness.SendVerifyDoc, right, db.MailVerifyEmail).Token)))
			},
		} {
			wrong, right := fmt.Sprintf("mistyped%d@example.net", n), fmt.Sprintf("right%d@example.com", n)
			who := s.Register(t, wrong)
			early := s.Letter(t, wrong, db.MailVerifyEmail).Token
			s.Clock.Add(time.Minute)
			correct(who, right)
			told := 0
			for _, l := range s.Letters(t, wrong, "") {
				if l.Mail.Purpose() == db.PurposeCancelChange {
					t.Errorf("%s has a link to %s", l.Mail.Kind, wrong)
				}
				if l.Mail.Kind == db.MailEmailChanged && l.Mail.Data.Unconfirmed {
					told++
				}
			}
			if told != 1 {
				t.Errorf("the mailbox was told %d times", told)
			}
			harness.RefusedWith(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", early)), "INVALID_TOKEN")
			if got := addresses(t, s, who.Access); got != right+" true <nil>" {
				t.Error(got)
			}
		}
	})
}

// OT-23: an address in a token says whether it is confirmed; where addresses have to be confirmed, no other one is in a
// token, and none is shown at once.
func TestOT23_Claims(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"DRAGOMAN_REQUIRE_VERIFIED_EMAIL=off", required} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s, side := harness.Start(t, dsn, setting), harness.OpenSide(t, dsn)
				admin := harness.Start(t, dsn).Admin(t, dsn, "admin@example.com")
				side.MustExec(t, `UPDATE users SET email_verified_at = created_at`)
				in := harness.Fine(t, s.Login(t, admin.Email, harness.GoodPass)).Text("login", "tokens", "accessToken")
				harness.Fine(t, s.GraphQL(t, in, harness.CreateUserDoc, harness.InputOf("email", "ada@example.com",
					"password", harness.GoodPass, "emailVerified", true)))
				access := func(r harness.Reply) string {
					_, rest, _ := strings.Cut(r.Body, `"access_token":"`)
					text, _, _ := strings.Cut(rest, `"`)
					return text
				}
				claims := func(r harness.Reply) string {
					t.Helper()
					c := harness.ClaimsOf(t, access(r))
					return fmt.Sprint(c["email"], " ", c["email_verified"])
				}
				login := func() harness.Reply {
					return s.CompanionAsks(t, "POST /v1/auth/login", `{"data":{"type":"users","attributes":`+
						`{"email":"ada@example.com","password":"`+harness.GoodPass+`"}}}`)
				}
				if got := claims(login()); got != "ada@example.com true" {
					t.Error(got)
				}
				in = access(login())
				r, err := s.Call("POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"new@example.com"}}}`,
					harness.Bearer(in)...)
				want, me := "ada@example.com true", "ada@example.com true new@example.com"
				if setting != required {
					want, me = "new@example.com false", "new@example.com false <nil>"
				}
				if err != nil || r.Status != 200 || !strings.Contains(r.Body, strings.Fields(want)[0]) {
					t.Errorf("%d %s", r.Status, r.Body)
				}
				if got := addresses(t, s, in); got != me {
					t.Errorf("%s, not %s", got, me)
				}
				if got := claims(login()); got != want {
					t.Errorf("%s, not %s", got, want)
				}
				// an account from before the setting was on
				side.MustExec(t, `UPDATE users SET email_verified_at = NULL, pending_shown = false`)
				a := s.GraphQL(t, in, harness.UpdateMeDoc, harness.InputOf("name", "Ada"))
				if a.Code() != "" || strings.Contains(fmt.Sprint(harness.ClaimsOf(t,
					a.Text("updateMe", "tokens", "accessToken"))), "@") {
					t.Errorf("%s", a.Raw)
				}
			})
		})
	}
}

// OT-24: who puts the address of somebody else in place of a confirmed one gives nobody anything: not the mails that
// its owner asks for, and not the address itself, which its owner registers.
func TestOT24_RecoveryStays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		thief := confirmed(t, s, "thief@example.net")
		changeAtOnce(t, s, thief.Access, "victim@example.com")
		for document, kind := range map[string]db.MailKind{
			harness.AskResetDoc: db.MailResetPassword, harness.AskMagicDoc: db.MailMagicLink,
		} {
			harness.Fine(t, s.GraphQL(t, "", document, harness.InputOf("email", "victim@example.com")))
			if got := len(s.Letters(t, "victim@example.com", kind)); got != 0 {
				t.Errorf("%d mails %s to who proved nothing", got, kind)
			}
			if got := len(s.Letters(t, "thief@example.net", kind)); got != 1 {
				t.Errorf("%d mails %s to the address that is confirmed", got, kind)
			}
		}
		harness.Fine(t, s.Login(t, "victim@example.com", harness.GoodPass)) // shown, and good to sign in
		owner := s.Register(t, "victim@example.com")
		harness.RefusedWith(t, s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("email", "victim@example.com",
			"password", "not that of anybody")), "INVALID_CREDENTIALS")
		if in := harness.Fine(t, s.Login(t, "victim@example.com", harness.GoodPass)); !strings.Contains(in.Raw, owner.ID) {
			t.Errorf("the owner signs in to %s", in.Raw)
		}
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, "victim@example.com", db.MailVerifyEmail).Token)))
		if got := addresses(t, s, thief.Access); got != "thief@example.net true victim@example.com" {
			t.Errorf("the other account has %s", got)
		}
		for _, l := range s.Letters(t, "victim@example.com", db.MailConfirmChange) {
			harness.RefusedWith(t, s.GraphQL(t, thief.Access, harness.VerifyDoc, harness.InputOf("token", l.Token)),
				"INVALID_TOKEN")
		}
	})
}

// OT-25: two accounts wait for an address. What its owner types, or follows, while signed in confirms their own
// account.
func TestOT25_TwoAccountsWait(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, eve := confirmed(t, s, "ada@example.com"), confirmed(t, s, "eve@example.net")
		for _, who := range []harness.Account{ada, eve} { // the newest mail is that of somebody else
			harness.Fine(t, s.GraphQL(t, who.Access, askDoc, harness.InputOf("email", "new@example.com")))
			s.Clock.Add(time.Second)
			s.Deliver(t)
		}
		letters := map[string]harness.Letter{}
		for _, l := range s.Letters(t, "new@example.com", db.MailConfirmChange) {
			letters[l.ResolvedMail.User.ID.String()] = l
		}
		of, other := letters[ada.ID], letters[eve.ID]
		byCode := func(l harness.Letter) map[string]any {
			return harness.InputOf("token", l.Code, "email", "new@example.com")
		}
		for credential, input := range map[string]map[string]any{
			"":         byCode(other),
			ada.Access: byCode(other),
			eve.Access: harness.InputOf("token", of.Token),
		} {
			harness.RefusedWith(t, s.GraphQL(t, credential, harness.VerifyDoc, input), "INVALID_TOKEN")
		}
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, harness.VerifyDoc, harness.InputOf("token", other.Token)),
			"INVALID_TOKEN")
		for id, name := range map[string]string{ada.ID: "a…@example.com", eve.ID: "e…@example.net"} {
			a := s.GraphQL(t, "", mailedDoc, map[string]any{"token": letters[id].Token})
			if a.Text("mailedToken", "account") != name || a.At("mailedToken", "takesOver") != false {
				t.Errorf("%s", a.Raw)
			}
		}
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.VerifyDoc, byCode(of)))
		if got := addresses(t, s, ada.Access); got != "new@example.com true <nil>" {
			t.Error(got)
		}
		if got := addresses(t, s, eve.Access); got != "eve@example.net true new@example.com" {
			t.Error(got)
		}
	})
}

// OA-07, OT-26, OT-27: the first proof of whose address it is removes what somebody else may have made, and keeps what
// the account says of its person unless they start empty. The mail says so before, a notice after.
func TestOA07_TakeOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		n := 0
		for _, by := range []string{"reset", "magic"} {
			for _, empty := range []bool{false, true} {
				n++
				email, username := fmt.Sprintf("owner%d@example.com", n), fmt.Sprintf("stranger%d", n)
				a := harness.Fine(t, s.Registers(t, "email", email, "password", harness.GoodPass, "username", username,
					"name", "A Stranger", "metadata", map[string]any{"k": 1}, "locale", "ar"))
				access := a.Text("register", "tokens", "accessToken")
				ofWhom := `(SELECT id FROM users WHERE email_canonical = '` + email + `')`
				harness.RefusedWith(t, s.Login(t, email, harness.NewPass), "INVALID_CREDENTIALS")
				side.MustExec(t, `UPDATE users SET password_disabled_at = created_at WHERE id = `+ofWhom)
				_, key := s.NewKey(t, access, nil)
				verify := s.Letter(t, email, db.MailVerifyEmail).Token
				ask, kind, redeem := harness.AskResetDoc, db.MailResetPassword, harness.ResetDoc
				in := []any{"newPassword", harness.NewPass}
				if by == "magic" {
					ask, kind, redeem, in = harness.AskMagicDoc, db.MailMagicLink, harness.MagicDoc, nil
				}
				l := s.Mailed(t, ask, email, kind)
				if !l.Mail.Data.TakesOver {
					t.Errorf("the mail %s does not say what it takes over", kind)
				}
				told := s.GraphQL(t, "", mailedDoc, map[string]any{"token": l.Token})
				if told.At("mailedToken", "takesOver") != true || told.Text("mailedToken", "username") != username ||
					told.Text("mailedToken", "name") != "A Stranger" || told.At("mailedToken", "invited") != false {
					t.Errorf("%s", told.Raw)
				}
				harness.Fine(t, s.GraphQL(t, "", redeem,
					harness.InputOf(append(in, "token", l.Token, "startEmpty", empty)...)))
				left := side.Count(t, `SELECT count(*) FROM users WHERE email_canonical = '`+email+`' AND username IS NOT `+
					`NULL AND name IS NOT NULL AND metadata IS NOT NULL`)
				if (left == 1) == empty {
					t.Errorf("%s, empty %v: the names stay: %v", by, empty, left == 1)
				}
				if n := side.Count(t, `SELECT count(*) FROM users WHERE password_disabled_at IS NULL AND id = `+ofWhom+
					fmt.Sprintf(` AND (locale IS NULL) = %t`, empty)); n != 1 {
					t.Errorf("%s, empty %v: the language or the lock of before", by, empty)
				}
				if n := side.Count(t, `SELECT count(*) FROM throttles WHERE account_key = `+ofWhom); n != 0 {
					t.Errorf("%s: failures of before count", by)
				}
				if s.Alive(t, access) || s.Alive(t, key) {
					t.Errorf("%s: a session or a key of before is alive", by)
				}
				harness.RefusedWith(t, s.Login(t, email, harness.GoodPass), "INVALID_CREDENTIALS")
				if n := side.Count(t, `SELECT count(*) FROM known_devices d JOIN users u ON u.id = d.user_id WHERE `+
					`u.email_canonical = '`+email+`'`); n != 0 {
					t.Errorf("%s: %d devices are known", by, n)
				}
				if by == "magic" {
					s.Letter(t, email, db.MailTookOver)
				}
				// B9: the link that waits says that the address is confirmed
				harness.RefusedWith(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", verify)),
					"INVALID_TOKEN")
				harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
					harness.InputOf("token", verify, "allowConfirmed", true)))
			}
		}
	})
}

// OT-28: taking an address back ends the API keys that were made, got another secret or got other scopes since the
// first change, and leaves the others; no device is known any more.
func TestOT28_TakeBackEndsKeys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada := confirmed(t, s, "ada@example.com")
		_, old := s.NewKey(t, ada.Access, nil)
		s.Clock.Add(time.Minute)
		changeAtOnce(t, s, ada.Access, "thief@example.net")
		first := s.Letter(t, "ada@example.com", db.MailEmailChanged).Mail
		_, made := s.NewKey(t, ada.Access, nil)
		s.Clock.Add(time.Minute)
		changeAtOnce(t, s, ada.Access, "thief2@example.net") // a later change does not make the key an older one
		last := s.Letter(t, "ada@example.com", db.MailEmailChanged)
		if last.Mail.ID == first.ID || !s.Alive(t, made) || !s.Alive(t, old) {
			t.Fatal("the keys are not as they should be")
		}
		harness.Fine(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", last.Token)))
		if s.Alive(t, made) || s.Alive(t, ada.Access) {
			t.Error("a key of since then, or a session, goes on")
		}
		if !s.Alive(t, old) {
			t.Error("a key of before ended")
		}
		if n := side.Count(t, `SELECT count(*) FROM known_devices`); n != 0 {
			t.Errorf("%d devices are known", n)
		}
	})
}

// OT-29: five wrong codes for an address in an hour, whatever accounts and mails they are of; the link works.
func TestOT29_CodesByAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		type try = func(l harness.Letter, code string) string
		deleted := func() (l harness.Letter, check try) {
			who := s.Register(t, "victim@example.com")
			return s.Letter(t, "victim@example.com", db.MailVerifyEmail), func(_ harness.Letter, code string) string {
				a := s.GraphQL(t, who.Access, harness.VerifyDoc,
					harness.InputOf("token", code, "email", "victim@example.com"))
				harness.Fine(t, s.GraphQL(t, who.Access, harness.DeleteAccountDoc, nil))
				return a.Code()
			}
		}
		n := 0
		waiting := func() (l harness.Letter, check try) {
			n++
			who := confirmed(t, s, fmt.Sprintf("thief%d@example.net", n))
			harness.Fine(t, s.GraphQL(t, who.Access, askDoc, harness.InputOf("email", "other@example.com")))
			return s.Letter(t, "other@example.com", db.MailConfirmChange), func(_ harness.Letter, code string) string {
				return s.GraphQL(t, who.Access, harness.VerifyDoc,
					harness.InputOf("token", code, "email", "other@example.com")).Code()
			}
		}
		for name, next := range map[string]func() (harness.Letter, try){"deleted": deleted, "waiting": waiting} {
			for range 5 {
				l, check := next()
				if code := check(l, another(l)); code != "INVALID_TOKEN" {
					t.Fatalf("%s: a wrong code: %q", name, code)
				}
				s.Clock.Add(time.Minute)
			}
			l, check := next()
			if code := check(l, l.Code); code != "INVALID_TOKEN" {
				t.Errorf("%s: the right code after five wrong ones of others: %q", name, code)
			}
		}
		who := s.Register(t, "victim@example.com")
		harness.Fine(t, s.GraphQL(t, who.Access, harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, "victim@example.com", db.MailVerifyEmail).Token)))
		s.Clock.Add(time.Hour)
		l, check := waiting()
		if code := check(l, l.Code); code != "" {
			t.Errorf("an hour later: %q", code)
		}
	})
}

// OT-03: of two mails of a kind the one that was asked for last counts, also when it is sent first.
func TestOT03_OvertakenMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.MailWaits)
		who := s.Register(t, "ada@example.com")
		queued, err := s.App.DB.QueuedMails(t.Context(), db.Clock(s.Clock.Now()))
		if err != nil || len(queued) != 1 {
			t.Fatal(queued, err)
		}
		s.Clock.Add(time.Minute)
		harness.Fine(t, s.GraphQL(t, "", harness.SendVerifyDoc, harness.InputOf("email", who.Email)))
		all, err := s.App.DB.QueuedMails(t.Context(), db.Clock(s.Clock.Now()))
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		newer := all[0]
		if newer == queued[0] {
			newer = all[1]
		}
		now := db.Clock(s.Clock.Now())
		l, err := s.App.DB.Resolve(t.Context(), newer, now)
		if err != nil || l == nil || l.Token == nil {
			t.Fatal(l, err)
		}
		if late, err := s.App.DB.Resolve(t.Context(), queued[0], now); err != nil || late != nil {
			t.Errorf("the mail that was overtaken is sent: %+v %v", late, err)
		}
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
			harness.InputOf("token", s.Letter(t, who.Email, db.MailVerifyEmail).Token)))
	})
}

// AZ-11: an account beyond `user` takes a new address only in a session of its own with a recent proof, and never by
// the link alone; the link stays good meanwhile. Its code does no more.
func TestAZ11_ConfirmedInOwnSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE users SET email_verified_at = created_at`)
		harness.Fine(t, s.GraphQL(t, root.Access, askDoc, harness.InputOf("email", "new@example.com")))
		l := s.Letter(t, "new@example.com", db.MailConfirmChange)
		long := s.LoginAs(t, root, "SESSION_TOKEN").Refresh
		_, key := s.NewKey(t, root.Access, nil)
		s.Clock.Add(11 * time.Minute)
		for _, credential := range []string{"", key, long} {
			harness.RefusedWith(t, s.GraphQL(t, credential, harness.VerifyDoc, harness.InputOf("token", l.Token)),
				"INVALID_TOKEN")
		}
		if got := addresses(t, s, long); got != "root@example.com true new@example.com" {
			t.Error(got)
		}
		harness.Fine(t, s.GraphQL(t, long, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)))
		harness.Fine(t, s.GraphQL(t, long, harness.VerifyDoc, harness.InputOf("token", l.Token)))
		if got := addresses(t, s, long); got != "new@example.com true <nil>" {
			t.Error(got)
		}
	})
}
