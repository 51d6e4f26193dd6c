package accounts

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	cancelDoc = `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: $input) { email user { id } ` +
		`userErrors { code message field } } }`
	pendingDoc = `{ me { email emailVerified pendingEmail } }`
	askDoc     = `mutation E($input: ChangeEmailInput!) { changeEmail(input: $input) { user { email emailVerified ` +
		`pendingEmail } userErrors { code message field } } }`
)

// addresses are what the bearer sees of the own account: the address in use, whether it is confirmed, the one that
// waits.
func addresses(t testing.TB, i *harness.Instance, credential string) string {
	t.Helper()
	a := i.GraphQL(t, credential, pendingDoc, nil)
	return fmt.Sprint(a.At("me", "email"), " ", a.At("me", "emailVerified"), " ", a.At("me", "pendingEmail"))
}

// confirmed registers somebody and confirms the address.
func confirmed(t testing.TB, i *harness.Instance, email string) harness.Account {
	t.Helper()
	who := i.Register(t, email)
	harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc,
		harness.InputOf("token", i.Letter(t, email, db.MailVerifyEmail).Token)))
	return who
}

// changeAtOnce changes an address through an API where it counts at once.
func changeAtOnce(t testing.TB, i *harness.Instance, credential, email string) {
	t.Helper()
	i.Clock.Add(time.Second)
	r, err := i.Call("POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"`+email+`"}}}`,
		harness.Bearer(credential)...)
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%d %s %v", r.Status, r.Body, err)
	}
}

// TestOT19_EmailChange goes the whole way: asked, confirmed, taken back by the former address.
func TestOT19_EmailChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := confirmed(t, s, "ada@example.com")
		a := harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "New@example.com")))
		if got := addresses(t, s, ada.Access); got != "ada@example.com true New@example.com" ||
			!strings.Contains(a.Raw, `"pendingEmail":"New@example.com"`) {
			t.Errorf("%s %s", got, a.Raw)
		}
		asked := s.Letter(t, "ada@example.com", db.MailChangeAsked)
		if asked.Mail.Data.NewAddress != "New@example.com" || asked.Mail.Data.Device == "" ||
			asked.Mail.Data.IP != "127.0.0.1" || asked.Mail.TTLSeconds != 72*3600 {
			t.Errorf("%+v", asked.Mail)
		}
		confirm := s.Letter(t, "new@example.com", db.MailConfirmChange)
		// OT-01: for one purpose
		harness.RefusedWith(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", confirm.Token)), "INVALID_TOKEN")
		harness.RefusedWith(t, s.Login(t, "new@example.com", harness.GoodPass), "INVALID_CREDENTIALS")
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", confirm.Token)))
		if got := addresses(t, s, ada.Access); got != "New@example.com true <nil>" {
			t.Error(got)
		}
		s.Clock.Add(71 * time.Hour)
		in := harness.Fine(t, s.Login(t, "new@example.com", harness.GoodPass)).Text("login", "tokens", "accessToken")
		changed := s.Letter(t, "ada@example.com", db.MailEmailChanged)
		a = harness.Fine(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", changed.Token)))
		if a.Text("cancelEmailChange", "email") != "ada@example.com" {
			t.Error(a.Raw)
		}
		if s.Is(t, in, ada) || s.Is(t, ada.Access, ada) {
			t.Error("a session outlives the cancelled change")
		}
		harness.RefusedWith(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", changed.Token)), "INVALID_TOKEN")
		harness.RefusedWith(t, s.Login(t, "new@example.com", harness.GoodPass), "INVALID_CREDENTIALS")
		in = harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass)).Text("login", "tokens", "accessToken")
		if got := addresses(t, s, in); got != "ada@example.com true <nil>" {
			t.Error(got)
		}
		// OT-04, SE-04
		for _, text := range []string{
			"", "x", "ot1.", changed.Token + "x", strings.ToUpper(changed.Token),
			changed.Code,
		} {
			s.Clock.Add(15 * time.Second) // or a sample of them is on record
			harness.RefusedWith(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", text)), "INVALID_TOKEN")
		}
		// AU-02
		for _, canary := range []string{asked.Token, confirm.Token, changed.Token, "ew@example.com", harness.GoodPass} {
			if strings.Contains(s.Logged.String(), canary) {
				t.Errorf("the log holds %q", canary)
			}
		}
		conn := harness.OpenSide(t, dsn)
		if n := conn.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'email.change_canceled' AND outcome `+
			`= 'ok'`); n != 1 {
			t.Errorf("%d cancellations in the log", n)
		}
		if n := conn.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'email.change_cancel_failed' AND `+
			`reason = 'invalid_token'`); n != 8 {
			t.Errorf("%d refusals in the log", n)
		}
	})
}

