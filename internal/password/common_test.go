package password

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// decode returns the entries of a front-coded list.
func decode(list string) (words []string) {
	previous := ""
	for list != "" {
		end := endOfEntry(list)
		word := previous[:list[0]] + list[1:end]
		words, list, previous = append(words, word), list[end:], word
	}
	return words
}

func TestPW06_TheListIsWholeAndEveryEntryIsFound(t *testing.T) {
	t.Parallel()
	words := decode(commonList)
	if len(words) != 42692 || !slices.IsSorted(words) {
		t.Fatalf("%d entries, sorted: %v", len(words), slices.IsSorted(words))
	}
	known := make(map[string]bool, len(words))
	for _, w := range words {
		known[w] = true
	}
	step := 3001 // a look-up scans the list, so all entries would take too long
	if os.Getenv("DRAGOMAN_TEST_FULL") != "" {
		step = 31
	}
	for i := 0; i < len(words); i += step {
		w := words[i]
		if !isCommon(w) || !isCommon(strings.ToUpper(w)) {
			t.Errorf("%q is not found", w)
		}
		for _, other := range []string{w + "x", w[:len(w)-1], "~" + w, w[1:], w + "\x00"} {
			if isCommon(other) != known[other] {
				t.Errorf("isCommon(%q) = %v", other, !known[other])
			}
		}
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	list := "\x00abc\x03d\x02x\x00b"
	for word, want := range map[string]bool{
		"abc":   true,
		"abcd":  true,
		"abx":   true,
		"b":     true,
		"":      false,
		"a":     false,
		"ab":    false,
		"abcde": false,
		"abd":   false,
		"aby":   false,
		"c":     false,
		"\x00":  false,
		"é":     false,
	} {
		if contains(list, word) != want {
			t.Errorf("contains(%q) = %v", word, !want)
		}
	}
	if contains("", "abc") {
		t.Error("found in an empty list")
	}
}

func BenchmarkIsCommon(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		isCommon("zzzz not on the list")
	}
}
