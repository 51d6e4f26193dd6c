package db_test

import (
	"context"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// A backup does not know which links were followed after it was taken: none of them works a second time (OT-02), and a
// mail that waited does not bring one that is worth nothing. What takes a change of the address back stays, and so do
// notices.
func TestFinishRestore_Mails(t *testing.T) {
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
		mail := func(kind db.MailKind, ttl int) *db.Mail {
			return &db.Mail{
				ID: db.NewMailID(), Kind: kind, UserID: u.ID, Address: email, AddressCanonical: email, TTLSeconds: ttl,
				State: db.MailQueued, CreatedAt: now,
			}
		}
		reset, verify := mail(db.MailResetPassword, 900), mail(db.MailVerifyEmail, 900)
		changed, told, link := mail(db.MailEmailChanged, 900), mail(db.MailPassword, 0), mail(db.MailMagicLink, 900)
		if err := d.QueueMails(ctx, reset, verify, changed, told, link); err != nil {
			t.Fatal(err)
		}
		tokens := map[*db.Mail]db.TokenID{}
		for _, m := range []*db.Mail{reset, verify, changed} {
			l, err := d.Resolve(ctx, m.ID, now)
			if err != nil || l == nil {
				t.Fatal(l, err)
			}
			tokens[m] = l.Token.ID
		}
		r, err := d.FinishRestore(ctx, signingKey("a", db.KeyActive, now), signingKey("b", db.KeyNext, now), now)
		if err != nil || r.Links != 2 || r.Mails != 3 {
			t.Errorf("%+v %v", r, err)
		}
		if n := count(t, dbtest.Beside(t, dsn), "audit_events WHERE action = 'restore.finished'"); n != 1 {
			t.Errorf("%d events", n)
		}
		for m, id := range tokens {
			got, err := d.TokenWithUser(ctx, id)
			if err != nil || got == nil {
				t.Fatal(got, err)
			}
			if alive := got.Token.InvalidatedAt == nil; alive != (m == changed) || got.Token.Redeemed {
				t.Errorf("the link of %s: %+v", m.Kind, got.Token)
			}
		}
		for m, goes := range map[*db.Mail]bool{reset: false, verify: false, link: false, changed: true, told: true} {
			if l, err := d.Resolve(ctx, m.ID, now); err != nil || (l != nil) != goes {
				t.Errorf("%s goes out: %v %v, want %v", m.Kind, l != nil, err, goes)
			}
		}
	})
}
