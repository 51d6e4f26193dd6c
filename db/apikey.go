package db

import (
	"context"
	"database/sql"
	"time"

	"github.com/uptrace/bun"
)

// ApiKey is a long-lived credential for servers: a row of api_keys, and the GraphQL type of the same name.
type ApiKey struct {
	bun.BaseModel `bun:"table:api_keys,alias:k"`

	ID         KeyID        `bun:"id,pk"`
	UserID     UserID       `bun:"user_id"`
	Handle     string       `bun:"handle"` // the public part of the secret; finds the row
	Hash       []byte       `bun:"hash"`   // keyed hash of the secret part
	Prefix     string       `bun:"prefix"`
	Name       string       `bun:"name"`
	Scopes     []Permission `bun:"scopes,type:jsonb"`
	CreatedAt  time.Time    `bun:"created_at"`
	LastUsedAt *time.Time   `bun:"last_used_at"`
	ExpiresAt  *time.Time   `bun:"expires_at"`
	RevokedAt  *time.Time   `bun:"revoked_at"`
	RotatedAt  *time.Time   `bun:"rotated_at"` // when its secret was made anew or its scopes were changed
}

// IsNode marks a GraphQL Node.
func (ApiKey) IsNode() {}

// MaxKeys is how many working API keys one person may have.
const MaxKeys = maxListed

// keyWorks is the condition of a key that works at :now.
const keyWorks = `revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)`

// ofWorkingKey ends the change of a working key :key of the person :by.
const ofWorkingKey = ` WHERE id = :key AND user_id = :by AND ` + keyWorks

const insertKey = `INSERT INTO api_keys (id, user_id, handle, hash, prefix, name, scopes, created_at, expires_at)
SELECT :key, :by, :handle, :hash, :prefix, :name, :scopes, :now, :expires_at WHERE `

var createKey = writes("createKey",
	`WITH k AS (`+insertKey+keyVerdictPostgres+` = 'ok' RETURNING *
), e AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT `+keyColumns+`, `+keyVerdictPostgres+` AS verdict FROM (SELECT 1) one LEFT JOIN k ON true`,
	insertKey+keyVerdictSQLite+` = 'ok'`,
	insertEvent+` SELECT `+eventValues+` FROM api_keys WHERE id = :key AND changes() = 1`,
	keyAfter,
)

// keyAfter is the last step of these statements on SQLite.
const keyAfter = `SELECT ` + keyColumns + `, ` + keyVerdictSQLite + ` AS verdict
FROM (SELECT 1) one LEFT JOIN api_keys k ON k.id = :key` + ifRecorded

// keyDeed is what a person does to an API key of theirs.
type keyDeed struct {
	id      KeyID
	scopes  []Permission // that the key gets; nil where they stay
	makes   bool
	rotates bool
}

// params are the values of a verdict on a key.
func (d keyDeed) params(by *Actor, now time.Time) params {
	var after any
	if d.scopes != nil {
		after = list[Permission](d.scopes)
	}
	return by.params(now, d.scopes...).with(params{
		{"all_scopes", permissionsWhere(Permission.BeyondUser)},
		{"own_scopes", permissionsWhere(func(p Permission) bool { return !p.BeyondUser() })},
		{"key", d.id},
		{"scopes", after},
		{"deed_makes", d.makes},
		{"deed_rotates", d.rotates},
		{"max_keys", MaxKeys},
	})
}

var keyByID = reads("keyByID", `SELECT `+keyColumns+` FROM api_keys k WHERE k.id = :key`)

// KeyMails gives the mails to queue with a change of an API key; was and is are the key before and after it. Only
// UpdateKey reads the key before it. Nil for none.
type KeyMails func(was, is *ApiKey) []*Mail

