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

// deliveries is what webhooks will do over the queue, in little: a row for each event, and a job for each receiver that
// has some. A job says that there is something to deliver, and the rows say what comes next. So a receiver has at most
// two jobs, one under way and one that waits, however many events it has.
type deliveries struct {
	conn *sql.DB
	kind *outbox.Kind[errand]
	send func(ctx context.Context, receiver string, n int) error
	mu   sync.Mutex
	got  []string
}

// post commits the next event of a receiver, with a job unless one waits already.
func (d *deliveries) post(t *testing.T, i *instance, receiver string, n int) {
	t.Helper()
	tx, err := i.conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO deliveries VALUES ('%s', %d, 0)", receiver, n))
	if err == nil && changed(t.Context(), tx, "UPDATE receivers SET waits = 1 WHERE waits = 0 AND name = '"+receiver+
		"'") {
		err = d.kind.Insert(t.Context(), i.Queue, tx, errand{Name: receiver})
	}
	if err = errors.Join(err, tx.Commit()); err != nil {
		t.Fatal(err)
	}
	i.Ended(tx, true)
}

func changed(ctx context.Context, on interface {
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
}, text string,
) bool {
	done, err := on.ExecContext(ctx, text)
	if err != nil {
		return false
	}
	n, err := done.RowsAffected()
	return err == nil && n == 1
}

// deliver delivers to one receiver what there is, the oldest first, until one event is not taken.
func (d *deliveries) deliver(ctx context.Context, job *outbox.Job[errand]) error {
	name := job.Args.Name
	if !changed(ctx, d.conn, "UPDATE receivers SET taken = 1 WHERE taken = 0 AND name = '"+name+"'") {
		return outbox.Later(50 * time.Millisecond) // another attempt is at this receiver
	}
	defer changed(context.WithoutCancel(ctx), d.conn, "UPDATE receivers SET taken = 0 WHERE name = '"+name+"'")
	if _, err := d.conn.ExecContext(ctx, "UPDATE receivers SET waits = 0 WHERE name = '"+name+"'"); err != nil {
		return err // what is committed from here on brings a job of its own
	}
	for {
		var n sql.NullInt64
		err := d.conn.QueryRowContext(ctx, "SELECT min(n) FROM deliveries WHERE sent = 0 AND receiver = '"+name+
			"'").Scan(&n)
		if err != nil || !n.Valid {
			return err
		}
		if err := d.send(ctx, name, int(n.Int64)); err != nil {
			return outbox.Later(20 * time.Millisecond) // the attempts are those of the row
		}
		d.mu.Lock()
		d.got = append(d.got, fmt.Sprintf("%s %d", name, n.Int64))
		d.mu.Unlock()
		if !changed(ctx, d.conn, fmt.Sprintf("UPDATE deliveries SET sent = 1 WHERE receiver = '%s' AND n = %d", name,
			n.Int64)) {
			return errors.New("it was not written down")
		}
	}
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

// The events of one receiver arrive in their order, from two instances and with failures between, and a receiver that
// never answers delays no other one, though it has more events than there are workers.
func TestQueue_CarriesWebhooks(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const each = 10
		i, log := open(t, dsn), &record{}
		execute(t, i.conn, "CREATE TABLE receivers (name text, waits int, taken int)")
		execute(t, i.conn, "CREATE TABLE deliveries (receiver text, n int, sent int)")
		execute(t, i.conn, "INSERT INTO receivers VALUES ('dead', 0, 0), ('ada', 0, 0), ('bob', 0, 0)")
		var calls atomic.Int32
		d := &deliveries{
			conn: i.conn, kind: quick("webhooks"),
			send: func(ctx context.Context, receiver string, _ int) error {
				if receiver == "dead" {
					<-ctx.Done()
					return ctx.Err()
				}
				if calls.Add(1)%3 == 0 {
					return errors.New("503")
				}
				return nil
			},
		}
		for range 2 {
			w := open(t, dsn).start(t, soon, log, d.kind.Works(d.deliver))
			over, cancel := context.WithCancel(context.Background())
			cancel()
			t.Cleanup(func() { _ = w.Stop(over) }) // the dead one would hold it up
		}
		for n := range 4 * each {
			d.post(t, i, "dead", n)
		}
		for n := range each {
			d.post(t, i, "ada", n)
			d.post(t, i, "bob", n)
		}
		for _, name := range []string{"ada", "bob"} {
			until(t, "all that "+name+" gets has arrived", func() bool { return len(d.of(name)) == each })
			for n, one := range d.of(name) {
				if one != fmt.Sprintf("%s %d", name, n) {
					t.Errorf("in this order: %v", d.of(name))
					break
				}
			}
		}
		if n := count(t, i.conn, "river_job WHERE state IN ('available', 'running', 'scheduled', 'retryable') AND "+
			"CAST(args AS text) LIKE '%dead%'"); n > 2 {
			t.Errorf("the dead receiver has %d jobs", n)
		}
		if n := len(d.of("dead")); n != 0 || log.String() != "" {
			t.Errorf("the dead receiver got %d; it said %s", n, log.String())
		}
	})
}
