package password

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// The bounds of a bcrypt hash. Each step of the cost doubles the time.
const (
	minBcryptCost = 4
	maxBcryptCost = 14

	bcryptLength = 60 // characters
	bcryptSalt   = 22 // characters
	bcryptKey    = 72 // bytes of the password that bcrypt reads
)

// bcryptBase64 is the base64 of bcrypt.
var bcryptBase64 = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").
	WithPadding(base64.NoPadding)

// parseBcrypt reads $2b$<cost>$<salt><sum>, with 22 and 31 characters.
func parseBcrypt(text string) (stored, error) {
	return bcryptOf(text, "bcrypt", "", func(password []byte) []byte { return password })
}

// parseDjangoBcrypt reads Django's bcrypt$ before a bcrypt hash.
func parseDjangoBcrypt(text string) (stored, error) { return parseBcrypt(text[len("bcrypt$"):]) }

// parseDjangoBcryptSHA256 reads Django's bcrypt hash of the SHA-256 of the password.
func parseDjangoBcryptSHA256(text string) (stored, error) {
	const prefix = "bcrypt_sha256$"
	return bcryptOf(text[len(prefix):], "bcrypt-sha256", prefix, func(password []byte) []byte {
		sum := sha256.Sum256(password)
		return []byte(hex.EncodeToString(sum[:]))
	})
}

// wordPressTrims are the characters that WordPress takes off the ends of a password.
const wordPressTrims = " \t\n\r\x00\v"

// parseWordPress reads WordPress' bcrypt hash of a MAC of the password, without the white space around it.
func parseWordPress(text string) (stored, error) {
	const prefix = "$wp"
	return bcryptOf(text[len(prefix):], "bcrypt-wordpress", prefix, func(password []byte) []byte {
		mac := hmac.New(sha512.New384, []byte("wp-sha384"))
		mac.Write([]byte(strings.Trim(string(password), wordPressTrims)))
		return []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	})
}

// bcryptOf reads a bcrypt hash of what key makes of the password.
func bcryptOf(text, algorithm, prefix string, key func([]byte) []byte) (stored, error) {
	if len(text) != bcryptLength {
		return stored{}, fmt.Errorf("%d characters; want %d", len(text), bcryptLength)
	}
	version, head, sum := text[:4], text[:7+bcryptSalt], text[7+bcryptSalt:]
	if !slices.Contains([]string{"$2a$", "$2b$", "$2x$", "$2y$"}, version) || text[6] != '$' {
		return stored{}, errors.New("want $2a$, $2b$, $2x$ or $2y$, two digits and a $")
	}
	cost, err := number(strings.TrimPrefix(text[4:6], "0"), "the cost", minBcryptCost, maxBcryptCost)
	if err != nil {
		return stored{}, err
	}
	if _, err := bcryptBase64.DecodeString(head[7:]); err != nil {
		return stored{}, errors.New("the salt is not in the base64 of bcrypt")
	}
	if _, err := bcryptBase64.Strict().DecodeString(sum); err != nil {
		return stored{}, errors.New("the sum is not in the base64 of bcrypt")
	}
	return stored{
		kind: algorithm + " " + strconv.Itoa(cost), sum: []byte(sum), typed: true,
		format: func(sum []byte) string { return prefix + head + string(sum) },
		derive: func(password []byte) []byte { return deriveBcrypt(head, sum, version == "$2x$", key(password)) },
	}, nil
}

// deriveBcrypt returns sum when the hash of the password is head and sum, and nil otherwise: the library compares by
// itself. It reads the first 72 bytes of the password.
func deriveBcrypt(head, sum string, signed bool, password []byte) []byte {
	if signed {
		password = signExtended(password)
	}
	if bcrypt.CompareHashAndPassword([]byte(head+sum), password) != nil {
		return nil
	}
	return []byte(sum)
}

// signExtended returns the password whose right hash is the hash that old versions of crypt_blowfish made of password.
// They took characters for signed numbers: each one beyond ASCII overwrote those before it in its word of the key
// (CVE-2011-2483).
func signExtended(password []byte) []byte {
	ended, key := slices.Concat(password, []byte{0}), make([]byte, 0, bcryptKey)
	for i := 0; i < bcryptKey; i += 4 {
		word := uint32(0)
		for j := i; j < i+4; j++ {
			word = word<<8 | uint32(int32(int8(ended[j%len(ended)])))
		}
		key = binary.BigEndian.AppendUint32(key, word)
	}
	return key
}
