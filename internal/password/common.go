package password

import (
	_ "embed"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// commonList holds the common passwords in lower case and ascending order, front-coded: an entry is one byte below 32,
// the number of bytes that it shares with the entry before, and then its own bytes, all printable. It is read where it
// lies in the program file, so that it takes nothing of the heap. See common/README.md for its source.
//
//go:embed common/list.bin
var commonList string

// isCommon tells whether password stands on the list, in any case.
func isCommon(password string) bool {
	return contains(commonList, strings.ToLower(norm.NFC.String(password)))
}

// contains looks word up in a front-coded list. It walks along the list (half a millisecond for all of it, beside
// the forty of a hash) and looks only at entries that can still match.
func contains(list, word string) bool {
	matched := 0 // how many bytes the entry before has in common with word
	for list != "" {
		shared := int(list[0])
		rest := endOfEntry(list)
		own := list[1:rest]
		list = list[rest:]
		switch {
		case shared > matched:
			continue // differs from word where the entry before differed
		case shared < matched:
			return false // greater than word, like all that follow
		}
		n := commonPrefix(own, word[matched:])
		matched += n
		if n == len(own) && matched == len(word) {
			return true
		}
	}
	return false
}

// endOfEntry is the index of the first byte behind the entry that list begins with.
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
