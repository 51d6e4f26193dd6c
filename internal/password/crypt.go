package password

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"

	"github.com/go-crypt/x/crypt"
)

// parseSSHA reads the salted SHA of LDAP: {SSHA256} and the base64 of the sum with the salt behind it. {SSHA} is SHA-1.
func parseSSHA(text string) (stored, error) {
	scheme, rest, _ := strings.Cut(text[1:], "}")
	var sumOf func() hash.Hash
	switch scheme {
	case "SSHA":
		sumOf = sha1.New
	case "SSHA256":
		sumOf = sha256.New
	case "SSHA512":
		sumOf = sha512.New
	default:
		return stored{}, errors.New("want {SSHA}, {SSHA256} or {SSHA512}")
	}
	size := sumOf().Size()
	b, err := decodeBase64(rest, "sum with its salt", size+1, size+maxSalt)
	if err != nil {
		return stored{}, err
	}
	salt := b[size:]
	return stored{
		kind: strings.ToLower(scheme), sum: b[:size], typed: true,
		derive: func(password []byte) []byte {
			h := sumOf()
			h.Write(password)
			h.Write(salt)
			return h.Sum(nil)
		},
		format: func(sum []byte) string {
			return "{" + scheme + "}" + base64.StdEncoding.EncodeToString(slices.Concat(sum, salt))
		},
	}, nil
}

// The bounds of a stored SHA-crypt hash. The time of a round grows with the password.
const (
	minRounds     = 1000
	maxRounds     = 700_000
	defaultRounds = 5000
	maxRoundBytes = 768 // of the password and the salt, on the average of a round, at the most rounds
	roundsSalt    = 16  // bytes
)

// parseSHACrypt reads $5$rounds=5000$<salt>$<sum> of SHA-256, and $6$ of SHA-512. 5000 rounds may be left out.
func parseSHACrypt(text string) (stored, error) {
	name, sumOf, length := "sha256-crypt", sha256.New, 43
	if strings.HasPrefix(text, "$6$") {
		name, sumOf, length = "sha512-crypt", sha512.New, 86
	}
	head, rest, rounds := text[:3], text[3:], defaultRounds
	if written, ok := strings.CutPrefix(rest, "rounds="); ok {
		count, after, _ := strings.Cut(written, "$")
		n, err := number(count, "the number of rounds", minRounds, maxRounds)
		if err != nil {
			return stored{}, err
		}
		head, rest, rounds = head+"rounds="+count+"$", after, n
	}
	salt, sum, ok := strings.Cut(rest, "$")
	switch {
	case !ok || !isCrypt(sum, length):
		return stored{}, fmt.Errorf("the sum is truncated, or not in the base64 of crypt; want %d characters", length)
	case salt == "" || len(salt) > roundsSalt:
		return stored{}, fmt.Errorf("the salt has %d bytes; want 1 to %d", len(salt), roundsSalt)
	}
	return stored{
		kind: name + " " + strconv.Itoa(rounds), sum: []byte(sum), typed: true,
		derive: func(password []byte) []byte {
			if rounds*(2*len(password)+len(salt)) > maxRounds*maxRoundBytes {
				return nil
			}
			return crypt.KeySHACrypt(sumOf, password, []byte(salt), rounds)
		},
		format: func(sum []byte) string { return head + salt + "$" + string(sum) },
	}, nil
}

// The bounds of a stored phpass hash. Each step of the cost doubles the time, which grows with the password too.
const (
	minPHPassCost = 7
	maxPHPassCost = 18
	phpassLength  = 34 // characters
	phpassSum     = 22 // characters
)

// parsePHPass reads the portable hash of phpass: $P$, its cost as one character, 8 of salt and 22 of sum. phpBB writes
// $H$ for $P$.
func parsePHPass(text string) (stored, error) {
	if len(text) != phpassLength {
		return stored{}, fmt.Errorf("%d characters; want %d", len(text), phpassLength)
	}
	salt, sum := text[4:phpassLength-phpassSum], text[phpassLength-phpassSum:]
	if !isCrypt(sum, phpassSum) {
		return stored{}, errors.New("the sum is not in the base64 of crypt")
	}
	cost, err := number(strconv.Itoa(strings.IndexByte(cryptAlphabet, text[3])), "the cost", minPHPassCost, maxPHPassCost)
	if err != nil {
		return stored{}, err
	}
	return stored{
		kind: "phpass " + strconv.Itoa(cost), sum: []byte(sum), typed: true,
		derive: func(password []byte) []byte {
			h := md5.Sum(append([]byte(salt), password...))
			for range 1 << cost {
				h = md5.Sum(append(h[:], password...))
			}
			return cryptText(h[:])
		},
		format: func(sum []byte) string { return "$P$" + text[3:4] + salt + string(sum) },
	}, nil
}

// cryptText is the base64 of crypt(3): three bytes are four characters, those of the lowest bits first.
func cryptText(b []byte) (text []byte) {
	for group := range slices.Chunk(b, 3) {
		word := 0
		for i, c := range group {
			word |= int(c) << (8 * i)
		}
		for range len(group) + 1 {
			text = append(text, cryptAlphabet[word&63])
			word >>= 6
		}
	}
	return text
}
