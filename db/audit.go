package db

import (
	"cmp"
	"context"
	"database/sql"
	"time"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Event is an audit event. The visit in the context adds the time, the place and the request (AU-01). An event keeps
// nothing that a person typed: people often type a password into the email field (AU-02).
type Event struct {
	Action  Action       // what happened; an event with a Reason gets its Failed
	Reason  string       // why it failed; "" for success
	Note    string       // a remark on a success; "" for none
	User    UserID       // zero when the account is unknown
	Sess    SessionID    // zero when there is none
	Key     KeyID        // zero when there is none
	Methods []AuthMethod // the factors that were shown; empty for none

	// Actor is the administrator who did this to the account of User, zero for the person themselves. Sess and Key
	// belong to the actor then. Only statements with insertEventWithActor write it.
	Actor UserID
}

// insertEvent begins the part of a statement that writes the event in the transaction of the action (AU-04);
// eventValues and eventParams go with it. A statement that takes a column from elsewhere writes the names out.
const (
	insertEvent = `INSERT INTO audit_events
(id, at, action, outcome, reason, user_id, session_id, key_id, methods, dialect, ip, user_agent, request_id)`
	eventValues = `:event_id, :event_at, :event_action, :event_outcome, :event_reason,
  :event_user, :event_session, :event_key, :event_methods,
  :event_dialect, :event_ip, :event_user_agent, :event_request`
)

// insertEventWithActor is insertEvent for what one person does to the account of another.
const (
	insertEventWithActor = `INSERT INTO audit_events
(id, at, action, outcome, reason, user_id, session_id, key_id, methods, dialect, ip, user_agent, request_id, actor_id)`
	eventWithActorValues = eventValues + `, :event_actor`
)

func eventWithActorParams(ctx context.Context, e Event, now time.Time) params {
	return eventParams(ctx, e, now).with(params{{"event_actor", e.Actor}})
}

func eventParams(ctx context.Context, e Event, now time.Time) params {
	v := visit.From(ctx)
	action, outcome := e.Action.Done, "ok"
	if e.Reason != "" {
		action, outcome = e.Action.Failed, "failed"
	}
	var methods any
	if len(e.Methods) > 0 {
		methods = list[AuthMethod](e.Methods)
	}
	return params{
		{"event_id", newEventID()},
		{"event_at", now},
		{"event_action", action},
		{"event_outcome", outcome},
		{"event_reason", text(cmp.Or(e.Reason, e.Note))},
		{"event_user", e.User},
		{"event_session", e.Sess},
		{"event_key", e.Key},
		{"event_methods", methods},
		{"event_dialect", v.Dialect},
		{"event_ip", ip(v)},
		{"event_user_agent", text(v.UserAgent)},
		{"event_request", v.RequestID},
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

var recordEvent = writes("recordEvent",
	`WITH a AS (`+insertEventWithActor+` VALUES (`+eventWithActorValues+`))
SELECT 1 AS n`,
	insertEventWithActor+` VALUES (`+eventWithActorValues+`)`,
	`SELECT 1 AS n`,
)

// Record writes the event of an action that changed no row: mostly a failure.
func (d *DB) Record(ctx context.Context, e Event, now time.Time) error {
	_, err := d.count(ctx, recordEvent, eventWithActorParams(ctx, e, now))
	return err
}

// recordIn is Record as a part of a transaction.
func (d *DB) recordIn(ctx context.Context, tx *sql.Tx, e Event, now time.Time) (err error) {
	start := time.Now()
	defer func() { d.observe(ctx, start, err, recordEvent) }()
	var row struct {
		N int `bun:"n"`
	}
	_, err = d.queryRowIn(ctx, tx, recordEvent, eventWithActorParams(ctx, e, now), &row)
	return err
}
