package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/uptrace/bun"
)

// MailKind is the kind of a mail, and the name of its templates.
type MailKind string

// The kinds of mails. A kind whose mails carry a one-time token has a Purpose.
const (
	MailVerifyEmail   MailKind = "verify-email"   // confirm the address of the account
	MailResetPassword MailKind = "reset-password" // choose a new password
	// choose the first password of an account that was made without one
	MailSetPassword      MailKind = "set-password"
	MailMagicLink        MailKind = "magic-link"     // sign in
	MailConfirmChange    MailKind = "confirm-change" // to a new address: confirm it, and the account gets it
	MailChangeAsked      MailKind = "change-asked"   // to the address in use, with a link to cancel
	MailEmailChanged     MailKind = "email-changed"  // to the former address, with a revert link
	MailPassword         MailKind = "password-changed"
	MailNewSignIn        MailKind = "new-sign-in"       // from a device that was not seen before
	MailAfterFailures    MailKind = "after-failures"    // a sign-in that many failures came before
	MailSessionElsewhere MailKind = "session-elsewhere" // a retry of a refresh from another network
	MailDisabled         MailKind = "password-disabled" // after 100 failures
	MailKeyMade          MailKind = "api-key-made"      // an API key was made, may more, or got another secret
	MailSecondFactor     MailKind = "second-factor"     // what happened to the second factors, or by wrong codes of them
	MailAddressTaken     MailKind = "address-taken"     // somebody tried to register with the address, or to change to it
	MailTookOver         MailKind = "took-over"         // a sign-in by mail was the first proof of whose address it is
	MailWelcome          MailKind = "welcome"
	MailLoginCode        MailKind = "login-code"    // sign in, by a code alone
	MailPhoneChanged     MailKind = "phone-changed" // a number was confirmed, changed or removed
	MailCodesClosed      MailKind = "codes-closed"  // after too many wrong codes in a year
	MailDigest           MailKind = "digest"        // of notices over the budget of a mailbox
)

// Purpose gives the purpose of the token in the mail, "" for none.
func (m *Mail) Purpose() Purpose {
	if m.TTLSeconds == 0 {
		return "" // the mail reports a change, and has no revert link: see Mail.NoLink
	}
	return m.Kind.Purpose()
}

// Purpose gives the purpose of the token in mails of this kind, "" for none.
func (k MailKind) Purpose() Purpose {
	switch k {
	case MailVerifyEmail:
		return PurposeVerifyEmail
	case MailResetPassword, MailSetPassword:
		return PurposeResetPassword
	case MailMagicLink, MailLoginCode:
		return PurposeMagicLink
	case MailConfirmChange:
		return PurposeConfirmChange
	case MailChangeAsked, MailEmailChanged:
		return PurposeCancelChange
	}
	return ""
}

// NoLink makes a mail report a change without a link to revert it: an administrator decided it, or nobody ever proved
// to own the address that the mail goes to (OT-21).
func (m *Mail) NoLink() { m.TTLSeconds = 0 }

// MailState is the state of a mail.
type MailState string

// The states of a mail.
const (
	MailQueued MailState = "QUEUED" // waits for its first or its next attempt
	MailSent   MailState = "SENT"   // the mail server took it, or the local mailbox keeps it
	MailFailed MailState = "FAILED" // given up
)

// Mail is a row of mails. It is made in the transaction of the change that it reports. It holds neither a token nor its
// words: both are made when it is sent, from the state of that moment.
type Mail struct {
	bun.BaseModel `bun:"table:mails,alias:m"`

	ID   MailID   `bun:"id,pk"`
	Kind MailKind `bun:"kind"`

	// UserID is the recipient. It is zero for a mail that somebody requested by address: Resolve finds the recipient
	// when the mail is sent, so that a request does the same for every address (LG-05).
	UserID UserID `bun:"user_id"`

	// RegistrationID is the registration that the mail is about, zero for none. There is no account yet then.
	RegistrationID UserID `bun:"registration_id"`

	// Address is where the mail goes, and the address that its token confirms or reverts to: see Resolve.
	Address          string `bun:"address"`
	AddressCanonical string `bun:"address_canonical"`

	TokenID    TokenID   `bun:"token_id"`    // zero for none, and until it is resolved
	Locale     string    `bun:"locale"`      // a language tag, "" for the default
	Dialect    string    `bun:"dialect"`     // the dialect of the caller
	Link       string    `bun:"link"`        // with {token} in its fragment; "" for our own page
	TTLSeconds int       `bun:"ttl_seconds"` // of the token
	Data       MailData  `bun:"data"`
	State      MailState `bun:"state"`
	Attempts   int       `bun:"attempts"`   // to send it
	LastError  *string   `bun:"last_error"` // of the last attempt; holds no secret

	// NextAttemptAt is nil before the first attempt and after the last one, unless the mail is held: see checkBudget.
	NextAttemptAt *time.Time `bun:"next_attempt_at"`
	CreatedAt     time.Time  `bun:"created_at"`
	ResolvedAt    *time.Time `bun:"resolved_at"`
	SentAt        *time.Time `bun:"sent_at"`

	Owner *User `bun:"-"` // of UserID, in lists
}

