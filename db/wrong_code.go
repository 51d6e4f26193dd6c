package db

import (
	"context"
	"database/sql"
	"time"
)

// wrongCodesAYear is how many wrong codes of six digits an account, or a number that somebody wants to confirm, has
// within a rolling year: an attacker who types that many is right with a chance of 3 in 10,000 (OT-58). No success
// resets the count. Then codes to sign in are not compared any more, but for devices of the account; links, and
// whatever else is no code, stay.
const wrongCodesAYear = 300

// The rolling year is counted by weeks, and is never shorter than a year.
const (
	codeWeek = 7 * 24 * time.Hour
	codeYear = 53 * codeWeek
)

// weekOf is the first day of the week of a time.
func weekOf(t time.Time) string { return t.UTC().Truncate(codeWeek).Format(time.DateOnly) }

// The condition that an account may be guessed at still, or that the request shows a device token of it. The account is
// o.user_id.
const (
	wrongOf        = `(SELECT coalesce(sum(w.wrong), 0) FROM wrong_codes w WHERE w.week > :year_ago AND w.subject = `
	deviceOfHolder = `(o.user_id = :shown_account AND EXISTS (SELECT 1 FROM users h WHERE h.id = o.user_id
    AND coalesce(h.devices_cleared_at <= :shown_issued_at, true)))`
	codesOpenPostgres = `(` + wrongOf + `uuid_send(o.user_id)) < :a_year OR ` + deviceOfHolder + `)`
	codesOpenSQLite   = `(` + wrongOf + `o.user_id) < :a_year OR ` + deviceOfHolder + `)`
)

// codeBudgetParams are the values of these conditions.
func codeBudgetParams(s Shown, now time.Time) params {
	return params{
		{"year_ago", weekOf(now.Add(-codeYear))},
		{"a_year", wrongCodesAYear},
		{"shown_account", s.Account},
		{"shown_issued_at", s.IssuedAt},
	}
}

const insertWrongCode = `INSERT INTO wrong_codes AS w (subject, week, wrong) VALUES (:subject, :week, 1)
ON CONFLICT (subject, week) DO UPDATE SET wrong = w.wrong + 1`

// addWrongCode gives the count with this one. On Postgres the sum is that of before.
var addWrongCode = writes("addWrongCode",
	`WITH i AS (`+insertWrongCode+` RETURNING 1
) SELECT coalesce(sum(wrong), 0) + (SELECT count(*) FROM i) AS n 
FROM wrong_codes WHERE subject = :subject AND week > :year_ago`,
	insertWrongCode,
	`SELECT sum(wrong) AS n FROM wrong_codes WHERE subject = :subject AND week > :year_ago`,
)

// ClosedMails makes the mails that tell the owner of an account that codes are closed.
type ClosedMails func(*User) []*Mail

// wrongCodeIn counts a wrong code of an account. The one that spends the budget leaves an event, and tells the owner.
func (d *DB) wrongCodeIn(ctx context.Context, tx *sql.Tx, id UserID, closed ClosedMails, now time.Time) error {
	n, err := d.countWrongCode(ctx, tx, id.UUID[:], now)
	if err != nil || n != wrongCodesAYear {
		return err
	}
	if err := d.recordIn(ctx, tx, Event{Action: ActionCodesClosed, User: id}, now); err != nil || closed == nil {
		return err
	}
	var row struct {
		User User `bun:"embed:u_"`
	}
	if _, err := d.queryRowIn(ctx, tx, userByID, params{{"user", id}}, &row); err != nil {
		return err
	}
	return d.queueIn(ctx, tx, closed(&row.User))
}

// countWrongCode counts a wrong code of an account or of a number, and gives how many there were within the year.
func (d *DB) countWrongCode(ctx context.Context, tx *sql.Tx, subject []byte, now time.Time) (int, error) {
	var row struct{ N int }
	_, err := d.queryRowIn(ctx, tx, addWrongCode, params{
		{"subject", subject}, {"week", weekOf(now)}, {"year_ago", weekOf(now.Add(-codeYear))},
	}, &row)
	return row.N, err
}