// changeKeyBy runs a statement on a key of by. It locks the account, so that the verdict sees the key that is changed.
func (d *DB) changeKeyBy(
	ctx context.Context, st *statement, by *Actor, p params, id KeyID, mails KeyMails,
) (*ApiKey, *Rejection, error) {
	type keyRow struct {
		Key     ApiKey `bun:"embed:k_"`
		Verdict string `bun:"verdict"`
	}
	var was, is keyRow
	read := func(tx *sql.Tx) error {
		if st != updateKey {
			return nil
		}
		_, err := d.queryRowIn(ctx, tx, keyByID, params{{"key", id}}, &was)
		return err
	}
	queue := func(tx *sql.Tx) error {
		if mails == nil || is.Key.ID.IsZero() {
			return nil
		}
		return d.queueIn(ctx, tx, mails(&was.Key, &is.Key))
	}
	_, err := d.queryRow(ctx, st, p, &is, locking(lockUser, params{{"user", by.User}}), before(read), after(queue))
	switch {
	case err != nil:
		return nil, nil, err
	case is.Key.ID.IsZero():
		return nil, rejection(is.Verdict), nil
	}
	return &is.Key, nil, nil
}

// CreateKey stores a key of by, who has room for it (MaxKeys), and queues mails. A Rejection means that none was made.
func (d *DB) CreateKey(ctx context.Context, by *Actor, k *ApiKey, mails KeyMails) (*Rejection, error) {
	e := Event{Action: ActionKeyCreated, User: by.User, Sess: by.Session, Key: k.ID}
	made := keyDeed{id: k.ID, scopes: append([]Permission{}, k.Scopes...), makes: true}
	p := made.params(by, k.CreatedAt).with(params{
		{"handle", k.Handle},
		{"hash", k.Hash},
		{"prefix", k.Prefix},
		{"name", k.Name},
		{"expires_at", k.ExpiresAt},
	}, eventParams(ctx, e, k.CreatedAt))
	_, no, err := d.changeKeyBy(ctx, createKey, by, p, k.ID, mails)
	return no, err
}

const changeKey = `UPDATE api_keys SET name = coalesce(:name, name), scopes = coalesce(:scopes, scopes),
  rotated_at = CASE WHEN :scopes IS NULL THEN rotated_at ELSE :now END` + ofWorkingKey

var updateKey = writes("updateKey",
	`WITH k AS (`+changeKey+` AND `+keyVerdictPostgres+` = 'ok' RETURNING *
), e AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT `+keyColumns+`, `+keyVerdictPostgres+` AS verdict FROM (SELECT 1) one LEFT JOIN k ON true`,
	changeKey+` AND `+keyVerdictSQLite+` = 'ok'`,
	insertEvent+` SELECT `+eventValues+` FROM api_keys WHERE id = :key AND changes() = 1`,
	keyAfter,
)

// UpdateKey changes a working key of by; what is nil stays. A key that is not theirs is NotFound (AK-07).
func (d *DB) UpdateKey(
	ctx context.Context, by *Actor, id KeyID, name *string, scopes []Permission, now time.Time, mails KeyMails,
) (*ApiKey, *Rejection, error) {
	e := Event{Action: ActionKeyUpdated, User: by.User, Sess: by.Session, Key: id}
	p := keyDeed{id: id, scopes: scopes}.params(by, now).with(params{{"name", name}}, eventParams(ctx, e, now))
	return d.changeKeyBy(ctx, updateKey, by, p, id, mails)
}

const changeKeySecret = `UPDATE api_keys SET handle = :handle, hash = :hash, prefix = :prefix, rotated_at = :now` +
	ofWorkingKey

var rotateKey = writes("rotateKey",
	`WITH k AS (`+changeKeySecret+` AND `+keyVerdictPostgres+` = 'ok' RETURNING *
), e AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT `+keyColumns+`, `+keyVerdictPostgres+` AS verdict FROM (SELECT 1) one LEFT JOIN k ON true`,
	changeKeySecret+` AND `+keyVerdictSQLite+` = 'ok'`,
	insertEvent+` SELECT `+eventValues+` FROM api_keys WHERE id = :key AND changes() = 1`,
	keyAfter,
)

