package password

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// The bounds of the length of a password (PW-02).
const (
	MaxRunes   = 256  // Unicode code points after normalisation
	MaxBytes   = 1024 // bytes of UTF-8 as typed
	DefaultMin = 8    // Unicode code points; the minimum of a Policy without MinLength
)

// CheckForm returns a *fault.Error INVALID_INPUT without a field for a text that cannot be a password: with more than
// 256 code points or 1024 bytes, with invalid UTF-8, or with a NUL. It is cheap and depends on the text alone, so a
// sign-in may call it first without revealing anything about the account.
func CheckForm(password string) error {
	switch {
	case len(password) > MaxBytes:
		return tooLong()
	case !utf8.ValidString(password):
		return fault.New(fault.InvalidInput, "The password is not valid text.")
	case strings.ContainsRune(password, 0):
		return fault.New(fault.InvalidInput, "The password contains a character that is not allowed.")
	case utf8.RuneCountInString(norm.NFC.String(password)) > MaxRunes:
		return tooLong()
	}
	return nil
}

func tooLong() error {
	return fault.New(fault.InvalidInput,
		fmt.Sprintf("The password is too long. Please use at most %d characters.", MaxRunes))
}

// Policy checks new passwords. It has no composition rules (NIST SP 800-63B-4 section 3.1.1.2).
type Policy struct {
	MinLength int // in Unicode code points; DefaultMin if it is less than 1
}

// Check makes all checks of a new password: CheckLength, then CheckGuess.
func (p Policy) Check(password string, own ...string) error {
	if err := p.CheckLength(password); err != nil {
		return err
	}
	return p.CheckGuess(password, own...)
}

// CheckLength calls CheckForm, and returns a *fault.Error PASSWORD_TOO_WEAK for a password that is too short, or that
// consists of blanks alone (PW-21).
func (p Policy) CheckLength(password string) error {
	if err := CheckForm(password); err != nil {
		return err
	}
	least := p.MinLength
	if least < 1 {
		least = DefaultMin
	}
	if utf8.RuneCountInString(norm.NFC.String(password)) < least {
		return fault.New(fault.PasswordTooWeak,
			fmt.Sprintf("The password is too short. Please use at least %d characters.", least))
	}
	if identity.Blank(password) {
		return fault.New(fault.PasswordTooWeak, "The password consists of blanks alone. Please choose another.")
	}
	return nil
}

// CheckGuess rejects passwords that are easy to guess. own holds the identifiers of the account: email address,
// username and display name; "" is ignored. The errors are *fault.Error: PASSWORD_TOO_WEAK for a password that
// resembles an identifier, the local part of the address or the name of this service; PASSWORD_BREACHED for a common
// password, in any case of letters. A caller that only flags easy passwords calls CheckLength and CheckGuess
// separately.
func (p Policy) CheckGuess(password string, own ...string) error {
	if resemblesOwn(password, own) {
		return fault.New(fault.PasswordTooWeak,
			"The password is too close to your name or address, or to the name of this service. Please choose another.")
	}
	if isCommon(password) {
		return fault.New(fault.PasswordBreached,
			"This password is on a list of commonly used passwords. Please choose another.")
	}
	return nil
}
