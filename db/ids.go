package db

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// kind names what an id points at. Its prefix stands in front of the text form.
type kind interface{ prefix() string }

// id is a UUIDv7 that knows its kind. Databases hold the 16 bytes (native uuid on Postgres, a blob on SQLite).
// Everything outside sees the text form of TypeID, for example user_01k9x…, which gives every value exactly one
// spelling.
type id[K kind] struct{ uuid.UUID }

// String gives the text form.
func (i id[K]) String() string {
	var k K
	return token.FormatID(k.prefix(), i.UUID)
}

// IsZero tells whether no id was set.
func (i id[K]) IsZero() bool { return i.UUID == uuid.Nil }

// MarshalText gives the text form, for logs and JSON.
func (i id[K]) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads the text form and refuses every other spelling.
func (i *id[K]) UnmarshalText(text []byte) (err error) {
	var k K
	i.UUID, err = token.ParseID(k.prefix(), string(text))
	return err
}

// Value hands the raw bytes to the drivers; the zero id is NULL.
func (i id[K]) Value() (driver.Value, error) {
	if i.IsZero() {
		return nil, nil
	}
	return i.UUID[:], nil
}

// Scan reads what either database returns; NULL is the zero id.
func (i *id[K]) Scan(src any) (err error) {
	switch v := src.(type) {
	case nil:
		i.UUID = uuid.Nil
	case []byte:
		if len(v) == 16 {
			copy(i.UUID[:], v)
			return nil
		}
		i.UUID, err = uuid.ParseBytes(v)
	case string:
		i.UUID, err = uuid.Parse(v)
	default:
		err = fmt.Errorf("db: an id can not be read from %T", src)
	}
	return err
}

// AppendQuery writes the literal into statements that bun formats itself.
func (i id[K]) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	if i.IsZero() {
		return append(b, "NULL"...), nil
	}
	if gen.Dialect().Name() == dialect.PG {
		return append(append(append(b, '\''), i.UUID.String()...), '\''), nil
	}
	return gen.Dialect().AppendBytes(b, i.UUID[:]), nil
}

func (i id[K]) marshalGQL(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(i.String())) }

func (i *id[K]) unmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok || i.UnmarshalText([]byte(text)) != nil {
		var k K
		return fault.New(fault.BadUserInput, "This is not an id of the form "+k.prefix()+"_… as the server gives it.")
	}
	return nil
}

type (
	userKind          struct{}
	sessionKind       struct{}
	keyKind           struct{}
	eventKind         struct{}
	mailKind          struct{}
	tokenKind         struct{}
	authenticatorKind struct{}
	smsKind           struct{}
)

func (userKind) prefix() string    { return "user" }
func (sessionKind) prefix() string { return "sess" }
func (keyKind) prefix() string     { return "key" }
func (eventKind) prefix() string   { return "evt" }
func (mailKind) prefix() string    { return "mail" }
func (tokenKind) prefix() string   { return "ott" }
func (smsKind) prefix() string     { return "sms" }

func (authenticatorKind) prefix() string { return "totp" }

// UserID identifies an account: user_… in text.
type UserID struct{ id[userKind] }

// SessionID identifies a session: sess_… in text.
type SessionID struct{ id[sessionKind] }

// KeyID identifies an API key: key_… in text.
type KeyID struct{ id[keyKind] }

// EventID identifies an audit event: evt_… in text.
type EventID struct{ id[eventKind] }

// MailID identifies a mail: mail_… in text.
type MailID struct{ id[mailKind] }

// TokenID identifies a one-time token. It is not the token.
type TokenID struct{ id[tokenKind] }

// AuthenticatorID identifies an authenticator app.
type AuthenticatorID struct{ id[authenticatorKind] }

// SMSID identifies a message to a phone: sms_… in text.
type SMSID struct{ id[smsKind] }

// NewUserID makes a fresh time-ordered id.
func NewUserID() UserID { return UserID{id[userKind]{token.NewID()}} }

