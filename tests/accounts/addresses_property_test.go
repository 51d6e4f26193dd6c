package accounts

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const whoDoc = `{ me { id email emailVerified metadata } }`

// robbery is one server and what is true of its mailboxes. Two owners have two mailboxes each, and a thief has one; the
// thief types the addresses of all.
type robbery struct {
	*harness.Instance
	*rapid.T
	owners []*owner
	thief  thief
	first  bool // whether addresses are confirmed first
}

// owner is somebody who reads their mailboxes, and follows what they asked for themselves.
type owner struct {
	name      string
	mailboxes []string
	address   string // that of the account
	made      string // the account that they registered, "" for none
	proved    string // the account since they proved the address, "" before
	access    string // of a session, "" for none
	secret    string // what they wrote into the account after the proof, "" for nothing
	writes    int
	device    string // of the newest registration that waits, "" for none
}

type thief struct {
	mailbox string
	held    []string // sessions and API keys
	devices []string // the device tokens of registrations
}

const (
	ownersPassword = "an owner chose these words"
	thiefsPassword = "a thief chose these words"
)

// TestOT22_Property: whatever a thief does who reads no mailbox of others, they never read or hold what its owner made
// after proving the address, nor is an address of others confirmed in their hands; and its owner gets into the account
// by the mailbox at any time, with all that is in it. In every second sequence addresses are confirmed first, and the
// thief registers them as well. DRAGOMAN_TEST_FULL=1 takes 20,000 steps on each database.
func TestOT22_Property(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const url = "DRAGOMAN_PUBLIC_URL=http://localhost:8080"
		c := harness.NewClock()
		servers := []*harness.Instance{
			harness.StartWithClock(t, c, dsn, url), harness.StartWithClock(t, c, dsn, url, required),
		}
		steps, runs := 0, 0
		for target := harness.Amount(300, 20_000); steps < target && !t.Failed(); {
			rapid.Check(t, func(rt *rapid.T) {
				if steps >= target {
					return
				}
				runs++
				r := &robbery{T: rt, thief: thief{mailbox: fmt.Sprintf("thief%d@example.net", runs)}}
				r.first = rapid.Bool().Draw(rt, "addresses are confirmed first")
				r.Instance = servers[map[bool]int{true: 1}[r.first]]
				for _, name := range []string{"ada", "bob"} {
					first := fmt.Sprintf("%s%d@example.com", name, runs)
					r.owners = append(r.owners, &owner{
						name: name, mailboxes: []string{first, "other-" + first}, address: first,
					})
				}
				count := func(do func()) func(*rapid.T) {
					return func(rt *rapid.T) { r.T = rt; steps++; do() }
				}
				rt.Repeat(map[string]func(*rapid.T){
					"":                        func(rt *rapid.T) { r.T = rt; r.holds() },
					"owner asks for another":  count(r.ownerMoves),
					"owner confirms":          count(r.ownerConfirms),
					"owner recovers":          count(r.ownerRecovers),
					"owner registers":         count(r.ownerRegisters),
					"owner signs in by mail":  count(r.ownerSignsInByMail),
					"owner writes":            count(r.ownerWrites),
					"thief asks for mails":    count(r.thiefAsksForMails),
					"thief changes address":   count(r.thiefChangesAddress),
					"thief changes password":  count(r.thiefChangesPassword),
					"thief deletes":           count(r.thiefDeletes),
					"thief guesses":           count(r.thiefGuesses),
					"thief makes a key":       count(r.thiefMakesKey),
					"thief reads the mailbox": count(r.thiefReadsMailbox),
					"thief registers":         count(r.thiefRegisters),
					"thief signs in":          count(r.thiefSignsIn),
					"time passes":             count(r.timePasses),
				})
			})
		}
		t.Logf("%d steps in %d sequences", steps, runs)
	})
}

// ask runs a document as whoever has a credential.
func (r *robbery) ask(credential, document string, variables map[string]any) *harness.Answer {
	a, err := harness.Send(r.URL, credential, document, variables)
	if err != nil {
		r.Fatalf("%v", err)
	}
	return a
}

