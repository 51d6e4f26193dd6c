package db

import "context"

// Mailbox are the newest letters, the newest first: those to an address in its canonical form unless that is "", and the one of
// an id unless that is zero.
func (d *DB) Mailbox(ctx context.Context, canonical string, id MailID, limit int) ([]*Letter, error) {
	var mails []*Mail
	q := d.r.NewSelect().Model(&mails).Where("m.resolved_at IS NOT NULL")
	if canonical != "" {
		q.Where("m.address_canonical = ?", canonical)
	}
	if !id.IsZero() {
		q.Where("m.id = ?", id)
	}
	if err := q.Order("m.id DESC").Limit(int64(limit)).Scan(ctx); err != nil {
		return nil, wrap(err, "mailbox")
	}
	return d.lettersOf(ctx, mails)
}

// lettersOf reads what mails were made from. Those of an account that went away meanwhile are left out.
func (d *DB) lettersOf(ctx context.Context, mails []*Mail) ([]*Letter, error) {
	var letters []*Letter
	for _, m := range mails {
		l := &Letter{Mail: *m}
		if err := d.r.NewSelect().Model(&l.User).Where("u.id = ?", m.UserID).Scan(ctx); absent(err) != nil {
			return nil, wrap(err, "letters")
		} else if err != nil {
			continue
		}
		if !m.TokenID.IsZero() {
			l.Token = &OneTimeToken{}
			if err := d.r.NewSelect().Model(l.Token).Where("t.id = ?", m.TokenID).Scan(ctx); absent(err) != nil {
				return nil, wrap(err, "letters")
			} else if err != nil {
				l.Token = nil // swept
			}
		}
		letters = append(letters, l)
	}
	return letters, nil
}
