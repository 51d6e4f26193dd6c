package db_test

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// takeBack is the mail to an address that another one took the place of.
func takeBack(u *db.User, address string, at time.Time) *db.Mail {
	return &db.Mail{
		ID: db.NewMailID(), Kind: db.MailEmailChanged, UserID: u.ID, Address: address, AddressCanonical: address,
		TTLSeconds: 72 * 3600, State: db.MailQueued, CreatedAt: at,
	}
}

func resolved(t *testing.T, d *db.DB, m *db.Mail, at time.Time) *db.ResolvedMail {
	t.Helper()
	l, err := d.Resolve(t.Context(), m.ID, at)
	if err != nil || l == nil {
		t.Fatalf("%+v %v", l, err)
	}
	return l
}

func takenBack(t *testing.T, d *db.DB, l *db.ResolvedMail, at time.Time) string {
	t.Helper()
	u, taken, err := d.CancelEmailChange(t.Context(), l.Token.ID.UUID, at)
	if err != nil || taken != nil {
		t.Fatal(taken, err)
	}
	if u == nil {
		return ""
	}
	return u.EmailCanonical
}

// OT-11: which address came first is a matter of the changes, and not of which of several workers was faster with its
// mail.
func TestOT11_TakeBackOutOfOrder(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		u := join(t, d, "now@example.net")
		owner := takeBack(u, "owner@example.com", noon())
		thief := takeBack(u, "thief@example.net", noon().Add(time.Millisecond))
		queue(t, d, owner, thief)
		at := noon().Add(time.Second)
		of := map[*db.Mail]*db.ResolvedMail{}
		for _, m := range []*db.Mail{thief, owner} {
			of[m] = resolved(t, d, m, at)
		}
		if got := takenBack(t, d, of[owner], at); got != "owner@example.com" {
			t.Errorf("the owner has %q", got)
		}
		if got := takenBack(t, d, of[thief], at); got != "" {
			t.Errorf("and then somebody else %q", got)
		}
	})
}

// OT-11: a mail that waits while the owner takes the address back tells of its change, and has no link any more that
// would undo this. Nor has one that was sent after its link would have ended.
func TestOT11_TakeBackBeforeMail(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		u := join(t, d, "now@example.net")
		owner, thief := takeBack(u, "owner@example.com", noon()),
			takeBack(u, "thief@example.net", noon().Add(time.Second))
		queue(t, d, owner, thief)
		l := resolved(t, d, owner, noon().Add(2*time.Second))
		if got := takenBack(t, d, l, noon().Add(3*time.Second)); got != "owner@example.com" {
			t.Errorf("the owner has %q", got)
		}
		if l := resolved(t, d, thief, noon().Add(4*time.Second)); l.Token != nil || l.Mail.Purpose() != "" {
			t.Errorf("%+v", l)
		}
		late := takeBack(u, "late@example.net", noon())
		queue(t, d, late)
		if l := resolved(t, d, late, noon().Add(73*time.Hour)); l.Token != nil || l.Mail.Purpose() != "" {
			t.Errorf("%+v", l)
		}
	})
}
