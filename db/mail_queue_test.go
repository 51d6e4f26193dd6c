package db_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// post takes mails and fails as it is told to.
type post struct {
	mu    sync.Mutex
	taken map[db.MailID]int
	fail  func(*db.ResolvedMail) error
}

func (p *post) send(_ context.Context, l *db.ResolvedMail) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		if err := p.fail(l); err != nil {
			return err
		}
	}
	if p.taken == nil {
		p.taken = map[db.MailID]int{}
	}
	p.taken[l.Mail.ID]++
	return nil
}

func (p *post) count(id db.MailID) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken[id]
}

// work starts a worker for the length of a test.
func work(t *testing.T, d *db.DB, p *post, log io.Writer) *db.MailWorker {
	t.Helper()
	w, err := d.StartMail(t.Context(), db.Delivery{
		Send: p.send, Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil)), Poll: 20 * time.Millisecond,
		OnAttempt: func(db.MailState) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return w
}

// notice makes a mail to an account that is not queued yet.
func notice(u *db.User) *db.Mail {
	return &db.Mail{
		ID: db.NewMailID(), Kind: db.MailPassword, UserID: u.ID, Address: *u.Email, AddressCanonical: u.EmailCanonical,
		State: db.MailQueued, CreatedAt: db.Clock(time.Now()),
	}
}

func queue(t *testing.T, d *db.DB, mails ...*db.Mail) {
	t.Helper()
	if err := d.QueueMails(t.Context(), mails...); err != nil {
		t.Fatal(err)
	}
}

// until waits for something that takes a moment.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within twenty seconds: %s", what)
		}
	}
}

// state reads a mail.
func state(t *testing.T, d *db.DB, id db.MailID) *db.Mail {
	t.Helper()
	all, _, err := d.Mails(t.Context(), db.MailPage{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.ID == id {
			return m
		}
	}
	return nil
}

// Several workers share the mails, on one database: each is sent once.
func TestMails_Shared(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		var log strings.Builder
		p, d := &post{}, dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		var mails []*db.Mail
		for range 40 {
			mails = append(mails, notice(u))
		}
		for range 2 {
			work(t, dbtest.Open(t, dsn), p, &locked{w: &log})
		}
		queue(t, d, mails[:20]...)
		var group sync.WaitGroup
		for _, m := range mails[20:] {
			group.Go(func() { queue(t, d, m) })
		}
		group.Wait()
		for _, m := range mails {
			until(t, "a mail is sent", func() bool {
				got := state(t, d, m.ID)
				return got.State == db.MailSent && got.SentAt != nil && got.Attempts == 1
			})
			if n := p.count(m.ID); n != 1 {
				t.Errorf("%s was sent %d times", m.ID, n)
			}
		}
		if log.Len() > 0 {
			t.Errorf("it said %s", log.String())
		}
	})
}

// locked is a log that several may write.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// A mail that fails is tried again when it was said to be, keeps the reason, and is sent in the end. One that can not
// be delivered is given up at once and can be queued again, by one of several who try. A mail whose account is gone
// ends quietly.
func TestMails_FailedAndRetried(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		var log strings.Builder
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		u, gone := join(t, d, "ada@example.com"), join(t, d, "bob@example.com")
		later, dead, orphan := notice(u), notice(u), notice(gone)
		broken := true
		p := &post{}
		p.fail = func(l *db.ResolvedMail) error {
			switch {
			case !broken:
				return nil
			case l.Mail.ID == dead.ID:
				return fmt.Errorf("%w: 550 5.1.1", db.ErrUndeliverable)
			case l.Mail.ID == later.ID:
				return errors.New("nobody answers")
			}
			panic("secret of " + *l.User.Email)
		}
		queue(t, d, later, dead, orphan)
		execute(t, conn, "DELETE FROM users WHERE email = 'bob@example.com'")
		work(t, d, p, &locked{w: &log})
		until(t, "both failed", func() bool {
			return state(t, d, later.ID).Attempts == 1 &&
				state(t, d, dead.ID).State == db.MailFailed
		})
		m := state(t, d, later.ID)
		if wait := time.Until(*m.NextAttemptAt); m.State != db.MailQueued || *m.LastError != "nobody answers" ||
			wait < 8*time.Second || wait > 11*time.Second {
			t.Errorf("%+v", m)
		}
		if m := state(t, d, dead.ID); m.NextAttemptAt != nil || !strings.Contains(*m.LastError, "5.1.1") ||
			m.Owner == nil || m.Owner.ID != u.ID {
			t.Errorf("%+v", m)
		}
		p.mu.Lock()
		broken = false
		p.mu.Unlock()
		won := make(chan bool, 16)
		var group sync.WaitGroup
		for range cap(won) {
			group.Go(func() {
				_, queued, err := d.RetryMail(from(t, ""), dead.ID, db.Event{Action: db.ActionMailRetried}, time.Now())
				if err != nil {
					t.Error(err)
				}
				won <- queued
			})
		}
		group.Wait()
		close(won)
		n := 0
		for w := range won {
			if w {
				n++
			}
		}
		if events := count(t, conn, "audit_events WHERE action = 'mail.retried' AND user_id IS NOT NULL"); n != 1 ||
			events != 1 {
			t.Errorf("it was queued %d times, with %d events", n, events)
		}
		for _, id := range []db.MailID{later.ID, dead.ID} {
			until(t, "it is sent after all", func() bool { return state(t, d, id).State == db.MailSent })
			if m := state(t, d, id); m.Attempts != 2 || m.LastError != nil || m.NextAttemptAt != nil ||
				p.count(id) != 1 {
				t.Errorf("%+v, %d times", m, p.count(id))
			}
		}
		if m, queued, err := d.RetryMail(from(t, ""), orphan.ID, db.Event{Action: db.ActionMailRetried},
			time.Now()); m != nil || queued || err != nil {
			t.Errorf("a mail that is gone: %+v %v %v", m, queued, err)
		}
		until(t, "no job is left", func() bool {
			return count(t, conn,
				"river_job WHERE state NOT IN ('completed', 'cancelled')") == 0
		})
		if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "example.com") ||
			strings.Contains(log.String(), "river") {
			t.Errorf("it said %s", log.String())
		}
	})
}

