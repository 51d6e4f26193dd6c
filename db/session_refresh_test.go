package db_test

import (
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// SE-10 to SE-12 with and without single use: what becomes of a token that is not in force, of its session, and of the
// event.
func TestReplay_Table(t *testing.T) {
	t.Parallel()
	const grace = 10 * time.Second
	rows := map[string]struct {
		behind         int64         // how many generations the token is behind
		after          time.Duration // since the last rotation
		plain, single  string        // the reason in the event, without single use and with it
		prepare        string        // SQL before
		allowed, ended bool          // without single use; with it nothing is allowed
	}{
		"at once":        {1, 0, "within_grace", "single_use", "", true, false},
		"at the bound":   {1, grace, "within_grace", "single_use", "", true, false},
		"past the bound": {1, grace + time.Microsecond, "token_reused", "token_reused", "", false, true},
		"grandparent":    {2, 0, "token_reused", "token_reused", "", false, true},
		"ahead":          {-1, 0, "token_reused", "token_reused", "", false, true},
		"in force":       {0, 0, "session_over", "session_over", "", false, false},
		"over": {1, 0, "session_over", "session_over", "UPDATE sessions SET revoked_at = created_at, " +
			"revoked_reason = 'session.ended'", false, false},
		"suspended": {
			1, 0, "session_over", "session_over", "UPDATE users SET status = 'SUSPENDED'", false,
			false,
		},
		"grandparent, over": {2, 0, "session_over", "session_over", "UPDATE sessions SET revoked_at = created_at, " +
			"revoked_reason = 'session.ended'", false, false},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn, ctx := dbtest.Open(t, dsn), dbtest.Beside(t, dsn), from(t, "")
		for name, row := range rows {
			for singleUse, reason := range map[bool]string{false: row.plain, true: row.single} {
				u := join(t, d, name+reason+"@example.com")
				s := enter(t, d, u, "", day, day, noon())
				now := noon()
				for n := range int64(3) {
					now = now.Add(time.Minute)
					if c, err := d.Rotate(ctx, s.ID, n, now); err != nil || c == nil {
						t.Fatalf("rotate: %v %v", c, err)
					}
				}
				if row.prepare != "" {
					execute(t, conn, row.prepare)
				}
				now = now.Add(row.after)
				execute(t, conn, `DELETE FROM audit_events`)
				r, err := d.Replay(ctx, s.ID, 3-row.behind, grace, singleUse, now)
				if err != nil || r == nil || r.Session.ID != s.ID || r.User.ID != u.ID {
					t.Fatalf("%s: %+v %v", name, r, err)
				}
				if r.Allowed != (row.allowed && !singleUse) || r.Ended != row.ended {
					t.Errorf("%s, single use %v: allowed %v, ended %v", name, singleUse, r.Allowed, r.Ended)
				}
				action, outcome := db.ActionSessionRefreshed.Failed, "failed"
				if r.Allowed {
					action, outcome = db.ActionSessionRefreshed.Done, "ok"
				}
				want := `audit_events WHERE action = '` + action + `' AND user_id IS NOT NULL AND session_id IS NOT ` +
					`NULL AND outcome = '` + outcome +
					`' AND reason = '` + reason + `'`
				if n := count(t, conn, want); n != 1 || count(t, conn, "audit_events") != 1 {
					t.Errorf("%s, single use %v: not one event %s, %s", name, singleUse, outcome, reason)
				}
				c, err := d.CallerBySession(ctx, s.ID, now)
				if alive := row.prepare == "" && !row.ended; err != nil || (c != nil) != alive {
					t.Errorf("%s, single use %v: alive %v, %v", name, singleUse, c != nil, err)
				}
				if c != nil && c.Session.Generation != 3 {
					t.Errorf("%s, single use %v: the replay rotated", name, singleUse)
				}
				execute(t, conn, `DELETE FROM sessions`)
				execute(t, conn, `DELETE FROM users`)
			}
		}
	})
}

// A session that is not there has an event, and nothing else.
func TestReplay_NoSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		for _, singleUse := range []bool{false, true} {
			if r, err := d.Replay(from(t, ""), db.NewSessionID(), 0, time.Second, singleUse, noon()); err != nil ||
				r != nil {
				t.Errorf("%+v %v", r, err)
			}
		}
		if n := count(t, dbtest.Beside(t, dsn), "audit_events WHERE outcome = 'failed' AND reason = 'session_over' "+
			"AND user_id IS NULL"); n != 2 {
			t.Errorf("%d events", n)
		}
	})
}

// SE-09 with single use: of 64 redemptions of one token one succeeds, the others are refused, and the session lives.
func TestSE09_SingleUse(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		both := []*db.DB{dbtest.Open(t, dsn), dbtest.Open(t, dsn)}
		conn, ctx, now := dbtest.Beside(t, dsn), from(t, ""), noon()
		u := join(t, both[0], "ada@example.com")
		s := enter(t, both[0], u, "", day, day, now)
		const rounds = 8
		for round := range int64(rounds) {
			rotated := make([]bool, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range rotated {
				wg.Go(func() {
					<-begin
					d := both[n%len(both)]
					c, err := d.Rotate(ctx, s.ID, round, now)
					if rotated[n] = c != nil; err != nil || c != nil {
						if err != nil {
							t.Errorf("rotate: %v", err)
						}
						return
					}
					r, err := d.Replay(ctx, s.ID, round, 10*time.Second, true, now)
					if err != nil || r == nil || r.Allowed || r.Ended {
						t.Errorf("replay: %+v %v", r, err)
					}
				})
			}
			close(begin)
			wg.Wait()
			winners := 0
			for _, won := range rotated {
				if won {
					winners++
				}
			}
			c, err := both[0].CallerBySession(ctx, s.ID, now)
			if winners != 1 || err != nil || c == nil || c.Session.Generation != round+1 {
				t.Fatalf("round %d: %d winners, then %+v %v", round, winners, c, err)
			}
		}
		for reason, want := range map[string]int{
			"reason IS NULL": rounds,
			"outcome = 'failed' AND reason = 'single_use'": rounds * 63,
		} {
			if n := count(t, conn, "audit_events WHERE action LIKE 'session.refresh%' AND "+reason); n != want {
				t.Errorf("%s: %d events, not %d", reason, n, want)
			}
		}
	})
}

// AU-01: what is remarkable about a new account stands in the event of its making, which is still a success.
func TestRegister_Notes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn, ctx := dbtest.Open(t, dsn), dbtest.Beside(t, dsn), from(t, "")
		for n, notes := range [][]string{nil, {"guessable_password"}, {"guessable_password", "second"}} {
			email := string(rune('a'+n)) + "@example.com"
			for _, first := range []bool{true, false} {
				u := db.NewUser(noon())
				u.Email, u.EmailCanonical, u.PasswordHash = &email, email, "hash"
				if taken, err := d.Register(ctx, u, nil, nil, notes...); err != nil || (taken == nil) != first {
					t.Fatalf("register: %v %v", taken, err)
				}
			}
		}
		for reason, want := range map[string]int{
			"IS NULL": 1, "= 'guessable_password'": 1, "= 'guessable_password second'": 1, "IS NOT NULL": 2,
		} {
			if n := count(t, conn, "audit_events WHERE action = 'user.created' AND outcome = 'ok' AND reason "+
				reason); n != want {
				t.Errorf("reason %s: %d events", reason, n)
			}
		}
		if n := count(t, conn, "audit_events"); n != 3 {
			t.Errorf("%d events", n)
		}
	})
}
