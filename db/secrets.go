package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// ServerSecret is a row of server_secrets: when servers used a server secret. The public id of the secret names it.
type ServerSecret struct {
	bun.BaseModel `bun:"table:server_secrets"`

	ID          string    `bun:"id,pk"`
	FirstUsedAt time.Time `bun:"first_used_at"`
	LastUsedAt  time.Time `bun:"last_used_at"`
}

// RecordSecretUse writes down that a server uses a secret at now.
func (d *DB) RecordSecretUse(ctx context.Context, id string, now time.Time) error {
	_, err := d.w.ExecContext(ctx, `INSERT INTO server_secrets (id, first_used_at, last_used_at) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET last_used_at = excluded.last_used_at
WHERE server_secrets.last_used_at < excluded.last_used_at`, id, now, now)
	return wrap(err, "server secret")
}

// ServerSecrets lists the secrets that were ever used with this database, the oldest first.
func (d *DB) ServerSecrets(ctx context.Context) ([]ServerSecret, error) {
	var all []ServerSecret
	err := d.r.NewSelect().Model(&all).Order("first_used_at", "id").Scan(ctx)
	return all, wrap(err, "server secrets")
}

// SecretUsage counts what still depends on another server secret than the present one.
type SecretUsage struct {
	Sessions    int       // their tokens may be of another secret: nobody refreshed them since
	SessionsEnd time.Time // the latest end of these sessions; zero for none
	Keys        int       // API keys
	Links       int       // one-time tokens of mails
	LinksEnd    time.Time // the latest end of these links; zero for none
}

// SecretUsage counts what depends on another secret than the present one. Tokens that were made up to before may be of
// another secret. The label in the hash of an API key names its secret.
func (d *DB) SecretUsage(ctx context.Context, before time.Time, label []byte, now time.Time) (SecretUsage, error) {
	var n SecretUsage
	var last []*Session
	// The latest end first, so that the one row which is read tells it.
	q := d.alive(d.r.NewSelect().Model(&last), now).Where("coalesce(s.rotated_at, s.created_at) <= ?", before)
	sessions, err := q.Order("s.expires_at DESC").Limit(1).ScanAndCount(ctx)
	if err != nil {
		return n, wrap(err, "sessions of a server secret")
	}
	n.Sessions = int(sessions)
	if len(last) > 0 {
		n.SessionsEnd = last[0].AbsoluteEnd
	}
	keys, err := d.r.NewSelect().Model((*ApiKey)(nil)).
		Where("k.revoked_at IS NULL").Where("k.expires_at IS NULL OR k.expires_at > ?", now).
		Where("substr(k.hash, 1, ?) <> ?", len(label), label).Count(ctx)
	if err != nil {
		return n, wrap(err, "API keys of a server secret")
	}
	n.Keys = int(keys)
	var links []*OneTimeToken
	tokens, err := d.r.NewSelect().Model(&links).
		Where("t.invalidated_at IS NULL AND t.expires_at > ? AND t.created_at <= ?", now, before).
		Order("t.expires_at DESC").Limit(1).ScanAndCount(ctx)
	n.Links = int(tokens)
	if len(links) > 0 {
		n.LinksEnd = links[0].ExpiresAt
	}
	return n, wrap(err, "links of a server secret")
}

const setKeyHash = `UPDATE api_keys SET hash = :hash WHERE id = :key AND hash = :old_hash AND revoked_at IS NULL`

var rehashKey = writes("rehashKey",
	`WITH k AS (`+setKeyHash+` RETURNING 1) SELECT count(*) AS n FROM k`,
	setKeyHash,
	`SELECT changes() AS n`,
)

// RehashKey stores another hash of the same key, unless somebody changed the key since k was read. It leaves a key in
// steady use alone for a minute: while servers change the secret one by one, each of them would write its own hash at
// every use.
func (d *DB) RehashKey(ctx context.Context, k *ApiKey, hash []byte, now time.Time) error {
	if k.LastUsedAt != nil && now.Sub(*k.LastUsedAt) < touchEvery {
		return nil
	}
	_, err := d.count(ctx, rehashKey, params{{"key", k.ID}, {"old_hash", k.Hash}, {"hash", hash}})
	return err
}
