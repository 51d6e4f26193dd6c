package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// driver is that of River. Its workers listen to a bell of this process in the place of the database; nil for none.
func (q *Queue) driver(b bell) riverdriver.Driver[*sql.Tx] {
	if q.postgres {
		return quietly{riverdatabasesql.New(q.conn), b}
	}
	return quietly{riversqlite.New(q.conn), b}
}

// quietly is a driver that tells nobody of inserts. On Postgres every commit with a NOTIFY in it waits for all the
// others of the whole cluster; on SQLite River writes a row and looks for it many times a second. A bell costs no
// statement.
type quietly struct {
	riverdriver.Driver[*sql.Tx]
	bell bell
}

// SupportsListenNotify is asked at every insert.
func (quietly) SupportsListenNotify() bool { return false }

// SupportsListener is asked at the start of workers.
func (d quietly) SupportsListener() bool { return d.bell != nil }

// GetListener gives the bell.
func (d quietly) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener { return d.bell }

// bell is a listener of River that hears of jobs from this process alone.
type bell chan *riverdriver.Notification

func newBell() bell { return make(bell, 64) }

// ring has the jobs of a queue taken up. A bell that rings already needs no further stroke.
func (b bell) ring(queue string) {
	select {
	case b <- &riverdriver.Notification{Topic: "river_insert", Payload: fmt.Sprintf(`{"queue": %q}`, queue)}:
	default:
	}
}

// WaitForNotification waits for the next stroke.
func (b bell) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case n := <-b:
		return n, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Connect does nothing: there is no connection.
func (bell) Connect(context.Context) error { return nil }

// Close does nothing.
func (bell) Close(context.Context) error { return nil }

// Ping does nothing.
func (bell) Ping(context.Context) error { return nil }

// Listen does nothing: every topic is heard.
func (bell) Listen(context.Context, string) error { return nil }

// Unlisten does nothing.
func (bell) Unlisten(context.Context, string) error { return nil }

// Schema is that of the connection.
func (bell) Schema() string { return "" }

// SetAfterConnectExec does nothing.
func (bell) SetAfterConnectExec(string) {}

// queueLog is what River says that an operator should hear: its warnings and errors. Of failed attempts it does not
// tell above that.
type queueLog struct{ slog.Handler }

// Enabled leaves out how the queue is doing.
func (h queueLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle says whose words they are.
func (h queueLog) Handle(ctx context.Context, r slog.Record) error {
	r.Message = "queue: " + r.Message
	return h.Handler.Handle(ctx, r)
}

// WithAttrs keeps the filter.
func (h queueLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return queueLog{h.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the filter.
func (h queueLog) WithGroup(name string) slog.Handler { return queueLog{h.Handler.WithGroup(name)} }
