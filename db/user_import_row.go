package db

import (
	"encoding/hex"
	"encoding/json"
	"time"
)

// importRow is an account as the statements of an import read it from JSON. Bytes are in hex.
type importRow struct {
	N                     int              `json:"n"`
	ID                    string           `json:"id"`
	Number                int              `json:"number"`
	ExternalID            *string          `json:"external_id,omitempty"`
	Email                 *string          `json:"email,omitempty"`
	EmailCanonical        *string          `json:"email_canonical,omitempty"`
	EmailVerifiedAt       *string          `json:"email_verified_at,omitempty"`
	PendingEmail          *string          `json:"pending_email,omitempty"`
	PendingEmailCanonical *string          `json:"pending_email_canonical,omitempty"`
	PendingShown          bool             `json:"pending_shown"`
	Username              *string          `json:"username,omitempty"`
	UsernameCanonical     *string          `json:"username_canonical,omitempty"`
	Name                  *string          `json:"name,omitempty"`
	Phone                 *string          `json:"phone,omitempty"`
	PhoneVerifiedAt       *string          `json:"phone_verified_at,omitempty"`
	Locale                *string          `json:"locale,omitempty"`
	Metadata              json.RawMessage  `json:"metadata,omitempty"`
	AppMetadata           json.RawMessage  `json:"app_metadata,omitempty"`
	Role                  string           `json:"role"`
	Status                string           `json:"status"`
	Invited               bool             `json:"invited"`
	PasswordHash          *string          `json:"password_hash,omitempty"`
	PasswordDisabledAt    *string          `json:"password_disabled_at,omitempty"`
	DevicesClearedAt      *string          `json:"devices_cleared_at,omitempty"`
	TakenOverAt           *string          `json:"taken_over_at,omitempty"`
	CreatedAt             *string          `json:"created_at"`
	UpdatedAt             *string          `json:"updated_at"`
	LastLoginAt           *string          `json:"last_login_at,omitempty"`
	MFAEnabledAt          *string          `json:"mfa_enabled_at,omitempty"`
	TOTP                  *string          `json:"totp,omitempty"`
	Identities            []LinkedIdentity `json:"identities,omitempty"`
	Event                 string           `json:"event"`
}

// The rows of an import as a table. Both have the same columns.
const (
	importRowsPostgres = `jsonb_to_recordset(:rows::jsonb) AS r (n integer, id uuid, number integer, external_id text,
  email text, email_canonical text, email_verified_at timestamptz, pending_email text, pending_email_canonical text,
  pending_shown boolean, username text, username_canonical text, name text, phone text,
  phone_verified_at timestamptz, locale text, metadata jsonb,
  app_metadata jsonb, role text, status text, invited boolean, password_hash text, password_disabled_at timestamptz,
  devices_cleared_at timestamptz, taken_over_at timestamptz, created_at timestamptz, updated_at timestamptz,
  last_login_at timestamptz, mfa_enabled_at timestamptz, totp text,
  identities jsonb, event uuid)`

	importRowsSQLite = `(SELECT value ->> 'n' AS n, unhex(value ->> 'id') AS id, value ->> 'number' AS number,
  value ->> 'external_id' AS external_id, value ->> 'email' AS email, value ->> 'email_canonical' AS email_canonical,
  value ->> 'email_verified_at' AS email_verified_at, value ->> 'pending_email' AS pending_email,
  value ->> 'pending_email_canonical' AS pending_email_canonical, value ->> 'pending_shown' AS pending_shown,
  value ->> 'username' AS username, value ->> 'username_canonical' AS username_canonical, value ->> 'name' AS name,
  value ->> 'phone' AS phone, value ->> 'phone_verified_at' AS phone_verified_at, value ->> 'locale' AS locale, ` +
		`value -> 'metadata' AS metadata,
  value -> 'app_metadata' AS app_metadata, value ->> 'role' AS role, value ->> 'status' AS status,
  value ->> 'invited' AS invited, value ->> 'password_hash' AS password_hash,
  value ->> 'password_disabled_at' AS password_disabled_at, value ->> 'devices_cleared_at' AS devices_cleared_at,
  value ->> 'taken_over_at' AS taken_over_at,
  value ->> 'created_at' AS created_at, value ->> 'updated_at' AS updated_at,
  value ->> 'last_login_at' AS last_login_at, value ->> 'mfa_enabled_at' AS mfa_enabled_at, value ->> 'totp' AS totp,
  value -> 'identities' AS identities,
  unhex(value ->> 'event') AS event
FROM json_each(:rows)) AS r`
)

