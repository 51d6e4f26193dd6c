package db

import (
	"context"
	"database/sql"
	"time"
)

// A row of factor_tries without tries says that the owner of an account was told today.
const insertTold = `INSERT INTO factor_tries (user_id, scope, day, tries) VALUES (:user, :scope, :day, 0)
ON CONFLICT (user_id, scope, day) DO NOTHING`

var tellOfTries = writes("tellOfTries",
	`WITH t AS (`+insertTold+` RETURNING 1
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM t
) SELECT count(*) AS n FROM t`,
	insertTold,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// TellOfTries queues mails about wrong codes of an account, with an event, once a day for each kind of news. It tells
// whether this was the first time today.
func (d *DB) TellOfTries(ctx context.Context, user UserID, news FactorNews, mails []*Mail, now time.Time) (bool,
	error,
) {
	e := Event{Action: ActionMfaGuessed, User: user}
	if news == FactorGuessesSpent {
		e.Action = ActionMfaClosed
	}
	var row struct{ N int }
	queue := func(tx *sql.Tx) error {
		if row.N == 0 {
			return nil
		}
		return d.queueIn(ctx, tx, mails)
	}
	p := params{
		{"user", user}, {"scope", "told " + string(news)}, {"day", now.UTC().Format(time.DateOnly)},
	}
	_, err := d.queryRow(ctx, tellOfTries, p.with(eventParams(ctx, e, now)), &row, after(queue))
	return row.N == 1, err
}