// A change that waits is dropped by the former address, by the address in use, by another one and by another password.
func TestEmailChange_Dropped(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := confirmed(t, s, "ada@example.com")
		current := harness.GoodPass
		for n, drop := range []func(){
			func() {
				harness.Fine(t, s.GraphQL(t, "", cancelDoc,
					harness.InputOf("token", s.Letter(t, ada.Email, db.MailChangeAsked).Token)))
			},
			func() { harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "ada@example.com"))) },
			func() {
				harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "further@example.com")))
				harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc,
					harness.InputOf("email", "Ada@Example.com")))
				harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "ada@example.com")))
			},
			func() {
				harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
					harness.InputOf("newPassword", harness.NewPass, "currentPassword", current)))
				current = harness.NewPass
			},
		} {
			s.Clock.Add(time.Minute)
			email := fmt.Sprintf("new%d@example.com", n)
			harness.Fine(t, s.GraphQL(t, ada.Access, askDoc,
				harness.InputOf("email", email, "currentPassword", current)))
			token := s.Letter(t, email, db.MailConfirmChange).Token
			drop()
			if got := addresses(t, s, ada.Access); got != "ada@example.com true <nil>" {
				t.Errorf("%d: %s", n, got)
			}
			harness.RefusedWith(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", token)),
				"INVALID_TOKEN")
		}
		if !s.Is(t, ada.Access, ada) {
			t.Error("the session ended")
		}
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc, harness.InputOf("email", "form@example.com")))
		// a form that shows it sends it back
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc,
			harness.InputOf("email", "ada@example.com", "name", "Ada")))
		if got := addresses(t, s, ada.Access); got != "ada@example.com true form@example.com" {
			t.Error(got)
		}
	})
}

// LG-04: who asks for an address learns nothing of whether somebody has it. Its owner does, and nobody can confirm it.
func TestLG04_EmailChangeIsUniform(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := confirmed(t, s, "ada@example.com")
		confirmed(t, s, "bob@example.com")
		answers := map[string]string{}
		for _, email := range []string{"bob@example.com", "eve@example.com"} {
			a := harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", email)))
			answers[email] = strings.ReplaceAll(a.Raw+addresses(t, s, ada.Access), email, "<address>")
		}
		if answers["bob@example.com"] != answers["eve@example.com"] {
			t.Errorf("%v", answers)
		}
		if n := len(s.Letters(t, "bob@example.com", db.MailConfirmChange)); n != 0 {
			t.Errorf("%d mails to confirm go to the owner", n)
		}
		if l := s.Letter(t, "bob@example.com", db.MailAddressTaken); l.Token != "" {
			t.Error("there is a token in it")
		}
		if n := len(s.Letters(t, "eve@example.com", db.MailAddressTaken)); n != 0 {
			t.Errorf("%d mails say that a free address is taken", n)
		}
		if n := len(s.Letters(t, "ada@example.com", db.MailChangeAsked)); n != 2 {
			t.Errorf("%d notices", n)
		}
	})
}

// OT-11: of two changes that are asked for at the same moment one waits, and only its own token confirms it.
func TestOT11_TwoChangesAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := confirmed(t, s, "ada@example.com")
		harness.Together(2, func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, ada.Access, askDoc,
				harness.InputOf("email", fmt.Sprintf("new%d@example.com", n)))
		})
		waits := s.GraphQL(t, ada.Access, pendingDoc, nil).Text("me", "pendingEmail")
		for n := range 2 {
			email := fmt.Sprintf("new%d@example.com", n)
			// that of the other was mailed, or was not wanted any more
			for _, l := range s.Letters(t, email, db.MailConfirmChange) {
				a := s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token))
				if (a.Code() == "") != (email == waits) {
					t.Errorf("%s, and %s waits: %s", email, waits, a.Raw)
				}
			}
		}
		if got := addresses(t, s, ada.Access); got != waits+" true <nil>" {
			t.Errorf("%s, and %s waited", got, waits)
		}
	})
}

