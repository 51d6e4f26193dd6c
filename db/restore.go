package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Restored counts what FinishRestore ended or deleted.
type Restored struct {
	Sessions    int
	Keys        int // API keys
	SigningKeys int
	Links       int // one-time tokens of mails
	Mails       int // queued or failed mails that would have brought such a token
}

// FinishRestore ends every session and API key: a backup does not know which of them ended after it was taken. It
// replaces all signing keys: one of them may have been withdrawn since. It invalidates links of mails that may have
// been used since (OT-02), and deletes mails that would bring such a link. Sign-ins that wait for a second factor end,
// no device is remembered any more, and no code of an app that was shown by now is good (MF-01). Revert links stay:
// following one again changes nothing, and serves nobody but the owner of the address. All of it happens, or nothing.
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
		count(&r.Sessions,
			`UPDATE sessions SET revoked_at = ?, revoked_reason = 'restore.finished' WHERE revoked_at IS NULL`, now)
		var others int
		count(&others, `UPDATE users SET auth_version = auth_version + 1`) // ends sign-ins that wait for a factor
		count(&others, `DELETE FROM remembered_devices`)
		count(&others, `UPDATE authenticators SET last_step = ? WHERE last_step < ?`, newestStep(now), newestStep(now))
		count(&r.Keys, `UPDATE api_keys SET revoked_at = ? WHERE revoked_at IS NULL`, now)
		count(&r.SigningKeys, `DELETE FROM signing_keys`)
		count(&r.Mails, `DELETE FROM mails WHERE state <> 'SENT' AND kind IN (?)`, bun.List(linkMails()))
		count(&r.Links, `UPDATE one_time_tokens SET invalidated_at = ? WHERE invalidated_at IS NULL AND purpose <> ?`,
			now, PurposeCancelChange)
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

// newestStep is the newest step whose code an authenticator app may have shown by now (RFC 6238).
func newestStep(now time.Time) int64 { return now.Unix()/30 + 1 }

// linkMails lists the mails whose link does something that must not happen twice.
func linkMails() []MailKind {
	return []MailKind{MailVerifyEmail, MailResetPassword, MailSetPassword, MailMagicLink, MailConfirmChange}
}

var lastRestore = reads("lastRestore",
	`SELECT max(at) AS at FROM audit_events WHERE action = 'restore.finished'`)

// LastRestore gives when a restore was finished last, as far as events are kept; the zero time for never. It reads all
// events.
func (d *DB) LastRestore(ctx context.Context) (time.Time, error) {
	var row struct {
		At *time.Time `bun:"at"`
	}
	if _, err := d.queryRow(ctx, lastRestore, nil, &row); err != nil || row.At == nil {
		return time.Time{}, err
	}
	return *row.At, nil
}
