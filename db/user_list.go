package db

import (
	"context"
	"slices"
	"strings"

	"github.com/uptrace/bun"
)

// UserFilter selects accounts, and is the GraphQL input: every given condition has to hold.
type UserFilter struct {
	Search string      // part of an email, username or name; a to z match their capitals; "" for none
	Status *UserStatus // nil for any
	Role   string      // "" for any

	ExternalID *string // the id in another system; nil for any
}

// UserPage is a part of the list of accounts, the newest first. A zero cursor sets no bound.
type UserPage struct {
	After, Before UserID // both exclusive
	Limit         int
	FromEnd       bool // take the last ones between the cursors, not the first
}

// Users lists accounts, newest first, without their password hashes, and tells whether there are more in the direction
// of the page. It orders by id: ids are unique, never change, and follow the time of creation.
func (d *DB) Users(ctx context.Context, filter UserFilter, page UserPage) (users []*User, more bool, err error) {
	users = []*User{}
	q := d.matching(d.r.NewSelect().Model(&users).ExcludeColumn("password_hash"), filter)
	if !page.After.IsZero() {
		q = q.Where("u.id < ?", page.After)
	}
	if !page.Before.IsZero() {
		q = q.Where("u.id > ?", page.Before)
	}
	order := "u.id DESC"
	if page.FromEnd {
		order = "u.id"
	}
	if err := q.Order(order).Limit(int64(page.Limit) + 1).Scan(ctx); err != nil {
		return nil, false, wrap(err, "users")
	}
	if more = len(users) > page.Limit; more {
		users = users[:page.Limit]
	}
	if page.FromEnd {
		slices.Reverse(users)
	}
	return users, more, nil
}

// CountUsers counts all accounts of a list.
func (d *DB) CountUsers(ctx context.Context, filter UserFilter) (int, error) {
	n, err := d.matching(d.r.NewSelect().Model((*User)(nil)), filter).Count(ctx)
	return int(n), wrap(err, "count users")
}

// matching adds the conditions of a filter. A search finds a plain substring, so nothing in it needs escaping. Only A
// to Z are lowered: both databases do this alike in every locale.
func (d *DB) matching(q *bun.SelectQuery, filter UserFilter) *bun.SelectQuery {
	if filter.Status != nil {
		q = q.Where("u.status = ?", string(*filter.Status))
	}
	if filter.Role != "" {
		q = q.Where("u.role = ?", filter.Role)
	}
	if filter.ExternalID != nil {
		q = q.Where("u.external_id = ?", *filter.ExternalID)
	}
	if filter.Search == "" {
		return q
	}
	part := strings.Map(lowerASCII, filter.Search)
	if d.Postgres() {
		return q.Where(`(strpos(lower(u.email COLLATE "C"), ?0) > 0
OR strpos(lower(u.username COLLATE "C"), ?0) > 0
OR strpos(lower(u.name COLLATE "C"), ?0) > 0)`, part)
	}
	return q.Where(`(instr(lower(u.email), ?0) > 0 OR instr(lower(u.username), ?0) > 0
OR instr(lower(u.name), ?0) > 0)`, part)
}

func lowerASCII(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}
