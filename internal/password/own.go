package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	serviceName = "dragoman"
	shortWord   = 3 // an identifier of fewer code points is only looked for as the whole password
	fewAdded    = 4 // code points of any kind that do not make an identifier a password
	fewDigits   = 8 // the same without a letter among them: a year, a date, an exclamation mark
)

// resemblesOwn tells whether password is essentially one of the account's own identifiers or the name of the service
// (security rules PW-06 and PW-08).
func resemblesOwn(password string, own []string) bool {
	folded := fold(password)
	if resembles(folded, serviceName) {
		return true
	}
	for _, identifier := range own {
		local, _, isAddress := strings.Cut(identifier, "@")
		if resembles(folded, fold(identifier)) || isAddress && resembles(folded, fold(local)) {
			return true
		}
	}
	return false
}

// resembles tells whether password consists of word, once or more often, and next to nothing else.
func resembles(password, word string) bool {
	if word == "" {
		return false
	}
	if utf8.RuneCountInString(word) < shortWord {
		return password == word
	}
	if !strings.Contains(password, word) {
		return false
	}
	rest := strings.ReplaceAll(password, word, "")
	n := utf8.RuneCountInString(rest)
	return n <= fewAdded || n <= fewDigits && !strings.ContainsFunc(rest, unicode.IsLetter)
}

// fold makes texts comparable that people take for the same: without case, and without the characters that join the
// parts of a name.
func fold(text string) string {
	lower := strings.ToLower(norm.NFC.String(text))
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune(".-_@", r) {
			return -1
		}
		return r
	}, lower)
}
