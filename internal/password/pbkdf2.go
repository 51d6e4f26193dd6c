package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// A digest of PBKDF2. Each block of its length in the sum takes all iterations once more.
type digest struct {
	new      func() hash.Hash
	size     int // bytes
	maxBlock int // the most iterations times blocks
}

// digestOf returns the digest of PBKDF2 of a name.
func digestOf(name string) (digest, error) {
	switch name {
	case "sha1":
		return digest{sha1.New, sha1.Size, maxPBKDF2SHA1}, nil
	case "sha256":
		return digest{sha256.New, sha256.Size, maxPBKDF2SHA256}, nil
	case "sha512":
		return digest{sha512.New, sha512.Size, maxPBKDF2SHA512}, nil
	}
	return digest{}, errors.New("want SHA-1, SHA-256 or SHA-512")
}

// The bounds of a stored PBKDF2 hash: iterations times blocks.
const (
	maxPBKDF2SHA1   = 4_000_000
	maxPBKDF2SHA256 = 4_000_000
	maxPBKDF2SHA512 = 1_500_000
)

// pbkdf2Of returns the hash of a salt and a sum, and of iterations as they were written.
func pbkdf2Of(name, iterations string, salt, sum []byte) (stored, error) {
	d, err := digestOf(name)
	if err != nil {
		return stored{}, err
	}
	if len(salt) < 1 || len(salt) > maxSalt {
		return stored{}, fmt.Errorf("the salt has %d bytes; want 1 to %d", len(salt), maxSalt)
	}
	blocks := (len(sum) + d.size - 1) / d.size
	n, err := number(iterations, "the number of iterations", 1, d.maxBlock/blocks)
	if err != nil {
		return stored{}, err
	}
	kind, identifier := fmt.Sprintf("pbkdf2-%s %d", name, n), "pbkdf2-"+name
	if blocks > 1 {
		kind += fmt.Sprintf(" x%d", blocks)
	}
	if name == "sha1" {
		identifier = "pbkdf2"
	}
	return stored{
		kind: kind, sum: sum, typed: true,
		derive: func(password []byte) []byte {
			sum, err := pbkdf2.Key(d.new, string(password), salt, n, len(sum))
			if err != nil { // of a FIPS mode that refuses the digest
				return nil
			}
			return sum
		},
		format: func(sum []byte) string {
			return fmt.Sprintf("$%s$%d$%s$%s", identifier, n, dotted(salt), dotted(sum))
		},
	}, nil
}

// dotted is the base64 of passlib, with a dot for the plus.
func dotted(b []byte) string {
	return strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(b), "+", ".")
}

// parsePBKDF2 reads passlib's $pbkdf2-sha256$<iterations>$<salt>$<sum>, where $pbkdf2$ stands for SHA-1, and the PHC
// string with `i=<iterations>,l=<bytes>` in place of the iterations.
func parsePBKDF2(text string) (stored, error) {
	parts, err := split(text, 5)
	if err != nil {
		return stored{}, err
	}
	name, iterations, length := "sha1", parts[2], ""
	if parts[1] != "pbkdf2" {
		name = strings.TrimPrefix(parts[1], "pbkdf2-")
	}
	if strings.HasPrefix(parts[2], "i=") {
		v, err := numbers(parts[2], "i", "l")
		if err != nil {
			return stored{}, err
		}
		iterations, length = v[0], v[1]
	}
	salt, err := decodeBase64(parts[3], "salt", 1, maxSalt)
	if err != nil {
		return stored{}, err
	}
	sum, err := decodeSum(parts[4])
	if err != nil {
		return stored{}, err
	}
	if length != "" && length != fmt.Sprint(len(sum)) {
		return stored{}, fmt.Errorf("the sum has %d bytes, and l says %s", len(sum), length)
	}
	return pbkdf2Of(name, iterations, salt, sum)
}

// parseDjangoPBKDF2 reads Django's pbkdf2_sha256$<iterations>$<salt>$<sum>, whose salt is text.
func parseDjangoPBKDF2(text string) (stored, error) {
	parts, err := split(text, 4)
	if err != nil {
		return stored{}, err
	}
	sum, err := decodeSum(parts[3])
	if err != nil {
		return stored{}, err
	}
	return pbkdf2Of(strings.TrimPrefix(parts[0], "pbkdf2_"), parts[1], []byte(parts[2]), sum)
}