// importColumns are the columns of users that a row fills, in the order of the SELECT with the prefix r.
const importColumns = `id, number, external_id, email, email_canonical, email_verified_at, pending_email,
  pending_email_canonical, pending_shown, username, username_canonical, name, phone, phone_verified_at, locale,
  metadata, app_metadata, role, status, invited, password_hash, password_disabled_at, devices_cleared_at,
  taken_over_at, created_at, updated_at, last_login_at, mfa_enabled_at`

const importValues = `r.id, r.number, r.external_id, r.email, r.email_canonical, r.email_verified_at, r.pending_email,
  r.pending_email_canonical, r.pending_shown, r.username, r.username_canonical, r.name, r.phone, r.phone_verified_at,
  r.locale, r.metadata, r.app_metadata, r.role, r.status, r.invited, r.password_hash, r.password_disabled_at,
  r.devices_cleared_at, r.taken_over_at, r.created_at, r.updated_at, r.last_login_at, r.mfa_enabled_at`

// importTime is the text of a time as SQLite holds it. Postgres reads it too.
const importTime = "2006-01-02 15:04:05.999999999-07:00"

func importTimeText(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return text(Clock(*t).Format(importTime))
}

func newImportRow(n int, u *ImportedUser) (r importRow, err error) {
	event := newEventID()
	if u.TOTP != nil && u.MFAEnabledAt == nil { // the app is a second factor at once
		u.MFAEnabledAt = &u.CreatedAt
	}
	r = importRow{
		N: n, ID: hex.EncodeToString(u.ID.UUID[:]), Number: u.Number, ExternalID: u.ExternalID,
		Email: u.Email, EmailCanonical: text(u.EmailCanonical), EmailVerifiedAt: importTimeText(u.EmailVerifiedAt),
		PendingEmail: u.PendingEmail, PendingEmailCanonical: u.PendingEmailCanonical, PendingShown: u.PendingShown,
		Username: u.Username, UsernameCanonical: u.UsernameCanonical, Name: u.Name, Phone: u.Phone, Locale: u.Locale,
		PhoneVerifiedAt: importTimeText(u.PhoneVerifiedAt),
		Role:            u.Role, Status: string(u.Status), Invited: u.Invited, PasswordHash: text(u.PasswordHash),
		PasswordDisabledAt: importTimeText(u.PasswordDisabledAt),
		DevicesClearedAt:   importTimeText(u.DevicesClearedAt),
		TakenOverAt:        importTimeText(u.TakenOverAt),
		CreatedAt:          importTimeText(&u.CreatedAt),
		UpdatedAt:          importTimeText(&u.UpdatedAt),
		LastLoginAt:        importTimeText(u.LastLoginAt),
		MFAEnabledAt:       importTimeText(u.MFAEnabledAt),
		TOTP:               text(hex.EncodeToString(u.TOTP)), Identities: u.Identities,
		Event: hex.EncodeToString(event.UUID[:]),
	}
	if r.Metadata, err = rawObject(u.Metadata); err == nil {
		r.AppMetadata, err = rawObject(u.AppMetadata)
	}
	return r, err
}

// rawObject is the JSON of an object, nil for nil.
func rawObject(o JSONObject) (json.RawMessage, error) {
	if o == nil {
		return nil, nil
	}
	return json.Marshal(map[string]any(o))
}