// MailData is what a mail says about its occasion.
type MailData struct {
	NewAddress string `json:"newAddress,omitempty"` // of a change of the address
	Device     string `json:"device,omitempty"`     // "Safari on iPhone"
	IP         string `json:"ip,omitempty"`
	Failures   int    `json:"failures,omitempty"`
	ReturnTo   string `json:"returnTo,omitempty"` // where a sign-in by the mail goes on

	TakesOver   bool `json:"takesOver,omitempty"`   // redeeming its token is the first proof of whose address it is
	Unconfirmed bool `json:"unconfirmed,omitempty"` // nobody ever proved to own the address that the mail goes to

	// Button is what the button says, by language; "" for every other language. Nil for the words of the templates.
	Button map[string]string `json:"button,omitempty"`

	Key  *MailKey  `json:"key,omitempty"`  // that the mail is about
	Keys []MailKey `json:"keys,omitempty"` // that work when the mail is resolved, the newest first; see MailPassword

	Factor *MailFactor `json:"factor,omitempty"` // of MailSecondFactor
	Phone  *MailPhone  `json:"phone,omitempty"`  // that the mail is about

	HeldSince *time.Time `json:"heldSince,omitempty"` // of a notice over the budget of its mailbox
	Repeats   []Repeat   `json:"repeats,omitempty"`   // of a digest
}

// MailFactor is what a mail says about second factors.
type MailFactor struct {
	Change FactorNews `json:"change"`
	Name   string     `json:"name,omitempty"` // of an authenticator app
	Left   int        `json:"left,omitempty"` // recovery codes
}

// FactorNews is what happened to the second factors of an account, or by wrong codes of them.
type FactorNews string

// What the owner of an account is told of.
const (
	FactorAdded         FactorNews = "added"
	FactorRemoved       FactorNews = "removed"
	FactorsReset        FactorNews = "reset" // by an administrator
	FactorCodesReplaced FactorNews = "codes-replaced"
	FactorCodeUsed      FactorNews = "code-used"   // a recovery code
	FactorWrongCodes    FactorNews = "wrong-codes" // all tries of a challenge, after the right password
	FactorGuessesSpent  FactorNews = "guesses-spent"
)

// MailPhone is what a mail says about a phone number.
type MailPhone struct {
	Number string      `json:"number"` // its end alone
	Change PhoneChange `json:"change"`
}

// PhoneChange is what happened to the phone number of an account.
type PhoneChange string

// The changes of phone numbers, which each make a mail.
const (
	PhoneConfirmed PhoneChange = "confirmed"
	PhoneChanged   PhoneChange = "changed" // in place of another one that was confirmed
	PhoneRemoved   PhoneChange = "removed"
	PhoneMoved     PhoneChange = "moved" // another account proved it
)

// MailKey is what a mail says about an API key.
type MailKey struct {
	Name   string       `json:"name"`
	Scopes []Permission `json:"scopes,omitempty"`
	Change KeyChange    `json:"change,omitempty"`

	LastUsedAt *time.Time `json:"lastUsedAt,omitempty"` // nil for never
}

// KeyChange is what happened to an API key that its owner is told of.
type KeyChange string

// The changes of API keys that make a mail.
const (
	KeyMade    KeyChange = "made"
	KeyWidened KeyChange = "widened" // it may more than before
	KeyRotated KeyChange = "rotated" // it has another secret
)

// Value gives the JSON text.
func (m MailData) Value() (driver.Value, error) { return jsonText(m) }

// Scan reads the JSON text.
func (m *MailData) Scan(src any) error {
	*m = MailData{}
	return scanJSON(src, m)
}

// mailIn queues mails in the transaction of the change that they report: both are committed, or neither.
func (d *DB) mailIn(ctx context.Context, tx *sql.Tx, mails ...*Mail) error {
	if _, err := d.w.NewInsert().Model(&mails).Conn(tx).Exec(ctx); err != nil {
		return wrap(err, "queue mails")
	}
	return d.enqueueIn(ctx, tx, mails)
}

// mails gives the step that queues mails, nil for none.
func (d *DB) mails(ctx context.Context, mails []*Mail) txStep {
	if len(mails) == 0 {
		return nil
	}
	return func(tx *sql.Tx) error { return d.mailIn(ctx, tx, mails...) }
}

// queueIn is mailIn for a list that may be empty.
func (d *DB) queueIn(ctx context.Context, tx *sql.Tx, mails []*Mail) error {
	if len(mails) == 0 {
		return nil
	}
	return d.mailIn(ctx, tx, mails...)
}

// QueueMails queues mails that report no change.
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

// AskMails writes the event of a request for mails, and queues them. It does the same for every address.
func (d *DB) AskMails(ctx context.Context, e Event, now time.Time, mails ...*Mail) error {
	var row struct {
		N int `bun:"n"`
	}
	_, err := d.queryRow(ctx, recordEvent, eventWithActorParams(ctx, e, now), &row, after(d.mails(ctx, mails)))
	return err
}