// RotateKey gives a working key of by the secret of made (its Handle, Hash and Prefix); the old secret stops working.
// Of two concurrent rotations the later counts. A key that is not theirs is NotFound.
func (d *DB) RotateKey(
	ctx context.Context, by *Actor, id KeyID, made *ApiKey, now time.Time, mails KeyMails,
) (*ApiKey, *Rejection, error) {
	e := Event{Action: ActionKeyRotated, User: by.User, Sess: by.Session, Key: id}
	p := keyDeed{id: id, rotates: true}.params(by, now).with(params{
		{"handle", made.Handle},
		{"hash", made.Hash},
		{"prefix", made.Prefix},
	}, eventParams(ctx, e, now))
	return d.changeKeyBy(ctx, rotateKey, by, p, id, mails)
}

const revokeKey = `UPDATE api_keys SET revoked_at = :now WHERE id = :key AND user_id = :user AND ` + keyWorks

var deleteKey = writes("deleteKey",
	`WITH k AS (`+revokeKey+` RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT count(*) AS n FROM k`,
	revokeKey,
	insertEvent+` SELECT `+eventValues+` FROM api_keys WHERE id = :key AND changes() = 1`,
	`SELECT changes() AS n`,
)

// DeleteKey revokes a working key of a person and tells whether they had it (AK-07). by is the session that asked. To
// take a key away needs no proof.
func (d *DB) DeleteKey(ctx context.Context, user UserID, id KeyID, by SessionID, now time.Time) (bool, error) {
	e := Event{Action: ActionKeyDeleted, User: user, Sess: by, Key: id}
	p := params{{"key", id}, {"user", user}, {"now", now}}
	n, err := d.count(ctx, deleteKey, p.with(eventParams(ctx, e, now)))
	return n == 1, err
}

// Keys lists the working API keys of a person, newest first.
func (d *DB) Keys(ctx context.Context, user UserID, now time.Time) ([]*ApiKey, error) {
	keys := []*ApiKey{}
	err := d.working(&keys, user, now).Order("k.created_at DESC", "k.id DESC").Limit(MaxKeys).Scan(ctx)
	return keys, wrap(err, "keys")
}

// KeyPage lists the working API keys of a person behind a key, newest first by id, and tells whether there are more.
func (d *DB) KeyPage(
	ctx context.Context, user UserID, after KeyID, limit int, now time.Time,
) (keys []*ApiKey, more bool, err error) {
	keys = []*ApiKey{}
	q := d.working(&keys, user, now)
	if !after.IsZero() {
		q = q.Where("k.id < ?", after)
	}
	if err := q.Order("k.id DESC").Limit(int64(limit) + 1).Scan(ctx); err != nil {
		return nil, false, wrap(err, "keys, a page")
	}
	if more = len(keys) > limit; more {
		keys = keys[:limit]
	}
	return keys, more, nil
}

// CountKeys counts the working API keys of a person.
func (d *DB) CountKeys(ctx context.Context, user UserID, now time.Time) (int, error) {
	n, err := d.working(&[]*ApiKey{}, user, now).Count(ctx)
	return int(n), wrap(err, "count keys")
}

// KeysOf finds working API keys of a person by their ids, in any order. It leaves out the keys of others (AK-07).
func (d *DB) KeysOf(ctx context.Context, user UserID, ids []KeyID, now time.Time) ([]*ApiKey, error) {
	keys := []*ApiKey{}
	err := d.working(&keys, user, now).Where("k.id IN (?)", bun.List(ids)).Scan(ctx)
	return keys, wrap(err, "keys by id")
}

func (d *DB) working(dest *[]*ApiKey, user UserID, now time.Time) *bun.SelectQuery {
	return workingKeys(d.r.NewSelect().Model(dest), user, now)
}

// workingKeys makes a query one for the working API keys of a person.
func workingKeys(q *bun.SelectQuery, user UserID, now time.Time) *bun.SelectQuery {
	return q.Where("k.user_id = ?", user).Where("k.revoked_at IS NULL").
		Where("k.expires_at IS NULL OR k.expires_at > ?", now)
}