// OT-02: of 64 who follow one link at once, one takes the change back.
func TestOT02_CancelOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for round := range harness.Amount(2, 100) {
			email := fmt.Sprintf("ada%d@example.com", round)
			ada := confirmed(t, s, email)
			harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "new-"+email)))
			token := s.Letter(t, email, db.MailChangeAsked).Token
			if round%2 == 1 {
				harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
					harness.InputOf("token", s.Letter(t, "new-"+email, db.MailConfirmChange).Token)))
				token = s.Letter(t, email, db.MailEmailChanged).Token
			}
			codes := map[string]int{}
			for _, a := range harness.Together(64, func(int) (*harness.Answer, error) {
				return harness.Send(s.URL, "", cancelDoc, harness.InputOf("token", token))
			}) {
				if a == nil {
					t.Fatal("no answer")
				}
				codes[a.Code()]++
			}
			if codes[""] != 1 || codes["INVALID_TOKEN"] != 63 {
				t.Errorf("%v", codes)
			}
			harness.Fine(t, s.Login(t, email, harness.GoodPass))
		}
	})
}

// OT-03, SE-08: what a change makes worthless, and what it must not.
func TestOT03_EmailChangeOrders(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := confirmed(t, s, "ada@example.com")
		mails := func() (reset, magic, confirm string) {
			reset = s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword).Token
			magic = s.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink).Token
			harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "new@example.com")))
			return reset, magic, s.Letter(t, "new@example.com", db.MailConfirmChange).Token
		}
		dead := func(what, reset, magic, confirm string) {
			t.Helper()
			for _, a := range []*harness.Answer{
				s.GraphQL(t, "", harness.ResetDoc, harness.InputOf("token", reset, "newPassword",
					"a wholly different phrase")),
				s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", magic)),
				s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", confirm)),
			} {
				if a.Code() != "INVALID_TOKEN" {
					t.Errorf("after %s: %s", what, a.Raw)
				}
			}
		}
		reset, magic, confirm := mails()
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", harness.NewPass, "currentPassword", harness.GoodPass)))
		dead("another password", reset, magic, confirm)
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", harness.NewPass)))
		reset, magic, confirm = mails()
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc,
			harness.InputOf("password", harness.GoodPass, "currentPassword", harness.NewPass)))
		dead("another password by updateMe", reset, magic, confirm)

		// An address that is shown at once ends what waited, and no link to the one that is confirmed.
		reset, magic, confirm = mails()
		changeAtOnce(t, s, ada.Access, "thief@example.net")
		harness.RefusedWith(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", confirm)), "INVALID_TOKEN")
		a := harness.Fine(t, s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", magic)))
		if !strings.Contains(a.Raw, ada.ID) {
			t.Error(a.Raw)
		}

		// Whoever took the account over changes the address twice, proves it, changes the password and resets it by
		// mail. The link of the owner stays good all along; those of the addresses that came after it die with it.
		prove := func(address string) {
			t.Helper()
			harness.Fine(t, s.GraphQL(t, ada.Access, harness.VerifyDoc,
				harness.InputOf("token", s.Letter(t, address, db.MailConfirmChange).Token)))
		}
		prove("thief@example.net")
		dead("another address", reset, magic, confirm)
		link := s.Letter(t, "ada@example.com", db.MailEmailChanged).Token
		changeAtOnce(t, s, ada.Access, "thief2@example.net")
		prove("thief2@example.net")
		second := s.Letter(t, "thief@example.net", db.MailEmailChanged).Token
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", harness.NewPass, "currentPassword", harness.GoodPass)))
		l := s.Mailed(t, harness.AskResetDoc, "thief2@example.net", db.MailResetPassword)
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", "the password of a thief")))
		late := s.Mailed(t, harness.AskMagicDoc, "thief2@example.net", db.MailMagicLink).Token
		a = harness.Fine(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)))
		if a.Text("cancelEmailChange", "email") != "ada@example.com" {
			t.Error(a.Raw)
		}
		harness.RefusedWith(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", second)), "INVALID_TOKEN")
		harness.RefusedWith(t, s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", late)), "INVALID_TOKEN")
		l = s.Mailed(t, harness.AskResetDoc, "ada@example.com", db.MailResetPassword)
		harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.GoodPass)))
		harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass))
	})
}

