package mail

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// valid asks whether a token would be taken.
func valid(t testing.TB, i *harness.Instance, purpose, token string, email any, as ...string) bool {
	t.Helper()
	a := i.GraphQL(t, strings.Join(as, ""), validDoc,
		map[string]any{"purpose": purpose, "token": token, "email": email})
	if len(a.Errors) > 0 {
		t.Fatalf("%s", a.Raw)
	}
	return a.At("tokenIsValid") == true
}

// OT-01: once, for one purpose, one account and one address.
func TestOT01_Matrix(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		bob := i.Register(t, "bob@example.com")
		for n, a := range artefacts() {
			who := i.Register(t, fmt.Sprintf("ada%d@example.com", n))
			l, address := a.get(t, i, s, who)
			as := a.as(t, i, who)
			for _, other := range artefacts() {
				if !valid(t, i, a.purpose, l.Token, nil) || !valid(t, i, a.purpose, l.Token, address) ||
					!valid(t, i, a.purpose, l.Code, address, as) {
					t.Errorf("%s is not good", a.name)
				}
				if other.document != a.document {
					harness.RefusedWith(t, i.GraphQL(t, "", other.document, other.shown(l, address, false)),
						"INVALID_TOKEN")
					harness.RefusedWith(t, i.GraphQL(t, "", other.document, other.shown(l, address, true)),
						"INVALID_TOKEN")
				}
				if other.purpose != a.purpose && (valid(t, i, other.purpose, l.Token, nil) ||
					valid(t, i, other.purpose, l.Code, address, as)) {
					t.Errorf("%s is good for %s", a.name, other.name)
				}
			}
			// OT-06: the address of somebody else beside it.
			stolen := a.shown(l, address, false)
			for _, email := range []string{bob.Email, "", "nobody@example.com", "no address"} {
				stolen["input"].(map[string]any)["email"] = email
				harness.RefusedWith(t, i.GraphQL(t, "", a.document, stolen), "INVALID_TOKEN")
				if valid(t, i, a.purpose, l.Token, email) {
					t.Errorf("%s beside %q is good", a.name, email)
				}
			}
			harness.RefusedWith(t, i.GraphQL(t, as, a.document, a.shown(l, bob.Email, true)), "INVALID_TOKEN")
			done := harness.Fine(t, i.GraphQL(t, as, a.document, a.shown(l, address, n%2 == 0)))
			if !strings.Contains(done.Raw, who.ID) && !strings.Contains(done.Raw, `"email":"`+address+`"`) { // AZ-16
				t.Errorf("%s: %s", a.name, done.Raw)
			}
			for _, byCode := range []bool{false, true} {
				harness.RefusedWith(t, i.GraphQL(t, as, a.document, a.shown(l, address, byCode)), "INVALID_TOKEN")
			}
			if valid(t, i, a.purpose, l.Token, nil) || valid(t, i, a.purpose, l.Code, address, as) {
				t.Errorf("%s is good twice", a.name)
			}
		}
	})
}

// OT-01: the lives, to the second.
func TestOT01_Lives(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		lives := map[string]time.Duration{
			"EMAIL_VERIFICATION": 24 * time.Hour, "PASSWORD_RESET": 15 * time.Minute, "MAGIC_LINK": 15 * time.Minute,
			"EMAIL_CHANGE": 24 * time.Hour,
		}
		for n, a := range artefacts() {
			for _, byCode := range []bool{false, true} {
				who := i.Register(t, fmt.Sprintf("ada%d%v@example.com", n, byCode))
				life := lives[a.purpose]
				if byCode {
					life = 10 * time.Minute
				}
				l, address := a.get(t, i, s, who)
				i.Clock.Add(life - time.Second)
				if !valid(t, i, a.purpose, l.Token, nil) {
					t.Errorf("%s: over a second early", a.name)
				}
				i.Clock.Add(time.Second)
				as := a.as(t, i, who)
				harness.RefusedWith(t, i.GraphQL(t, as, a.document, a.shown(l, address, byCode)), "INVALID_TOKEN")
				l, address = a.get(t, i, s, who)
				i.Clock.Add(life - time.Second)
				harness.Fine(t, i.GraphQL(t, as, a.document, a.shown(l, address, byCode)))
			}
		}
	})
}

