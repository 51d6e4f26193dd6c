package db

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"
)

// exportLimit bounds each list of an export, and with it the memory and the answer: 10,000 events are about 5 MB.
const exportLimit = 10_000

// exported is a list of rows; Complete is false where there were more than exportLimit.
type exported[T any] struct {
	Complete bool `json:"complete"`
	Entries  []*T `json:"entries"`
}

type exportedUser struct {
	bun.BaseModel `bun:"table:users,alias:u" json:"-"`

	ID                 UserID     `bun:"id" json:"id"`
	Number             int        `bun:"number" json:"number"`
	Email              *string    `bun:"email" json:"email"`
	EmailVerifiedAt    *time.Time `bun:"email_verified_at" json:"emailVerifiedAt"`
	PendingEmail       *string    `bun:"pending_email" json:"pendingEmail"`
	PendingShown       bool       `bun:"pending_shown" json:"pendingEmailShown"`
	Username           *string    `bun:"username" json:"username"`
	Name               *string    `bun:"name" json:"name"`
	Locale             *string    `bun:"locale" json:"locale"`
	Metadata           JSONObject `bun:"metadata" json:"metadata"`
	Role               string     `bun:"role" json:"role"`
	Status             UserStatus `bun:"status" json:"status"`
	Invited            bool       `bun:"invited" json:"invited"`
	CreatedAt          time.Time  `bun:"created_at" json:"createdAt"`
	UpdatedAt          time.Time  `bun:"updated_at" json:"updatedAt"`
	LastLoginAt        *time.Time `bun:"last_login_at" json:"lastLoginAt"`
	PasswordDisabledAt *time.Time `bun:"password_disabled_at" json:"passwordDisabledAt"`
	DevicesClearedAt   *time.Time `bun:"devices_cleared_at" json:"devicesClearedAt"`
	TakenOverAt        *time.Time `bun:"taken_over_at" json:"takenOverAt"`
	MFAEnabledAt       *time.Time `bun:"mfa_enabled_at" json:"mfaEnabledAt"`
	ExternalID         *string    `bun:"external_id" json:"externalId"`
	Phone              *string    `bun:"phone" json:"phone"`
	PhoneVerifiedAt    *time.Time `bun:"phone_verified_at" json:"phoneVerifiedAt"`
	AppMetadata        JSONObject `bun:"app_metadata" json:"appMetadata"`
}

type exportedIdentity struct {
	bun.BaseModel `bun:"table:linked_identities,alias:l" json:"-"`

	Provider  string    `bun:"provider" json:"provider"`
	Subject   string    `bun:"subject" json:"subject"`
	Email     *string   `bun:"email" json:"email"`
	CreatedAt time.Time `bun:"created_at" json:"createdAt"`
}

type exportedSession struct {
	bun.BaseModel `bun:"table:sessions,alias:s" json:"-"`

	ID            SessionID    `bun:"id" json:"id"`
	Number        int          `bun:"number" json:"number"`
	Methods       []AuthMethod `bun:"methods,type:jsonb" json:"authMethods"`
	UserAgent     *string      `bun:"user_agent" json:"userAgent"`
	IP            *string      `bun:"ip" json:"ipAddress"`
	Dialect       string       `bun:"dialect" json:"dialect"`
	CreatedAt     time.Time    `bun:"created_at" json:"createdAt"`
	AuthAt        time.Time    `bun:"authenticated_at" json:"authenticatedAt"`
	ProvedBy      AuthMethod   `bun:"proved_by,nullzero" json:"provedBy"`
	FactorAt      *time.Time   `bun:"factor_at" json:"secondFactorAt"`
	Refreshes     int64        `bun:"generation" json:"refreshes"`
	RotatedAt     *time.Time   `bun:"rotated_at" json:"refreshedAt"`
	Retries       int          `bun:"retries" json:"retries"`
	RetriedAt     *time.Time   `bun:"retried_at" json:"retriedAt"`
	LastUsedAt    time.Time    `bun:"last_used_at" json:"lastUsedAt"`
	ExpiresAt     time.Time    `bun:"expires_at" json:"expiresAt"`
	RevokedAt     *time.Time   `bun:"revoked_at" json:"endedAt"`
	RevokedReason *string      `bun:"revoked_reason" json:"endedReason"`
}

