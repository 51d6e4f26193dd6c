package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const (
	cancelDoc  = `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: $input) { user { id email emailVerified pendingEmail } userErrors { code message field } } }`
	pendingDoc = `{ me { email emailVerified pendingEmail } }`
	askDoc     = `mutation E($input: ChangeEmailInput!) { changeEmail(input: $input) { user { email emailVerified pendingEmail } userErrors { code message field } } }`
)

// addresses are what the bearer sees of the own account: the address in use, whether it is confirmed, the one that waits.
func (i *instance) addresses(t testing.TB, credential string) string {
	t.Helper()
	a := i.graphql(t, credential, pendingDoc, nil)
	return fmt.Sprint(a.at("me", "email"), " ", a.at("me", "emailVerified"), " ", a.at("me", "pendingEmail"))
}

// confirmed registers somebody and confirms the address.
func (i *instance) confirmed(t testing.TB, email string) account {
	t.Helper()
	who := i.register(t, email)
	fine(t, i.graphql(t, "", verifyDoc, inputOf("token", i.letter(t, email, db.MailVerifyEmail).Token)))
	return who
}

// changeAtOnce changes an address through an API where it counts at once.
func (i *instance) changeAtOnce(t testing.TB, credential, email string) {
	t.Helper()
	i.clock.add(time.Second)
	r, err := i.call("POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"`+email+`"}}}`, bearer(credential)...)
	if err != nil || r.Status != http.StatusOK {
		t.Fatalf("%d %s %v", r.Status, r.Body, err)
	}
}

// TestOT19_EmailChange goes the whole way: asked, confirmed, taken back by the former address.
func TestOT19_EmailChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.confirmed(t, "ada@example.com")
		a := fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "New@example.com")))
		if got := s.addresses(t, ada.Access); got != "ada@example.com true New@example.com" || !strings.Contains(a.Raw, `"pendingEmail":"New@example.com"`) {
			t.Errorf("%s %s", got, a.Raw)
		}
		asked := s.letter(t, "ada@example.com", db.MailChangeAsked)
		if asked.Mail.Data.NewAddress != "New@example.com" || asked.Mail.Data.Device == "" || asked.Mail.Data.IP != "127.0.0.1" || asked.Mail.TTLSeconds != 72*3600 {
			t.Errorf("%+v", asked.Mail)
		}
		confirm := s.letter(t, "new@example.com", db.MailConfirmChange)
		refusedWith(t, s.graphql(t, "", cancelDoc, inputOf("token", confirm.Token)), "INVALID_TOKEN") // OT-01: for one purpose
		refusedWith(t, s.login(t, "new@example.com", goodPass), "INVALID_CREDENTIALS")
		fine(t, s.graphql(t, "", verifyDoc, inputOf("token", confirm.Token)))
		if got := s.addresses(t, ada.Access); got != "New@example.com true <nil>" {
			t.Error(got)
		}
		s.clock.add(71 * time.Hour)
		in := fine(t, s.login(t, "new@example.com", goodPass)).text("login", "tokens", "accessToken")
		changed := s.letter(t, "ada@example.com", db.MailEmailChanged)
		a = fine(t, s.graphql(t, "", cancelDoc, inputOf("token", changed.Token)))
		if !strings.Contains(a.Raw, `"email":"ada@example.com","emailVerified":true,"pendingEmail":null`) {
			t.Error(a.Raw)
		}
		if s.is(t, in, ada) || s.is(t, ada.Access, ada) {
			t.Error("a session outlives the cancelled change")
		}
		refusedWith(t, s.graphql(t, "", cancelDoc, inputOf("token", changed.Token)), "INVALID_TOKEN")
		refusedWith(t, s.login(t, "new@example.com", goodPass), "INVALID_CREDENTIALS")
		fine(t, s.login(t, "ada@example.com", goodPass))
		for _, text := range []string{"", "x", "ot1.", changed.Token + "x", strings.ToUpper(changed.Token), changed.Code} { // OT-04, SE-04
			refusedWith(t, s.graphql(t, "", cancelDoc, inputOf("token", text)), "INVALID_TOKEN")
		}
	})
}

