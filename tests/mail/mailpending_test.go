package mail

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// The mail to an address that waits to be confirmed goes out once more, and the one before it is worth nothing then
// (OT-03).
func TestMail_PendingAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn)
		ada, bob := i.Register(t, "ada@example.com"), i.Register(t, "bob@example.com")
		pending := harness.InputOf("pending", true)
		harness.RefusedWith(t, i.GraphQL(t, "", harness.SendVerifyDoc, pending), "UNAUTHENTICATED")
		harness.RefusedWith(t, i.GraphQL(t, ada.Access, harness.SendVerifyDoc, pending), "CONFLICT")
		harness.RefusedWith(t, i.GraphQL(t, ada.Access, harness.SendVerifyDoc,
			harness.InputOf("pending", true, "email", "ada@example.com")), "INVALID_INPUT")
		change := `mutation C($input: ChangeEmailInput!) { changeEmail(input: $input) { userErrors { code message ` +
			`field } } }`
		harness.Fine(t, i.GraphQL(t, ada.Access, change, harness.InputOf("email", "new@example.com")))
		first := i.Letter(t, "new@example.com", db.MailConfirmChange)
		i.Clock.Add(time.Minute)
		harness.Fine(t, i.GraphQL(t, ada.Access, harness.SendVerifyDoc, pending))
		second := i.Letter(t, "new@example.com", db.MailConfirmChange)
		harness.RefusedWith(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", first.Token)),
			"INVALID_TOKEN")
		harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", second.Token)))
		harness.RefusedWith(t, i.GraphQL(t, ada.Access, harness.SendVerifyDoc, pending), "CONFLICT")

		// Of an address that somebody else confirmed its owner learns, and nothing to confirm is mailed.
		harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc,
			harness.InputOf("token", i.Letter(t, bob.Email, db.MailVerifyEmail).Token)))
		harness.Fine(t, i.GraphQL(t, ada.Access, change, harness.InputOf("email", bob.Email)))
		i.Clock.Add(time.Minute)
		harness.Fine(t, i.GraphQL(t, ada.Access, harness.SendVerifyDoc, pending))
		if got := len(i.Letters(t, bob.Email, db.MailAddressTaken)); got != 2 ||
			len(i.Letters(t, bob.Email, db.MailConfirmChange)) > 0 {
			t.Errorf("%d mails", got)
		}
	})
}
