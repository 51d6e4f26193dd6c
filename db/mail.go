package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/uptrace/bun"
)

// MailKind says what a mail is about. It is the name of its templates.
type MailKind string

// The mails that there are. Those that carry a one-time token have a Purpose.
const (
	MailVerifyEmail   MailKind = "verify-email"   // confirm the address of the account
	MailResetPassword MailKind = "reset-password" // choose a new password
	MailSetPassword   MailKind = "set-password"   // choose the first password of an account that was made without one
	MailMagicLink     MailKind = "magic-link"     // sign in
	MailConfirmChange MailKind = "confirm-change" // to a new address: confirm it, and it becomes that of the account
	MailChangeAsked   MailKind = "change-asked"   // to the address in use: another one waits to be confirmed, with a link to cancel
	MailEmailChanged  MailKind = "email-changed"  // to the former address: another one counts now, with a link to take it back
	MailPassword      MailKind = "password-changed"
	MailNewSignIn     MailKind = "new-sign-in"       // from a device that was not seen before
	MailAfterFailures MailKind = "after-failures"    // a sign-in that many failures came before
	MailDisabled      MailKind = "password-disabled" // after 100 failures
	MailAddressTaken  MailKind = "address-taken"     // somebody tried to register with the address, or to change to it
	MailWelcome       MailKind = "welcome"
)

// Purpose is that of the token which the mail carries, "" for none.
func (m *Mail) Purpose() Purpose {
	if m.TTLSeconds == 0 {
		return "" // what an administrator changed is told, and can not be taken back by a link
	}
	return m.Kind.Purpose()
}

// Purpose is that of the token which a mail of this kind carries, "" for none.
func (k MailKind) Purpose() Purpose {
	switch k {
	case MailVerifyEmail:
		return PurposeVerifyEmail
	case MailResetPassword, MailSetPassword:
		return PurposeResetPassword
	case MailMagicLink:
		return PurposeMagicLink
	case MailConfirmChange:
		return PurposeConfirmChange
	case MailChangeAsked, MailEmailChanged:
		return PurposeCancelChange
	}
	return ""
}

// MailState says how far a mail has come.
type MailState string

// The states of a mail.
const (
	MailQueued MailState = "QUEUED" // waits for its first or its next attempt
	MailSent   MailState = "SENT"   // taken by the mail server, or kept in the local mailbox
	MailFailed MailState = "FAILED" // given up
)

// Mail is one mail: a row of mails. It is made in the transaction of the change that it is about, and holds no token and none
// of its words: these are made when it is sent, from what is true then.
type Mail struct {
	bun.BaseModel `bun:"table:mails,alias:m"`

	ID   MailID   `bun:"id,pk"`
	Kind MailKind `bun:"kind"`

	// UserID is whose mail it is. Zero for a mail that somebody asked for by its address: whether that is anybody's is found
	// out when it is sent, so that asking is the same for every address (LG-05).
	UserID UserID `bun:"user_id"`

	// Address is where the mail goes, and what its token speaks of: see Resolve.
	Address          string `bun:"address"`
	AddressCanonical string `bun:"address_canonical"`

	TokenID    TokenID   `bun:"token_id"`    // zero for none, and until it is resolved
	Locale     string    `bun:"locale"`      // a language tag, "" for the default
	Dialect    string    `bun:"dialect"`     // the language that the caller spoke
	Link       string    `bun:"link"`        // with {token} and {email} in it; "" for our own page
	TTLSeconds int       `bun:"ttl_seconds"` // of the token
	Data       MailData  `bun:"data"`
	State      MailState `bun:"state"`
	Attempts   int       `bun:"attempts"`   // to send it
	LastError  *string   `bun:"last_error"` // of the last attempt, without anything secret

	NextAttemptAt *time.Time `bun:"next_attempt_at"` // nil before the first attempt and after the last one
	CreatedAt     time.Time  `bun:"created_at"`
	ResolvedAt    *time.Time `bun:"resolved_at"`
	SentAt        *time.Time `bun:"sent_at"`

	Owner *User `bun:"-"` // of UserID, in lists
}

// MailData is what a mail says about the moment that it tells of.
type MailData struct {
	NewAddress string `json:"newAddress,omitempty"` // of a change of the address
	Device     string `json:"device,omitempty"`     // "Safari on iPhone"
	IP         string `json:"ip,omitempty"`
	Failures   int    `json:"failures,omitempty"`
	Confirmed  bool   `json:"confirmed,omitempty"` // whether the former address was confirmed, of a change of the address
}

// Value gives the JSON text.
func (m MailData) Value() (driver.Value, error) { return jsonText(m) }

// Scan reads the JSON text.
func (m *MailData) Scan(src any) error {
	*m = MailData{}
	return scanJSON(src, m)
}

// mailIn queues mails in the transaction of the change that they are about: committed both, or neither.
func (d *DB) mailIn(ctx context.Context, tx *sql.Tx, mails ...*Mail) error {
	if _, err := d.w.NewInsert().Model(&mails).Conn(tx).Exec(ctx); err != nil {
		return wrap(err, "queue mails")
	}
	return d.enqueueIn(ctx, tx, mails)
}

// mails is a further step of a statement: it queues mails.
func (d *DB) mails(ctx context.Context, mails []*Mail) txStep {
	if len(mails) == 0 {
		return nil
	}
	return func(tx *sql.Tx) error { return d.mailIn(ctx, tx, mails...) }
}

// queueIn is mailIn for mails that are known only by then, which may be none.
func (d *DB) queueIn(ctx context.Context, tx *sql.Tx, mails []*Mail) error {
	if len(mails) == 0 {
		return nil
	}
	return d.mailIn(ctx, tx, mails...)
}

// QueueMails queues mails that come with no change of their own.
func (d *DB) QueueMails(ctx context.Context, mails ...*Mail) error {
	if len(mails) == 0 {
		return nil
	}
	tx, err := d.w.DB.BeginTx(ctx, nil)
	if err != nil {
		return wrap(err, "queue mails")
	}
	return wrap(d.finish(tx, d.mailIn(ctx, tx, mails...)), "queue mails")
}

// AskMails writes down that somebody asked for mails, and queues them. It does the same for every address.
func (d *DB) AskMails(ctx context.Context, e Event, now time.Time, mails ...*Mail) error {
	var row struct {
		N int `bun:"n"`
	}
	_, err := d.queryRow(ctx, recordEvent, eventWithActorParams(ctx, e, now), &row, after(d.mails(ctx, mails)))
	return err
}