// NewUserIDAt makes an id that stands in the order of time where t does (RFC 9562 section 5.7: 48 bits of milliseconds
// first), for an account that is older than its row.
func NewUserIDAt(t time.Time) UserID {
	u := uuid.New()
	random := binary.BigEndian.Uint16(u[6:8])
	binary.BigEndian.PutUint64(u[:8], uint64(max(0, t.UnixMilli()))<<16)
	binary.BigEndian.PutUint16(u[6:8], 0x7000|random&0x0fff)
	return UserIDFrom(u)
}

// NewSessionID makes a fresh time-ordered id.
func NewSessionID() SessionID { return SessionIDFrom(token.NewID()) }

// UserIDFrom is for the account of a device token, which holds it without its prefix.
func UserIDFrom(u uuid.UUID) UserID { return UserID{id[userKind]{u}} }

// SessionIDFrom types a UUID that a checked token carried.
func SessionIDFrom(u uuid.UUID) SessionID { return SessionID{id[sessionKind]{u}} }

// NewKeyID makes a fresh time-ordered id.
func NewKeyID() KeyID { return KeyID{id[keyKind]{token.NewID()}} }

// NewMailID makes a fresh time-ordered id.
func NewMailID() MailID { return MailID{id[mailKind]{token.NewID()}} }

// NewAuthenticatorID makes a fresh time-ordered id.
func NewAuthenticatorID() AuthenticatorID {
	return AuthenticatorID{id[authenticatorKind]{token.NewID()}}
}

// NewSMSID makes a fresh time-ordered id.
func NewSMSID() SMSID { return SMSID{id[smsKind]{token.NewID()}} }

// TokenIDFrom types a UUID that a checked token carried.
func TokenIDFrom(u uuid.UUID) TokenID { return TokenID{id[tokenKind]{u}} }

func newTokenID() TokenID { return TokenIDFrom(token.NewID()) }

func newEventID() EventID { return EventID{id[eventKind]{token.NewID()}} }

// firstEventID is lower than every id that was made at or after t (RFC 9562 section 5.7: 48 bits of milliseconds
// first).
func firstEventID(t time.Time) EventID {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:8], uint64(max(0, t.UnixMilli()))<<16)
	u[6], u[8] = 0x70, 0x80
	return EventID{id[eventKind]{u}}
}

// The generator of the GraphQL code looks for these two methods on each type itself, not on the embedded id.

// MarshalGQL writes the text form as a GraphQL ID.
func (i UserID) MarshalGQL(w io.Writer) { i.marshalGQL(w) }

// UnmarshalGQL reads the text form.
func (i *UserID) UnmarshalGQL(v any) error { return i.unmarshalGQL(v) }

// MarshalGQL writes the text form as a GraphQL ID.
func (i SessionID) MarshalGQL(w io.Writer) { i.marshalGQL(w) }

// UnmarshalGQL reads the text form.
func (i *SessionID) UnmarshalGQL(v any) error { return i.unmarshalGQL(v) }

// MarshalGQL writes the text form as a GraphQL ID.
func (i KeyID) MarshalGQL(w io.Writer) { i.marshalGQL(w) }

// MarshalGQL writes the text form as a GraphQL ID.
func (i MailID) MarshalGQL(w io.Writer) { i.marshalGQL(w) }

// UnmarshalGQL reads the text form.
func (i *MailID) UnmarshalGQL(v any) error { return i.unmarshalGQL(v) }

// UnmarshalGQL reads the text form.
func (i *KeyID) UnmarshalGQL(v any) error { return i.unmarshalGQL(v) }

// MarshalGQL writes the text form as a GraphQL ID.
func (i AuthenticatorID) MarshalGQL(w io.Writer) { i.marshalGQL(w) }

// UnmarshalGQL reads the text form.
func (i *AuthenticatorID) UnmarshalGQL(v any) error { return i.unmarshalGQL(v) }