type exportedKey struct {
	bun.BaseModel `bun:"table:api_keys,alias:k" json:"-"`

	ID         KeyID        `bun:"id" json:"id"`
	Name       string       `bun:"name" json:"name"`
	Prefix     string       `bun:"prefix" json:"prefix"`
	Scopes     []Permission `bun:"scopes,type:jsonb" json:"scopes"`
	CreatedAt  time.Time    `bun:"created_at" json:"createdAt"`
	LastUsedAt *time.Time   `bun:"last_used_at" json:"lastUsedAt"`
	RotatedAt  *time.Time   `bun:"rotated_at" json:"changedAt"`
	ExpiresAt  *time.Time   `bun:"expires_at" json:"expiresAt"`
	RevokedAt  *time.Time   `bun:"revoked_at" json:"revokedAt"`
}

type exportedEvent struct {
	bun.BaseModel `bun:"table:audit_events,alias:e" json:"-"`

	ID        EventID          `bun:"id" json:"id"`
	At        time.Time        `bun:"at" json:"at"`
	Action    string           `bun:"action" json:"action"`
	Outcome   string           `bun:"outcome" json:"outcome"`
	Reason    *string          `bun:"reason" json:"reason"`
	Sess      *SessionID       `bun:"session_id" json:"session"`
	Key       *KeyID           `bun:"key_id" json:"apiKey"`
	Methods   list[AuthMethod] `bun:"methods" json:"authMethods"`
	Dialect   string           `bun:"dialect" json:"dialect"`
	IP        *string          `bun:"ip" json:"ipAddress"`
	UserAgent *string          `bun:"user_agent" json:"userAgent"`
	RequestID string           `bun:"request_id" json:"requestId"`
	Actor     *UserID          `bun:"actor_id" json:"-"`
}

// MarshalJSON leaves out what belongs to an actor: their id, session, key, address and device are not about the person.
func (e *exportedEvent) MarshalJSON() ([]byte, error) {
	type plain exportedEvent
	row := struct {
		plain
		ByAdministrator bool `json:"byAdministrator"`
	}{plain(*e), e.Actor != nil}
	if row.ByAdministrator {
		row.Sess, row.Key, row.IP, row.UserAgent, row.RequestID = nil, nil, nil, nil, ""
	}
	return json.Marshal(row)
}

type exportedMail struct {
	bun.BaseModel `bun:"table:mails,alias:m" json:"-"`

	ID        MailID          `bun:"id" json:"id"`
	Kind      MailKind        `bun:"kind" json:"kind"`
	Address   string          `bun:"address" json:"address"`
	Locale    string          `bun:"locale" json:"locale"`
	Dialect   string          `bun:"dialect" json:"dialect"`
	Data      json.RawMessage `bun:"data" json:"about"`
	State     MailState       `bun:"state" json:"state"`
	Attempts  int             `bun:"attempts" json:"attempts"`
	LastError *string         `bun:"last_error" json:"lastError"`
	CreatedAt time.Time       `bun:"created_at" json:"createdAt"`
	SentAt    *time.Time      `bun:"sent_at" json:"sentAt"`
}

type exportedToken struct {
	bun.BaseModel `bun:"table:one_time_tokens,alias:t" json:"-"`

	Purpose       Purpose    `bun:"purpose" json:"purpose"`
	Address       string     `bun:"address" json:"address"`
	ReturnTo      string     `bun:"return_to" json:"returnTo"`
	CreatedAt     time.Time  `bun:"created_at" json:"createdAt"`
	ExpiresAt     time.Time  `bun:"expires_at" json:"expiresAt"`
	InvalidatedAt *time.Time `bun:"invalidated_at" json:"invalidatedAt"`
	Redeemed      bool       `bun:"redeemed" json:"redeemed"`
}

type exportedSMS struct {
	bun.BaseModel `bun:"table:sms,alias:x" json:"-"`

	ID         SMSID      `bun:"id" json:"id"`
	Purpose    SMSPurpose `bun:"purpose" json:"purpose"`
	Phone      string     `bun:"phone" json:"phone"`
	Country    string     `bun:"country" json:"country"`
	Locale     string     `bun:"locale" json:"locale"`
	Dialect    string     `bun:"dialect" json:"dialect"`
	State      MailState  `bun:"state" json:"state"`
	Attempts   int        `bun:"attempts" json:"attempts"`
	LastError  *string    `bun:"last_error" json:"lastError"`
	CreatedAt  time.Time  `bun:"created_at" json:"createdAt"`
	SentAt     *time.Time `bun:"sent_at" json:"sentAt"`
	ExpiresAt  time.Time  `bun:"expires_at" json:"expiresAt"`
	RedeemedAt *time.Time `bun:"redeemed_at" json:"redeemedAt"`
}

type exportedDevice struct {
	bun.BaseModel `bun:"table:known_devices,alias:d" json:"-"`

	Sess   SessionID `bun:"session_id" json:"session"`
	SeenAt time.Time `bun:"seen_at" json:"seenAt"`
}