// A change that waits is dropped by the former address, by the address in use, by another one and by another password.
func TestEmailChange_Dropped(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.confirmed(t, "ada@example.com")
		current := goodPass
		for n, drop := range []func(){
			func() {
				fine(t, s.graphql(t, "", cancelDoc, inputOf("token", s.letter(t, ada.Email, db.MailChangeAsked).Token)))
			},
			func() { fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "ada@example.com"))) },
			func() {
				fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "further@example.com")))
				fine(t, s.graphql(t, ada.Access, updateMeDoc, inputOf("email", "Ada@Example.com")))
				fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "ada@example.com")))
			},
			func() {
				fine(t, s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", newPass, "currentPassword", current)))
				current = newPass
			},
		} {
			s.clock.add(time.Minute)
			email := fmt.Sprintf("new%d@example.com", n)
			fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", email, "currentPassword", current)))
			token := s.letter(t, email, db.MailConfirmChange).Token
			drop()
			if got := s.addresses(t, ada.Access); got != "ada@example.com true <nil>" {
				t.Errorf("%d: %s", n, got)
			}
			refusedWith(t, s.graphql(t, "", verifyDoc, inputOf("token", token)), "INVALID_TOKEN")
		}
		if !s.is(t, ada.Access, ada) {
			t.Error("the session ended")
		}
		fine(t, s.graphql(t, ada.Access, updateMeDoc, inputOf("email", "form@example.com")))
		fine(t, s.graphql(t, ada.Access, updateMeDoc, inputOf("email", "ada@example.com", "name", "Ada"))) // a form that shows it sends it back
		if got := s.addresses(t, ada.Access); got != "ada@example.com true form@example.com" {
			t.Error(got)
		}
	})
}

// LG-04: who asks for an address learns nothing of whether somebody has it. Its owner does, and nobody can confirm it.
func TestLG04_EmailChangeIsUniform(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.confirmed(t, "ada@example.com")
		s.confirmed(t, "bob@example.com")
		answers := map[string]string{}
		for _, email := range []string{"bob@example.com", "eve@example.com"} {
			a := fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", email)))
			answers[email] = strings.ReplaceAll(a.Raw+s.addresses(t, ada.Access), email, "<address>")
		}
		if answers["bob@example.com"] != answers["eve@example.com"] {
			t.Errorf("%v", answers)
		}
		if n := len(s.letters(t, "bob@example.com", db.MailConfirmChange)); n != 0 {
			t.Errorf("%d mails to confirm go to the owner", n)
		}
		if l := s.letter(t, "bob@example.com", db.MailAddressTaken); l.Token != "" {
			t.Error("there is a token in it")
		}
		if n := len(s.letters(t, "eve@example.com", db.MailAddressTaken)); n != 0 {
			t.Errorf("%d mails say that a free address is taken", n)
		}
		if n := len(s.letters(t, "ada@example.com", db.MailChangeAsked)); n != 2 {
			t.Errorf("%d notices", n)
		}
	})
}

// OT-11: of two changes that are asked for at the same moment one waits, and only its own token confirms it.
func TestOT11_TwoChangesAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.confirmed(t, "ada@example.com")
		together(2, func(n int) (*answer, error) {
			return send(s.URL, ada.Access, askDoc, inputOf("email", fmt.Sprintf("new%d@example.com", n)))
		})
		waits := s.graphql(t, ada.Access, pendingDoc, nil).text("me", "pendingEmail")
		for n := range 2 {
			email := fmt.Sprintf("new%d@example.com", n)
			for _, l := range s.letters(t, email, db.MailConfirmChange) { // that of the other was mailed, or was not wanted any more
				a := s.graphql(t, "", verifyDoc, inputOf("token", l.Token))
				if (a.code() == "") != (email == waits) {
					t.Errorf("%s, and %s waits: %s", email, waits, a.Raw)
				}
			}
		}
		if got := s.addresses(t, ada.Access); got != waits+" true <nil>" {
			t.Errorf("%s, and %s waited", got, waits)
		}
	})
}

