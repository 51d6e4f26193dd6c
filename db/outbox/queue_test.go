package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/db/outbox"
)

// never is a poll that no test lives to see: what is done meanwhile was not found by looking.
const never = time.Hour

// soon is how often workers look in tests.
const soon = 20 * time.Millisecond

// The instance that commits a job takes it up without looking for it, and no other kind waits. What was rolled back is
// not done.
func TestQueue_TakenUpAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i, log, one, other := open(t, dsn), &record{}, quick("one"), quick("other")
		done := func(_ context.Context, job *outbox.Job[errand]) error { log.note(job); return nil }
		i.start(t, never, log, one.Works(done), other.Works(done))
		for n := range 5 {
			i.put(t, one, false, errand{"undone", n})
			i.put(t, one, true, errand{"done", n})
			until(t, "it is done", func() bool { return len(log.of("done")) == n+1 })
		}
		i.put(t, other, true, errand{"other", 0}, errand{"other", 1})
		until(t, "the other kind is done", func() bool { return len(log.of("other")) == 2 })
		if n := len(log.of("undone")); n != 0 || log.String() != "" {
			t.Errorf("%d jobs that nobody committed were done; it said %s", n, log.String())
		}
	})
}

// What another instance committed is found by looking, and each job is done by one.
func TestQueue_Shared(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		kind, log, from := quick("shared"), &record{}, open(t, dsn)
		for range 2 {
			open(t, dsn).start(t, soon, log,
				kind.Works(func(_ context.Context, job *outbox.Job[errand]) error { log.note(job); return nil }))
		}
		var group sync.WaitGroup
		for n := range 20 {
			group.Go(func() { from.put(t, kind, true, errand{"a", n}, errand{"a", 20 + n}) })
		}
		group.Wait()
		until(t, "all are over", func() bool {
			return count(t, from.conn,
				"river_job WHERE state = 'completed'") == 40
		})
		if n := len(log.of("a")); n != 40 || log.String() != "" {
			t.Errorf("%d attempts at 40 jobs; it said %s", n, log.String())
		}
	})
}

// A failure is followed by the next attempt, and the last one by none. GiveUp ends a job at once, Later counts as no
// attempt, and the value of a panic is told to nobody.
func TestQueue_Outcomes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i, log, kind := open(t, dsn), &record{}, quick("outcomes")
		i.start(t, soon, log, kind.Works(func(_ context.Context, job *outbox.Job[errand]) error {
			log.note(job)
			switch job.Args.Name {
			case "given up":
				return outbox.GiveUp(errors.New("never"))
			case "later":
				if len(log.of("later")) < 4 {
					return outbox.Later(0)
				}
				return nil
			case "panic":
				panic("a secret")
			}
			return errors.New("not now")
		}))
		i.put(t, kind, true, errand{Name: "given up"}, errand{Name: "later"}, errand{Name: "panic"},
			errand{Name: "fails"})
		until(t, "all are over", func() bool {
			return count(t, i.conn, "river_job WHERE state IN ('completed', 'cancelled', 'discarded')") == 4
		})
		for name, want := range map[string][]int{
			"given up": {1}, "later": {1, 1, 1, 1}, "panic": {1, 2, 3},
			"fails": {1, 2, 3},
		} {
			tried := log.of(name)
			if len(tried) != len(want) {
				t.Errorf("%s: %+v", name, tried)
				continue
			}
			for n, job := range tried {
				if job.Attempt != want[n] || job.Last != (want[n] == 3) || job.Pause < 9*time.Millisecond ||
					job.Pause > 11*time.Millisecond {
					t.Errorf("%s: %+v", name, job)
				}
			}
		}
		if text := log.String(); strings.Contains(text, "secret") || strings.Count(text, "\n") != 3 ||
			!strings.Contains(text, "a panic in a job") {
			t.Errorf("it said %s", text)
		}
		if n := count(t, i.conn, "river_job WHERE CAST(errors AS text) LIKE '%secret%'"); n != 0 {
			t.Error("the queue keeps the value of a panic")
		}
	})
}

