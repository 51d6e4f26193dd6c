package db_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// retryRules are those of the tests here.
var retryRules = db.RefreshRules{Grace: 10 * time.Second, Retry: 10 * time.Minute}

// asked presents the predecessor of the token in force and gives what comes of it, a retry included.
func asked(t *testing.T, d *db.DB, s *db.Session, now time.Time) db.Verdict {
	t.Helper()
	ctx := from(t, "")
	r, err := d.Replay(ctx, s.ID, s.Generation-1, retryRules, now)
	if err != nil || r == nil {
		t.Fatalf("replay: %+v %v", r, err)
	}
	if r.Verdict != db.VerdictAnswerLost {
		return r.Verdict
	}
	c, err := d.Retry(ctx, s.ID, s.Generation-1, retryRules, now)
	if err != nil {
		t.Fatalf("retry: %v", err)
	}
	if c == nil {
		return ""
	}
	if c.Session.Generation != s.Generation || c.Session.ID != s.ID {
		t.Errorf("retry: %+v", c.Session)
	}
	return r.Verdict
}

// SE-26: three retries of one generation, and each opens the grace anew; the fourth is a reuse.
func TestSE26_ThreeRetries(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		s, now := rotated(t, d, join(t, d, "ada@example.com"), 1, retryRules)
		for n := range 3 {
			now = now.Add(10*time.Second + time.Microsecond)
			if got := asked(t, d, s, now); got != db.VerdictAnswerLost {
				t.Fatalf("retry %d: %s", n, got)
			}
			// The grace of a retry serves those at the same time, and is not prolonged by them.
			for _, later := range []time.Duration{0, 5 * time.Second, 10 * time.Second} {
				if got := asked(t, d, s, now.Add(later)); got != db.VerdictWithinGrace {
					t.Errorf("%s after retry %d: %s", later, n, got)
				}
			}
		}
		if got := asked(t, d, s, now.Add(10*time.Second+time.Microsecond)); got != db.VerdictReused {
			t.Errorf("the fourth: %s", got)
		}
	})
}

// SE-28: retries in three generations in a row, and the first one of a fourth is a reuse. A generation without one
// begins anew.
func TestSE28_GenerationsInARow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, ctx := dbtest.Open(t, dsn), from(t, "")
		for _, row := range []struct {
			name    string
			retries []int // by generation, from 1 on
			ends    bool  // with a retry in the one after
		}{
			{"three in a row", []int{1, 1, 1}, true},
			{"three in a row, all of them thrice", []int{3, 3, 3}, true},
			{"two in a row", []int{1, 1}, false},
			{"two, none, two", []int{1, 1, 0, 1, 1}, false},
			{"three, none", []int{1, 1, 1, 0}, false},
			{"later", []int{0, 0, 0, 0, 2, 1, 1}, true},
			{"none", []int{0, 0, 0}, false},
		} {
			s, now := rotated(t, d, join(t, d, row.name+"@example.com"), 1, retryRules)
			rotate := func() {
				c, err := d.Rotate(ctx, s.ID, s.Generation, retryRules, now)
				if err != nil || c == nil {
					t.Fatalf("%s: rotate: %v %v", row.name, c, err)
				}
				s = &c.Session
			}
			for generation, n := range row.retries {
				for range n {
					now = now.Add(time.Minute)
					if got := asked(t, d, s, now); got != db.VerdictAnswerLost {
						t.Fatalf("%s, generation %d: %s", row.name, generation+1, got)
					}
				}
				now = now.Add(time.Minute)
				rotate()
			}
			want := db.VerdictAnswerLost
			if row.ends {
				want = db.VerdictReused
			}
			if got := asked(t, d, s, now.Add(time.Minute)); got != want {
				t.Errorf("%s: %s, want %s", row.name, got, want)
			}
		}
	})
}

// SE-26: of 64 who retry at once through two openings of the database one is counted, the others are in its grace, and
// nobody is turned away. After three such rounds the next one ends the session, once.
func TestSE26_RetriesRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		both := []*db.DB{dbtest.Open(t, dsn), dbtest.Open(t, dsn)}
		conn := dbtest.Beside(t, dsn)
		s, now := rotated(t, both[0], join(t, both[0], "ada@example.com"), 1, retryRules)
		for round := range 4 {
			now = now.Add(time.Minute)
			verdicts := make([]db.Verdict, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range verdicts {
				wg.Go(func() {
					<-begin
					d := both[n%len(both)]
					if verdicts[n] = asked(t, d, s, now); verdicts[n] == "" { // another one was ahead
						verdicts[n] = asked(t, d, s, now)
					}
				})
			}
			close(begin)
			wg.Wait()
			got := map[db.Verdict]int{}
			for _, v := range verdicts {
				got[v]++
			}
			want := map[db.Verdict]int{db.VerdictAnswerLost: 1, db.VerdictWithinGrace: 63}
			if round == 3 {
				want = map[db.Verdict]int{db.VerdictReused: 1, db.VerdictOver: 63}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("round %d: %v, want %v", round, got, want)
			}
		}
		if n := count(t, conn, "audit_events WHERE reason = 'answer_lost' AND outcome = 'ok'"); n != 3 {
			t.Errorf("%d retries on record", n)
		}
	})
}

