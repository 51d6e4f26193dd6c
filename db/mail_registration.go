package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// forRegistration tells whether the mail may be about a registration: it was queued by one, or somebody asked by the
// address for a link to confirm it.
func (m *Mail) forRegistration() bool { return m.Kind == MailVerifyEmail && m.UserID.IsZero() }

// lockRegistration reads and locks the registration that a mail may be about: that which queued it, else the newest of
// the address, which its link serves as well. It gives nil for none that waits. Of two servers that resolve a mail at
// once, the second one sees the result of the first.
func (d *DB) lockRegistration(ctx context.Context, tx bun.Tx, id MailID, now time.Time) (*Registration, error) {
	var g Registration
	q := tx.NewSelect().Model(&g).Where(`g.id = (SELECT r.id FROM mails m
JOIN registrations r ON r.address_canonical = m.address_canonical AND r.expires_at > ?
WHERE m.id = ? AND m.kind = ? AND m.user_id IS NULL ORDER BY r.id = m.registration_id DESC, r.id DESC LIMIT 1)`,
		now, id, MailVerifyEmail)
	if d.Postgres() {
		q.For("NO KEY UPDATE")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, ignoreNoRows(err)
	}
	return &g, nil
}

// toRegistration makes a mail one to the registration that waits, nil for none, and tells whether it did. Whoever
// proved the address is told of the registration instead (LG-04). Of a registration and an account that never confirmed
// the address, a mail that is asked for by the address means the younger one.
func toRegistration(l *ResolvedMail, waiting *Registration) bool {
	m, owner := &l.Mail, &l.User
	owned := !owner.ID.IsZero() && owner.EmailCanonical == m.AddressCanonical
	switch {
	case owned && owner.EmailVerified():
		if !m.RegistrationID.IsZero() {
			m.Kind, m.Link, m.TTLSeconds, m.Data = MailAddressTaken, "", 0, MailData{}
		}
		return false
	case waiting == nil, m.RegistrationID.IsZero() && owned && owner.CreatedAt.After(waiting.CreatedAt):
		return false
	}
	l.Registration, l.User = waiting, waiting.User()
	return true
}
