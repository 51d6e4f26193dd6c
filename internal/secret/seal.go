package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// A sealed value is: version (1 byte), key id (3 bytes), nonce (12 bytes), ciphertext, tag (16 bytes).
const (
	sealVersion = 1
	sealHeader  = 1 + idBytes
)

// ErrSealed is the error of Open: the value was changed, cut, moved to another place, or sealed under another key. It
// does not say which, because that helps only an attacker.
var ErrSealed = errors.New("secret: the sealed value cannot be opened in this place")

// Seal encrypts plaintext by AES-256-GCM (NIST SP 800-38D) with a random nonce, under the present secret. The result is
// 32 bytes longer. where names the place of the value as "table/id/column". It is authenticated, so a value that is
// copied to another row cannot be opened there. A key may seal 2^32 values, far more than a server stores.
func (k Key) Seal(plaintext []byte, where string) ([]byte, error) {
	present := k.material()[0]
	aead, err := present.aead()
	if err != nil {
		return nil, err
	}
	header := present.header()
	return append(header, aead.Seal(nil, nil, plaintext, place(header, where))...), nil
}

// Open decrypts a value that Seal encrypted for the same purpose and place, under the present secret or a further one.
// Its error for every other value is ErrSealed.
func (k Key) Open(sealed []byte, where string) ([]byte, error) {
	for _, m := range k.material() {
		header := m.header()
		if !bytes.HasPrefix(sealed, header) {
			continue
		}
		aead, err := m.aead()
		if err != nil {
			return nil, err
		}
		if plaintext, err := aead.Open(nil, nil, sealed[sealHeader:], place(header, where)); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrSealed
}

// Present reports whether the header of a sealed value names the present secret. It does not authenticate the value.
func (k Key) Present(sealed []byte) bool { return bytes.HasPrefix(sealed, k.material()[0].header()) }

// Header returns the bytes that sealed values begin with under the present secret. They are not secret.
func (k Key) Header() []byte { return k.material()[0].header() }

func (m *keyMaterial) header() []byte {
	return append([]byte{sealVersion}, m.id...)
}

// place returns the additional data of AES-GCM. The header has a fixed length, so different headers and places never
// give the same data.
func place(header []byte, where string) []byte {
	return append(bytes.Clone(header), where...)
}

// aead returns AES-256-GCM that draws the nonce itself and prepends it, so no caller can repeat a nonce.
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
