package mail

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	phoneDigits = 5 // so many digits, with nothing but punctuation between them, may be a telephone number
	groupDigits = 3 // so many digits stay together in such a number
)

// unlinked makes a text of which no mail program makes a link, whatever it takes for one: a scheme, a domain, an email
// address, the name of a file share or a telephone number. Everything stays readable: evil.example becomes
// evil. example, and 5551234 becomes 555'123'4.
func unlinked(text string) string { return unphoned(spaced(text)) }

// spaced puts a space after every character that joins the parts of an address. Without it no part of the text has the
// form of an address, whatever its labels are: there are too many top-level domains to know them.
func spaced(text string) string {
	var out strings.Builder
	runes := []rune(text)
	for i, r := range runes {
		out.WriteRune(r)
		if joins(r) && i+1 < len(runes) && runes[i+1] != ' ' {
			out.WriteByte(' ')
		}
	}
	return out.String()
}

// joins reports whether r joins the parts of an address: a full stop of any script, a slash, a colon, an at sign, or
// what programs turn into one of them (NFKC; UTS #46 section 2.3). So U+3002, U+FF0E, U+2024 and U+2488 count. An
// ellipsis does not: no domain has several dots in a row.
func joins(r rune) bool {
	const alike = "\u2044\u2215\u2216\u2236\u29F8\u29F9\uA789" // a slash, a backslash or a colon to look at
	return strings.ContainsRune(alike, r) || unicode.Is(unicode.Sentence_Terminal, r) ||
		r != '…' && strings.ContainsAny(norm.NFKC.String(string(r)), "./:@\\\u3002")
}

// unphoned puts an apostrophe into every telephone number, which no such number has: behind the third digit in a row,
// and behind every digit that is followed by punctuation.
func unphoned(text string) string {
	var out strings.Builder
	runes := []rune(text)
	for start := 0; start < len(runes); {
		end, digits := start, 0
		for end < len(runes) && inPhone(runes[end]) {
			if unicode.IsNumber(runes[end]) {
				digits++
			}
			end++
		}
		switch {
		case end == start:
			end++
			out.WriteRune(runes[start])
		case digits < phoneDigits:
			out.WriteString(string(runes[start:end]))
		default:
			grouped(&out, runes[start:end], digits)
		}
		start = end
	}
	return out.String()
}

// grouped writes a stretch of digits and punctuation, with an apostrophe behind each group but the last.
func grouped(out *strings.Builder, stretch []rune, digits int) {
	together := 0
	for i, r := range stretch {
		out.WriteRune(r)
		if !unicode.IsNumber(r) {
			together = 0
			continue
		}
		together++
		digits--
		ends := i+1 < len(stretch) && !unicode.IsNumber(stretch[i+1])
		if digits > 0 && (together == groupDigits || ends) {
			out.WriteByte('\'')
			together = 0
		}
	}
}

// inPhone reports whether r may stand in a telephone number: a digit of any script, or what stands between digits.
func inPhone(r rune) bool {
	return unicode.IsNumber(r) || unicode.In(r, unicode.Dash, unicode.Zs, unicode.Mn, unicode.Ps, unicode.Pe) ||
		strings.ContainsAny(norm.NFKC.String(string(r)), "+~./") || strings.ContainsRune("\u2053\u223C\u30FC*#", r)
}

// plainAddress reports whether an email address is linked as an address alone. The part before the "@" can hold what
// looks like the address of a page: www.evil.example/x.
func plainAddress(address string) bool {
	local, _, _ := strings.Cut(address, "@")
	return strings.Trim(local, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") == "" &&
		!strings.HasPrefix(strings.ToLower(local), "www.")
}
