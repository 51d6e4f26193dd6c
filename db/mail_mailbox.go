package db

import "context"

// Mailbox lists the mails that were resolved, the newest first. canonical is the canonical address that they went to,
// "" for every address; id picks one mail, zero for all.
func (d *DB) Mailbox(ctx context.Context, canonical string, id MailID, limit int) ([]*ResolvedMail, error) {
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
	return d.resolvedMails(ctx, mails)
}

// resolvedMails reads the account and the token of each mail. It leaves out the mails of an account that was deleted.
// Of a registration that ended it knows the address alone.
func (d *DB) resolvedMails(ctx context.Context, mails []*Mail) ([]*ResolvedMail, error) {
	var resolved []*ResolvedMail
	for _, m := range mails {
		l := &ResolvedMail{Mail: *m}
		g := Registration{ID: m.RegistrationID, Address: m.Address, AddressCanonical: m.AddressCanonical}
		read := d.r.NewSelect().Model(&l.User).Where("u.id = ?", m.UserID)
		if m.UserID.IsZero() {
			read = d.r.NewSelect().Model(&g).WherePK()
		}
		err := read.Scan(ctx)
		switch {
		case ignoreNoRows(err) != nil:
			return nil, wrap(err, "mailbox")
		case m.UserID.IsZero():
			l.Registration, l.User = &g, g.User()
		case err != nil:
			continue
		}
		if !m.TokenID.IsZero() {
			l.Token = &OneTimeToken{}
			if err := d.r.NewSelect().Model(l.Token).Where("t.id = ?", m.TokenID).Scan(ctx); ignoreNoRows(err) != nil {
				return nil, wrap(err, "mailbox")
			} else if err != nil {
				l.Token = nil // swept
			}
		}
		resolved = append(resolved, l)
	}
	return resolved, nil
}