// A job whose worker is gone is taken up by another after the time for an attempt, and that counts as none. One that is
// under way is left alone, also by an instance that starts.
func TestQueue_Abandoned(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i, log, kind := open(t, dsn), &record{}, quick("abandoned")
		i.put(t, kind, true, errand{Name: "gone"}, errand{Name: "under way"})
		for name, seconds := range map[string]string{"gone": "31", "under way": "29"} {
			ago, is := "strftime('%Y-%m-%d %H:%M:%f', 'now', '-"+seconds+" seconds')", "json_extract(args, '$.name')"
			if !strings.HasPrefix(dsn, "sqlite:") {
				ago, is = "now() - interval '"+seconds+" seconds'", "args ->> 'name'"
			}
			execute(t, i.conn, "UPDATE river_job SET state = 'running', attempt = 3, attempted_at = "+ago+" WHERE "+is+
				" = '"+name+"'")
		}
		i.start(t, never, log, kind.Works(func(_ context.Context,
			job *outbox.Job[errand],
		) error {
			log.note(job)
			return nil
		}))
		until(t, "it is taken up", func() bool { return count(t, i.conn, "river_job WHERE state = 'completed'") == 1 })
		if tried := log.of("gone"); len(tried) != 1 || tried[0].Attempt != 3 || !tried[0].Last {
			t.Errorf("%+v", tried)
		}
		if n := len(log.of("under way")); n != 0 || !strings.Contains(log.String(), "abandoned") {
			t.Errorf("what another one does was done %d times; it said %s", n, log.String())
		}
	})
}

// What is over goes after an hour, and nothing else does.
func TestQueue_Cleans(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i, log, kind, idle := open(t, dsn), &record{}, quick("cleans"), quick("idle")
		i.put(t, kind, true, errand{Name: "old"}, errand{Name: "young"}, errand{Name: "waits"})
		old, is := "datetime('now', 'subsec', '-61 minutes')", "json_extract(args, '$.name')"
		now := "datetime('now', 'subsec', '-59 minutes')"
		if !strings.HasPrefix(dsn, "sqlite:") {
			old, now, is = "now() - interval '61 minutes'", "now() - interval '59 minutes'", "args ->> 'name'"
		}
		execute(t, i.conn, "UPDATE river_job SET state = 'completed', finalized_at = "+old+" WHERE "+is+" = 'old'")
		execute(t, i.conn, "UPDATE river_job SET state = 'discarded', finalized_at = "+now+" WHERE "+is+" = 'young'")
		i.start(t, never, log, idle.Works(func(context.Context, *outbox.Job[errand]) error { return nil }))
		until(t, "the old one is gone", func() bool { return count(t, i.conn, "river_job") == 2 })
		if n := count(t, i.conn, "river_job WHERE "+is+" IN ('young', 'waits')"); n != 2 {
			t.Errorf("%d are left", n)
		}
	})
}

// A worker that is told to stop waits for its jobs, and cuts off those that take too long: they are done by another,
// and that was no attempt.
func TestWorkers_Stop(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i, log, kind := open(t, dsn), &record{}, quick("stop")
		begun := make(chan bool, 1)
		w := i.start(t, soon, log, kind.Works(func(ctx context.Context, job *outbox.Job[errand]) error {
			log.note(job)
			begun <- true
			<-ctx.Done()
			return ctx.Err()
		}))
		i.put(t, kind, true, errand{Name: "long"})
		<-begun
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Stop(over); err != nil {
			t.Fatal(err)
		}
		if err := w.Stop(over); err != nil {
			t.Errorf("a second time: %v", err)
		}
		open(t, dsn).start(t, soon, log,
			kind.Works(func(_ context.Context, job *outbox.Job[errand]) error { log.note(job); return nil }))
		until(t, "it is done by another",
			func() bool { return count(t, i.conn, "river_job WHERE state = 'completed'") == 1 })
		if tried := log.of("long"); len(tried) != 2 || tried[1].Attempt != 1 {
			t.Errorf("%+v", tried)
		}
	})
}

// A worker that is told to stop just after it was started does so in time.
func TestWorkers_StopAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i, kind := open(t, dsn), quick("stops")
		for n := range 24 {
			w, err := i.Start(t.Context(), outbox.Options{Log: slog.New(slog.DiscardHandler), Poll: time.Second},
				kind.Works(func(context.Context, *outbox.Job[errand]) error { return nil }))
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Duration(n%12) * 500 * time.Microsecond)
			stop, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			began := time.Now()
			if err := w.Stop(stop); err != nil {
				t.Errorf("round %d: %v", n, err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Fatalf("round %d: it took %s", n, took)
			} else if took > time.Second {
				t.Logf("round %d: it took %s", n, took)
			}
			cancel()
		}
	})
}
