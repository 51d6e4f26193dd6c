package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// A sealed value is: version (1 byte), key id (3), nonce (12), ciphertext, tag (16).
const (
	sealVersion = 1
	sealHeader  = 1 + idBytes
)

// ErrSealed is the one error of Open: the value was changed, cut, moved to another place, or sealed under another key.
// Which of these it was helps only an attacker.
var ErrSealed = errors.New("secret: the sealed value does not open here")

// Seal encrypts plaintext for one place by AES-256-GCM (NIST SP 800-38D) with a random nonce; the result is 32 bytes
// longer. Where names the place as "table/id/column"; it is authenticated, so that a value copied to another row does
// not open there. One key is good for 2^32 values, far more than a server keeps.
func (k Key) Seal(plaintext []byte, where string) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	header := k.header()
	return append(header, aead.Seal(nil, nil, plaintext, place(header, where))...), nil
}

// Open decrypts what Seal made under the same key for the same place. Its error is ErrSealed.
func (k Key) Open(sealed []byte, where string) ([]byte, error) {
	header := k.header()
	if !bytes.HasPrefix(sealed, header) {
		return nil, ErrSealed
	}
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, nil, sealed[sealHeader:], place(header, where))
	if err != nil {
		return nil, ErrSealed
	}
	return plaintext, nil
}

func (k Key) header() []byte {
	return append([]byte{sealVersion}, k.in().id...)
}

// place is the additional data. The header has a fixed length, so where cannot run into it.
func place(header []byte, where string) []byte {
	return append(bytes.Clone(header), where...)
}

// aead draws and prepends the nonce by itself: no caller can repeat one.
func (k Key) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.in().seal)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return aead, nil
}
