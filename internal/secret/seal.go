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
	present := k.in()[0]
	aead, err := present.aead()
	if err != nil {
		return nil, err
	}
	header := present.header()
	return append(header, aead.Seal(nil, nil, plaintext, place(header, where))...), nil
}

// Open decrypts what Seal made under the same key for the same place, with the present secret or with a further one.
// Its error is ErrSealed.
func (k Key) Open(sealed []byte, where string) ([]byte, error) {
	for _, one := range k.in() {
		header := one.header()
		if !bytes.HasPrefix(sealed, header) {
			continue
		}
		aead, err := one.aead()
		if err != nil {
			return nil, err
		}
		if plaintext, err := aead.Open(nil, nil, sealed[sealHeader:], place(header, where)); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrSealed
}

// Present tells whether a sealed value says of itself that it was made under the present secret.
func (k Key) Present(sealed []byte) bool { return bytes.HasPrefix(sealed, k.in()[0].header()) }

func (m *keyMaterial) header() []byte {
	return append([]byte{sealVersion}, m.id...)
}

// place is the additional data. The header has a fixed length, so where cannot run into it.
func place(header []byte, where string) []byte {
	return append(bytes.Clone(header), where...)
}

// aead draws and prepends the nonce by itself: no caller can repeat one.
func (m *keyMaterial) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(m.seal)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return aead, nil
}
