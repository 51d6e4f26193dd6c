package db

import (
	"context"
	"time"
)

// Caller is the person behind a credential, with its session or its key; the other one is zero. One statement reads
// both.
type Caller struct {
	User    User    `bun:"embed:u_"`
	Session Session `bun:"embed:s_"`
	Key     ApiKey  `bun:"embed:k_"`
}

var callerBySession = readsEach("callerBySession",
	`SELECT `+userColumns+`, `+sessionColumns+` FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = :session AND `+alivePostgres+` AND u.status = 'ACTIVE'`,
	`SELECT `+userColumns+`, `+sessionColumns+` FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.id = :session AND `+aliveSQLite+` AND u.status = 'ACTIVE'`,
)

// CallerBySession finds the person behind a session that is alive at now; nil for none (SE-05, SE-07, SE-16).
func (d *DB) CallerBySession(ctx context.Context, id SessionID, now time.Time) (*Caller, error) {
	return d.caller(ctx, callerBySession, params{{"session", id}, {"now", now}})
}

var callerByKey = reads("callerByKey", `SELECT `+userColumns+`, `+keyColumns+`
FROM api_keys k JOIN users u ON u.id = k.user_id
WHERE k.handle = :handle AND k.revoked_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > :now) AND u.status = 'ACTIVE'`)

// CallerByKey finds the person behind an API key that works at now; nil for none. The handle, which is no secret, finds
// the row. is tells in constant time whether the hash of the row is the right one (KE-05, AK-02).
func (d *DB) CallerByKey(
	ctx context.Context, handle string, is func(hash []byte) bool, now time.Time,
) (*Caller, error) {
	c, err := d.caller(ctx, callerByKey, params{{"handle", handle}, {"now", now}})
	if err != nil || c == nil || !is(c.Key.Hash) {
		return nil, err
	}
	return c, nil
}

func (d *DB) caller(ctx context.Context, st *statement, p params) (*Caller, error) {
	var c Caller
	found, err := d.queryRow(ctx, st, p, &c)
	if err != nil || !found {
		return nil, err
	}
	return &c, nil
}
