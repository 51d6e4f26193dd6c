// Package userfile reads and writes accounts in files: the format of our own (NDJSON, or CSV with a header), and the
// exports of other systems by a recipe for each. It knows no database and hashes nothing.
package userfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Record is one account of a file. The names of its JSON are the columns of the format. An empty text is none.
type Record struct {
	ID         string `json:"id,omitempty"`         // user_… of ours, or the id of the former system
	ExternalID string `json:"externalId,omitempty"` // the id of the former system, beside an id of ours
	Number     int    `json:"number,omitempty"`     // for callers that expect an integer id; 0 for none

	Email             string `json:"email,omitempty"`
	EmailVerified     bool   `json:"emailVerified,omitempty"`
	EmailVerifiedAt   string `json:"emailVerifiedAt,omitempty"` // also says that the address is confirmed
	PendingEmail      string `json:"pendingEmail,omitempty"`    // waits to be confirmed
	PendingEmailShown bool   `json:"pendingEmailShown,omitempty"`
	Username          string `json:"username,omitempty"`
	Name              string `json:"name,omitempty"`
	Phone             string `json:"phone,omitempty"` // E.164
	PhoneVerifiedAt   string `json:"phoneVerifiedAt,omitempty"`
	Locale            string `json:"locale,omitempty"` // BCP 47

	Role        string         `json:"role,omitempty"`   // user or admin
	Status      string         `json:"status,omitempty"` // ACTIVE or SUSPENDED
	Metadata    map[string]any `json:"metadata,omitempty"`
	AppMetadata map[string]any `json:"appMetadata,omitempty"`
	Invited     bool           `json:"invited,omitempty"` // an administrator made the account for its owner

	PasswordHash       string `json:"passwordHash,omitempty"` // of any format of package password
	PasswordDisabledAt string `json:"passwordDisabledAt,omitempty"`
	DevicesClearedAt   string `json:"devicesClearedAt,omitempty"`
	TakenOverAt        string `json:"takenOverAt,omitempty"` // an export of the person's data begins there
	TOTPSecret         string `json:"totpSecret,omitempty"`  // base32, SHA1, 6 digits, 30 seconds

	Identities []Identity `json:"identities,omitempty"`

	CreatedAt   string `json:"createdAt,omitempty"` // RFC 3339, or seconds or milliseconds since 1970
	UpdatedAt   string `json:"updatedAt,omitempty"`
	LastLoginAt string `json:"lastLoginAt,omitempty"`

	// Where says where the record stands, for people: `line 17`, or `users.csv, line 17`.
	Where string `json:"-"`
	// Notes say what the former system holds and nothing here can take, each in one short sentence.
	Notes []string `json:"-"`
	// Dropped are the columns with a value that is of no use here.
	Dropped []string `json:"-"`
	// PassedOver says why the row is no account to take. Such a record has nothing else but its place.
	PassedOver string `json:"-"`
	// HashOnly says that the record brings the password hash of an account that another export has, and makes none.
	HashOnly bool `json:"-"`
}

const (
	noPassword = "no password comes along; the person sets one by the mail for a forgotten password"
	noProvider = "no password comes along, and nothing here signs in by the provider yet; the person sets a password by " +
		"the mail for a forgotten one, or signs in by a mail"
	noWayIn = "nobody can sign in to it yet: it has no email address, and no username with a password"
)

// wayIn says what is missing to sign in as before, "" where nothing is.
func (r *Record) wayIn() string {
	switch {
	case r.Email == "" && (r.Username == "" || r.PasswordHash == ""):
		return noWayIn
	case r.PasswordHash == "" && len(r.Identities) > 0:
		return noProvider
	case r.PasswordHash == "":
		return noPassword
	}
	return ""
}

// Identity is an account at another provider by which the person signs in.
type Identity struct {
	Provider string `json:"provider"` // google, github …
	Subject  string `json:"subject"`  // the id of the person there
	Email    string `json:"email,omitempty"`
}

// Problem is what is wrong with one record. Reading goes on after it.
type Problem struct {
	Where  string // as in Record
	Column string // "" for the record as a whole
	Reason string // ends without a full stop
}

// Error gives the problem on one line.
func (p *Problem) Error() string {
	if p.Column == "" {
		return Printable(p.Where + ": " + p.Reason)
	}
	return Printable(p.Where + ": " + p.Column + ": " + p.Reason)
}

// Printable writes out what a terminal would obey: names of columns come from the file.
func Printable(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// bad makes a Problem whose place the reader adds.
func bad(column, reason string, args ...any) *Problem {
	return &Problem{Column: column, Reason: fmt.Sprintf(reason, args...)}
}

// Source gives the records of files, one after another.
type Source interface {
	// Next gives the next record. A *Problem is the error of one record: the next call gives the one after it. io.EOF
	// ends the source, and so does any other error.
	Next() (*Record, error)
	// NotRead gives the names of those files and directories that no recipe reads.
	NotRead() []string
	// Close closes the files.
	Close() error
}

// Each calls do with every record or problem until the source ends.
func Each(s Source, do func(*Record, *Problem) error) error {
	for {
		record, err := s.Next()
		problem, isProblem := errors.AsType[*Problem](err)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !isProblem:
			return err
		}
		if err := do(record, problem); err != nil {
			return err
		}
	}
}

// Writer writes records as NDJSON.
type Writer struct{ encoder *json.Encoder }

// NewWriter returns a Writer on w.
func NewWriter(w io.Writer) *Writer {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return &Writer{e}
}

// Write writes one record and a line feed.
func (w *Writer) Write(r *Record) error { return w.encoder.Encode(r) }
