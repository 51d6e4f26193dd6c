package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The current parameters of argon2id (OWASP Password Storage cheat sheet; PW-11).
const (
	memoryKiB = 19456
	passes    = 2
	lanes     = 1
	saltBytes = 16
	sumBytes  = 32
)

// The bounds of a stored hash. They are checked before any derivation, because a planted row must not occupy the
// machine (PW-12).
const (
	maxMemoryKiB   = 256 << 10
	maxPasses      = 10
	maxLanes       = 4
	leastMemoryKiB = 8   // for each lane, RFC 9106 section 3.1
	maxEncoded     = 256 // bytes of the whole string
	minSalt        = 8   // bytes, RFC 9106 section 3.1
	minSum         = 16  // bytes
	maxPart        = 64  // bytes of the salt, and of the sum
)

var errPHC = errors.New("stored password hash: not an accepted argon2id PHC string; reset the password of the account")

// phc is a parsed PHC string: $argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<sum>. Salt and sum are base64 without
// padding. RFC 9106 defines m, t and p.
type phc struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8  // lanes
	salt    []byte
	sum     []byte
}

// current returns the current parameters, a new salt, and a sum of zeros.
func current() phc {
	return phc{memory: memoryKiB, time: passes, threads: lanes, salt: random(saltBytes), sum: make([]byte, sumBytes)}
}

func (h phc) isCurrent() bool {
	return h.memory == memoryKiB && h.time == passes && h.threads == lanes &&
		len(h.salt) == saltBytes && len(h.sum) == sumBytes
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s",
		h.memory, h.time, h.threads, b64.EncodeToString(h.salt), b64.EncodeToString(h.sum))
}

// parsePHC reads a string of phc.String within the bounds above, and rejects every other spelling.
func parsePHC(encoded string) (phc, error) {
	if len(encoded) > maxEncoded {
		return phc{}, errPHC
	}
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 {
		return phc{}, errPHC
	}
	h, ok := parseCost(parts[3])
	if !ok {
		return phc{}, errPHC
	}
	var errSalt, errSum error
	h.salt, errSalt = base64.RawStdEncoding.DecodeString(parts[4])
	h.sum, errSum = base64.RawStdEncoding.DecodeString(parts[5])
	switch {
	case errSalt != nil || len(h.salt) < minSalt || len(h.salt) > maxPart:
		return phc{}, errPHC
	case errSum != nil || len(h.sum) < minSum || len(h.sum) > maxPart:
		return phc{}, errPHC
	case h.String() != encoded:
		// It has another algorithm or version, or something that the decoders ignore: leading zeros, line breaks, or
		// spare bits.
		return phc{}, errPHC
	}
	return h, nil
}

// parseCost reads `m=…,t=…,p=…`.
func parseCost(text string) (phc, bool) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return phc{}, false
	}
	m, okM := number(fields[0], "m=", maxMemoryKiB)
	t, okT := number(fields[1], "t=", maxPasses)
	p, okP := number(fields[2], "p=", maxLanes)
	if !okM || !okT || !okP || m < leastMemoryKiB*p {
		return phc{}, false
	}
	return phc{memory: m, time: t, threads: uint8(p)}, true
}

// number reads a decimal from 1 to limit after prefix.
func number(text, prefix string, limit uint32) (uint32, bool) {
	digits, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n < 1 || n > uint64(limit) {
		return 0, false
	}
	return uint32(n), true
}