// OT-03: a newer mail makes the older one of its kind worthless, a reset all of them, and so does a change of the
// address.
func TestOT03_Order(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		for n, a := range artefacts() {
			who := i.Register(t, fmt.Sprintf("ada%d@example.com", n))
			older, address := a.get(t, i, s, who)
			newer, _ := a.get(t, i, s, who)
			as := a.as(t, i, who)
			harness.RefusedWith(t, i.GraphQL(t, "", a.document, a.shown(older, address, false)), "INVALID_TOKEN")
			if older.Code != newer.Code {
				harness.RefusedWith(t, i.GraphQL(t, as, a.document, a.shown(older, address, true)), "INVALID_TOKEN")
			}
			harness.Fine(t, i.GraphQL(t, as, a.document, a.shown(newer, address, true)))
		}
		for _, last := range []string{"reset", "confirmed change"} {
			who := i.Register(t, strings.ReplaceAll(last, " ", "-")+"@example.com")
			var end func()
			others := map[string]harness.Letter{}
			for _, a := range artefacts() {
				l, address := a.get(t, i, s, who)
				if a.name == last {
					end = func() { harness.Fine(t, i.GraphQL(t, "", a.document, a.shown(l, address, false))) }
				} else {
					others[a.purpose] = l
				}
			}
			end()
			for purpose, l := range others {
				if valid(t, i, purpose, l.Token, nil) {
					t.Errorf("after %s %s is good still", last, purpose)
				}
			}
		}
		if n := s.Count(t, `SELECT count(*) FROM users WHERE pending_email IS NOT NULL`); n != 0 {
			t.Errorf("SE-08: %d addresses wait still", n)
		}
	})
}

// OT-04, OT-05: nothing but the mailed secret redeems anything.
func TestOT04_NothingMatchesBlank(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		who := i.Register(t, "ada@example.com")
		for _, a := range artefacts() {
			l, address := a.get(t, i, s, who)
			texts := []string{
				"", " ", "null", "0", "000000", "true", "[]", "{}", "undefined", "%", "ot1.", l.Token + "\n", " " +
					l.Token, l.Token + "A", l.Token[:len(l.Token)-1],
				strings.ToUpper(l.Token), l.ResolvedMail.Token.ID.String(), "ot1." + l.ResolvedMail.Token.ID.String() +
					".", strings.Repeat("9", 5000),
				l.Code[:5], l.Code + "0", "-" + l.Code[1:], "\u0661\u0662\u0663\u0664\u0665\u0666",
				strings.TrimPrefix(l.Token, "ot1."), "rt1." + l.Token[4:], "st1." + l.Token[4:],
			}
			for _, text := range texts {
				for _, email := range []any{nil, address} {
					if text == l.Code || text == "000000" && email != nil {
						continue // a try
					}
					in := harness.InputOf(append([]any{"token", text, "email", email}, a.more...)...)
					if got := i.GraphQL(t, "", a.document, in); got.Code() != "INVALID_TOKEN" {
						t.Errorf("%s by %q: %s", a.name, text, got.Raw)
					}
					if valid(t, i, a.purpose, text, email) {
						t.Errorf("%s: %q is valid", a.name, text)
					}
				}
			}
			// a code alone
			harness.RefusedWith(t, i.GraphQL(t, "", a.document,
				harness.InputOf(append([]any{"token", l.Code}, a.more...)...)), "INVALID_TOKEN")
			for _, value := range []any{
				nil,
				map[string]any{},
				[]any{l.Token, l.Token},
				0, true,
				map[string]any{"$ne": ""},
			} {
				for _, in := range []map[string]any{
					harness.InputOf(append([]any{"token", value}, a.more...)...),
					harness.InputOf(append([]any{"email", address}, a.more...)...),
					{"input": value},
					{},
				} {
					if got := i.GraphQL(t, "", a.document, in); got.Status == 200 && len(got.Errors) == 0 {
						t.Errorf("%s by %v: %s", a.name, in, got.Raw)
					}
				}
			}
			if !valid(t, i, a.purpose, l.Token, nil) {
				t.Errorf("%s: one of these spent it", a.name)
			}
		}
		harness.Fine(t, i.Login(t, who.Email, harness.GoodPass))
		if n := s.Count(t, `SELECT count(*) FROM code_tries WHERE tries > 0`); n != 0 {
			t.Errorf("%d codes were tried", n)
		}
	})
}

