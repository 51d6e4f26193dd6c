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

// The parts of an API key, in characters. 30 characters of base62 are 178 bits (security rule AK-01 asks for 160).
const (
	apiKeyPrefix   = "sk_live_"
	handleLength   = 8
	keyLength      = 30
	checksumLength = 6
	apiKeyLength   = len(apiKeyPrefix) + handleLength + keyLength + checksumLength
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// APIKey is a key at the moment of its making, the only one at which its text exists.
type APIKey struct {
	Handle string      // 8 characters of base62, under which the key is looked up; not secret
	Text   secret.Text // the key as its owner gets it, once
	// what is stored of it: the id of the key that made it (3 bytes) and an HMAC over handle and secret (32)
	Hash   []byte
	Prefix string // what a list may show: sk_live_ and the handle
}

// NewAPIKey draws an API key:
//
//	sk_live_<handle: 8><secret: 30><checksum: 6>
//
// all base62 in one run. The checksum is the CRC-32 (IEEE) of everything before it, so that a mistyped or made-up key
// is refused without a look at the database, and so that scanners of leaked secrets know ours. A handle may be drawn
// twice, once in 2^47: the database holds it unique, and the caller draws again.
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

// ParseAPIKey returns the handle to look a key up by, and the hash that a new key would be stored as; IsAPIKey tells
// whether the stored one is the key's. A wrong prefix, length, character or checksum is ErrMalformed. No error means
// that the key is well formed, not that it exists: anybody can compute a checksum.
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

// IsAPIKey tells in constant time whether stored is what is kept of the API key text, under the present server secret
// or a further one. Stale says that it is kept in another form than a new key would be: store ParseAPIKey's hash
// instead.
func (c *Codec) IsAPIKey(text string, stored []byte) (is, stale bool) {
	handle, present, err := c.ParseAPIKey(text)
	if err != nil {
		return false, false
	}
	key := []byte(text[len(apiKeyPrefix)+handleLength : apiKeyLength-checksumLength])
	for _, k := range append([]secret.Key{c.apiKey}, c.apiKey.Previous()...) {
		hash := hashAPIKey(k, []byte(handle), key)
		// Without the id in front: the form of keys that were made before hashes had one.
		is = is || hmac.Equal(stored, hash) || hmac.Equal(stored, hash[hashLabel:])
	}
	return is, is && !hmac.Equal(stored, present)
}

// APIKeyLabel is how the hash of every key begins that was made under the present server secret.
func (c *Codec) APIKeyLabel() []byte { return label(c.apiKey) }

// hashLabel is the length of the label in front of a hash.
const hashLabel = 3

func hashAPIKey(k secret.Key, handle, key []byte) []byte {
	return append(label(k), k.MAC(handle, key)...)
}

func label(k secret.Key) []byte {
	id, _ := base64.RawURLEncoding.DecodeString(k.ID()) // four characters of that alphabet, always
	return id
}

// checksum is the CRC-32 of body in base62, padded with zeros: 62^6 is more than 2^32.
func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var text [checksumLength]byte
	for i := checksumLength - 1; i >= 0; i-- {
		text[i] = base62[sum%62]
		sum /= 62
	}
	return string(text[:])
}

// randomBase62 draws n characters, each as likely as any other. A byte from 248 on is drawn again: 248 is the highest
// multiple of 62, and a plain remainder would favour the first eight characters.
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
