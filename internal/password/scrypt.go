package password

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/crypto/scrypt"
)

// The bounds of a stored scrypt hash. It takes 128·N·r bytes of memory, and a time that grows with N·r·p.
const (
	maxScryptMemory = 128 << 20 // bytes
	maxScryptWork   = 1 << 21   // N·r·p
	maxScryptLogN   = 20
	maxScryptR      = 64
	maxScryptP      = 64
)

// scryptCost are the parameters of RFC 7914. N is 1 << logN.
type scryptCost struct{ logN, r, p int }

func (c scryptCost) check() error {
	if memory := c.r << (7 + c.logN); memory > maxScryptMemory {
		return fmt.Errorf("with N = %d and r = %d it takes %d MiB of memory; at most %d MiB are given",
			1<<c.logN, c.r, memory>>20, maxScryptMemory>>20)
	}
	if work := c.r * c.p << c.logN; work > maxScryptWork {
		return fmt.Errorf("the product of N, r and p is %d; at most %d is verified, so that no sign-in takes longer than about a second",
			work, maxScryptWork)
	}
	return nil
}

// derive is scrypt. Its error is that of parameters beyond what check lets through.
func (c scryptCost) derive(password, salt []byte, length int) []byte {
	sum, err := scrypt.Key(password, salt, 1<<c.logN, c.r, c.p, length)
	if err != nil {
		return nil
	}
	return sum
}

func parseScryptCost(logN, r, p string) (c scryptCost, err error) {
	if c.logN, err = number(logN, "log2 N", 1, maxScryptLogN); err != nil {
		return c, err
	}
	if c.r, err = number(r, "r", 1, maxScryptR); err != nil {
		return c, err
	}
	if c.p, err = number(p, "p", 1, maxScryptP); err != nil {
		return c, err
	}
	return c, c.check()
}

func (c scryptCost) stored(salt, sum []byte) stored {
	return stored{
		kind: fmt.Sprintf("scrypt ln=%d,r=%d,p=%d", c.logN, c.r, c.p), sum: sum, typed: true,
		derive: func(password []byte) []byte { return c.derive(password, salt, len(sum)) },
		format: func(sum []byte) string {
			b64 := base64.RawStdEncoding
			return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d$%s$%s",
				c.logN, c.r, c.p, b64.EncodeToString(salt), b64.EncodeToString(sum))
		},
	}
}

// parseScrypt reads $scrypt$ln=14,r=8,p=1$<salt>$<sum>.
func parseScrypt(text string) (stored, error) {
	parts, err := split(text, 5)
	if err != nil {
		return stored{}, err
	}
	v, err := numbers(parts[2], "ln", "r", "p")
	if err != nil {
		return stored{}, err
	}
	c, err := parseScryptCost(v[0], v[1], v[2])
	if err != nil {
		return stored{}, err
	}
	salt, err := decodeBase64(parts[3], "salt", 1, maxSalt)
	if err != nil {
		return stored{}, err
	}
	sum, err := decodeSum(parts[4])
	if err != nil {
		return stored{}, err
	}
	return c.stored(salt, sum), nil
}

// parseDjangoScrypt reads Django's scrypt$<N>$<salt>$<r>$<p>$<sum>, whose salt is text.
func parseDjangoScrypt(text string) (stored, error) {
	parts, err := split(text, 6)
	if err != nil {
		return stored{}, err
	}
	n, err := number(parts[1], "N", 2, 1<<maxScryptLogN)
	if err != nil {
		return stored{}, err
	}
	if bits.OnesCount(uint(n)) != 1 {
		return stored{}, errors.New("the cost N is no power of two")
	}
	c, err := parseScryptCost(fmt.Sprint(bits.Len(uint(n))-1), parts[3], parts[4])
	if err != nil {
		return stored{}, err
	}
	sum, err := decodeSum(parts[5])
	if err != nil {
		return stored{}, err
	}
	if len(parts[2]) < 1 || len(parts[2]) > maxSalt {
		return stored{}, fmt.Errorf("the salt has %d bytes; want 1 to %d", len(parts[2]), maxSalt)
	}
	return c.stored([]byte(parts[2]), sum), nil
}

const (
	firebaseKey = 32 // bytes of the AES key that scrypt makes
	maxSigner   = 128
)

// firebaseHash is Firebase's variant: scrypt makes the key by which AES-CTR encrypts the signer key of the project.
type firebaseHash struct {
	scryptCost

	separator, signer, salt, sum []byte
}

// parseFirebase reads $fbscrypt$v=1,n=14,r=8,p=1,ss=<separator>,sk=<signer key>$<salt>$<sum>, in padded base64.
func parseFirebase(text string) (stored, error) {
	parts, err := split(text, 5)
	if err != nil {
		return stored{}, err
	}
	v, err := numbers(parts[2], "v", "n", "r", "p", "ss", "sk")
	if err != nil {
		return stored{}, err
	}
	if v[0] != "1" {
		return stored{}, errors.New("want version 1, v=1")
	}
	var h firebaseHash
	if h.scryptCost, err = parseScryptCost(v[1], v[2], v[3]); err != nil {
		return stored{}, err
	}
	for _, part := range []struct {
		to         *[]byte
		text, name string
		least      int
	}{
		{&h.separator, v[4], "salt separator", 0},
		{&h.signer, v[5], "signer key", minSum},
		{&h.salt, parts[3], "salt", 1},
		{&h.sum, parts[4], "sum", minSum},
	} {
		if *part.to, err = decodeBase64(part.text, part.name, part.least, maxSigner); err != nil {
			return stored{}, err
		}
	}
	if len(h.sum) != len(h.signer) {
		return stored{}, fmt.Errorf("the sum has %d bytes and the signer key %d; they are of one length, "+
			"so one is truncated or the key is another project's", len(h.sum), len(h.signer))
	}
	return h.stored(), nil
}

func (h firebaseHash) stored() stored {
	return stored{
		kind: fmt.Sprintf("fbscrypt n=%d,r=%d,p=%d", h.logN, h.r, h.p), sum: h.sum, typed: true, derive: h.derive,
		format: func(sum []byte) string {
			text := base64.StdEncoding.EncodeToString
			return fmt.Sprintf("$fbscrypt$v=1,n=%d,r=%d,p=%d,ss=%s,sk=%s$%s$%s",
				h.logN, h.r, h.p, text(h.separator), text(h.signer), text(h.salt), text(sum))
		},
	}
}

func (h firebaseHash) derive(password []byte) []byte {
	salt := append(append([]byte(nil), h.salt...), h.separator...)
	block, err := aes.NewCipher(h.scryptCost.derive(password, salt, firebaseKey))
	if err != nil {
		return nil
	}
	sum := make([]byte, len(h.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(sum, h.signer)
	return sum
}

// FirebaseParams are the hash parameters of a Firebase project, as its console shows them.
type FirebaseParams struct {
	SignerKey     string // base64_signer_key
	SaltSeparator string // base64_salt_separator
	Rounds        int    // rounds
	MemCost       int    // mem_cost
}

// FirebaseHash reads the salt and the password hash of an account of a Firebase project, in base64.
func FirebaseHash(p FirebaseParams, salt, hash string) (Foreign, error) {
	return ReadForeign(fmt.Sprintf("$fbscrypt$v=1,n=%d,r=%d,p=1,ss=%s,sk=%s$%s$%s",
		p.MemCost, p.Rounds, p.SaltSeparator, p.SignerKey, salt, hash))
}