// A former address is taken back from somebody who registered with it and proved nothing, and not from somebody who
// proved to own it; the link stays good then. One that was never confirmed has no link.
func TestEmailChange_TakenMeanwhile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		mistyped := s.Register(t, "mistyped@example.com")
		changeAtOnce(t, s, mistyped.Access, "right@example.com")
		if got := s.Letter(t, "mistyped@example.com", db.MailEmailChanged).Token; got != "" {
			t.Error("an address that nobody confirmed got a link")
		}
		ada := confirmed(t, s, "ada@example.com")
		move := func(address string) (link string) {
			t.Helper()
			changeAtOnce(t, s, ada.Access, address)
			harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
				harness.InputOf("token", s.Letter(t, address, db.MailConfirmChange).Token)))
			return s.Letter(t, "ada@example.com", db.MailEmailChanged).Token
		}
		link := move("new@example.com")
		other := s.Register(t, "ada@example.com")
		a := harness.Fine(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)))
		if a.Text("cancelEmailChange", "email") != "ada@example.com" {
			t.Error(a.Raw)
		}
		if got := addresses(t, s, other.Access); got != "<nil> false <nil>" {
			t.Errorf("who proved nothing has %s", got)
		}
		ada.Access = harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass)).
			Text("login", "tokens", "accessToken")
		if got := addresses(t, s, ada.Access); !s.Is(t, ada.Access, ada) || got != "ada@example.com true <nil>" {
			t.Error(got)
		}
		link = move("newer@example.com")
		other = confirmed(t, s, "ada@example.com")
		harness.RefusedWith(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)), "ALREADY_EXISTS")
		if !s.Is(t, ada.Access, ada) || addresses(t, s, ada.Access) != "newer@example.com true <nil>" {
			t.Error("the refusal changed something")
		}
		harness.Fine(t, s.GraphQL(t, other.Access, harness.DeleteAccountDoc, nil))
		harness.Fine(t, s.GraphQL(t, "", cancelDoc, harness.InputOf("token", link)))
		harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass))

		// where an address counts at once, one that somebody proved is refused, and its owner told
		confirmed(t, s, "bob@example.com")
		in := harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass)).Text("login", "tokens", "accessToken")
		r := s.REST(t, "POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"bob@example.com"}}}`,
			harness.Bearer(in)...)
		if r.Status != http.StatusBadRequest || s.Letter(t, "bob@example.com", db.MailAddressTaken).Token != "" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// OT-17: asked for again, a change is mailed again, one a minute; the former address hears of each address once.
func TestOT17_EmailChangeAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		for range 12 {
			harness.Fine(t, s.GraphQL(t, ada.Access, askDoc,
				harness.InputOf("email", "new@example.com", "currentPassword", harness.GoodPass)))
			s.Deliver(t)
			s.Clock.Add(31 * time.Second)
		}
		if n := len(s.Letters(t, "new@example.com", db.MailConfirmChange)); n != 6 {
			t.Errorf("%d mails", n)
		}
		if n := len(s.Letters(t, "ada@example.com", db.MailChangeAsked)); n != 1 {
			t.Errorf("%d notices", n)
		}
	})
}

// Without mail nothing can be confirmed: what needs that is refused, and nobody is written to.
func TestMailOff_Account(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_SMTP_URL=none")
		ada := s.Register(t, "ada@example.com")
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "new@example.com")),
			"FEATURE_DISABLED")
		harness.RefusedWith(t, s.GraphQL(t, ada.Access, harness.UpdateMeDoc,
			harness.InputOf("email", "new@example.com")), "FEATURE_DISABLED")
		harness.RefusedWith(t, s.GraphQL(t, "", harness.RegisterDoc,
			harness.InputOf("email", "b@example.com", "sendPasswordSetupEmail", true)), "FEATURE_DISABLED")
		harness.Fine(t, s.GraphQL(t, ada.Access, askDoc, harness.InputOf("email", "Ada@example.com")))
		changeAtOnce(t, s, ada.Access, "new@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", harness.NewPass)))
		harness.RefusedWith(t, s.GraphQL(t, "", harness.RegisterDoc,
			harness.InputOf("email", "new@example.com", "password", harness.GoodPass)), "ALREADY_EXISTS")
		harness.Asked(t, s.URL, "", harness.LoginDoc,
			harness.InputOf("email", "new@example.com", "password", harness.NewPass), "User-Agent", "Something else")
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM mails`); n != 0 {
			t.Errorf("%d mails", n)
		}
	})
}
