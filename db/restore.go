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
	Links       int // one-time tokens of mails
	Mails       int // that waited to be sent, or were given up, and would have brought such a token
}

// FinishRestore ends every session and API key, of which a backup can not know whether it was ended after it was taken, and
// puts fresh signing keys in the place of all that there are: one of them may have been given up since. Links of mails that may have
// been used since end likewise (OT-02), and mails that would bring one are deleted. A link that takes a change of the address back
// stays: it does the same again, and gives nothing to anybody but the owner of that address. All or nothing.
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
		count(&r.Sessions, `UPDATE sessions SET revoked_at = ?, revoked_reason = 'restore.finished' WHERE revoked_at IS NULL`, now)
		count(&r.Keys, `UPDATE api_keys SET revoked_at = ? WHERE revoked_at IS NULL`, now)
		count(&r.SigningKeys, `DELETE FROM signing_keys`)
		count(&r.Mails, `DELETE FROM mails WHERE state <> 'SENT' AND kind IN (?)`, bun.List(linkMails()))
		count(&r.Links, `UPDATE one_time_tokens SET invalidated_at = ? WHERE invalidated_at IS NULL AND purpose <> ?`, now, PurposeCancelChange)
		if err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&[]SigningKey{active, next}).Exec(ctx); err != nil {
			return err
		}
		return d.recordIn(ctx, tx.Tx, Event{Action: ActionRestoreFinished}, now)
	})
	return r, wrap(err, "finish a restore")
}

// linkMails are the mails whose link lets somebody do what a restore may not repeat.
func linkMails() []MailKind {
	return []MailKind{MailVerifyEmail, MailResetPassword, MailSetPassword, MailMagicLink, MailConfirmChange}
}
