package token

import (
	"crypto/rand"
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
	Hash   []byte      // what is stored of it: 32 bytes, an HMAC over handle and secret
	Prefix string      // what a list may show: sk_live_ and the handle
}

// NewAPIKey draws an API key:
//
//	sk_live_<handle: 8><secret: 30><checksum: 6>
//
// all base62 in one run. The checksum is the CRC-32 (IEEE) of everything before it, so that a mistyped or made-up key is
// refused without a look at the database, and so that scanners of leaked secrets know ours. A handle may be drawn twice,
// once in 2^47: the database holds it unique, and the caller draws again.
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
		Hash:   c.hashAPIKey(handle, key),
		Prefix: apiKeyPrefix + handle,
	}, nil
}

// ParseAPIKey returns the handle to look a key up by, and the hash that the stored one must equal; compare them with
// hmac.Equal. A wrong prefix, length, character or checksum is ErrMalformed. No error means that the key is well
// formed, not that it exists: anybody can compute a checksum.
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
	return run[:handleLength], c.hashAPIKey(run[:handleLength], run[handleLength:]), nil
}

func (c *Codec) hashAPIKey(handle, key string) []byte {
	return c.apiKey.MAC([]byte(handle), []byte(key))
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