type exportedAuthenticator struct {
	bun.BaseModel `bun:"table:authenticators,alias:t" json:"-"`

	ID          AuthenticatorID `bun:"id" json:"id"`
	Name        string          `bun:"name" json:"name"`
	CreatedAt   time.Time       `bun:"created_at" json:"createdAt"`
	ConfirmedAt *time.Time      `bun:"confirmed_at" json:"confirmedAt"`
	LastUsedAt  *time.Time      `bun:"last_used_at" json:"lastUsedAt"`
}

type exportedRecoveryCode struct {
	bun.BaseModel `bun:"table:recovery_codes,alias:c" json:"-"`

	CreatedAt time.Time  `bun:"created_at" json:"createdAt"`
	UsedAt    *time.Time `bun:"used_at" json:"usedAt"`
}

type exportedRememberedDevice struct {
	bun.BaseModel `bun:"table:remembered_devices,alias:r" json:"-"`

	Sess      SessionID `bun:"session_id" json:"session"`
	CreatedAt time.Time `bun:"created_at" json:"createdAt"`
	ExpiresAt time.Time `bun:"expires_at" json:"expiresAt"`
}

type exportedFailure struct {
	bun.BaseModel `bun:"table:throttles,alias:t" json:"-"`

	Failures int       `bun:"failures" json:"failures"`
	FailedAt time.Time `bun:"failed_at" json:"failedAt"`
}

// ExportUser records that a person takes their data along, and gives what the database holds about them (AU-08): the
// account, and of each list the newest entries. The lists are read one after the other: what happens meanwhile may
// stand in one and not in another. Where somebody took the account over, the lists begin there: before, it was perhaps
// somebody else who used it. Nil for an account that is gone.
//
// The exported rows name their columns one by one. A test finds each column that is neither exported nor withheld for a
// reason.
func (d *DB) ExportUser(ctx context.Context, by *Caller, now time.Time) (JSONObject, error) {
	e := Event{Action: ActionUserExported, User: by.User.ID, Sess: by.Session.ID}
	if err := d.Record(ctx, e, now); err != nil {
		return nil, err
	}
	var account []*exportedUser
	err := d.r.NewSelect().Model(&account).Where("u.id = ?", by.User.ID).Scan(ctx)
	if err != nil || len(account) == 0 {
		return nil, wrap(err, "export of an account")
	}
	data := JSONObject{"account": account[0]}
	for name, read := range exportLists {
		if data[name], err = read(ctx, d, account[0]); err != nil {
			return nil, wrap(err, "export of "+name)
		}
	}
	return data, nil
}

// exportLists reads each list of an export.
var exportLists = map[string]listReader{
	"sessions":          newest[exportedSession]("s.user_id", "s.id", "s.created_at"),
	"apiKeys":           newest[exportedKey]("k.user_id", "k.id", "k.created_at"),
	"events":            newest[exportedEvent]("e.user_id", "e.id", "e.at"),
	"mails":             newest[exportedMail]("m.user_id", "m.id", "m.created_at"),
	"oneTimeTokens":     newest[exportedToken]("t.user_id", "t.id", "t.created_at"),
	"knownDevices":      newest[exportedDevice]("d.user_id", "d.seen_at", "d.seen_at"),
	"identities":        newest[exportedIdentity]("l.user_id", "l.created_at", "l.created_at"),
	"authenticators":    newest[exportedAuthenticator]("t.user_id", "t.id", "t.created_at"),
	"recoveryCodes":     newest[exportedRecoveryCode]("c.user_id", "c.created_at", "c.created_at"),
	"rememberedDevices": newest[exportedRememberedDevice]("r.user_id", "r.created_at", "r.created_at"),
	"failures":          newest[exportedFailure]("t.account_key", "t.failed_at", "t.failed_at"),
	"smsMessages":       newest[exportedSMS]("x.user_id", "x.id", "x.created_at"),
}

type listReader func(context.Context, *DB, *exportedUser) (any, error)

// newest reads the newest rows of a person: the column owner names them, the column age orders them, and the column
// since says whether they are of the time after a take-over.
func newest[T any](owner, age, since bun.Ident) listReader {
	return func(ctx context.Context, d *DB, of *exportedUser) (any, error) {
		rows := []*T{}
		q := d.r.NewSelect().Model(&rows).Where("? = ?", owner, of.ID)
		if of.TakenOverAt != nil {
			q = q.Where("? >= ?", since, *of.TakenOverAt)
		}
		err := q.OrderExpr("? DESC", age).Limit(exportLimit + 1).Scan(ctx)
		complete := len(rows) <= exportLimit
		if !complete {
			rows = rows[:exportLimit]
		}
		return exported[T]{complete, rows}, err
	}
}
