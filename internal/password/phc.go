package password

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The current parameters: the OWASP password storage cheat sheet's choice for argon2id (security rule PW-11).
const (
	memoryKiB = 19456
	passes    = 2
	lanes     = 1
	saltBytes = 16
	sumBytes  = 32
)

// The most that a stored hash may ask for. A row that somebody planted must not be able to occupy the machine, so
// these are checked before any work (security rule PW-12).
const (
	maxMemoryKiB   = 256 << 10
	maxPasses      = 10
	maxLanes       = 4
	leastMemoryKiB = 8   // for each lane, RFC 9106 section 3.1
	maxEncoded     = 256 // bytes of the whole string
	minSalt        = 8   // RFC 9106 section 3.1
	minSum         = 16
	maxPart        = 64 // bytes of salt and of sum
)

var errPHC = errors.New("not an argon2id PHC string that is accepted here")

// phc is a parsed PHC string, `$argon2id$v=19$m=<KiB>,t=<passes>,p=<lanes>$<salt>$<sum>`, with salt and sum in base64
// without padding (the PHC string format, and RFC 9106 for the meaning of m, t and p).
type phc struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8  // lanes
	salt    []byte
	sum     []byte
}

// current is a hash to be: today's parameters, a fresh salt, and an empty sum of the right length.
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

// parsePHC accepts exactly the strings that String makes, within the bounds above.
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
		// Another algorithm or version, or a second spelling of the same hash: leading zeros, a sign, line breaks
		// and loose bits, which the decoders let pass.
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

// number reads a decimal from 1 to limit behind prefix.
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
