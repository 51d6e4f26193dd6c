package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// ExportUsers gives the accounts after an id, at most limit, in the order of their ids, with all that an import takes.
func (d *DB) ExportUsers(ctx context.Context, after UserID, limit int) ([]*ImportedUser, error) {
	var rows []struct {
		User        `bun:",extend"`
		AppMetadata JSONObject `bun:"app_metadata"`
		TakenOverAt *time.Time `bun:"taken_over_at"`
		TOTP        []byte     `bun:"totp"`
	}
	q := d.r.NewSelect().Model(&rows).ColumnExpr("u.*").ColumnExpr("t.sealed AS totp").
		Join(`LEFT JOIN authenticators AS t ON t.id = (SELECT a.id FROM authenticators a
  WHERE a.user_id = u.id AND a.confirmed_at IS NOT NULL ORDER BY a.created_at, a.id LIMIT 1)`)
	if !after.IsZero() {
		q = q.Where("u.id > ?", after)
	}
	err := q.Order("u.id").Limit(int64(limit)).Scan(ctx)
	if err != nil || len(rows) == 0 {
		return nil, wrap(err, "export users")
	}
	users, byID := make([]*ImportedUser, len(rows)), map[UserID]*ImportedUser{}
	for i := range rows {
		users[i] = &ImportedUser{
			User: rows[i].User, AppMetadata: rows[i].AppMetadata, TakenOverAt: rows[i].TakenOverAt, TOTP: rows[i].TOTP,
			KeepsID: true,
		}
		byID[rows[i].ID] = users[i]
	}
	var linked []struct {
		bun.BaseModel `bun:"table:linked_identities,alias:l"`
		UserID        UserID  `bun:"user_id"`
		Provider      string  `bun:"provider"`
		Subject       string  `bun:"subject"`
		Email         *string `bun:"email"`
	}
	err = d.r.NewSelect().Model(&linked).Where("l.user_id BETWEEN ? AND ?", users[0].ID, users[len(users)-1].ID).
		Order("l.provider", "l.subject").Scan(ctx)
	if err != nil {
		return nil, wrap(err, "export identities")
	}
	for _, l := range linked {
		one := LinkedIdentity{Provider: l.Provider, Subject: l.Subject}
		if l.Email != nil {
			one.Email = *l.Email
		}
		if u := byID[l.UserID]; u != nil {
			u.Identities = append(u.Identities, one)
		}
	}
	return users, nil
}
