package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/credential"
)

// valid asks whether a token would be taken.
func (i *instance) valid(t testing.TB, purpose, token string, email any) bool {
	t.Helper()
	a := i.graphql(t, "", validDoc, map[string]any{"purpose": purpose, "token": token, "email": email})
	if len(a.Errors) > 0 {
		t.Fatalf("%s", a.Raw)
	}
	return a.at("tokenIsValid") == true
}

// OT-01: once, for one purpose, one account and one address.
func TestOT01_Matrix(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		bob := i.register(t, "bob@example.com")
		for n, a := range artefacts() {
			who := i.register(t, fmt.Sprintf("ada%d@example.com", n))
			l, address := a.get(t, i, s, who)
			for _, other := range artefacts() {
				if !i.valid(t, a.purpose, l.Token, nil) || !i.valid(t, a.purpose, l.Token, address) || !i.valid(t, a.purpose, l.Code, address) {
					t.Errorf("%s is not good", a.name)
				}
				if other.document != a.document {
					refusedWith(t, i.graphql(t, "", other.document, other.shown(l, address, false)), "INVALID_TOKEN")
					refusedWith(t, i.graphql(t, "", other.document, other.shown(l, address, true)), "INVALID_TOKEN")
				}
				if other.purpose != a.purpose && (i.valid(t, other.purpose, l.Token, nil) || i.valid(t, other.purpose, l.Code, address)) {
					t.Errorf("%s is good for %s", a.name, other.name)
				}
			}
			// OT-06: the address of somebody else beside it.
			stolen := a.shown(l, address, false)
			for _, email := range []string{bob.Email, "", "nobody@example.com", "no address"} {
				stolen["input"].(map[string]any)["email"] = email
				refusedWith(t, i.graphql(t, "", a.document, stolen), "INVALID_TOKEN")
				if i.valid(t, a.purpose, l.Token, email) {
					t.Errorf("%s beside %q is good", a.name, email)
				}
			}
			refusedWith(t, i.graphql(t, "", a.document, a.shown(l, bob.Email, true)), "INVALID_TOKEN")
			done := fine(t, i.graphql(t, "", a.document, a.shown(l, address, n%2 == 0)))
			if !strings.Contains(done.Raw, who.ID) {
				t.Errorf("%s: %s", a.name, done.Raw)
			}
			for _, byCode := range []bool{false, true} {
				refusedWith(t, i.graphql(t, "", a.document, a.shown(l, address, byCode)), "INVALID_TOKEN")
			}
			if i.valid(t, a.purpose, l.Token, nil) || i.valid(t, a.purpose, l.Code, address) {
				t.Errorf("%s is good twice", a.name)
			}
		}
	})
}

// OT-01: the lives, to the second.
func TestOT01_Lives(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		lives := map[string]time.Duration{
			"EMAIL_VERIFICATION": 24 * time.Hour, "PASSWORD_RESET": 15 * time.Minute, "MAGIC_LINK": 15 * time.Minute, "EMAIL_CHANGE": 24 * time.Hour,
		}
		for n, a := range artefacts() {
			for _, byCode := range []bool{false, true} {
				who := i.register(t, fmt.Sprintf("ada%d%v@example.com", n, byCode))
				life := lives[a.purpose]
				if byCode {
					life = 10 * time.Minute
				}
				l, address := a.get(t, i, s, who)
				i.clock.add(life - time.Second)
				if !i.valid(t, a.purpose, l.Token, nil) {
					t.Errorf("%s: over a second early", a.name)
				}
				i.clock.add(time.Second)
				refusedWith(t, i.graphql(t, "", a.document, a.shown(l, address, byCode)), "INVALID_TOKEN")
				l, address = a.get(t, i, s, who)
				i.clock.add(life - time.Second)
				fine(t, i.graphql(t, "", a.document, a.shown(l, address, byCode)))
			}
		}
	})
}

