package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Authenticator is an authenticator app: a row of authenticators, and the GraphQL type Authenticator.
type Authenticator struct {
	bun.BaseModel `bun:"table:authenticators,alias:t"`

	ID          AuthenticatorID `bun:"id,pk"`
	UserID      UserID          `bun:"user_id"`
	Name        string          `bun:"name"`
	Sealed      []byte          `bun:"sealed"` // the secret (RFC 6238), sealed under the server secret
	CreatedAt   time.Time       `bun:"created_at"`
	ConfirmedAt *time.Time      `bun:"confirmed_at"` // by a first right code; nil: it asks nobody for anything (MF-07)
	LastStep    int64           `bun:"last_step"`    // the newest step whose code was taken (MF-01)
	LastUsedAt  *time.Time      `bun:"last_used_at"`
}

// IsNode marks a GraphQL Node.
func (Authenticator) IsNode() {}

// EnrolmentLives is how long an authenticator app waits for its first right code.
const EnrolmentLives = 30 * time.Minute

// An account has this many authenticator apps at most. Further ones that wait for their first code drop the oldest of
// those: whoever knows the password alone must not close the set-up to the owner.
const (
	maxAuthenticators = 10
	maxWaiting        = 30
)

// Authenticators lists the confirmed authenticator apps of an account, the oldest first.
func (d *DB) Authenticators(ctx context.Context, user UserID) ([]*Authenticator, error) {
	all := []*Authenticator{}
	err := d.r.NewSelect().Model(&all).Where("t.user_id = ? AND t.confirmed_at IS NOT NULL", user).
		Order("t.created_at", "t.id").Scan(ctx)
	return all, wrap(err, "authenticators")
}

// AuthenticatorOf finds an authenticator app of an account, confirmed or not; nil for none.
func (d *DB) AuthenticatorOf(ctx context.Context, user UserID, id AuthenticatorID) (*Authenticator, error) {
	var a Authenticator
	err := d.r.NewSelect().Model(&a).Where("t.user_id = ? AND t.id = ?", user, id).Scan(ctx)
	if err != nil {
		return nil, wrap(ignoreNoRows(err), "authenticator")
	}
	return &a, nil
}

const insertAuthenticator = `INSERT INTO authenticators (id, user_id, name, sealed, created_at)
SELECT :authenticator, :user, :name, :sealed, :now
WHERE (SELECT count(*) FROM authenticators WHERE user_id = :user AND confirmed_at IS NOT NULL) < :most
  AND EXISTS (SELECT 1 FROM users WHERE users.id = :user AND users.status = 'ACTIVE')`

var addAuthenticator = writes("addAuthenticator",
	`WITH d AS (
  DELETE FROM authenticators WHERE user_id = :user AND confirmed_at IS NULL AND id NOT IN (
    SELECT id FROM authenticators WHERE user_id = :user AND confirmed_at IS NULL ORDER BY id DESC LIMIT :waiting)
), t AS (`+insertAuthenticator+` RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM t
) SELECT count(*) AS n FROM t`,
	`DELETE FROM authenticators WHERE user_id = :user AND confirmed_at IS NULL AND id NOT IN (
  SELECT id FROM authenticators WHERE user_id = :user AND confirmed_at IS NULL ORDER BY id DESC LIMIT :waiting)`,
	insertAuthenticator,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// AddAuthenticator keeps an authenticator app that waits for its first right code. It gives false where the account has
// as many as it may have.
func (d *DB) AddAuthenticator(ctx context.Context, a *Authenticator, session SessionID) (bool, error) {
	e := Event{Action: ActionMfaEnrolmentStarted, User: a.UserID, Sess: session}
	p := params{
		{"authenticator", a.ID},
		{"user", a.UserID},
		{"name", a.Name},
		{"sealed", a.Sealed},
		{"now", a.CreatedAt},
		{"waiting", maxWaiting - 1},
		{"most", maxAuthenticators},
	}.with(eventParams(ctx, e, a.CreatedAt))
	var row struct{ N int }
	_, err := d.queryRow(ctx, addAuthenticator, p, &row, locking(lockUser, params{{"user", a.UserID}}))
	return row.N == 1, err
}

const setAuthenticatorName = `UPDATE authenticators SET name = :name
WHERE id = :authenticator AND user_id = :user AND confirmed_at IS NOT NULL`

var renameAuthenticator = writes("renameAuthenticator",
	`WITH t AS (`+setAuthenticatorName+` RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM t
) SELECT count(*) AS n FROM t`,
	setAuthenticatorName,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`SELECT count(*) AS n FROM audit_events WHERE id = :event_id`,
)

// RenameAuthenticator names an authenticator app of an account anew, and tells whether there is one.
func (d *DB) RenameAuthenticator(
	ctx context.Context, by *Caller, id AuthenticatorID, name string, now time.Time,
) (bool, error) {
	e := Event{Action: ActionMfaRenamed, User: by.User.ID, Sess: by.Session.ID}
	p := params{{"authenticator", id}, {"user", by.User.ID}, {"name", name}}
	n, err := d.count(ctx, renameAuthenticator, p.with(eventParams(ctx, e, now)))
	return n == 1, err
}
