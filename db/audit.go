package db

import (
	"cmp"
	"context"
	"database/sql"
	"time"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Event is what an audit row says beside when, where and over which request it happened; those come from the visit in
// the context (AU-01). Nothing that a person typed is kept: a password lands in the email field often enough (AU-02).
type Event struct {
	Action  string       // for example login; the list is in SECURITY.md
	Reason  string       // why it failed; "" for success
	Note    string       // what is remarkable about a success; "" for nothing
	User    UserID       // zero when nobody is known
	Sess    SessionID    // zero when there is none
	Key     KeyID        // zero when there is none
	Methods []AuthMethod // the factors that were shown; empty for none

	// Actor is who did this to the account of User where that is somebody else's business: an administrator. Sess and Key then
	// are those that the actor came with. Only statements that begin with insertEventWithActor write it.
	Actor UserID
}

// insertEvent begins the part of a statement that writes the event in the transaction of the action (AU-04). Its values
// are the last thirteen parameters of the statement, in the order of eventArgs.
const insertEvent = `INSERT INTO audit_events
(id, at, action, outcome, reason, user_id, session_id, key_id, methods, dialect, ip, user_agent, request_id)`

// insertEventWithActor is insertEvent for what one person does to the account of another. It has one value more, at the end: see
// eventWithActorArgs.
const insertEventWithActor = `INSERT INTO audit_events
(id, at, action, outcome, reason, user_id, session_id, key_id, methods, dialect, ip, user_agent, request_id, actor_id)`

func eventWithActorArgs(ctx context.Context, e Event, now time.Time) []any {
	return append(eventArgs(ctx, e, now), e.Actor)
}

func eventArgs(ctx context.Context, e Event, now time.Time) []any {
	v := visit.From(ctx)
	outcome := "ok"
	if e.Reason != "" {
		outcome = "failed"
	}
	var methods any
	if len(e.Methods) > 0 {
		methods = list[AuthMethod](e.Methods)
	}
	return []any{
		newEventID(), now, e.Action, outcome, text(cmp.Or(e.Reason, e.Note)), e.User, e.Sess, e.Key, methods, v.Dialect, ip(v),
		text(v.UserAgent), v.RequestID,
	}
}

// text makes the empty string NULL.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func ip(v *visit.Visit) *string {
	if !v.IP.IsValid() {
		return nil
	}
	return text(v.IP.Unmap().String())
}

var recordEvent = statement{
	postgres: `WITH a AS (` + insertEventWithActor + ` VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14))
SELECT 1 AS n`,
	sqlite: []string{
		insertEventWithActor + ` VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)`,
		`SELECT 1 AS n`,
	},
}

// Record writes an event that stands alone, of an action that changed no row: mostly a failure.
func (d *DB) Record(ctx context.Context, e Event, now time.Time) error {
	_, err := d.count(ctx, &recordEvent, eventWithActorArgs(ctx, e, now)...)
	return err
}

// recordIn is Record as a part of a transaction.
func (d *DB) recordIn(ctx context.Context, tx *sql.Tx, e Event, now time.Time) error {
	_, err := d.w.NewRaw(insertEvent+` VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, eventArgs(ctx, e, now)...).Conn(tx).Exec(ctx)
	return err
}