// OT-03: a newer mail makes the older one of its kind worthless, a reset all of them, and so does a change of the address.
func TestOT03_Order(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		for n, a := range artefacts() {
			who := i.register(t, fmt.Sprintf("ada%d@example.com", n))
			older, address := a.get(t, i, s, who)
			newer, _ := a.get(t, i, s, who)
			refusedWith(t, i.graphql(t, "", a.document, a.shown(older, address, false)), "INVALID_TOKEN")
			if older.Code != newer.Code {
				refusedWith(t, i.graphql(t, "", a.document, a.shown(older, address, true)), "INVALID_TOKEN")
			}
			fine(t, i.graphql(t, "", a.document, a.shown(newer, address, true)))
		}
		for _, last := range []string{"reset", "confirmed change"} {
			who := i.register(t, strings.ReplaceAll(last, " ", "-")+"@example.com")
			var end func()
			others := map[string]letter{}
			for _, a := range artefacts() {
				l, address := a.get(t, i, s, who)
				if a.name == last {
					end = func() { fine(t, i.graphql(t, "", a.document, a.shown(l, address, false))) }
				} else {
					others[a.purpose] = l
				}
			}
			end()
			for purpose, l := range others {
				if i.valid(t, purpose, l.Token, nil) {
					t.Errorf("after %s %s is good still", last, purpose)
				}
			}
		}
		if n := s.count(t, `SELECT count(*) FROM users WHERE pending_email IS NOT NULL`); n != 0 {
			t.Errorf("SE-08: %d addresses wait still", n)
		}
	})
}

// OT-04, OT-05: nothing but the mailed secret redeems anything.
func TestOT04_NothingMatchesBlank(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		who := i.register(t, "ada@example.com")
		for _, a := range artefacts() {
			l, address := a.get(t, i, s, who)
			texts := []string{
				"", " ", "null", "0", "000000", "true", "[]", "{}", "undefined", "%", "ot1.", l.Token + "\n", " " + l.Token, l.Token + "A", l.Token[:len(l.Token)-1],
				strings.ToUpper(l.Token), l.Letter.Token.ID.String(), "ot1." + l.Letter.Token.ID.String() + ".", strings.Repeat("9", 5000),
				l.Code[:5], l.Code + "0", "-" + l.Code[1:], "\u0661\u0662\u0663\u0664\u0665\u0666", strings.TrimPrefix(l.Token, "ot1."), "rt1." + l.Token[4:], "st1." + l.Token[4:],
			}
			for _, text := range texts {
				for _, email := range []any{nil, address} {
					if text == l.Code || text == "000000" && email != nil {
						continue // a try
					}
					in := inputOf(append([]any{"token", text, "email", email}, a.more...)...)
					if got := i.graphql(t, "", a.document, in); got.code() != "INVALID_TOKEN" {
						t.Errorf("%s by %q: %s", a.name, text, got.Raw)
					}
					if i.valid(t, a.purpose, text, email) {
						t.Errorf("%s: %q is valid", a.name, text)
					}
				}
			}
			refusedWith(t, i.graphql(t, "", a.document, inputOf(append([]any{"token", l.Code}, a.more...)...)), "INVALID_TOKEN") // a code alone
			for _, value := range []any{nil, map[string]any{}, []any{l.Token, l.Token}, 0, true, map[string]any{"$ne": ""}} {
				for _, in := range []map[string]any{
					inputOf(append([]any{"token", value}, a.more...)...), inputOf(append([]any{"email", address}, a.more...)...), {"input": value}, {},
				} {
					if got := i.graphql(t, "", a.document, in); got.Status == 200 && len(got.Errors) == 0 {
						t.Errorf("%s by %v: %s", a.name, in, got.Raw)
					}
				}
			}
			if !i.valid(t, a.purpose, l.Token, nil) {
				t.Errorf("%s: one of these spent it", a.name)
			}
		}
		fine(t, i.login(t, who.Email, goodPass))
		if n := s.count(t, `SELECT count(*) FROM one_time_tokens WHERE attempts > 0`); n != 0 {
			t.Errorf("%d codes were tried", n)
		}
	})
}

// SE-15: what is mailed is no credential, and no credential is a mailed token.
func TestSE15_OneTimeTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		ada := i.register(t, "ada@example.com")
		session := i.loginAs(t, ada, "SESSION_TOKEN").Refresh
		_, key := i.newKey(t, ada.Access, nil)
		for _, a := range artefacts() {
			l, address := a.get(t, i, s, ada)
			for _, text := range []string{l.Token, l.Code} {
				for _, header := range []http.Header{
					{"Authorization": {"Bearer " + text}}, {"X-Api-Key": {text}}, {"Cookie": {credential.NewSessionCookie(i.app.PublicURL).Name + "=" + text}},
				} {
					if got := sendWith(t, i.URL, header, currentDoc, nil); got.at("currentCredential") != nil {
						t.Errorf("%s as %v: %s", a.name, header, got.Raw)
					}
				}
				refusedWith(t, i.refresh(t, text), "INVALID_TOKEN")
				refusedWith(t, i.graphql(t, "", logoutDoc, inputOf("refreshToken", text)), "INVALID_TOKEN")
			}
			for _, credential := range []string{ada.Access, ada.Refresh, session, key, goodPass} {
				refusedWith(t, i.graphql(t, "", a.document, inputOf(append([]any{"token", credential}, a.more...)...)), "INVALID_TOKEN")
				refusedWith(t, i.graphql(t, "", a.document, inputOf(append([]any{"token", credential, "email", address}, a.more...)...)), "INVALID_TOKEN")
			}
		}
		if !i.is(t, ada.Access, ada) {
			t.Error("the session ended")
		}
	})
}

