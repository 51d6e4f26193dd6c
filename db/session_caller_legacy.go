package db

import (
	"context"
	"time"
)

// LegacySubject is whose a token of a former system says that it is, and since when.
type LegacySubject struct {
	ExternalID string // of the account, "" where Number says it
	Number     int    // of an account that was imported
	IssuedAt   time.Time
}

// LegacyCaller is the account that a token of a former system names. Rejection is why it opens nothing: "" where it
// does.
type LegacyCaller struct {
	Caller
	Rejection LegacyRejection
}

// LegacyRejection is why an account is not opened by a token of a former system.
type LegacyRejection string

// The rejections that there are; "" for none.
const (
	LegacyUnknown   LegacyRejection = "unknown_account"
	LegacySuspended LegacyRejection = "suspended"
	LegacyRevoked   LegacyRejection = "revoked"
)

// endsEverything is the condition of an event after which everything of before is signed out. Events are kept for
// longer than a token of a former system lives.
const endsEverything = `(e.action IN ('password.changed', 'password.reset', 'session.all_ended', 'session.all_revoked',
    'session.others_revoked', 'user.suspended', 'email.change_canceled')
  OR e.action = 'user.updated' AND (e.reason LIKE '%password%' OR e.reason LIKE '%email%'
    OR e.reason LIKE '%suspended%'))`

const judgedLegacy = `SELECT ` + userColumns + `, CASE
  WHEN u.status <> 'ACTIVE' THEN 'suspended'
  WHEN u.devices_cleared_at >= :issued OR EXISTS (
    SELECT 1 FROM audit_events e WHERE e.user_id = u.id AND e.at >= :issued AND ` + endsEverything + `
  ) THEN 'revoked'
  ELSE '' END AS rejection
FROM users u WHERE `

// Only an import sets an external id: nobody chooses one, and a number counts for an account that has one.
var (
	callerByExternalID = reads("callerByExternalID", judgedLegacy+`u.external_id = :external_id`)
	callerByNumber     = reads("callerByNumber", judgedLegacy+`u.number = :number AND u.external_id IS NOT NULL`)
)

// CallerByLegacy finds the account that a token of a former system names, by external id or number, and judges whether
// the token still opens it: the account is active, and nothing since it was issued ended all sessions.
func (d *DB) CallerByLegacy(ctx context.Context, who LegacySubject) (*LegacyCaller, error) {
	var row struct {
		User      User   `bun:"embed:u_"`
		Rejection string `bun:"rejection"`
	}
	st, p := callerByExternalID, params{{"external_id", who.ExternalID}, {"issued", who.IssuedAt}}
	if who.ExternalID == "" {
		st, p = callerByNumber, params{{"number", who.Number}, {"issued", who.IssuedAt}}
	}
	found, err := d.queryRow(ctx, st, p, &row)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return &LegacyCaller{Rejection: LegacyUnknown}, nil
	}
	return &LegacyCaller{Caller{User: row.User}, LegacyRejection(row.Rejection)}, nil
}
