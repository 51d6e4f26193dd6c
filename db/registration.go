package db

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// registrationsWaiting is how many registrations of one address are kept: a further one drops the oldest.
const registrationsWaiting = 5

// Registration waits for a proof of its address, where an address has to be confirmed first: a row of registrations.
// It is no account. Whether somebody has the address already makes no difference to it (OT-43).
type Registration struct {
	bun.BaseModel `bun:"table:registrations,alias:g"`

	ID                UserID     `bun:"id,pk"` // becomes the id of the account
	Address           string     `bun:"address"`
	AddressCanonical  string     `bun:"address_canonical"`
	Username          *string    `bun:"username"`
	UsernameCanonical *string    `bun:"username_canonical"`
	Name              *string    `bun:"name"`
	Phone             *string    `bun:"phone"` // not confirmed
	Metadata          JSONObject `bun:"metadata"`
	PasswordHash      string     `bun:"password_hash,nullzero"` // "" where none was chosen
	Locale            *string    `bun:"locale"`
	Dialect           string     `bun:"dialect"`             // in which somebody registered
	SendWelcome       bool       `bun:"send_welcome"`        // a mail when the account is made
	SendPasswordSetup bool       `bun:"send_password_setup"` // as SendWelcome, for an account without a password
	CreatedAt         time.Time  `bun:"created_at"`
	ExpiresAt         time.Time  `bun:"expires_at"`
}

// User is the account that the registration would make, without its password.
func (g *Registration) User() User {
	return User{
		ID: g.ID, Email: &g.Address, EmailCanonical: g.AddressCanonical, Username: g.Username,
		UsernameCanonical: g.UsernameCanonical, Name: g.Name, Phone: g.Phone, Metadata: g.Metadata, Role: RoleUser,
		Status: UserActive,
		Locale: g.Locale, CreatedAt: g.CreatedAt, UpdatedAt: g.CreatedAt,
	}
}

// Waits tells whether the registration can become an account still.
func (g *Registration) Waits(now time.Time) bool { return g.ExpiresAt.After(now) }

const insertRegistration = `INSERT INTO registrations (id, address, address_canonical, username, username_canonical,
  name, phone, metadata, password_hash, locale, dialect, send_welcome, send_password_setup, created_at, expires_at)
SELECT :registration, :address, :address_canonical, :username, :username_canonical, :name, :phone, :metadata,
  :password_hash,
  :locale, :dialect, :send_welcome, :send_password_setup, :now, :expires_at
WHERE NOT EXISTS (SELECT 1 FROM users WHERE users.username_canonical = :username_canonical)`

var addRegistration = writes("addRegistration",
	`WITH g AS (`+insertRegistration+` RETURNING id
), o AS (
  DELETE FROM registrations WHERE EXISTS (SELECT 1 FROM g) AND id IN (
    SELECT id FROM registrations WHERE address_canonical = :address_canonical
    ORDER BY id DESC OFFSET :most::bigint - 1 FOR UPDATE)
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM g
) SELECT count(*) AS n FROM g`,
	insertRegistration,
	insertEvent+` SELECT `+eventValues+` WHERE changes() = 1`,
	`DELETE FROM registrations WHERE id IN (
  SELECT id FROM registrations WHERE address_canonical = :address_canonical
  ORDER BY id = :registration DESC, id DESC LIMIT -1 OFFSET :most)`+ifRecorded,
	`SELECT count(*) AS n FROM registrations WHERE id = :registration`,
)

// AddRegistration keeps a registration until its address is proved, and queues its mail. It does the same whether
// somebody has the address or not. It adds nothing, and says so, where somebody has the username: names are public.
func (d *DB) AddRegistration(
	ctx context.Context, g *Registration, mail *Mail, notes ...string,
) (usernameTaken bool, err error) {
	e := Event{Action: ActionRegistrationRequested, Note: strings.Join(notes, " "), User: g.ID}
	p := params{
		{"registration", g.ID},
		{"address", g.Address},
		{"address_canonical", g.AddressCanonical},
		{"username", g.Username},
		{"username_canonical", g.UsernameCanonical},
		{"name", g.Name},
		{"phone", g.Phone},
		{"metadata", g.Metadata},
		{"password_hash", text(g.PasswordHash)},
		{"locale", g.Locale},
		{"dialect", g.Dialect},
		{"send_welcome", g.SendWelcome},
		{"send_password_setup", g.SendPasswordSetup},
		{"now", g.CreatedAt},
		{"expires_at", g.ExpiresAt},
		{"most", registrationsWaiting},
	}.with(eventParams(ctx, e, g.CreatedAt))
	var row struct{ N int }
	queue := func(tx *sql.Tx) error {
		if row.N == 0 {
			return nil
		}
		return d.mailIn(ctx, tx, mail)
	}
	one := locking(lockAddress, params{{"address", g.AddressCanonical}}) // so that each sees what waits
	if _, err := d.queryRow(ctx, addRegistration, p, &row, one, after(queue)); err != nil {
		return false, err
	}
	return row.N == 0, nil
}

// RegistrationWaits tells whether a registration waits for an address.
func (d *DB) RegistrationWaits(ctx context.Context, canonical string, now time.Time) (bool, error) {
	n, err := d.r.NewSelect().Model((*Registration)(nil)).
		Where("g.address_canonical = ? AND g.expires_at > ?", canonical, now).Count(ctx)
	return n > 0, wrap(err, "registrations")
}

// readRegistrations adds to a token that no account has the registrations of its address that waited at any time since
// the token was made, the newest first.
func (d *DB) readRegistrations(ctx context.Context, m *TokenWithUser) error {
	return wrap(d.r.NewSelect().Model(&m.Registrations).
		Where("g.address_canonical = ? AND g.expires_at > ?", m.Token.AddressCanonical, m.Token.CreatedAt).
		Order("g.id DESC").Scan(ctx), "registrations of a token")
}
