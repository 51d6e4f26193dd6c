// Command gen makes the list of common passwords, which package password embeds.
//
//	npm pack @zxcvbn-ts/language-common@4.1.3
//	go run ./internal/password/gen zxcvbn-ts-language-common-4.1.3.tgz internal/password/common/list.bin
//
// It checks the SHA-256 of the archive, so the same command always makes the same list.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

const (
	archiveSum = "bf3027c16c069d7877e25dc8751bc819e10e479afcc5ee1a323eb2ab73129ca9" // SHA-256 of the .tgz
	member     = "package/src/passwords.json"
	leastBytes = 6  // no policy accepts a shorter password
	mostShared = 31 // the largest value of a byte that is not printable
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen ARCHIVE.tgz LIST.bin")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(archive, list string, out io.Writer) error {
	data, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != archiveSum {
		return fmt.Errorf("%s: another SHA-256 than the archive of the list; "+
			"run: npm pack @zxcvbn-ts/language-common@4.1.3", archive)
	}
	all, err := extract(data)
	if err != nil {
		return fmt.Errorf("read %s: %w", member, err)
	}
	words := choose(all)
	encoded, err := encode(words)
	if err != nil {
		return err
	}
	long := 0
	for _, w := range words {
		if len(w) >= 8 {
			long++
		}
	}
	fmt.Fprintf(out, "%d entries, %d of them of 8 or more characters, %d bytes\n", len(words), long, len(encoded))
	return os.WriteFile(list, encoded, 0o644) //nolint:gosec // a file of the repository
}

// extract reads the array of passwords out of the npm archive.
func extract(archive []byte) (words []string, err error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err != nil {
			return nil, err
		}
		if header.Name == member {
			err = json.NewDecoder(files).Decode(&words)
			return words, err
		}
	}
}

// choose returns the entries that are long enough, in lower case, sorted and without duplicates.
func choose(all []string) []string {
	var words []string
	for _, w := range all {
		if len(w) >= leastBytes {
			words = append(words, strings.ToLower(w))
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// encode front-codes sorted words: for each word one byte with the number of bytes that it shares with the previous
// word, and then its remaining bytes.
func encode(words []string) ([]byte, error) {
	var out []byte
	previous := ""
	for _, w := range words {
		if len(w) > mostShared || strings.ContainsFunc(w, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("%q: cannot be encoded; use at most %d bytes of printable ASCII", w, mostShared)
		}
		shared := 0
		for shared < len(previous) && shared < len(w) && previous[shared] == w[shared] {
			shared++
		}
		out = append(out, byte(shared))
		out = append(out, w[shared:]...)
		previous = w
	}
	return out, nil
}
