// Package identity checks what an account consists of: email addresses, usernames, display names, language tags and
// metadata, and brings them into a canonical form.
//
// Two spellings of the same identity have the same canonical form, which the database keeps unique. Texts that people
// could mistake for another identity are rejected. Every error is a *fault.Error INVALID_INPUT with a message for
// people. It has no field, because only the caller knows the field, and does not contain the typed text.
package identity

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

const (
	zeroWidthNonJoiner = '\u200C'
	zeroWidthJoiner    = '\u200D'
)

// Text returns a display name of a person or of an API key in NFC, without surrounding space, with 1 to maxRunes code
// points. It rejects invalid UTF-8; U+FFFD, which JSON decoders make of lone surrogates (ID-06); control characters and
// line breaks; characters that change the direction of writing; invisible characters, except the joiners of scripts and
// emoji; and text without a visible character.
func Text(text string, maxRunes int) (string, error) {
	if !clean(text, true) {
		return "", refuse("This text contains a character that is not allowed.")
	}
	text = norm.NFC.String(strings.TrimSpace(text))
	switch n := utf8.RuneCountInString(text); {
	case !strings.ContainsFunc(text, visible):
		return "", refuse("Please enter at least one character.")
	case n > maxRunes:
		return "", refuse(fmt.Sprintf("This text is too long. Please use at most %d characters.", maxRunes))
	case !clean(text, true):
		// NFC splits overlong runs of combining marks by an invisible character (UAX #15 section 13).
		return "", refuse("This text contains too many accents in a row.")
	}
	return text, nil
}

// CheckPrintable rejects an email address or a username in which something stands that nobody can read, for example a
// line break or a character of zero width (ID-09). White space around the text is no error: Email and Username remove
// it. The check depends on the text alone, so a sign-in may call it first without revealing anything about the account.
func CheckPrintable(text string) error {
	if !clean(strings.TrimSpace(text), false) {
		return refuse("This contains a character that cannot be printed, for example a line break. " +
			"Please type it again.")
	}
	return nil
}

// Blank reports whether a text has no character that people see: it holds only white space, controls, format
// characters, variation selectors and fillers.
func Blank(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsSpace(r) && !hidden(r) && !unicode.Is(unicode.Variation_Selector, r)
	})
}

// clean reports whether text is valid UTF-8 without U+FFFD and without hidden characters. If joiners is true, the two
// zero-width joiners are allowed.
func clean(text string, joiners bool) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		switch {
		case joiners && (r == zeroWidthJoiner || r == zeroWidthNonJoiner):
		case r == utf8.RuneError, hidden(r):
			return false
		}
	}
	return true
}

// hidden reports whether r is invisible: a control, a format character (for example of the direction of writing), a
// line or paragraph separator, or a filler that fonts leave blank.
func hidden(r rune) bool {
	const brailleBlank = '\u2800'
	return r == brailleBlank || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)
}

// visible reports whether people see r alone: it is no space and no combining mark.
func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.IsMark(r)
}

func refuse(message string) error {
	return fault.New(fault.InvalidInput, message)
}
