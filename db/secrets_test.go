package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// A link that was mailed under a server secret is good with it alone, so the secret can not go before the link.
func TestDependents_Links(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		ctx, now := context.Background(), noon()
		email := "ada@example.com"
		u := db.NewUser(now)
		u.Email, u.EmailCanonical = &email, email
		if taken, err := d.Register(ctx, u, nil, nil); err != nil || taken != nil {
			t.Fatal(taken, err)
		}
		m := &db.Mail{
			ID: db.NewMailID(), Kind: db.MailResetPassword, UserID: u.ID, Address: email, AddressCanonical: email, TTLSeconds: 900,
			State: db.MailQueued, CreatedAt: now,
		}
		if err := d.QueueMails(ctx, m); err != nil {
			t.Fatal(err)
		}
		if l, err := d.Resolve(ctx, m.ID, now); err != nil || l == nil {
			t.Fatal(l, err)
		}
		end := now.Add(15 * time.Minute)
		for _, step := range []struct {
			before, at time.Time
			links      int
			end        time.Time
		}{
			{now.Add(time.Minute), now.Add(2 * time.Minute), 1, end},
			{now.Add(-time.Minute), now.Add(2 * time.Minute), 0, time.Time{}}, // made under the present one
			{now.Add(time.Minute), end, 0, time.Time{}},                       // over
		} {
			n, err := d.Dependents(ctx, step.before, []byte("l"), step.at)
			if err != nil || n.Links != step.links || !n.LinksEnd.Equal(step.end) {
				t.Errorf("%+v %v, want %+v", n, err, step)
			}
		}
	})
}
