package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Restored counts what the end of a restore took away.
type Restored struct {
	Sessions    int
	Keys        int // API keys
	SigningKeys int
}

// FinishRestore ends every session and API key, of which a backup can not know whether it was ended after it was taken, and
// puts fresh signing keys in the place of all that there are: one of them may have been given up since. All or nothing.
func (d *DB) FinishRestore(ctx context.Context, active, next SigningKey, now time.Time) (Restored, error) {
	var r Restored
	active.State, active.ActivatedAt, next.State = KeyActive, &now, KeyNext
	err := d.w.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) (err error) {
		count := func(n *int, sql string, args ...any) {
			if err != nil {
				return
			}
			done, failed := tx.ExecContext(ctx, sql, args...)
			if err = failed; err == nil {
				var rows int64
				rows, err = done.RowsAffected()
				*n = int(rows)
			}
		}
		count(&r.Sessions, `UPDATE sessions SET revoked_at = ?, revoked_reason = 'restored' WHERE revoked_at IS NULL`, now)
		count(&r.Keys, `UPDATE api_keys SET revoked_at = ? WHERE revoked_at IS NULL`, now)
		count(&r.SigningKeys, `DELETE FROM signing_keys`)
		if err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&[]SigningKey{active, next}).Exec(ctx); err != nil {
			return err
		}
		return recordIn(ctx, tx, Event{Action: "finish_restore"}, now)
	})
	return r, wrap(err, "finish a restore")
}
