package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	argon2d "github.com/go-crypt/x/argon2"
	"golang.org/x/crypto/argon2"
)

// The current parameters of argon2id (OWASP Password Storage cheat sheet; PW-11).
const (
	memoryKiB = 19456
	passes    = 2
	lanes     = 1
	saltBytes = 16
	sumBytes  = 32
)

// The bounds of a stored argon2 hash. They are checked before any derivation, because a planted row must not occupy the
// machine (PW-12).
const (
	maxMemoryKiB   = 256 << 10
	maxPasses      = 20
	maxWorkKiB     = 1 << 20 // memory times passes
	maxLanes       = 16
	leastMemoryKiB = 8 // for each lane, RFC 9106 section 3.1
	minArgon2Salt  = 8 // bytes, RFC 9106 section 3.1
)

// phc is a parsed PHC string: $argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<sum>. Salt and sum are base64 without
// padding. RFC 9106 defines m, t and p.
type phc struct {
	variant string // argon2id, argon2i or argon2d
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8  // lanes
	salt    []byte
	sum     []byte
}

// current returns the current parameters, a new salt, and a sum of zeros.
func current() phc {
	return phc{
		variant: "argon2id", memory: memoryKiB, time: passes, threads: lanes,
		salt: random(saltBytes), sum: make([]byte, sumBytes),
	}
}

func (h phc) kind() string {
	return fmt.Sprintf("%s m=%d,t=%d,p=%d", h.variant, h.memory, h.time, h.threads)
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d$%s$%s",
		h.variant, h.memory, h.time, h.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

func (h phc) derive(password []byte) []byte {
	length := uint32(len(h.sum))
	switch h.variant {
	case "argon2d":
		return argon2d.DKey(password, h.salt, h.time, h.memory, uint32(h.threads), length)
	case "argon2i":
		return argon2.Key(password, h.salt, h.time, h.memory, h.threads, length)
	}
	return argon2.IDKey(password, h.salt, h.time, h.memory, h.threads, length)
}

func (h phc) stored() stored {
	return stored{
		kind: h.kind(), sum: h.sum, typed: h.variant != "argon2id", derive: h.derive,
		format: func(sum []byte) string { h.sum = sum; return h.String() },
	}
}

// parseArgon2 reads a string of phc.String within the bounds above, and rejects every other spelling.
func parseArgon2(text string) (stored, error) {
	if !strings.Contains(text, "$v=19$") {
		return stored{}, errors.New("want version 1.3, v=19; no other one is verified")
	}
	parts, err := split(text, 6)
	if err != nil {
		return stored{}, err
	}
	h, err := parseArgon2Cost(parts[3])
	if err != nil {
		return stored{}, err
	}
	if h.variant = parts[1]; h.variant != "argon2id" && h.variant != "argon2i" && h.variant != "argon2d" {
		return stored{}, errors.New("want argon2id, argon2i or argon2d")
	}
	if h.salt, err = decodeBase64(parts[4], "salt", minArgon2Salt, maxSalt); err != nil {
		return stored{}, err
	}
	if h.sum, err = decodeSum(parts[5]); err != nil {
		return stored{}, err
	}
	if h.String() != text { // padding, or another alphabet
		return stored{}, errors.New("salt or sum is not in the base64 of PHC strings")
	}
	return h.stored(), nil
}

// parseDjangoArgon2 reads Django's argon2 before a PHC string.
func parseDjangoArgon2(text string) (stored, error) { return parseArgon2(text[len("argon2"):]) }

// parseArgon2Cost reads `m=…,t=…,p=…`.
func parseArgon2Cost(text string) (phc, error) {
	values, err := numbers(text, "m", "t", "p")
	if err != nil {
		return phc{}, err
	}
	p, err := number(values[2], "p", 1, maxLanes)
	if err != nil {
		return phc{}, err
	}
	m, err := number(values[0], "m", leastMemoryKiB*p, maxMemoryKiB)
	if err != nil {
		return phc{}, err
	}
	t, err := number(values[1], "t", 1, min(maxPasses, maxWorkKiB/m))
	if err != nil {
		return phc{}, err
	}
	return phc{memory: uint32(m), time: uint32(t), threads: uint8(p)}, nil
}