// A job whose worker is gone is taken up by another after half a minute; one that is under way is left alone.
func TestMails_Abandoned(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn, p := dbtest.Open(t, dsn), dbtest.Beside(t, dsn), &post{}
		u := join(t, d, "ada@example.com")
		old, young := notice(u), notice(u)
		queue(t, d, old)
		ago := "strftime('%Y-%m-%d %H:%M:%f', 'now', '-31 seconds')"
		if d.Postgres() {
			ago = "now() - interval '31 seconds'"
		}
		execute(t, conn, "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = "+ago)
		queue(t, d, young)
		execute(t, conn, "UPDATE river_job SET state = 'running', attempt = 1, attempted_at = "+
			strings.ReplaceAll(ago, "31", "5")+" WHERE state = 'available'")
		work(t, d, p, io.Discard)
		until(t, "it is taken up", func() bool { return state(t, d, old.ID).State == db.MailSent })
		if n := p.count(young.ID); n != 0 || state(t, d, young.ID).State != db.MailQueued {
			t.Errorf("a mail that another one is sending was sent %d times", n)
		}
	})
}

// The attempts go on for a day, and a mail whose last one failed is given up.
func TestMails_LastAttempt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		m := notice(join(t, d, "ada@example.com"))
		queue(t, d, m)
		if n := count(t, conn, "river_job WHERE max_attempts = 12"); n != 1 {
			t.Errorf("%d jobs with twelve attempts", n)
		}
		execute(t, conn, "UPDATE river_job SET attempt = 11")
		work(t, d, &post{fail: func(*db.ResolvedMail) error { return errors.New("nobody answers") }}, io.Discard)
		until(t, "it is given up", func() bool { return state(t, d, m.ID).State == db.MailFailed })
		if m := state(t, d, m.ID); *m.LastError != "nobody answers" || m.NextAttemptAt != nil {
			t.Errorf("%+v", m)
		}
	})
}

// A mail that could not be sent while its link was good gets another link, and one whose link is good keeps it.
func TestResolve_LateLink(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		m := notice(u)
		m.Kind, m.TTLSeconds = db.MailResetPassword, 900
		queue(t, d, m)
		at := func(after time.Duration) *db.ResolvedMail {
			l, err := d.Resolve(t.Context(), m.ID, noon().Add(after))
			if err != nil || l == nil || l.Token == nil {
				t.Fatalf("%+v %v", l, err)
			}
			return l
		}
		first, second, third := at(0), at(15*time.Minute-time.Second), at(15*time.Minute+time.Second)
		if first.Token.ID != second.Token.ID || third.Token.ID == first.Token.ID ||
			!third.Token.ExpiresAt.Equal(noon().Add(30*time.Minute+time.Second)) {
			t.Errorf("%+v %+v %+v", first.Token, second.Token, third.Token)
		}
	})
}
