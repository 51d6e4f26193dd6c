package db_test

import (
	"context"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// A mail that two workers take up at once gets one token, and both send the same.
func TestResolve_Once(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		ctx, now := context.Background(), noon()
		email := "Ada@Example.com"
		u := db.NewUser(now)
		u.Email, u.EmailCanonical = &email, "ada@example.com"
		if taken, err := d.Register(ctx, u, nil, nil); err != nil || taken != nil {
			t.Fatal(taken, err)
		}
		m := &db.Mail{
			ID: db.NewMailID(), Kind: db.MailResetPassword, Address: "ADA@example.com",
			AddressCanonical: "ada@example.com", TTLSeconds: 900,
			State: db.MailQueued, CreatedAt: now,
		}
		nobody := &db.Mail{
			ID: db.NewMailID(), Kind: db.MailMagicLink, Address: "bob@example.com",
			AddressCanonical: "bob@example.com", State: db.MailQueued, CreatedAt: now,
		}
		if err := d.QueueMails(ctx, m, nobody); err != nil {
			t.Fatal(err)
		}
		var work sync.WaitGroup
		letters := make([]*db.ResolvedMail, 16)
		for i := range letters {
			work.Go(func() {
				var err error
				if letters[i], err = d.Resolve(ctx, m.ID, now); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		for _, l := range letters {
			if l == nil || l.Token == nil || l.Token.ID != letters[0].Token.ID {
				t.Fatalf("%+v", l)
			}
		}
		if got := letters[0].Mail.Address; got != email { // OT-10
			t.Errorf("it goes to %s", got)
		}
		if l, err := d.Resolve(ctx, nobody.ID, now); err != nil || l != nil {
			t.Errorf("a mail to nobody: %+v %v", l, err)
		}
		if queued, err := d.QueuedMails(ctx, now); err != nil || len(queued) != 0 {
			t.Errorf("queued: %v %v", queued, err)
		}
	})
}
