package phones

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// OT-59: a number that the one before proved goes with the account that another person takes over or takes back, or
// gets from an administrator; one that nobody proved stays.
func TestOT59_TakenWithTheAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		set := func(email, phone, verifiedAt string) {
			side.MustExec(t, `UPDATE users SET phone = '`+phone+`', phone_verified_at = `+verifiedAt+` WHERE email = '`+
				email+`'`)
		}
		left := func(phone string) int {
			return side.Count(t, `SELECT count(*) FROM users WHERE phone = '`+phone+`'`)
		}
		for name, take := range map[string]func(t *testing.T, email string, id string){
			"reset": func(t *testing.T, email, _ string) {
				token := s.Mailed(t, harness.AskResetDoc, email, db.MailResetPassword).Token
				harness.Fine(t, s.GraphQL(t, "", harness.ResetDoc,
					harness.InputOf("token", token, "newPassword", harness.NewPass)))
			},
			"link": func(t *testing.T, email, _ string) {
				token := s.Mailed(t, harness.AskMagicDoc, email, db.MailMagicLink).Token
				harness.Fine(t, s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", token)))
			},
			"administrator": func(t *testing.T, email, id string) {
				harness.Fine(t, s.GraphQL(t, root.Access, harness.UpdateUserDoc,
					harness.InputOf("id", id, "email", "new-"+email)))
			},
		} {
			proved, unproved := s.Register(t, name+"1@example.com"), s.Register(t, name+"2@example.com")
			set(proved.Email, number, "created_at")
			set(unproved.Email, other, "NULL")
			take(t, proved.Email, proved.ID)
			take(t, unproved.Email, unproved.ID)
			if left(number) != 0 || left(other) != 1 {
				t.Errorf("%s: %d have the proved number, %d the other one", name, left(number), left(other))
			}
			side.MustExec(t, `UPDATE users SET phone = NULL, phone_verified_at = NULL`)
		}
		for since, want := range map[string]int{"'2020-01-01 00:00:00+00:00'": 1, "'2090-01-01 00:00:00+00:00'": 0} {
			email := "back" + string(rune('0'+want)) + "@example.com"
			ada := s.Register(t, email)
			harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
				harness.InputOf("token", s.Letter(t, email, db.MailVerifyEmail).Token)))
			harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangeEmailDoc, harness.InputOf("email", "thief-"+email)))
			harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc,
				harness.InputOf("token", s.Letter(t, "thief-"+email, db.MailConfirmChange).Token)))
			set("thief-"+email, number, since)
			back := s.Letter(t, email, db.MailEmailChanged).Token
			harness.Fine(t, s.GraphQL(t, "", `mutation C($input: CancelEmailChangeInput!) { cancelEmailChange(input: `+
				`$input) { `+
				`userErrors { code } } }`, harness.InputOf("token", back)))
			if left(number) != want {
				t.Errorf("a number of %s: %d have it", since, left(number))
			}
			side.MustExec(t, `UPDATE users SET phone = NULL, phone_verified_at = NULL`)
		}
	})
}