// SE-26: a mail is queued with the retry, and none where there is no retry.
func TestSE26_MailWithTheRetry(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn, ctx := dbtest.Open(t, dsn), dbtest.Beside(t, dsn), from(t, "")
		u := join(t, d, "ada@example.com")
		s, now := rotated(t, d, u, 1, retryRules)
		for _, at := range []time.Duration{time.Second, time.Minute, time.Minute + time.Second} {
			m := &db.Mail{
				ID: db.NewMailID(), Kind: db.MailSessionElsewhere, UserID: u.ID, Address: "ada@example.com",
				AddressCanonical: "ada@example.com", State: db.MailQueued, CreatedAt: now.Add(at),
			}
			if _, err := d.Retry(ctx, s.ID, 0, retryRules, now.Add(at), m); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, conn, "mails"); n != 1 {
			t.Errorf("%d mails, want that of the one retry", n)
		}
	})
}

// SE-27: the first use of the newest generation is known at once where it happened, and everywhere when it is written.
func TestSE27_FirstUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		here, there, ctx := dbtest.Open(t, dsn), dbtest.Open(t, dsn), from(t, "")
		for name, row := range map[string]struct {
			generation int64 // of the access token that is used
			flush      bool
			here, far  db.Verdict
		}{
			"nothing":                    {-2, true, db.VerdictAnswerLost, db.VerdictAnswerLost},
			"the newest":                 {2, false, db.VerdictReused, db.VerdictAnswerLost},
			"the newest, written":        {2, true, db.VerdictReused, db.VerdictReused},
			"an older one, written":      {1, true, db.VerdictAnswerLost, db.VerdictAnswerLost},
			"one that does not say":      {-1, false, db.VerdictReused, db.VerdictAnswerLost},
			"one that does not say, too": {-1, true, db.VerdictReused, db.VerdictReused},
		} {
			for where, want := range map[*db.DB]db.Verdict{here: row.here, there: row.far} {
				s, now := rotated(t, here, join(t, here, db.NewUserID().String()+"@example.com"), 2, retryRules)
				c, err := here.CallerBySession(ctx, s.ID, now)
				if err != nil || c == nil {
					t.Fatal(err)
				}
				if row.generation > -2 {
					if err := here.Touch(ctx, c, row.generation, now.Add(time.Second)); err != nil {
						t.Fatal(err)
					}
				}
				if row.flush {
					if err := here.FlushTouches(ctx); err != nil {
						t.Fatal(err)
					}
				}
				if got := asked(t, where, s, now.Add(time.Minute)); got != want {
					t.Errorf("%s: %s, want %s (here: %v)", name, got, want, where == here)
				}
			}
		}
	})
}

// SE-27: a first use that a flush could not write, because somebody was changing the row or the database failed, is
// written by the next one. A rotation meanwhile makes it pointless.
func TestSE27_FirstUseIsNotLost(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	d, other, conn, ctx := dbtest.Open(t, dsn), dbtest.Open(t, dsn), dbtest.Beside(t, dsn), from(t, "")
	s, now := rotated(t, d, join(t, d, "ada@example.com"), 1, retryRules)
	c, err := d.CallerBySession(ctx, s.ID, now)
	if err != nil || c == nil {
		t.Fatal(err)
	}
	if err := d.Touch(ctx, c, 1, now); err != nil {
		t.Fatal(err)
	}
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `SELECT 1 FROM sessions WHERE id = $1 FOR UPDATE`, s.ID); err != nil {
		t.Fatal(err)
	}
	if err := d.FlushTouches(ctx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	execute(t, conn, `ALTER TABLE sessions RENAME COLUMN used_generation TO away`)
	if err := d.FlushTouches(ctx); err == nil {
		t.Fatal("a flush into a broken table went well")
	}
	execute(t, conn, `ALTER TABLE sessions RENAME COLUMN away TO used_generation`)
	if n := count(t, conn, "sessions WHERE used_generation = 0"); n != 1 {
		t.Fatalf("%d sessions are unused, before the flush that succeeds", n)
	}
	if err := d.FlushTouches(ctx); err != nil {
		t.Fatal(err)
	}
	if n := count(t, conn, "sessions WHERE used_generation = 1"); n != 1 {
		t.Error("the first use is lost")
	}
	if got := asked(t, other, s, now.Add(time.Minute)); got != db.VerdictReused {
		t.Errorf("elsewhere: %s", got)
	}
}
