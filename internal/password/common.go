package password

import (
	_ "embed"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// commonList holds the common passwords in lower case, sorted and front-coded: an entry is the number of bytes that it
// shares with the previous entry, as one byte below 32, and then its remaining bytes, all printable. isCommon searches
// the embedded string directly, so the list takes no heap. common/README.md names the source.
//
//go:embed common/list.bin
var commonList string

// isCommon reports whether password is on the list, in any case of letters.
func isCommon(password string) bool {
	return contains(commonList, strings.ToLower(norm.NFC.String(password)))
}

// contains reports whether a front-coded list contains word. It scans the list from the start: half a millisecond for
// all of it, while a hash takes 40.
func contains(list, word string) bool {
	matched := 0 // the number of leading bytes that the previous entry shares with word
	for list != "" {
		shared := int(list[0])
		end := endOfEntry(list)
		suffix := list[1:end]
		list = list[end:]
		switch {
		case shared > matched:
			continue // the entry differs from word at the same byte as the previous entry
		case shared < matched:
			return false // this and all later entries are greater than word
		}
		n := commonPrefix(suffix, word[matched:])
		matched += n
		if n == len(suffix) && matched == len(word) {
			return true
		}
	}
	return false
}

// endOfEntry returns the length of the first entry of list.
func endOfEntry(list string) int {
	i := 1
	for i < len(list) && list[i] >= ' ' {
		i++
	}
	return i
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
