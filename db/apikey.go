package db

import (
	"context"
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

// ofWorkingKey ends the change of a working key :key of the person :user.
const ofWorkingKey = ` WHERE id = :key AND user_id = :user AND ` + keyWorks

var createKey = writes("createKey",
	`WITH k AS (
  INSERT INTO api_keys (id, user_id, handle, hash, prefix, name, scopes, created_at, expires_at)
  SELECT :key, :user, :handle, :hash, :prefix, :name, :scopes, :now, :expires_at
  WHERE EXISTS (SELECT 1 FROM users WHERE id = :user)
  AND (:session::uuid IS NULL
    OR EXISTS (SELECT 1 FROM sessions WHERE id = :session AND user_id = :user AND revoked_at IS NULL))
  AND (SELECT count(*) FROM api_keys WHERE user_id = :user AND `+keyWorks+`) < :max_keys
  RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT count(*) AS n FROM k`,
	`INSERT INTO api_keys (id, user_id, handle, hash, prefix, name, scopes, created_at, expires_at)
SELECT :key, :user, :handle, :hash, :prefix, :name, :scopes, :now, :expires_at
WHERE EXISTS (SELECT 1 FROM users WHERE id = :user)
AND (:session IS NULL
  OR EXISTS (SELECT 1 FROM sessions WHERE id = :session AND user_id = :user AND revoked_at IS NULL))
AND (SELECT count(*) FROM api_keys WHERE user_id = :user AND `+keyWorks+`) < :max_keys`,
	insertEvent+` SELECT `+eventValues+`
FROM api_keys WHERE id = :key AND changes() = 1`,
	`SELECT changes() AS n`,
)

// CreateKey stores a key. It tells whether the person exists and had room for the key (MaxKeys), and whether the
// session by, zero for none, is still alive.
func (d *DB) CreateKey(ctx context.Context, k *ApiKey, by SessionID) (bool, error) {
	e := Event{Action: ActionKeyCreated, User: k.UserID, Sess: by, Key: k.ID}
	p := params{
		{"key", k.ID},
		{"user", k.UserID},
		{"handle", k.Handle},
		{"hash", k.Hash},
		{"prefix", k.Prefix},
		{"name", k.Name},
		{"scopes", list[Permission](k.Scopes)},
		{"now", k.CreatedAt},
		{"expires_at", k.ExpiresAt},
		{"max_keys", MaxKeys},
		{"session", by},
	}.with(eventParams(ctx, e, k.CreatedAt))
	var answer struct {
		N int `bun:"n"`
	}
	_, err := d.queryRow(ctx, createKey, p, &answer, locking(lockUser, params{{"user", k.UserID}}))
	return answer.N == 1, err
}

const changeKey = `UPDATE api_keys SET name = coalesce(:name, name), scopes = coalesce(:scopes, scopes)` +
	ofWorkingKey

var updateKey = writes("updateKey",
	`WITH k AS (`+changeKey+` RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT * FROM k`,
	changeKey,
	insertEvent+` SELECT `+eventValues+` FROM api_keys WHERE id = :key AND changes() = 1`,
	`SELECT * FROM api_keys WHERE id = :key AND changes() = 1`,
)

// UpdateKey changes a working key of a person; what is nil stays. The answer is nil for a key that is not theirs
// (AK-07). by is the session that asked.
func (d *DB) UpdateKey(
	ctx context.Context, user UserID, id KeyID, name *string, scopes []Permission, by SessionID, now time.Time,
) (*ApiKey, error) {
	var set any
	if scopes != nil {
		set = list[Permission](scopes)
	}
	e := Event{Action: ActionKeyUpdated, User: user, Sess: by, Key: id}
	p := params{{"key", id}, {"user", user}, {"now", now}, {"name", name}, {"scopes", set}}
	return d.changedKey(ctx, updateKey, p.with(eventParams(ctx, e, now)))
}

const changeKeySecret = `UPDATE api_keys SET handle = :handle, hash = :hash, prefix = :prefix` + ofWorkingKey

var rotateKey = writes("rotateKey",
	`WITH k AS (`+changeKeySecret+` RETURNING *
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT * FROM k`,
	changeKeySecret,
	insertEvent+` SELECT `+eventValues+` FROM api_keys WHERE id = :key AND changes() = 1`,
	`SELECT * FROM api_keys WHERE id = :key AND changes() = 1`,
)

// RotateKey gives a working key of a person the secret of made (its Handle, Hash and Prefix); the old secret stops
// working. Of two concurrent rotations the later counts. The answer is nil as in UpdateKey.
func (d *DB) RotateKey(
	ctx context.Context, user UserID, id KeyID, made *ApiKey, by SessionID, now time.Time,
) (*ApiKey, error) {
	e := Event{Action: ActionKeyRotated, User: user, Sess: by, Key: id}
	p := params{
		{"key", id},
		{"user", user},
		{"now", now},
		{"handle", made.Handle},
		{"hash", made.Hash},
		{"prefix", made.Prefix},
	}
	return d.changedKey(ctx, rotateKey, p.with(eventParams(ctx, e, now)))
}

func (d *DB) changedKey(ctx context.Context, st *statement, p params) (*ApiKey, error) {
	var key ApiKey
	found, err := d.queryRow(ctx, st, p, &key)
	if err != nil || !found {
		return nil, err
	}
	return &key, nil
}

const revokeKey = `UPDATE api_keys SET revoked_at = :now` + ofWorkingKey

var deleteKey = writes("deleteKey",
	`WITH k AS (`+revokeKey+` RETURNING id
), a AS (`+insertEvent+` SELECT `+eventValues+` FROM k
) SELECT count(*) AS n FROM k`,
	revokeKey,
	insertEvent+` SELECT `+eventValues+` FROM api_keys WHERE id = :key AND changes() = 1`,
	`SELECT changes() AS n`,
)

// DeleteKey revokes a working key of a person and tells whether they had it (AK-07). by is the session that asked.
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
	return d.r.NewSelect().Model(dest).
		Where("k.user_id = ?", user).Where("k.revoked_at IS NULL").
		Where("k.expires_at IS NULL OR k.expires_at > ?", now)
}
