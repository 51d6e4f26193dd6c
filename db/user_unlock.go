package db

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// UserSecurity is what failures did to an account, and the GraphQL type.
type UserSecurity struct {
	Failures           int        // in a row, in all buckets together
	LockedUntil        *time.Time // when the last locked bucket opens; nil where none is locked
	PasswordDisabledAt *time.Time // see User
}

// failures is a row of throttles.
type failures struct {
	bun.BaseModel `bun:"table:throttles,alias:t"`

	AccountKey UserID    `bun:"account_key"`
	Scope      string    `bun:"scope"`
	Failures   int       `bun:"failures"`
	FailedAt   time.Time `bun:"failed_at"`
}

// Security reads the failures of several accounts in one statement. An account without failures is in the answer too.
// delay gives for how long so many failures in a row lock a bucket.
func (d *DB) Security(
	ctx context.Context, users []*User, delay func(failures int) time.Duration, now time.Time,
) (map[UserID]*UserSecurity, error) {
	all, ids := map[UserID]*UserSecurity{}, make([]UserID, len(users))
	for i, u := range users {
		ids[i], all[u.ID] = u.ID, &UserSecurity{PasswordDisabledAt: u.PasswordDisabledAt}
	}
	if len(ids) == 0 {
		return all, nil
	}
	var rows []*failures
	err := d.r.NewSelect().Model(&rows).Where("t.account_key IN (?)", bun.List(ids)).
		Where("t.failed_at >= ?", now.Add(-forgetAfter)).Scan(ctx)
	for _, row := range rows {
		s := all[row.AccountKey]
		if row.Scope == "*" {
			s.Failures = row.Failures
			continue
		}
		until := row.FailedAt.Add(delay(row.Failures))
		if until.After(now) && (s.LockedUntil == nil || until.After(*s.LockedUntil)) {
			s.LockedUntil = &until
		}
	}
	return all, wrap(err, "security")
}

var unlockUser = writes("unlockUser",
	`WITH u AS (
  UPDATE users SET password_disabled_at = NULL WHERE id = :user AND `+verdictPostgres+` = 'ok' RETURNING *
), t AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM u) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user ORDER BY scope FOR UPDATE)
), w AS (
  DELETE FROM wrong_codes WHERE subject = (SELECT uuid_send(id) FROM u)
), e AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT `+userColumns+`, `+verdictPostgres+` AS verdict FROM (SELECT 1) one LEFT JOIN u ON true`,
	insertEventWithActor+` SELECT `+eventWithActorValues+`
FROM users WHERE id = :user AND `+verdictSQLite+` = 'ok'`,
	`DELETE FROM throttles WHERE account_key = :user`+ifRecorded,
	`DELETE FROM wrong_codes WHERE subject = :user`+ifRecorded,
	`UPDATE users SET password_disabled_at = NULL WHERE id = :user`+ifRecorded,
	`SELECT `+userColumns+`, `+verdictSQLite+` AS verdict
FROM (SELECT 1) one LEFT JOIN users u ON u.id = :user`+ifRecorded,
)

// AddressHashes are the keyed hashes of canonical addresses by which strangers' calls are counted.
type AddressHashes struct {
	Tries   func(canonical string, of Purpose) []byte // wrong codes; see CodeTry
	Mailbox func(canonical string) []byte             // mails; see LimitMails
	Number  func(phone string) []byte                 // messages to a phone; see LimitSMS
	Network func(prefix string) []byte                // the network that asked for one

	PhoneTries func(subject string, of SMSPurpose) []byte // wrong codes beside a number or an account; see PhoneTry
}

// UnlockUser forgets the failures of an account, in every bucket, and puts a disabled password back in force, with its
// event e. It also forgets the wrong codes that were typed beside the addresses of the account, and the mails that
// their mailboxes were sent: a stranger can use both up. A Rejection means that nothing changed.
func (d *DB) UnlockUser(
	ctx context.Context, by *Actor, id UserID, e Event, hashes AddressHashes, now time.Time,
) (*User, *Rejection, error) {
	e = by.event(e)
	e.User = id
	var row struct {
		User    User   `bun:"embed:u_"`
		Verdict string `bun:"verdict"`
	}
	p := params{{"user", id}}.with(deed{needs: UsersWrite}.params(by, now), eventWithActorParams(ctx, e, now))
	addresses := func(tx *sql.Tx) error {
		if row.User.ID.IsZero() {
			return nil
		}
		return d.forgetAddresses(ctx, tx, &row.User, hashes)
	}
	_, err := d.queryRow(ctx, unlockUser, p, &row, locking(lockUser, params{{"user", id}}), after(addresses))
	switch {
	case err != nil:
		return nil, nil, err
	case row.User.ID.IsZero():
		return nil, rejection(row.Verdict), nil
	}
	return &row.User, nil, nil
}

var forgetTries = writes("forgetTries",
	`WITH c AS (DELETE FROM code_tries WHERE address = :tries_key RETURNING 1) SELECT count(*) AS n FROM c`,
	`DELETE FROM code_tries WHERE address = :tries_key`,
	`SELECT changes() AS n`,
)

var forgetMails = writes("forgetMails",
	`WITH b AS (DELETE FROM mail_budgets WHERE mailbox = :mailbox RETURNING 1) SELECT count(*) AS n FROM b`,
	`DELETE FROM mail_budgets WHERE mailbox = :mailbox`,
	`SELECT changes() AS n`,
)

// forgetAddresses forgets the wrong codes and the mails of the addresses of an account, confirmed or not. It takes the
// rows of each table in the order of their keys: two accounts may wait for the address of each other.
func (d *DB) forgetAddresses(ctx context.Context, tx *sql.Tx, u *User, hashes AddressHashes) error {
	addresses := []string{}
	if u.EmailCanonical != "" {
		addresses = append(addresses, u.EmailCanonical)
	}
	if u.PendingEmailCanonical != nil {
		addresses = append(addresses, *u.PendingEmailCanonical)
	}
	var tries, mailboxes [][]byte
	for _, address := range addresses {
		for _, of := range purposes() {
			tries = append(tries, hashes.Tries(address, of))
		}
		mailboxes = append(mailboxes, hashes.Mailbox(address))
	}
	for _, table := range []struct {
		forget *statement
		key    string
		keys   [][]byte
	}{{forgetTries, "tries_key", tries}, {forgetMails, "mailbox", mailboxes}} {
		slices.SortFunc(table.keys, bytes.Compare)
		for _, key := range table.keys {
			var n struct{ N int }
			if _, err := d.queryRowIn(ctx, tx, table.forget, params{{table.key, key}}, &n); err != nil {
				return wrap(err, table.forget.name)
			}
		}
	}
	return nil
}
