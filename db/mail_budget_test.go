package db_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// byDomain is a mailbox for each domain.
func byDomain(canonical string) []byte {
	_, domain, _ := strings.Cut(canonical, "@")
	sum := sha256.Sum256([]byte(domain))
	return sum[:]
}

// limited opens a database whose mailboxes have a budget.
func limited(t *testing.T, dsn string) *db.DB {
	t.Helper()
	d := dbtest.Open(t, dsn)
	d.LimitMails(byDomain)
	return d
}

// unasked makes a mail of a kind that may be dropped: nobody proved to own the address.
func unasked(u *db.User, kind string) *db.Mail {
	m := notice(u)
	m.Kind, m.Data.Unconfirmed = db.MailKind(kind), true
	return m
}

// sends resolves mails one after the other and counts those that are sent.
func sends(t *testing.T, d *db.DB, now time.Time, mails ...*db.Mail) (n int) {
	t.Helper()
	queue(t, d, mails...)
	for _, m := range mails {
		l, err := d.Resolve(t.Context(), m.ID, now)
		if err != nil {
			t.Fatal(err)
		}
		if l != nil {
			n++
		}
	}
	return n
}

// OT-17: a mailbox gets 12 mails within any hour and 30 within any day, and one of a kind a minute.
func TestOT17_Figures(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := limited(t, dsn)
		ada, bob := join(t, d, "ada@example.com"), join(t, d, "bob@example.com")
		at := noon()
		if n := sends(t, d, at, unasked(ada, "a"), unasked(bob, "a"), unasked(ada, "b")); n != 2 {
			t.Errorf("%d mails of two kinds", n)
		}
		if n := sends(t, d, at.Add(time.Minute-time.Microsecond), unasked(ada, "a")); n != 0 {
			t.Error("a second one within a minute")
		}
		if n := sends(t, d, at.Add(time.Minute), unasked(ada, "a")); n != 1 {
			t.Error("none after a minute")
		}
		sent := []time.Time{at, at, at.Add(time.Minute)}
		for step, tick := at.Add(2*time.Minute),
			time.Minute; step.Before(at.Add(30 * time.Hour)); step = step.Add(tick) {
			for range sends(t, d, step, unasked(ada, "a"), unasked(bob, "b")) {
				sent = append(sent, step)
			}
			if step.Sub(at) > time.Hour {
				tick = 20 * time.Minute
			}
		}
		within := func(window time.Duration) (most int) {
			for n := range sent {
				k := n
				for k < len(sent) && sent[k].Sub(sent[n]) < window {
					k++
				}
				most = max(most, k-n)
			}
			return most
		}
		if hour, day := within(time.Hour), within(24*time.Hour); hour != 12 || day != 30 {
			t.Errorf("%d within an hour, %d within a day", hour, day)
		}
		other := join(t, d, "eve@example.org")
		if n := sends(t, d, at, unasked(other, "a")); n != 1 {
			t.Error("another mailbox gets none")
		}
	})
}

// AV-05: a clock that is put back gives no mails away, and holds nobody up for the difference.
func TestOT17_ClockPutBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := limited(t, dsn)
		ada := join(t, d, "ada@example.com")
		if n := sends(t, d, noon().Add(1000*time.Hour), unasked(ada, "a")); n != 1 {
			t.Error("the first is not sent")
		}
		if n := sends(t, d, noon(), unasked(ada, "a")); n != 0 {
			t.Error("a clock that was put back gives one away")
		}
		if n := sends(t, d, noon().Add(time.Minute), unasked(ada, "a")); n != 1 {
			t.Error("none a minute later")
		}
	})
}

// OT-17: of 48 mails of different kinds that several instances resolve at once, 12 are sent, whose accounts they are.
func TestOT17_Parallel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := limited(t, dsn)
		servers := []*db.DB{d, limited(t, dsn)}
		var mails []*db.Mail
		for n := range 4 {
			u := join(t, d, fmt.Sprintf("ada%d@example.com", n))
			for k := range 12 {
				mails = append(mails, unasked(u, fmt.Sprintf("k%d-%d", n, k)))
			}
		}
		queue(t, d, mails...)
		var group sync.WaitGroup
		var mu sync.Mutex
		sent := 0
		for n, m := range mails {
			group.Go(func() {
				l, err := servers[n%2].Resolve(t.Context(), m.ID, noon())
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if l != nil {
					sent++
				}
			})
		}
		group.Wait()
		if sent != 12 {
			t.Errorf("%d mails", sent)
		}
	})
}