// SE-07: nothing that was mailed is good while an account is suspended, and nothing when it is gone.
func TestSE07_OneTimeTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		s := openSide(t, dsn)
		for n, a := range artefacts() {
			who := i.register(t, fmt.Sprintf("ada%d@example.com", n))
			l, address := a.get(t, i, s, who)
			s.exec(t, `UPDATE users SET status = 'SUSPENDED'`)
			for _, byCode := range []bool{false, true} {
				refusedWith(t, i.graphql(t, "", a.document, a.shown(l, address, byCode)), "INVALID_TOKEN")
			}
			if i.valid(t, a.purpose, l.Token, nil) {
				t.Errorf("%s is good", a.name)
			}
			before := len(i.letters(t, who.Email, ""))
			i.clock.add(time.Minute)
			for _, document := range []string{sendVerifyDoc, askResetDoc, askMagicDoc} {
				fine(t, i.graphql(t, "", document, inputOf("email", who.Email)))
			}
			if got := len(i.letters(t, who.Email, "")); got != before {
				t.Errorf("%d mails to somebody who is suspended", got-before)
			}
			s.exec(t, `UPDATE users SET status = 'ACTIVE'`)
			fine(t, i.graphql(t, "", a.document, a.shown(l, address, false)))

			if a.purpose != "EMAIL_VERIFICATION" && a.purpose != "EMAIL_CHANGE" {
				l, address = a.get(t, i, s, who)
				var id db.UserID
				if err := id.UnmarshalText([]byte(who.ID)); err != nil {
					t.Fatal(err)
				}
				if no, err := i.app.DB.DeleteUser(t.Context(), id, true, db.Event{Action: "delete_user"}, i.clock.now()); no != nil || err != nil {
					t.Fatal(no, err)
				}
				i.register(t, who.Email) // ID-08
				refusedWith(t, i.graphql(t, "", a.document, a.shown(l, address, false)), "INVALID_TOKEN")
				refusedWith(t, i.graphql(t, "", a.document, a.shown(l, address, true)), "INVALID_TOKEN")
			}
		}
	})
}

// OT-16: five tries, also over codes that are mailed anew within the hour; the link works all the while.
func TestOT16_Tries(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		ada := i.register(t, "ada@example.com")
		try := func(code string) string {
			return i.graphql(t, "", resetDoc, inputOf("token", code, "email", ada.Email, "newPassword", newPass)).code()
		}
		l := i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		for range 3 {
			if code := try(wrongCode(l)); code != "INVALID_TOKEN" {
				t.Fatal(code)
			}
		}
		if i.valid(t, "PASSWORD_RESET", wrongCode(l), ada.Email) { // the fourth
			t.Fatal("a wrong code is valid")
		}
		for range 7 { // a right one costs nothing
			if !i.valid(t, "PASSWORD_RESET", l.Code, ada.Email) {
				t.Fatal("the right code is not valid")
			}
			refusedWith(t, i.graphql(t, "", resetDoc, inputOf("token", l.Code, "email", ada.Email, "newPassword", "short")), "PASSWORD_TOO_WEAK")
		}
		l = i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		_ = try(wrongCode(l)) // the fifth
		if code := try(l.Code); code != "INVALID_TOKEN" {
			t.Errorf("the right code after five tries: %q", code)
		}
		l = i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		if code := try(l.Code); code != "INVALID_TOKEN" {
			t.Errorf("the right code of another mail: %q", code)
		}
		if !i.valid(t, "PASSWORD_RESET", l.Token, nil) {
			t.Error("the link is not good")
		}
		i.clock.add(time.Hour)
		l = i.mailed(t, askResetDoc, ada.Email, db.MailResetPassword)
		if code := try(l.Code); code != "" {
			t.Errorf("an hour later: %q", code)
		}
		// The account is not locked by any of this.
		fine(t, i.login(t, ada.Email, newPass))
	})
}