// mails are the newest mails to an address with a token, of some kinds.
func (r *robbery) mails(address string, kinds ...db.MailKind) (found []harness.Letter) {
	for _, kind := range kinds {
		for _, l := range r.LettersTo(r.T, address, 20) {
			if l.Mail.Kind == kind && l.Token != "" {
				found = append(found, l)
			}
		}
	}
	return found
}

func (r *robbery) owner() *owner { return rapid.SampledFrom(r.owners).Draw(r.T, "owner") }

// victims are all addresses that the thief may type.
func (r *robbery) address() string {
	all := []string{r.thief.mailbox}
	for _, o := range r.owners {
		all = append(all, o.mailboxes...)
	}
	return rapid.SampledFrom(all).Draw(r.T, "address")
}

func (r *robbery) credential() string {
	if len(r.thief.held) == 0 {
		r.Skip("the thief holds nothing")
	}
	return rapid.SampledFrom(r.thief.held).Draw(r.T, "credential")
}

// holds is what must be true after each step.
func (r *robbery) holds() {
	r.thief.held = slices.DeleteFunc(r.thief.held, func(credential string) bool {
		a := r.ask(credential, whoDoc, nil)
		id := a.Text("me", "id")
		for _, o := range r.owners {
			if id != "" && id == o.proved {
				r.Fatalf("the thief holds the account of %s: %s", o.name, a.Raw)
			}
			if a.At("me", "emailVerified") == true && slices.Contains(o.mailboxes, a.Text("me", "email")) {
				r.Fatalf("the thief holds a confirmed address of %s: %s", o.name, a.Raw)
			}
		}
		return id == ""
	})
}

func (r *robbery) ownerRegisters() {
	o := r.owner()
	if o.proved != "" || o.made != "" {
		r.Skip("there is an account")
	}
	a := r.ask("", harness.RegisterDoc, harness.InputOf("email", o.address, "password", ownersPassword))
	if a.Code() != "" && a.Code() != "ALREADY_EXISTS" {
		r.Fatalf("%s", a.Raw)
	}
	o.made, o.access = a.Text("register", "user", "id"), a.Text("register", "tokens", "accessToken")
	if r.first {
		o.device = a.Text("register", "deviceToken")
	}
}

// ownerProves follows a link to the address that the owner registered with, whoever caused its mail, in one of the ways
// that there are. The password is the owner's afterwards, or there is none.
func (r *robbery) ownerProves(o *owner) {
	for _, l := range r.mails(o.address, db.MailVerifyEmail) {
		if l.Registration == nil || o.device == "" {
			continue
		}
		way := rapid.SampledFrom([]string{"device", "typed", "chosen", "program"}).Draw(r.T, "way")
		a := r.ask("", proveDoc, harness.InputOf(append([]any{"token", l.Token}, map[string][]any{
			"device": {"deviceToken", o.device}, "typed": {"password", ownersPassword},
			"chosen": {"newPassword", ownersPassword}, "program": {"unattended", true},
		}[way]...)...))
		if a.Code() != "" {
			continue // too old, or the registration made room for others
		}
		o.device = ""
		if a.At("verifyEmail", "passwordMissing") == true {
			if way != "program" {
				r.Fatalf("%s: %s has no password", way, o.name)
			}
			r.recover(o)
			return
		}
		in := r.ask("", harness.LoginDoc, harness.InputOf("email", o.address, "password", ownersPassword))
		r.enters(o, in.Text("login", "user", "id"), in.Text("login", "tokens", "accessToken"))
		return
	}
}