// OT-32: of notices to a confirmed address that come at once, whichever instance resolves them, each is told of once:
// alone, or in a digest.
func TestOT32_Parallel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := limited(t, dsn)
		servers := []*db.DB{d, limited(t, dsn)}
		ada := join(t, d, "ada@example.com")
		var mails []*db.Mail
		for n := range 40 {
			m := notice(ada)
			m.Kind = []db.MailKind{db.MailPassword, db.MailNewSignIn}[n%2]
			mails = append(mails, m)
		}
		queue(t, d, mails...)
		told := map[db.MailKind]int{}
		var mu sync.Mutex
		resolve := func(d *db.DB, id db.MailID, now time.Time) {
			l, err := d.Resolve(t.Context(), id, now)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				t.Error(err)
			case l == nil:
			case l.Mail.Kind == db.MailDigest:
				for _, r := range l.Mail.Data.Repeats {
					told[r.Kind] += r.Count
				}
			default:
				told[l.Mail.Kind]++
			}
		}
		var group sync.WaitGroup
		for n, m := range mails {
			group.Go(func() { resolve(servers[n%2], m.ID, noon()) })
		}
		group.Wait()
		left, err := d.QueuedMails(t.Context(), noon().Add(time.Minute))
		if err != nil || len(left) != 1 {
			t.Errorf("%d mails are left; %v", len(left), err)
		}
		for _, id := range left {
			resolve(servers[0], id, noon().Add(time.Minute))
		}
		if told[db.MailPassword] != 20 || told[db.MailNewSignIn] != 20 {
			t.Errorf("told of %v", told)
		}
	})
}

// OT-17: how many mails a mailbox got is forgotten after a day.
func TestSweep_MailBudgets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := limited(t, dsn), dbtest.Beside(t, dsn)
		if n := sends(t, d, noon(), unasked(join(t, d, "ada@example.com"), "a")); n != 1 {
			t.Fatal(n)
		}
		sweep(t, d, noon().Add(day), 0)
		sweep(t, d, noon().Add(day+time.Microsecond), 1)
		if n := count(t, conn, "mail_budgets"); n != 0 {
			t.Errorf("%d are left", n)
		}
	})
}

// OT-32: while the budget of a mailbox is used up, its notices become one digest an hour.
func TestOT32_HeldForAnHour(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := limited(t, dsn)
		ada := join(t, d, "ada@example.com")
		for n := range 12 {
			sends(t, d, noon(), unasked(ada, fmt.Sprint("k", n)))
		}
		told := 0
		var at []string
		for n := range 2*60 + 1 {
			now := noon().Add(time.Duration(n) * time.Second * 30)
			if n < 100 {
				m := notice(ada)
				m.CreatedAt = now
				queue(t, d, m)
			}
			due, err := d.QueuedMails(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range due {
				l, err := d.Resolve(t.Context(), id, now)
				if err != nil {
					t.Fatal(err)
				}
				if l == nil {
					continue
				}
				at = append(at, now.Sub(noon()).String())
				for _, r := range l.Mail.Data.Repeats {
					told += r.Count
					if !r.Since.Equal(noon()) {
						t.Errorf("since %s", r.Since)
					}
				}
			}
		}
		if told != 100 || len(at) != 1 || at[0] != "1h0m0s" {
			t.Errorf("told of %d, after %v", told, at)
		}
	})
}

// OT-33: a notice with a link to take a change back is sent over the budget, unless its reader has such a link already.
func TestOT33_RevertLinks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := limited(t, dsn)
		ada := join(t, d, "ada@example.com")
		for n := range 12 {
			sends(t, d, noon(), unasked(ada, fmt.Sprint("k", n)))
		}
		changed := func(address string, unconfirmed bool) *db.Mail {
			m := notice(ada)
			m.Kind, m.TTLSeconds, m.Address, m.AddressCanonical = db.MailEmailChanged, 72*3600, address, address
			m.CreatedAt, m.Data.Unconfirmed = noon(), unconfirmed
			return m
		}
		for _, address := range []string{"former@example.com", "other@example.com"} {
			if n := sends(t, d, noon(), changed(address, false)); n != 1 {
				t.Errorf("%s got no link", address)
			}
		}
		if n := sends(t, d, noon(), changed("former@example.com", false)); n != 0 {
			t.Error("a second link to the same address")
		}
		if n := sends(t, d, noon().Add(49*time.Hour), changed("former@example.com", false)); n != 1 {
			t.Error("no link while that of before is good for less than a day")
		}
		if n := sends(t, d, noon(), changed("never@example.com", true)); n != 0 {
			t.Error("a notice to an address that nobody proved is sent over the budget")
		}
	})
}
