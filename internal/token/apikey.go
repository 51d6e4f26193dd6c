package token

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// The lengths of the parts of an API key, in characters. 30 characters of base62 are 178 bits (AK-01).
const (
	apiKeyPrefix   = "sk_live_"
	handleLength   = 8
	keyLength      = 30
	checksumLength = 6
	apiKeyLength   = len(apiKeyPrefix) + handleLength + keyLength + checksumLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// APIKey is a new API key. Its text exists only here: the server stores the hash alone.
type APIKey struct {
	Handle string      // 8 characters of base62, by which the key is looked up; not secret
	Text   secret.Text // the key itself, shown to its owner once
	Hash   []byte      // the stored form: a key id (3 bytes), then an HMAC over handle and secret (32 bytes)
	Prefix string      // the part that lists may show: sk_live_ and the handle
}

// NewAPIKey draws an API key:
//
//	sk_live_<handle: 8><secret: 30><checksum: 6>
//
// Handle, secret and checksum are base62. The checksum is the CRC-32 (IEEE) of everything before it. By the checksum a
// mistyped key is rejected without a database query, and secret scanners recognise a leaked key. Two keys have the same
// handle once in 2^47 times: the column is unique in the database, and the caller draws another key.
func (c *Codec) NewAPIKey() (APIKey, error) {
	run, err := randomBase62(handleLength + keyLength)
	if err != nil {
		return APIKey{}, err
	}
	handle, key := run[:handleLength], run[handleLength:]
	body := apiKeyPrefix + run
	return APIKey{
		Handle: handle,
		Text:   secret.Text(body + checksum(body)),
		Hash:   hashAPIKey(c.apiKey, []byte(handle), []byte(key)),
		Prefix: apiKeyPrefix + handle,
	}, nil
}

// ParseAPIKey returns the handle to look a key up by, and the hash under the present server secret. Compare a stored
// hash with IsAPIKey. A wrong prefix, length, character or checksum is ErrMalformed. A key without an error is well
// formed, but may not exist: anybody can compute the checksum.
func (c *Codec) ParseAPIKey(text string) (handle string, hash []byte, err error) {
	if len(text) != apiKeyLength || !strings.HasPrefix(text, apiKeyPrefix) {
		return "", nil, ErrMalformed
	}
	run := text[len(apiKeyPrefix) : apiKeyLength-checksumLength]
	for i := range len(run) {
		if strings.IndexByte(base62, run[i]) < 0 {
			return "", nil, ErrMalformed
		}
	}
	if checksum(text[:apiKeyLength-checksumLength]) != text[apiKeyLength-checksumLength:] {
		return "", nil, ErrMalformed
	}
	return run[:handleLength], hashAPIKey(c.apiKey, []byte(run[:handleLength]), []byte(run[handleLength:])), nil
}

// IsAPIKey reports whether stored is the hash of the API key text, under the present server secret or a further one. It
// compares in constant time. If stale is true, replace the stored hash by the one from ParseAPIKey: it was made under
// a further secret, or in the older form without a key id.
func (c *Codec) IsAPIKey(text string, stored []byte) (is, stale bool) {
	handle, present, err := c.ParseAPIKey(text)
	if err != nil {
		return false, false
	}
	key := []byte(text[len(apiKeyPrefix)+handleLength : apiKeyLength-checksumLength])
	for _, k := range append([]secret.Key{c.apiKey}, c.apiKey.Previous()...) {
		hash := hashAPIKey(k, []byte(handle), key)
		// Older hashes have no key id in front.
		is = is || hmac.Equal(stored, hash) || hmac.Equal(stored, hash[hashLabel:])
	}
	return is, is && !hmac.Equal(stored, present)
}

// APIKeyLabel returns the first 3 bytes of every hash under the present server secret.
func (c *Codec) APIKeyLabel() []byte { return label(c.apiKey) }

// hashLabel is the length of the key id in front of a hash, in bytes.
const hashLabel = 3

func hashAPIKey(k secret.Key, handle, key []byte) []byte {
	return append(label(k), k.MAC(handle, key)...)
}

func label(k secret.Key) []byte {
	id, _ := base64.RawURLEncoding.DecodeString(k.ID()) // never fails: an ID is 4 characters of base64url
	return id
}

// checksum returns the CRC-32 of body as 6 characters of base62. 62^6 is more than 2^32, so 6 are enough.
func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var text [checksumLength]byte
	for i := checksumLength - 1; i >= 0; i-- {
		text[i] = base62[sum%62]
		sum /= 62
	}
	return string(text[:])
}

// randomBase62 draws n characters with equal probability. It discards bytes from 248 on: 248 is the highest multiple of
// 62 below 256, and the remainders of higher bytes would favour the first eight characters.
func randomBase62(n int) (string, error) {
	const limit = 256 - 256%len(base62)
	text := make([]byte, 0, n)
	var buf [64]byte
	for len(text) < n {
		if _, err := rand.Read(buf[:]); err != nil {
			return "", fmt.Errorf("token: drawing an API key: %w", err)
		}
		for _, b := range buf {
			if int(b) < limit && len(text) < n {
				text = append(text, base62[int(b)%len(base62)])
			}
		}
	}
	return string(text), nil
}
