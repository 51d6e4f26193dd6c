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

var register = statement{
	postgres: `WITH u AS (
  INSERT INTO users (id, number, email, email_canonical, username, username_canonical, name, metadata, role, status,
    password_hash, created_at, updated_at, last_login_at, locale, email_verified_at)
  SELECT $3, $13, $14, $15, $16, $17, $18, $19, $20, 'ACTIVE', $21, $8, $8, CASE WHEN $12 THEN $8::timestamptz END, $22, $23
  ON CONFLICT DO NOTHING RETURNING id
), s AS (` + insertSession + ` SELECT $1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10, $11 FROM u WHERE $12
  ON CONFLICT (number) DO NOTHING RETURNING id
), k AS (
  INSERT INTO known_devices (user_id, device, session_id, seen_at) SELECT $3, $24, $1, $8 FROM s WHERE $24::bytea IS NOT NULL
), a AS (` + insertEvent + ` SELECT $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37 FROM u
) SELECT (SELECT count(*) FROM u) AS users, (SELECT count(*) FROM s) AS sessions`,
	sqlite: []string{
		`INSERT INTO users (id, number, email, email_canonical, username, username_canonical, name, metadata, role, status,
  password_hash, created_at, updated_at, last_login_at, locale, email_verified_at)
SELECT ?3, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, 'ACTIVE', ?21, ?8, ?8, CASE WHEN ?12 THEN ?8 END, ?22, ?23 WHERE true
ON CONFLICT DO NOTHING`,
		insertSession + ` SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8, ?9, ?10, ?11 WHERE changes() = 1 AND ?12
ON CONFLICT (number) DO NOTHING`,
		insertEvent + ` SELECT ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37
FROM users WHERE id = ?3`,
		`INSERT INTO known_devices (user_id, device, session_id, seen_at) SELECT ?3, ?24, ?1, ?8 FROM sessions WHERE id = ?1 AND ?24 IS NOT NULL`,
		`SELECT (SELECT count(*) FROM users WHERE id = ?3) AS users, (SELECT count(*) FROM sessions WHERE id = ?1) AS sessions`,
	},
}

// Taken says which of a new account's names somebody has already.
type Taken struct {
	Email    bool `bun:"email"`
	Username bool `bun:"username"`
}

// Register makes the account, and its first session where s is not nil, in one step; uniqueness is the database's
// (ID-02). When a name is taken nothing is made, and the answer says which. Notes say in the event of a success what is
// remarkable about the account, each in one word_like_this. The mails are queued when the account is made.
func (d *DB) Register(ctx context.Context, u *User, s *Session, mails []*Mail, notes ...string) (*Taken, error) {
	signIn := s != nil
	if !signIn {
		s = &Session{UserID: u.ID, CreatedAt: u.CreatedAt}
	}
	e := Event{Action: "register", Note: strings.Join(notes, " "), User: u.ID, Sess: s.ID, Methods: s.Methods}
	for range numberDraws {
		u.Number, s.Number = randomNumber(), randomNumber()
		args := append(s.args(), signIn, u.Number, u.Email, u.EmailCanonical, u.Username, u.UsernameCanonical,
			u.Name, u.Metadata, u.Role, u.PasswordHash, u.Locale, u.EmailVerifiedAt, s.Device)
		var made struct{ Users, Sessions int }
		queue := func(tx *sql.Tx) error {
			if made.Users == 0 {
				return nil
			}
			return d.queueIn(ctx, tx, mails)
		}
		if err := d.getMailing(ctx, len(mails) > 0, queue, &register, &made, append(args, eventArgs(ctx, e, u.CreatedAt)...)...); err != nil {
			return nil, err
		}
		if made.Users == 1 {
			return nil, d.firstSession(ctx, u, s, signIn && made.Sessions == 0)
		}
		taken, err := d.taken(ctx, u)
		if err != nil {
			return nil, err
		}
		if *taken != (Taken{}) {
			return taken, nil
		}
	}
	return nil, errNoFreeNumber
}

// firstSession starts the session of a new account in a step of its own, for the rare case that its number was taken.
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

var taken = statement{
	reads: true,
	postgres: `SELECT EXISTS (SELECT 1 FROM users WHERE email_canonical = $1) AS email,
EXISTS (SELECT 1 FROM users WHERE username_canonical = $2) AS username`,
	sqlite: []string{`SELECT EXISTS (SELECT 1 FROM users WHERE email_canonical = ?1) AS email,
EXISTS (SELECT 1 FROM users WHERE username_canonical = ?2) AS username`},
}

func (d *DB) taken(ctx context.Context, u *User) (*Taken, error) {
	var t Taken
	_, err := d.get(ctx, &taken, &t, u.EmailCanonical, u.UsernameCanonical)
	return &t, err
}

// takenBy reads which unique name of an account stood in the way; nil for any other error and for none.
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

// isTaken tells whether a statement failed because a value that has to be unique is somebody else's.
func isTaken(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505" // unique_violation
	}
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
}
