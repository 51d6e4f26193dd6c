package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	serviceName = "dragoman"
	shortWord   = 3 // code points; a shorter identifier must be the whole password to count
	fewAdded    = 4 // code points of any kind that may be added to an identifier and still resemble it
	fewDigits   = 8 // code points without letters that may be added: a year, a date, an exclamation mark
)

// resemblesOwn reports whether password resembles an identifier of the account or the name of the service (PW-06,
// PW-08).
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

// resembles reports whether password consists of word, once or repeated, and of few other characters.
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

// fold removes the case, white space, and the characters that join the parts of a name.
func fold(text string) string {
	lower := strings.ToLower(norm.NFC.String(text))
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune(".-_@", r) {
			return -1
		}
		return r
	}, lower)
}
