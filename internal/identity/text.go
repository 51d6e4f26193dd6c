// Package identity gives what people type as their identity one canonical form, or refuses it.
//
// Two spellings that a person takes for the same lead to the same canonical form, which is what the database keeps
// unique; two that somebody could mistake for each other, but are not the same, must not both be possible. What is
// refused comes back as a *fault.Error INVALID_INPUT with a sentence for people and without a field, which only the
// caller knows. No message repeats what was typed.
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

// Text cleans a name for display, of a person or of a key: NFC, without surrounding space, from 1 to maxRunes code
// points. Refused are invalid UTF-8, U+FFFD (which JSON decoders make of lone surrogates, security rule ID-06),
// control characters and line breaks, characters that turn the direction of writing, invisible ones other than the
// joiners that scripts and emoji need, and text without anything to see.
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
		// Normalisation breaks overlong runs of combining marks up with an invisible character (UAX #15 section 13).
		return "", refuse("This text contains too many accents in a row.")
	}
	return text, nil
}

// clean tells whether text is valid UTF-8 of characters that show what they are.
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

// hidden is true for characters that act without being seen: controls, format characters (among them everything about
// the direction of writing), line and paragraph separators, and fillers that fonts leave blank.
func hidden(r rune) bool {
	const brailleBlank = '\u2800'
	return r == brailleBlank || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point)
}

// visible is true for a character that leaves a mark of its own.
func visible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.IsMark(r)
}

func refuse(message string) error {
	return fault.New(fault.InvalidInput, message)
}