// ownerConfirms follows the links of the owner's own account, and no others.
func (r *robbery) ownerConfirms() {
	o := r.owner()
	if o.proved == "" && r.first {
		r.ownerProves(o)
	}
	for _, address := range o.mailboxes {
		for _, l := range r.mails(address, db.MailVerifyEmail, db.MailConfirmChange) {
			id := l.ResolvedMail.User.ID.String()
			if id != o.made && id != o.proved {
				continue
			}
			if a := r.ask("", harness.VerifyDoc, harness.InputOf("token", l.Token)); a.Code() == "" {
				o.proved, o.address = id, a.Text("verifyEmail", "email")
			}
		}
	}
}

func (r *robbery) ownerRecovers() {
	o := r.owner()
	r.recover(o)
}

// recover resets the password by the mailbox and signs in. An owner who proved the address finds their account as they
// left it.
func (r *robbery) recover(o *owner) {
	r.ask("", harness.AskResetDoc, harness.InputOf("email", o.address))
	found := r.mails(o.address, db.MailResetPassword)
	if len(found) == 0 {
		if o.proved != "" {
			r.Fatalf("%s gets no mail to recover %s", o.name, o.address)
		}
		return
	}
	a := r.ask("", harness.ResetDoc, harness.InputOf("token", found[0].Token, "newPassword", ownersPassword))
	if a.Code() != "" {
		if o.proved != "" {
			r.Fatalf("%s can not recover %s: %s", o.name, o.address, a.Raw)
		}
		return
	}
	in := r.ask("", harness.LoginDoc, harness.InputOf("email", o.address, "password", ownersPassword))
	r.enters(o, in.Text("login", "user", "id"), in.Text("login", "tokens", "accessToken"))
}

func (r *robbery) ownerSignsInByMail() {
	o := r.owner()
	r.ask("", harness.AskMagicDoc, harness.InputOf("email", o.address))
	found := r.mails(o.address, db.MailMagicLink)
	if len(found) == 0 {
		return
	}
	a := r.ask("", harness.MagicDoc, harness.InputOf("token", found[0].Token))
	if a.Code() == "" {
		r.enters(o, a.Text("loginWithMagicLink", "user", "id"), a.Text("loginWithMagicLink", "tokens", "accessToken"))
	}
}

// enters is what an owner finds who came in by the mailbox.
func (r *robbery) enters(o *owner, id, access string) {
	a := r.ask(access, whoDoc, nil)
	if a.Text("me", "id") == "" || a.Text("me", "id") != id || o.proved != "" && id != o.proved {
		r.Fatalf("%s, of %s, came into %s: %s", o.name, o.proved, id, a.Raw)
	}
	if o.secret != "" && fmt.Sprint(a.At("me", "metadata", "secret")) != o.secret {
		r.Fatalf("%s finds %s, not %s", o.name, a.Raw, o.secret)
	}
	o.proved, o.made, o.access = id, id, access
}

func (r *robbery) ownerWrites() {
	o := r.owner()
	if o.proved == "" || o.access == "" {
		r.Skip("not in an account that is theirs")
	}
	o.writes++
	secret := fmt.Sprintf("%s-%d", o.name, o.writes)
	a := r.ask(o.access, harness.UpdateMeDoc, harness.InputOf("metadata", map[string]any{"secret": secret}))
	if a.Code() != "" { // the session is over
		o.access = ""
		return
	}
	if a.Text("updateMe", "user", "id") != o.proved {
		r.Fatalf("%s wrote into another account: %s", o.name, a.Raw)
	}
	o.secret = secret
}

func (r *robbery) ownerMoves() {
	o := r.owner()
	if o.access == "" {
		r.Skip("not signed in")
	}
	r.ask(o.access, askDoc, harness.InputOf("email", rapid.SampledFrom(o.mailboxes).Draw(r.T, "mailbox"),
		"currentPassword", ownersPassword))
}

func (r *robbery) take(a *harness.Answer, field string) {
	if access := a.Text(field, "tokens", "accessToken"); access != "" {
		r.thief.held = append(r.thief.held, access)
	}
}

func (r *robbery) thiefRegisters() {
	a := r.ask("", harness.RegisterDoc, harness.InputOf("email", r.address(), "password", thiefsPassword))
	r.take(a, "register")
	if device := a.Text("register", "deviceToken"); device != "" {
		r.thief.devices = append(r.thief.devices, device)
	}
}

