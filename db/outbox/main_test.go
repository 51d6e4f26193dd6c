package outbox_test

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/db/outbox"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// errand is what the jobs of these tests hold.
type errand struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

// quick is a kind whose attempts follow at once.
func quick(name string) *outbox.Kind[errand] {
	return &outbox.Kind[errand]{
		Name: name, AtOnce: 2, Within: 25 * time.Second,
		Pauses: []time.Duration{10 * time.Millisecond, 10 * time.Millisecond},
	}
}

// instance is a queue with a connection of its own, as another server has it.
type instance struct {
	*outbox.Queue
	conn *sql.DB
}

func open(t *testing.T, dsn string) *instance {
	t.Helper()
	conn := dbtest.Beside(t, dsn)
	if strings.HasPrefix(dsn, "sqlite:") {
		conn.SetMaxOpenConns(1)
	}
	q, err := outbox.Open(conn, !strings.HasPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	return &instance{q, conn}
}

// put commits jobs, or does not.
func (i *instance) put(t *testing.T, kind *outbox.Kind[errand], commit bool, jobs ...errand) {
	t.Helper()
	tx, err := i.conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := kind.Insert(t.Context(), i.Queue, tx, jobs...); err != nil {
		t.Fatal(err)
	}
	end := tx.Rollback
	if commit {
		end = tx.Commit
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	i.Ended(tx, commit)
}

// start has jobs done for the length of a test.
func (i *instance) start(t *testing.T, poll time.Duration, log *record, works ...outbox.Works) *outbox.Workers {
	t.Helper()
	w, err := i.Start(t.Context(), outbox.Options{Log: slog.New(slog.NewTextHandler(log, nil)), Poll: poll}, works...)
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

// record is what happened, and a log that several may write.
type record struct {
	mu    sync.Mutex
	text  strings.Builder
	tried []outbox.Job[errand]
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// note keeps an attempt.
func (r *record) note(job *outbox.Job[errand]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried = append(r.tried, *job)
}

// of gives the attempts at the errands of a name.
func (r *record) of(name string) (all []outbox.Job[errand]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, job := range r.tried {
		if job.Args.Name == name {
			all = append(all, job)
		}
	}
	return all
}

// until waits for something that takes a moment.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	for end := time.Now().Add(20 * time.Second); !done(); <-ticks.C {
		if time.Now().After(end) {
			t.Fatalf("not within twenty seconds: %s", what)
		}
	}
}

func execute(t *testing.T, conn *sql.DB, statement string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, conn *sql.DB, from string) (n int) {
	t.Helper()
	if err := conn.QueryRowContext(t.Context(), "SELECT count(*) FROM "+from).Scan(&n); err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	return n
}
