package db

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var errNoFreeNumber = errors.New("db: no free number was drawn")

var register = writes("register",
	`WITH u AS (
  INSERT INTO users (id, number, email, email_canonical, username, username_canonical, name, phone, metadata,
    role, status, password_hash, created_at, updated_at, last_login_at, locale, email_verified_at, invited)
  SELECT :user, :number, :email, :email_canonical, :username, :username_canonical, :name, :phone, :metadata,
    :role, 'ACTIVE', :password_hash, :now, :now,
    CASE WHEN :sign_in AND NOT :pending THEN :now::timestamptz END, :locale, :email_verified_at, :invited
  ON CONFLICT DO NOTHING RETURNING id
), s AS (`+insertSession+` SELECT `+sessionValues+` FROM u WHERE :sign_in
  ON CONFLICT (number) DO NOTHING RETURNING id
), k AS (
  INSERT INTO known_devices (user_id, device, session_id, seen_at)
  SELECT :user, :device, :session, :now FROM s WHERE :device::bytea IS NOT NULL
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM u
) SELECT (SELECT count(*) FROM u) AS users, (SELECT count(*) FROM s) AS sessions`,
	`INSERT INTO users (id, number, email, email_canonical, username, username_canonical, name, phone, metadata,
  role, status, password_hash, created_at, updated_at, last_login_at, locale, email_verified_at, invited)
SELECT :user, :number, :email, :email_canonical, :username, :username_canonical, :name, :phone, :metadata,
  :role, 'ACTIVE', :password_hash, :now, :now, CASE WHEN :sign_in AND NOT :pending THEN :now END, :locale,
  :email_verified_at, :invited
WHERE true
ON CONFLICT DO NOTHING`,
	insertSession+` SELECT `+sessionValues+` WHERE changes() = 1 AND :sign_in
ON CONFLICT (number) DO NOTHING`,
	insertEvent+` SELECT `+eventValues+`
FROM users WHERE id = :user`,
	`INSERT INTO known_devices (user_id, device, session_id, seen_at)
SELECT :user, :device, :session, :now FROM sessions WHERE id = :session AND :device IS NOT NULL`,
	`SELECT (SELECT count(*) FROM users WHERE id = :user) AS users,
  (SELECT count(*) FROM sessions WHERE id = :session) AS sessions`,
)

// Taken says which names of an account somebody else has.
type Taken struct {
	Email    bool `bun:"email"`
	Username bool `bun:"username"`
}

// Register makes the account, and its first session where s is not nil, in one step; the database keeps names unique
// (ID-02). When a name is taken it makes nothing, and the answer says which. notes are remarks in the event, each one
// word_like_this. The mails are queued with the account.
func (d *DB) Register(ctx context.Context, u *User, s *Session, mails []*Mail, notes ...string) (*Taken, error) {
	signIn := s != nil
	if !signIn {
		s = &Session{UserID: u.ID, CreatedAt: u.CreatedAt}
	}
	e := Event{Action: ActionUserCreated, Note: strings.Join(notes, " "), User: u.ID, Sess: s.ID, Methods: s.Methods}
	for range numberDraws {
		u.Number, s.Number = randomNumber(), randomNumber()
		p := u.params().with(s.params()).with(params{
			{"sign_in", signIn}, {"locale", u.Locale}, {"phone", u.Phone}, {"device", s.Device},
		}).with(eventParams(ctx, e, u.CreatedAt))
		var made struct{ Users, Sessions int }
		var queue txStep
		if len(mails) > 0 {
			queue = func(tx *sql.Tx) error {
				if made.Users == 0 {
					return nil
				}
				return d.mailIn(ctx, tx, mails...)
			}
		}
		if _, err := d.queryRow(ctx, register, p, &made, after(queue)); err != nil {
			return nil, err
		}
		if made.Users == 1 {
			return nil, d.firstSession(ctx, u, s, signIn && made.Sessions == 0)
		}
		taken, err := d.taken(ctx, u.ID, &u.EmailCanonical, u.UsernameCanonical)
		if err != nil {
			return nil, err
		}
		if *taken != (Taken{}) {
			return taken, nil
		}
	}
	return nil, errNoFreeNumber
}

// firstSession starts the session of a new account on its own, in the rare case that its number was taken.
func (d *DB) firstSession(ctx context.Context, u *User, s *Session, due bool) error {
	if !due {
		return nil
	}
	started, err := d.Login(ctx, &Attempt{User: *u}, s, 1)
	if err == nil && !started {
		err = errNoFreeNumber
	}
	return err
}

var taken = reads("taken", `SELECT
EXISTS (SELECT 1 FROM users WHERE email_canonical = :email_canonical AND id <> :user) AS email,
EXISTS (SELECT 1 FROM users WHERE username_canonical = :username_canonical AND id <> :user) AS username`)

// taken says which of the names of an account somebody else has.
func (d *DB) taken(ctx context.Context, id UserID, emailCanonical, usernameCanonical *string) (*Taken, error) {
	var t Taken
	p := params{{"user", id}, {"email_canonical", emailCanonical}, {"username_canonical", usernameCanonical}}
	_, err := d.queryRow(ctx, taken, p, &t)
	return &t, err
}

// takenBy reads from an error which unique name of an account stood in the way; nil for any other error and for none.
func takenBy(err error) *Taken {
	var what string
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "23505" {
		what = pg.ConstraintName
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok && lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE {
		what = lite.Error()
	}
	t := Taken{Email: strings.Contains(what, "email_canonical"), Username: strings.Contains(what, "username_canonical")}
	if t == (Taken{}) {
		return nil
	}
	return &t
}