func (r *robbery) thiefSignsIn() {
	r.take(r.ask("", harness.LoginDoc, harness.InputOf("email", r.address(), "password", thiefsPassword)), "login")
}

func (r *robbery) thiefMakesKey() {
	a := r.ask(r.credential(), harness.CreateKey, harness.InputOf())
	if key := a.Text("createApiKey", "secret"); key != "" {
		r.thief.held = append(r.thief.held, key)
	}
}

func (r *robbery) thiefChangesAddress() {
	credential, address := r.credential(), r.address()
	if rapid.Bool().Draw(r.T, "at once") {
		_, _ = r.Call("POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{"email":"`+address+`"}}}`,
			harness.Bearer(credential)...)
		return
	}
	r.ask(credential, askDoc, harness.InputOf("email", address, "currentPassword", thiefsPassword))
}

func (r *robbery) thiefChangesPassword() {
	r.ask(r.credential(), harness.ChangePasswordDoc,
		harness.InputOf("newPassword", thiefsPassword, "currentPassword", thiefsPassword))
}

func (r *robbery) thiefAsksForMails() {
	document := rapid.SampledFrom([]string{harness.AskResetDoc, harness.AskMagicDoc, harness.SendVerifyDoc}).
		Draw(r.T, "document")
	r.ask("", document, harness.InputOf("email", r.address()))
}

// thiefReadsMailbox follows every link in the thief's own mailbox.
func (r *robbery) thiefReadsMailbox() {
	for _, l := range r.LettersTo(r.T, r.thief.mailbox, 20) {
		if l.Token == "" {
			continue
		}
		switch l.Mail.Kind {
		case db.MailVerifyEmail, db.MailConfirmChange:
			in := harness.InputOf("token", l.Token)
			if len(r.thief.devices) > 0 {
				in = harness.InputOf("token", l.Token, "newPassword", thiefsPassword, "deviceToken",
					rapid.SampledFrom(r.thief.devices).Draw(r.T, "device"))
			}
			r.ask("", harness.VerifyDoc, in)
		case db.MailResetPassword:
			r.ask("", harness.ResetDoc, harness.InputOf("token", l.Token, "newPassword", thiefsPassword))
		case db.MailMagicLink:
			r.take(r.ask("", harness.MagicDoc, harness.InputOf("token", l.Token)), "loginWithMagicLink")
		case db.MailChangeAsked, db.MailEmailChanged:
			r.ask("", cancelDoc, harness.InputOf("token", l.Token))
		}
	}
}

func (r *robbery) thiefGuesses() {
	code := fmt.Sprintf("%06d", rapid.IntRange(0, 999999).Draw(r.T, "code"))
	r.ask("", harness.MagicDoc, harness.InputOf("token", code, "email", r.address()))
}

func (r *robbery) thiefDeletes() {
	credential := r.credential()
	r.ask(credential, harness.SudoDoc, harness.InputOf("password", thiefsPassword))
	r.ask(credential, harness.DeleteAccountDoc, nil)
}

func (r *robbery) timePasses() {
	passed := rapid.SampledFrom([]time.Duration{time.Minute, 11 * time.Minute, 25 * time.Hour}).Draw(r.T, "time")
	r.Clock.Add(passed)
	for _, o := range r.owners { // access tokens are short; the owner signs in again
		if passed > 24*time.Hour {
			o.device = "" // the registration is over: the owner follows no link to it
		}
		if o.access != "" && r.ask(o.access, whoDoc, nil).At("me") == nil {
			a := r.ask("", harness.LoginDoc, harness.InputOf("email", o.address, "password", ownersPassword))
			o.access = a.Text("login", "tokens", "accessToken")
			if id := a.Text("login", "user", "id"); o.proved != "" && id != o.proved || o.proved == "" && id != o.made {
				o.access = ""
			}
		}
	}
}
