package db

import (
	"context"
	"time"
)

// adminResult is the answer of these statements.
type adminResult struct {
	N        int    `bun:"n"`
	Sessions int    `bun:"sessions"`
	Was      string `bun:"was"`
}

var deleteUser = writes("deleteUser",
	`WITH u AS (
  DELETE FROM users WHERE id = :user AND (:can_manage_admins OR role <> 'admin') AND `+notLastAdmin+`
  RETURNING id
), l AS (
  SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) ORDER BY id FOR UPDATE
), t AS (
  DELETE FROM throttles WHERE account_key = (SELECT id FROM u) AND scope IN (
    SELECT scope FROM throttles WHERE account_key = :user ORDER BY scope FOR UPDATE)
), a AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT (SELECT count(*) FROM u) AS n, (SELECT count(*) FROM l) AS sessions,
coalesce((SELECT role FROM users WHERE id = :user), '') AS was`,
	insertEventWithActor+` SELECT `+eventWithActorValues+`
FROM users WHERE id = :user AND (:can_manage_admins OR role <> 'admin') AND `+notLastAdmin,
	`DELETE FROM throttles WHERE account_key = :user`+ifRecorded,
	`DELETE FROM users WHERE id = :user`+ifRecorded,
	`SELECT changes() AS n, 0 AS sessions, coalesce((SELECT role FROM users WHERE id = :user), '') AS was`,
)

// DeleteUser erases an account with its sessions, its API keys and its failures, with its event e. Events stay. It
// locks the sessions in the usual order before the cascade deletes them. canManageAdmins is as in ChangeUser.
func (d *DB) DeleteUser(
	ctx context.Context, id UserID, canManageAdmins bool, e Event, now time.Time,
) (*Rejection, error) {
	e.User = id
	var row adminResult
	p := params{{"user", id}, {"can_manage_admins", canManageAdmins}}.with(eventWithActorParams(ctx, e, now))
	_, err := d.queryRow(ctx, deleteUser, p, &row, locking(lockAdmins, params{{"user", id}}))
	if err != nil || row.N == 1 {
		return nil, err
	}
	return rejectionOf(row.Was, canManageAdmins), nil
}

var revokeUserSessions = writes("revokeUserSessions",
	`WITH u AS (
  SELECT id FROM users WHERE id = :user AND (:can_manage_admins OR role <> 'admin')
), l AS (
  SELECT id FROM sessions WHERE user_id = (SELECT id FROM u) AND `+alivePostgres+` ORDER BY id FOR UPDATE
), s AS (
  UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.all_revoked' WHERE id IN (SELECT id FROM l)
  RETURNING id
), a AS (`+insertEventWithActor+` SELECT `+eventWithActorValues+` FROM u
) SELECT (SELECT count(*) FROM u) AS n, (SELECT count(*) FROM s) AS sessions,
coalesce((SELECT role FROM users WHERE id = :user), '') AS was`,
	insertEventWithActor+` SELECT `+eventWithActorValues+`
FROM users WHERE id = :user AND (:can_manage_admins OR role <> 'admin')`,
	`UPDATE sessions SET revoked_at = :now, revoked_reason = 'session.all_revoked'
WHERE user_id = :user`+ifRecorded+` AND `+aliveSQLite,
	`SELECT EXISTS (SELECT 1 FROM audit_events WHERE id = :event_id) AS n, changes() AS sessions,
coalesce((SELECT role FROM users WHERE id = :user), '') AS was`,
)

// RevokeUserSessions ends every live session of an account, with its event e, and counts them. canManageAdmins is as in
// ChangeUser.
func (d *DB) RevokeUserSessions(
	ctx context.Context, id UserID, canManageAdmins bool, e Event, now time.Time,
) (int, *Rejection, error) {
	e.User = id
	var row adminResult
	p := params{
		{"user", id}, {"now", now}, {"can_manage_admins", canManageAdmins},
	}.with(eventWithActorParams(ctx, e, now))
	_, err := d.queryRow(ctx, revokeUserSessions, p, &row, locking(lockUser, params{{"user", id}}))
	if err != nil || row.N == 1 {
		return row.Sessions, nil, err
	}
	return 0, rejectionOf(row.Was, canManageAdmins), nil
}