// SE-15: what is mailed is no credential, and no credential is a mailed token.
func TestSE15_OneTimeTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		s := harness.OpenSide(t, dsn)
		ada := i.Register(t, "ada@example.com")
		session := i.LoginAs(t, ada, "SESSION_TOKEN").Refresh
		_, key := i.NewKey(t, ada.Access, nil)
		for _, a := range artefacts() {
			l, address := a.get(t, i, s, ada)
			for _, text := range []string{l.Token, l.Code} {
				for _, header := range []http.Header{
					{"Authorization": {"Bearer " + text}},
					{"X-Api-Key": {text}},
					{"Cookie": {credential.NewSessionCookie(site.Parse(i.App.PublicURL)).Name + "=" + text}},
				} {
					if got := harness.SendWith(t, i.URL, header, harness.CurrentDoc,
						nil); got.At("currentCredential") != nil {
						t.Errorf("%s as %v: %s", a.name, header, got.Raw)
					}
				}
				harness.RefusedWith(t, i.Refresh(t, text), "INVALID_TOKEN")
				harness.RefusedWith(t, i.GraphQL(t, "", harness.LogoutDoc, harness.InputOf("refreshToken", text)),
					"INVALID_TOKEN")
			}
			for _, credential := range []string{ada.Access, ada.Refresh, session, key, harness.GoodPass} {
				harness.RefusedWith(t, i.GraphQL(t, "", a.document,
					harness.InputOf(append([]any{"token", credential}, a.more...)...)), "INVALID_TOKEN")
				harness.RefusedWith(t, i.GraphQL(t, "", a.document,
					harness.InputOf(append([]any{"token", credential, "email", address}, a.more...)...)),
					"INVALID_TOKEN")
			}
		}
		if !i.Is(t, ada.Access, ada) {
			t.Error("the session ended")
		}
	})
}

// SE-07: nothing that was mailed is good while an account is suspended, and nothing when it is gone.
func TestSE07_OneTimeTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		// a mail that is under way at the moment of a suspension is another matter
		i := harness.Start(t, dsn, harness.MailWaits)
		s := harness.OpenSide(t, dsn)
		for n, a := range artefacts() {
			who := i.Register(t, fmt.Sprintf("ada%d@example.com", n))
			l, address := a.get(t, i, s, who)
			s.MustExec(t, `UPDATE users SET status = 'SUSPENDED'`)
			for _, byCode := range []bool{false, true} {
				harness.RefusedWith(t, i.GraphQL(t, "", a.document, a.shown(l, address, byCode)), "INVALID_TOKEN")
			}
			if valid(t, i, a.purpose, l.Token, nil) {
				t.Errorf("%s is good", a.name)
			}
			before := len(i.Letters(t, who.Email, ""))
			i.Clock.Add(time.Minute)
			for _, document := range []string{harness.SendVerifyDoc, harness.AskResetDoc, harness.AskMagicDoc} {
				harness.Fine(t, i.GraphQL(t, "", document, harness.InputOf("email", who.Email)))
			}
			if got := len(i.Letters(t, who.Email, "")); got != before {
				t.Errorf("%d mails to somebody who is suspended", got-before)
			}
			s.MustExec(t, `UPDATE users SET status = 'ACTIVE'`)
			harness.Fine(t, i.GraphQL(t, "", a.document, a.shown(l, address, false)))

			if a.purpose != "EMAIL_VERIFICATION" && a.purpose != "EMAIL_CHANGE" {
				l, address = a.get(t, i, s, who)
				var id db.UserID
				if err := id.UnmarshalText([]byte(who.ID)); err != nil {
					t.Fatal(err)
				}
				if no, err := i.App.DB.DeleteUser(t.Context(), &db.Actor{Terminal: true}, id,
					db.Event{Action: db.ActionUserDeleted},
					i.Clock.Now()); no != nil || err != nil {
					t.Fatal(no, err)
				}
				i.Register(t, who.Email) // ID-08
				harness.RefusedWith(t, i.GraphQL(t, "", a.document, a.shown(l, address, false)), "INVALID_TOKEN")
				harness.RefusedWith(t, i.GraphQL(t, "", a.document, a.shown(l, address, true)), "INVALID_TOKEN")
			}
		}
	})
}

