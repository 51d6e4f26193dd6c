package main

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// The mail to an address that waits to be confirmed goes out once more, and the one before it is worth nothing then (OT-03).
func TestMail_PendingAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := start(t, dsn)
		ada, bob := i.register(t, "ada@example.com"), i.register(t, "bob@example.com")
		pending := inputOf("pending", true)
		refusedWith(t, i.graphql(t, "", sendVerifyDoc, pending), "UNAUTHENTICATED")
		refusedWith(t, i.graphql(t, ada.Access, sendVerifyDoc, pending), "CONFLICT")
		refusedWith(t, i.graphql(t, ada.Access, sendVerifyDoc, inputOf("pending", true, "email", "ada@example.com")), "INVALID_INPUT")
		change := `mutation C($input: ChangeEmailInput!) { changeEmail(input: $input) { userErrors { code message field } } }`
		fine(t, i.graphql(t, ada.Access, change, inputOf("email", "new@example.com")))
		first := i.letter(t, "new@example.com", db.MailConfirmChange)
		i.clock.add(time.Minute)
		fine(t, i.graphql(t, ada.Access, sendVerifyDoc, pending))
		second := i.letter(t, "new@example.com", db.MailConfirmChange)
		refusedWith(t, i.graphql(t, "", verifyDoc, inputOf("token", first.Token)), "INVALID_TOKEN")
		fine(t, i.graphql(t, "", verifyDoc, inputOf("token", second.Token)))
		refusedWith(t, i.graphql(t, ada.Access, sendVerifyDoc, pending), "CONFLICT")

		// Of an address that is somebody else's its owner learns, and nothing to confirm is mailed.
		fine(t, i.graphql(t, ada.Access, change, inputOf("email", bob.Email)))
		i.clock.add(time.Minute)
		fine(t, i.graphql(t, ada.Access, sendVerifyDoc, pending))
		if got := len(i.letters(t, bob.Email, db.MailAddressTaken)); got != 2 || len(i.letters(t, bob.Email, db.MailConfirmChange)) > 0 {
			t.Errorf("%d mails", got)
		}
	})
}
