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
			ID: db.NewMailID(), Kind: db.MailResetPassword, UserID: u.ID, Address: email, AddressCanonical: email,
			TTLSeconds: 900,
			State:      db.MailQueued, CreatedAt: now,
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
			n, err := d.SecretUsage(ctx, step.before, []byte("l"), step.at)
			if err != nil || n.Links != step.links || !n.LinksEnd.Equal(step.end) {
				t.Errorf("%+v %v, want %+v", n, err, step)
			}
		}
	})
}

// KE-02: what depends on an earlier secret is counted exactly, and a key that goes over does so once.
func TestKE02_Dependents(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		month, change := 720*time.Hour, noon().Add(time.Hour)
		old := enter(t, d, u, "", month, month, noon())
		refreshed := enter(t, d, u, "", month, month, noon())
		enter(t, d, u, "", month, month, change.Add(time.Microsecond))
		enter(t, d, u, "", time.Minute, time.Minute, noon()) // has ended
		enter(t, d, u, "", month, 5*time.Minute, noon())     // was idle for too long
		if _, err := d.Rotate(ctx, refreshed.ID, 0, db.RefreshRules{}, change.Add(time.Microsecond)); err != nil {
			t.Fatal(err)
		}
		ends := noon().Add(time.Minute)
		addKey(t, d, u, "aaaaaaaa", noon(), nil)
		addKey(t, d, u, "bbbbbbbb", noon(), &ends)
		k := addKey(t, d, u, "cccccccc", noon(), nil)
		label, moved := []byte{0, 0xff, 'x'}, []byte{0, 0xff, 'x', 1, 2, 0}
		now := change.Add(time.Hour)
		check := func(sessions, keys int) {
			t.Helper()
			n, err := d.SecretUsage(ctx, change, label, now)
			if err != nil || n.Sessions != sessions || n.Keys != keys || sessions > 0 &&
				!n.SessionsEnd.Equal(old.AbsoluteEnd) {
				t.Errorf("%+v, %v", n, err)
			}
		}
		check(1, 2)
		recent := now.Add(-time.Second)
		used := *k
		used.LastUsedAt = &recent
		for _, step := range []struct {
			key  *db.ApiKey
			keys int
		}{{&used, 2}, {k, 1}, {k, 1}} {
			if err := d.RehashKey(ctx, step.key, moved, now); err != nil {
				t.Fatal(err)
			}
			check(1, step.keys)
		}
		if c, err := d.CallerByKey(ctx, "cccccccc", equals(moved), now); err != nil || c == nil {
			t.Errorf("the key went over to nothing: %v", err)
		}
		if n, err := d.SecretUsage(ctx, time.Time{}, label, now); err != nil || n.Sessions != 0 ||
			!n.SessionsEnd.IsZero() {
			t.Errorf("without another secret: %+v %v", n, err)
		}
	})
}

func TestUseSecret(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		at := func(h int) time.Time { return noon().Add(time.Duration(h) * time.Hour) }
		for _, use := range []struct {
			id string
			at int
		}{{"old", 0}, {"new", 1}, {"old", 3}, {"old", 2}} {
			if err := d.RecordSecretUse(ctx, use.id, at(use.at)); err != nil {
				t.Fatal(err)
			}
		}
		all, err := d.ServerSecrets(ctx)
		if err != nil || len(all) != 2 || all[0].ID != "old" || !all[0].FirstUsedAt.Equal(at(0)) ||
			!all[0].LastUsedAt.Equal(at(3)) || !all[1].LastUsedAt.Equal(at(1)) {
			t.Errorf("%+v %v", all, err)
		}
		if _, err := d.Sweep(ctx, at(400*24+2)); err != nil {
			t.Fatal(err)
		}
		if all, err = d.ServerSecrets(ctx); err != nil || len(all) != 1 || all[0].ID != "old" {
			t.Errorf("%+v %v", all, err)
		}
	})
}