// OT-16: five tries of the code of a new address, through all doors that compare it together.
func TestOT16_DoorsOfAChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i, s := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		for n, address := range []string{"first@example.com", "second@example.com"} {
			who := i.Register(t, fmt.Sprintf("ada%d@example.com", n))
			s.MustExec(t, `UPDATE users SET email_verified_at = created_at`)
			l := pend(t, i, s, who, address)
			verify := func(code string) string {
				return i.GraphQL(t, who.Access, harness.VerifyDoc,
					harness.InputOf("token", code, "email", address)).Code()
			}
			for k, purpose := range []string{
				"EMAIL_CHANGE", "EMAIL_VERIFICATION", "EMAIL_CHANGE",
				"EMAIL_VERIFICATION",
			} {
				if valid(t, i, purpose, wrongCode(l), address, who.Access) {
					t.Fatalf("%s: try %d is valid", purpose, k)
				}
			}
			want := ""
			if n == 1 { // the fifth
				_, want = verify(wrongCode(l)), "INVALID_TOKEN"
			}
			if got := verify(l.Code); got != want {
				t.Errorf("%s: the right code: %q, want %q", address, got, want)
			}
		}
	})
}

// OT-16: five tries, also over codes that are mailed anew within the hour; the link works all the while.
func TestOT16_Tries(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		ada := i.Register(t, "ada@example.com")
		try := func(code string) string {
			return i.GraphQL(t, "", harness.ResetDoc, harness.InputOf("token", code, "email", ada.Email, "newPassword",
				harness.NewPass)).Code()
		}
		l := i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		for range 3 {
			if code := try(wrongCode(l)); code != "INVALID_TOKEN" {
				t.Fatal(code)
			}
		}
		if valid(t, i, "PASSWORD_RESET", wrongCode(l), ada.Email) { // the fourth
			t.Fatal("a wrong code is valid")
		}
		for range 7 { // a right one costs nothing
			if !valid(t, i, "PASSWORD_RESET", l.Code, ada.Email) {
				t.Fatal("the right code is not valid")
			}
			harness.RefusedWith(t, i.GraphQL(t, "", harness.ResetDoc,
				harness.InputOf("token", l.Code, "email", ada.Email, "newPassword", "short")), "PASSWORD_TOO_WEAK")
		}
		l = i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		_ = try(wrongCode(l)) // the fifth
		if code := try(l.Code); code != "INVALID_TOKEN" {
			t.Errorf("the right code after five tries: %q", code)
		}
		l = i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		if code := try(l.Code); code != "INVALID_TOKEN" {
			t.Errorf("the right code of another mail: %q", code)
		}
		if !valid(t, i, "PASSWORD_RESET", l.Token, nil) {
			t.Error("the link is not good")
		}
		i.Clock.Add(time.Hour)
		l = i.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		if code := try(l.Code); code != "" {
			t.Errorf("an hour later: %q", code)
		}
		// The account is not locked by any of this.
		harness.Fine(t, i.Login(t, ada.Email, harness.NewPass))
	})
}
