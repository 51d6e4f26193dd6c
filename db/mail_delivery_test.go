package db_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// A worker that is told to stop just after it was started does so in time: the queue may be electing its leader then.
func TestMailWorker_StopsAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		for n := range 24 {
			w, err := d.StartMail(context.Background(), db.Delivery{
				Send: func(context.Context, *db.Letter) error { return nil }, Now: noon, Log: slog.New(slog.DiscardHandler),
				Poll: time.Second, Told: func(db.MailState) {},
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(n%12) * 500 * time.Microsecond) // an election takes about so long
			stop, cancel := context.WithTimeout(context.Background(), 2*time.Second)
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
