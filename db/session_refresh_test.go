package db_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// SE-10 to SE-12 and SE-26 with and without single use: what becomes of a token that is not in force, of its session,
// and of the event.
func TestReplay_Table(t *testing.T) {
	t.Parallel()
	const grace, life = 10 * time.Second, 10 * time.Minute
	const over = "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'session.ended'"
	const swappedOnce = "UPDATE sessions SET retry_until = NULL WHERE generation > 0"
	rows := map[string]struct {
		behind        int64         // how many generations the token is behind
		after         time.Duration // since the last rotation
		plain, single db.Verdict    // without single use and with it
		prepare       string        // SQL before
	}{
		"at once":             {1, 0, "within_grace", "single_use", ""},
		"at the bound":        {1, grace, "within_grace", "single_use", ""},
		"past the bound":      {1, grace + time.Microsecond, "answer_lost", "token_reused", ""},
		"before the last":     {1, life - time.Microsecond, "answer_lost", "token_reused", ""},
		"at the last":         {1, life, "token_reused", "token_reused", ""},
		"used within grace":   {1, grace, "within_grace", "single_use", "UPDATE sessions SET used_generation = 3"},
		"used":                {1, time.Minute, "token_reused", "token_reused", "UPDATE sessions SET used_generation = 3"},
		"its own access used": {1, time.Minute, "answer_lost", "token_reused", "UPDATE sessions SET used_generation = 2"},
		"no retry":            {1, time.Minute, "token_reused", "token_reused", "UPDATE sessions SET retry_until = NULL"},
		"swapped once":        {1, 0, "single_use", "single_use", swappedOnce},
		"swapped once, later": {1, grace + time.Microsecond, "token_reused", "token_reused", swappedOnce},
		"grandparent":         {2, 0, "token_reused", "token_reused", ""},
		"grandparent, later":  {2, time.Minute, "token_reused", "token_reused", ""},
		"ahead":               {-1, 0, "token_reused", "token_reused", ""},
		"in force":            {0, 0, "session_over", "session_over", ""},
		"over":                {1, 0, "session_over", "session_over", over},
		"over, later":         {1, time.Minute, "session_over", "session_over", over},
		"grandparent, over":   {2, 0, "session_over", "session_over", over},
		"suspended": {
			1, 0, "session_over", "session_over",
			"UPDATE users SET status = 'SUSPENDED'",
		},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn, ctx := dbtest.Open(t, dsn), dbtest.Beside(t, dsn), from(t, "")
		for name, row := range rows {
			for singleUse, want := range map[bool]db.Verdict{false: row.plain, true: row.single} {
				rules := db.RefreshRules{Grace: grace, Retry: life}
				u := join(t, d, name+string(want)+"@example.com")
				s, now := rotated(t, d, u, 3, rules)
				if row.prepare != "" {
					execute(t, conn, row.prepare)
				}
				now = now.Add(row.after)
				execute(t, conn, `DELETE FROM audit_events`)
				rules.SingleUse = singleUse
				r, err := d.Replay(ctx, s.ID, 3-row.behind, rules, now)
				if err != nil || r == nil || r.Session.ID != s.ID || r.User.ID != u.ID || r.Verdict != want {
					t.Fatalf("%s, single use %v: %+v %v, want %s", name, singleUse, r, err, want)
				}
				retried, err := d.Retry(ctx, s.ID, 3-row.behind, rules, now)
				if lost := want == db.VerdictAnswerLost; err != nil || (retried != nil) != lost {
					t.Errorf("%s, single use %v: retry %v %v", name, singleUse, retried, err)
				}
				action, outcome := db.ActionSessionRefreshed.Failed, "failed"
				if want == db.VerdictWithinGrace || want == db.VerdictAnswerLost {
					action, outcome = db.ActionSessionRefreshed.Done, "ok"
				}
				event := `audit_events WHERE action = '` + action + `' AND user_id IS NOT NULL AND session_id IS NOT ` +
					`NULL AND outcome = '` + outcome + `' AND reason = '` + string(want) + `'`
				if n := count(t, conn, event); n != 1 || count(t, conn, "audit_events") != 1 {
					t.Errorf("%s, single use %v: not one event %s, %s", name, singleUse, outcome, want)
				}
				c, err := d.CallerBySession(ctx, s.ID, now)
				alive := want != db.VerdictReused && (row.prepare == "" || strings.Contains(row.prepare, "generation"))
				if err != nil || (c != nil) != alive {
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

// rotated is a session of u after n rotations, a minute apart, and the time of the last one.
func rotated(t *testing.T, d *db.DB, u *db.User, n int64, rules db.RefreshRules) (*db.Session, time.Time) {
	t.Helper()
	s, now := enter(t, d, u, "", day, day, noon()), noon()
	for generation := range n {
		now = now.Add(time.Minute)
		c, err := d.Rotate(from(t, ""), s.ID, generation, rules, now)
		if err != nil || c == nil {
			t.Fatalf("rotate: %v %v", c, err)
		}
		s = &c.Session
	}
	return s, now
}

// A session that is not there has an event, and nothing else.
func TestReplay_NoSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		for _, singleUse := range []bool{false, true} {
			if r, err := d.Replay(from(t, ""), db.NewSessionID(), 0,
				db.RefreshRules{Grace: time.Second, SingleUse: singleUse}, noon()); err != nil ||
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
		rules := db.RefreshRules{Grace: 10 * time.Second, Retry: time.Minute, SingleUse: true}
		for round := range int64(rounds) {
			rotated := make([]bool, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range rotated {
				wg.Go(func() {
					<-begin
					d := both[n%len(both)]
					c, err := d.Rotate(ctx, s.ID, round, rules, now)
					if rotated[n] = c != nil; err != nil || c != nil {
						if err != nil {
							t.Errorf("rotate: %v", err)
						}
						return
					}
					r, err := d.Replay(ctx, s.ID, round, rules, now)
					if err != nil || r == nil || r.Verdict != db.VerdictSingleUse {
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
