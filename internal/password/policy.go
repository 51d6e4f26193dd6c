package password

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// The bounds of what counts as a password at all (security rule PW-02).
const (
	MaxRunes   = 256  // Unicode code points after normalisation
	MaxBytes   = 1024 // bytes of UTF-8 as typed
	DefaultMin = 8    // code points; what a Policy without MinLength asks for
)

// CheckForm refuses text that cannot be anybody's password: longer than 256 code points or 1024 bytes, invalid UTF-8,
// or with a NUL in it. The answer is a *fault.Error INVALID_INPUT without a field. It is cheap, and hangs on the text
// alone, so that a login may call it first without telling anything about the account.
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
	return fault.New(fault.InvalidInput, fmt.Sprintf("The password is too long. Please use at most %d characters.",
		MaxRunes))
}

// Policy says which passwords an account may have. Every character is welcome and none is asked for: there are no
// composition rules (NIST SP 800-63B-4 section 3.1.1.2).
type Policy struct {
	MinLength int // in Unicode code points; below 1 it counts as DefaultMin
}

// Check is CheckForm, CheckLength and CheckGuess in this order: all that a new password must pass.
func (p Policy) Check(password string, own ...string) error {
	if err := p.CheckLength(password); err != nil {
		return err
	}
	return p.CheckGuess(password, own...)
}

// CheckLength is CheckForm, and refuses a password that is too short with a *fault.Error PASSWORD_TOO_WEAK.
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
	return nil
}

// CheckGuess refuses what somebody who knows the account would try first: PASSWORD_TOO_WEAK for a password that is
// little more than one of the account's own identifiers (pass the email address, user name and display name; "" is
// skipped, and an address stands for its local part as well) or the name of this service; PASSWORD_BREACHED for one on
// the list of common passwords, in any case. A caller that only flags such passwords calls CheckLength and this apart.
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
