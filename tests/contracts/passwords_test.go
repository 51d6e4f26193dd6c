package contracts

import (
	"net/http"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// PW-01, PW-06: a dialect takes the passwords that its document takes, with a mark in the audit log; one switch makes
// all of them as strict as GraphQL.
func TestPW06_DialectPasswords(t *testing.T) {
	t.Parallel()
	const common = "qwertyuiop123" // 13 characters, and on every list
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		side := harness.OpenSide(t, dsn)
		signUp := func(s *harness.Instance, email, password string) harness.Reply {
			return s.REST(t, "POST /sign_up", `{"email":"`+email+`","password":"`+password+`"}`)
		}
		if r := signUp(s, "one@example.com", common); r.Status != http.StatusCreated {
			t.Fatalf("as documented: %d %s", r.Status, r.Body)
		}
		if r := signUp(s, "two@example.com", "correct horse battery staple"); r.Status != http.StatusCreated {
			t.Fatalf("a good one: %d %s", r.Status, r.Body)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.created' AND outcome = 'ok' `+
			`AND reason = 'guessable_password'`); n != 1 {
			t.Errorf("%d marks in the audit log", n)
		}
		if code := s.GraphQL(t, "", harness.RegisterDoc,
			map[string]any{"input": map[string]any{"email": "three@example.com", "password": common}}).Code(); code !=
			"PASSWORD_BREACHED" {
			t.Errorf("GraphQL: %q", code)
		}
		strict := harness.Start(t, dsn, "DRAGOMAN_DIALECT_PASSWORDS=strict", "DRAGOMAN_PASSWORD_MIN_LENGTH=20")
		if r := signUp(strict, "four@example.com", "correct horse battery staple"); r.Status != http.StatusCreated {
			t.Errorf("strict, a good one: %d %s", r.Status, r.Body)
		}
		for password, want := range map[string]string{
			"somebody5@example.com": "The password is too close to your name or address, or to the name of this " +
				"service. Please choose another.",
			"nineteen characters": "The password is too short. Please use at least 20 characters.",
		} {
			signUp(strict, "somebody5@example.com", password).Says(t, http.StatusUnprocessableEntity, `{"password":["`+
				want+`"]}`)
		}
		signUp(harness.Start(t, dsn, "DRAGOMAN_DIALECT_PASSWORDS=strict"), "five@example.com", common).
			Says(t, http.StatusUnprocessableEntity, `{"password":["might easily be guessed"]}`)
		signUp(s, "six@example.com", "short").Says(t, http.StatusUnprocessableEntity,
			`{"password":["is too short (minimum is 12 characters)"]}`)
	})
}
