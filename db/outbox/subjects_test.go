package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/db/outbox"
)

// deliveries is what webhooks will do over the queue, in little: a row for each event of a receiver, and a job for each row. A job
// says that there is something to deliver; the rows say what comes next. Whoever holds the claim of a receiver takes its
// oldest row, and nobody else delivers to it meanwhile.
type deliveries struct {
	conn *sql.DB
	mu   sync.Mutex
	got  []string
	send func(ctx context.Context, receiver string, n int) error
}

// deliver is one attempt.
func (d *deliveries) deliver(ctx context.Context, job *outbox.Job[errand]) error {
	name := job.Args.Name
	claimed, err := d.conn.ExecContext(ctx, fmt.Sprintf("UPDATE receivers SET taken = 1 WHERE name = '%s' AND taken = 0", name))
	if err != nil {
		return err
	}
	if n, err := claimed.RowsAffected(); err != nil || n == 0 {
		return outbox.Later(50 * time.Millisecond) // another attempt is at this receiver
	}
	defer func() { // it is given back in any case
		_, _ = d.conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("UPDATE receivers SET taken = 0 WHERE name = '%s'", name))
	}()
	var n sql.NullInt64
	err = d.conn.QueryRowContext(ctx, fmt.Sprintf("SELECT min(n) FROM deliveries WHERE receiver = '%s' AND sent = 0", name)).Scan(&n)
	if err != nil || !n.Valid {
		return err
	}
	if err := d.send(ctx, name, int(n.Int64)); err != nil {
		return outbox.Later(20 * time.Millisecond) // the attempts are those of the row
	}
	_, err = d.conn.ExecContext(ctx, fmt.Sprintf("UPDATE deliveries SET sent = 1 WHERE receiver = '%s' AND n = %d", name, n.Int64))
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.got = append(d.got, fmt.Sprintf("%s %d", name, n.Int64))
	}
	return err
}

func (d *deliveries) of(receiver string) (all []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.got {
		if strings.HasPrefix(one, receiver+" ") {
			all = append(all, one)
		}
	}
	return all
}

// The events of one receiver arrive in their order, from two instances and with failures between, and a receiver that never answers
// delays no other one, though it has more jobs than there are workers.
func TestQueue_CarriesWebhooks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const each = 15
		i, log, kind := open(t, dsn), &record{}, quick("webhooks")
		execute(t, i.conn, "CREATE TABLE receivers (name text, taken int)")
		execute(t, i.conn, "CREATE TABLE deliveries (receiver text, n int, sent int)")
		var calls atomic.Int32
		d := &deliveries{conn: i.conn, send: func(ctx context.Context, receiver string, _ int) error {
			if receiver == "dead" {
				<-ctx.Done()
				return ctx.Err()
			}
			if calls.Add(1)%3 == 0 {
				return errors.New("503")
			}
			return nil
		}}
		receivers := []string{"dead", "ada", "bob"}
		for _, name := range receivers {
			execute(t, i.conn, "INSERT INTO receivers VALUES ('"+name+"', 0)")
			for n := range each {
				execute(t, i.conn, fmt.Sprintf("INSERT INTO deliveries VALUES ('%s', %d, 0)", name, n))
				i.put(t, kind, true, errand{name, n})
			}
		}
		for range 2 {
			w := open(t, dsn).start(t, soon, log, kind.Works(d.deliver))
			over, cancel := context.WithCancel(context.Background())
			cancel()
			t.Cleanup(func() { _ = w.Stop(over) }) // the dead one would hold it up
		}
		for _, name := range receivers[1:] {
			until(t, "all that "+name+" gets has arrived", func() bool { return len(d.of(name)) == each })
			for n, one := range d.of(name) {
				if one != fmt.Sprintf("%s %d", name, n) {
					t.Errorf("in this order: %v", d.of(name))
					break
				}
			}
		}
		if n := len(d.of("dead")); n != 0 || log.String() != "" {
			t.Errorf("the dead receiver got %d; it said %s", n, log.String())
		}
	})
}