// OT-02: of 64 who follow one link at once, one takes the change back.
func TestOT02_CancelOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		for round := range amount(2, 100) {
			email := fmt.Sprintf("ada%d@example.com", round)
			ada := s.confirmed(t, email)
			fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "new-"+email)))
			token := s.letter(t, email, db.MailChangeAsked).Token
			if round%2 == 1 {
				fine(t, s.graphql(t, "", verifyDoc, inputOf("token", s.letter(t, "new-"+email, db.MailConfirmChange).Token)))
				token = s.letter(t, email, db.MailEmailChanged).Token
			}
			codes := map[string]int{}
			for _, a := range together(64, func(int) (*answer, error) { return send(s.URL, "", cancelDoc, inputOf("token", token)) }) {
				if a == nil {
					t.Fatal("no answer")
				}
				codes[a.code()]++
			}
			if codes[""] != 1 || codes["INVALID_TOKEN"] != 63 {
				t.Errorf("%v", codes)
			}
			fine(t, s.login(t, email, goodPass))
		}
	})
}

// OT-03, SE-08: what a change makes worthless, and what it must not.
func TestOT03_EmailChangeOrders(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.confirmed(t, "ada@example.com")
		mails := func() (reset, magic, confirm string) {
			reset = s.mailed(t, askResetDoc, ada.Email, db.MailResetPassword).Token
			magic = s.mailed(t, askMagicDoc, ada.Email, db.MailMagicLink).Token
			fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "new@example.com")))
			return reset, magic, s.letter(t, "new@example.com", db.MailConfirmChange).Token
		}
		dead := func(what, reset, magic, confirm string) {
			t.Helper()
			for _, a := range []*answer{
				s.graphql(t, "", resetDoc, inputOf("token", reset, "newPassword", "a wholly different phrase")),
				s.graphql(t, "", magicDoc, inputOf("token", magic)), s.graphql(t, "", verifyDoc, inputOf("token", confirm)),
			} {
				if a.code() != "INVALID_TOKEN" {
					t.Errorf("after %s: %s", what, a.Raw)
				}
			}
		}
		reset, magic, confirm := mails()
		fine(t, s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", newPass, "currentPassword", goodPass)))
		dead("another password", reset, magic, confirm)
		fine(t, s.graphql(t, ada.Access, sudoDoc, inputOf("password", newPass)))
		reset, magic, confirm = mails()
		fine(t, s.graphql(t, ada.Access, updateMeDoc, inputOf("password", goodPass, "currentPassword", newPass)))
		dead("another password by updateMe", reset, magic, confirm)

		// Whoever took the account over changes the address twice, and the password, and resets it by mail. The link of the owner
		// stays good all along; those of the addresses that came after it die with it.
		reset, magic, confirm = mails()
		s.changeAtOnce(t, ada.Access, "thief@example.net")
		dead("another address", reset, magic, confirm)
		link := s.letter(t, "ada@example.com", db.MailEmailChanged).Token
		s.letter(t, "thief@example.net", db.MailVerifyEmail)
		s.changeAtOnce(t, ada.Access, "thief2@example.net")
		second := s.letter(t, "thief@example.net", db.MailEmailChanged).Token
		fine(t, s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", newPass, "currentPassword", goodPass)))
		l := s.mailed(t, askResetDoc, "thief2@example.net", db.MailResetPassword)
		fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", "the password of a thief")))
		late := s.mailed(t, askMagicDoc, "thief2@example.net", db.MailMagicLink).Token
		a := fine(t, s.graphql(t, "", cancelDoc, inputOf("token", link)))
		if !strings.Contains(a.Raw, `"email":"ada@example.com","emailVerified":true`) {
			t.Error(a.Raw)
		}
		refusedWith(t, s.graphql(t, "", cancelDoc, inputOf("token", second)), "INVALID_TOKEN")
		refusedWith(t, s.graphql(t, "", magicDoc, inputOf("token", late)), "INVALID_TOKEN")
		l = s.mailed(t, askResetDoc, "ada@example.com", db.MailResetPassword)
		fine(t, s.graphql(t, "", resetDoc, inputOf("token", l.Token, "newPassword", goodPass)))
		fine(t, s.login(t, "ada@example.com", goodPass))
	})
}

// A former address that somebody registered meanwhile is not taken from them, and the link stays good. One that was never
// confirmed is put back as such.
func TestEmailChange_TakenMeanwhile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		s.changeAtOnce(t, ada.Access, "new@example.com")
		link := s.letter(t, "ada@example.com", db.MailEmailChanged).Token
		other := s.register(t, "ada@example.com")
		refusedWith(t, s.graphql(t, "", cancelDoc, inputOf("token", link)), "ALREADY_EXISTS")
		if !s.is(t, ada.Access, ada) || s.addresses(t, ada.Access) != "new@example.com false <nil>" {
			t.Error("the refusal changed something")
		}
		fine(t, s.graphql(t, other.Access, deleteAccountDoc, nil))
		a := fine(t, s.graphql(t, "", cancelDoc, inputOf("token", link)))
		if !strings.Contains(a.Raw, `"email":"ada@example.com","emailVerified":false`) {
			t.Error(a.Raw)
		}
		fine(t, s.login(t, "ada@example.com", goodPass))

		s.register(t, "bob@example.com") // where an address counts at once, one that is taken is refused, and its owner told
		in := fine(t, s.login(t, "ada@example.com", goodPass)).text("login", "tokens", "accessToken")
		r := s.rest(t, "POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"bob@example.com"}}}`, bearer(in)...)
		if r.Status != http.StatusBadRequest || s.letter(t, "bob@example.com", db.MailAddressTaken).Token != "" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// OT-17: asked for again, a change is mailed again, within the limits; the former address hears of each address once.
func TestOT17_EmailChangeAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		ada := s.register(t, "ada@example.com")
		for range 12 {
			fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "new@example.com", "currentPassword", goodPass)))
			s.clock.add(31 * time.Second)
		}
		if n := len(s.letters(t, "new@example.com", db.MailConfirmChange)); n != 5 {
			t.Errorf("%d mails", n)
		}
		if n := len(s.letters(t, "ada@example.com", db.MailChangeAsked)); n != 1 {
			t.Errorf("%d notices", n)
		}
	})
}

// Without mail nothing can be confirmed: what needs that is refused, and nobody is written to.
func TestMailOff_Account(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_SMTP_URL=none")
		ada := s.register(t, "ada@example.com")
		refusedWith(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "new@example.com")), "FEATURE_DISABLED")
		refusedWith(t, s.graphql(t, ada.Access, updateMeDoc, inputOf("email", "new@example.com")), "FEATURE_DISABLED")
		refusedWith(t, s.graphql(t, "", registerDoc, inputOf("email", "b@example.com", "sendPasswordSetupEmail", true)), "FEATURE_DISABLED")
		fine(t, s.graphql(t, ada.Access, askDoc, inputOf("email", "Ada@example.com")))
		s.changeAtOnce(t, ada.Access, "new@example.com")
		fine(t, s.graphql(t, ada.Access, changePasswordDoc, inputOf("newPassword", newPass)))
		refusedWith(t, s.graphql(t, "", registerDoc, inputOf("email", "new@example.com", "password", goodPass)), "ALREADY_EXISTS")
		asked(t, s.URL, "", loginDoc, inputOf("email", "new@example.com", "password", newPass), "User-Agent", "Something else")
		if n := openSide(t, dsn).count(t, `SELECT count(*) FROM mails`); n != 0 {
			t.Errorf("%d mails", n)
		}
	})
}
