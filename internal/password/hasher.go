// Package password hashes and verifies passwords, and checks new passwords against the policy.
//
// The rules of this package:
//   - A password is compared exactly as typed, after Unicode normalisation (NFC, NIST SP 800-63B-4 section 3.1.1.2).
//   - Every derivation passes the same queue and costs the same, also for an unknown account.
//   - No error and no log line contains a password.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Hasher derives and checks password hashes with argon2id (RFC 9106). It is safe for concurrent use.
type Hasher struct {
	queue  *queue
	fresh  func() phc                             // returns parameters and a new salt, with an empty sum
	dummy  stored                                 // verified for accounts without a password hash
	derive func(password []byte, h stored) []byte // tests replace it
	mix    atomic.Pointer[mix]                    // nil until SetMix

	identify func(context.Context) Caller // see Identify
}

// NewHasher returns a hasher that derives at most slots hashes at once; less than 1 counts as 1. A derivation takes
// about 40 ms of one core and 19 MiB, so GOMAXPROCS is a sensible number.
func NewHasher(slots int) *Hasher {
	return newHasher(slots, current)
}

// NewThrowawayHasher returns a hasher for short-lived databases of examples and tests. It uses the least memory and
// passes of argon2id: 8 KiB and 1.
func NewThrowawayHasher(slots int) *Hasher {
	return newHasher(slots, func() phc {
		p := current()
		p.memory, p.time = leastMemoryKiB, 1
		return p
	})
}

func newHasher(slots int, fresh func() phc) *Hasher {
	derive := func(password []byte, h stored) []byte { return h.derive(password) }
	dummy := fresh().stored().dummy()
	return &Hasher{queue: newQueue(slots, dummy.kind), fresh: fresh, dummy: dummy, derive: derive}
}

// Admit is a cheap check before a request that will hash. It returns a *fault.Error SERVICE_UNAVAILABLE if the caller
// would find no place in the queue. It reserves none.
func (h *Hasher) Admit(ctx context.Context) error { return h.queue.admit(h.caller(ctx)) }

// Identify sets what tells callers apart who ask without WithCaller. Call it before the hasher is used.
func (h *Hasher) Identify(identify func(context.Context) Caller) { h.identify = identify }

// Load returns the number of running derivations and of waiting callers.
func (h *Hasher) Load() (working, waiting int) { return h.queue.load() }

// Observe makes the hasher call waited with the wait of every caller, also of callers that got no slot. Call it before
// the hasher is used.
func (h *Hasher) Observe(waited func(time.Duration)) { h.queue.waited = waited }

// Hash returns the PHC string of a password, with the current parameters and a new salt. Its errors are: the errors of
// CheckForm; a *fault.Error SERVICE_UNAVAILABLE if no slot is free within two seconds; and the error of ctx if ctx ends
// before the derivation begins.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p := h.fresh().stored()
	if err := CheckForm(password); err != nil {
		return "", err
	}
	leave, err := h.enter(ctx, p.kind)
	if err != nil {
		return "", err
	}
	defer leave()
	return p.format(h.derive(norm.NFC.Bytes([]byte(password)), p)), nil
}

// Verify is VerifyNamed where no name was typed: the account is known.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (ok bool, err error) {
	return h.verify(ctx, h.dummy, encoded, password)
}

// VerifyNamed reports whether encoded is the hash of password. encoded is "" for an unknown account and for an account
// without a password: VerifyNamed then returns false after the wait and the work of an account that there could be.
// name is a keyed hash of the name that was typed, which decides on the kind of the hash (LG-03). Its errors are the
// errors of Hash, and an internal error if encoded is neither empty nor a hash that ReadForeign accepts.
func (h *Hasher) VerifyNamed(ctx context.Context, name [16]byte, encoded, password string) (ok bool, err error) {
	dummy, imitated := h.mix.Load().dummy(name)
	if !imitated {
		dummy = h.dummy
	}
	return h.verify(ctx, dummy, encoded, password)
}

func (h *Hasher) verify(ctx context.Context, dummy stored, encoded, password string) (ok bool, err error) {
	p, known := dummy, encoded != ""
	if known {
		if p, err = parse(encoded); err != nil {
			return false, fmt.Errorf("stored password hash: %w; reset the password of the account", err)
		}
	}
	if err := CheckForm(password); err != nil {
		return false, err
	}
	leave, err := h.enter(ctx, p.kind)
	if err != nil {
		return false, err
	}
	defer leave()
	for _, spelling := range p.spellings(password) {
		if subtle.ConstantTimeCompare(h.derive(spelling, p), p.sum) == 1 {
			// Some systems keep the hash of nothing for an account without a password.
			return known && password != "", nil
		}
	}
	return false, nil
}

// Renews tells whether a hash that was just found right for what was typed is to be made anew: it is of another system,
// or of other parameters, and covers all that was typed. bcrypt ignores what is behind byte 72, and WordPress white
// space around a password: a hash of all that was typed would make a slip of the finger the password.
func (h *Hasher) Renews(encoded, typed string) bool {
	p, err := parse(encoded)
	if err != nil {
		return false
	}
	switch p.algorithm() {
	case "bcrypt":
		if len(typed) > bcryptKey {
			return false
		}
	case "bcrypt-wordpress":
		if strings.Trim(typed, wordPressTrims) != typed {
			return false
		}
	}
	current := h.fresh().stored()
	return p.kind != current.kind || len(encoded) != len(current.String())
}

// enter waits for a slot for a hash of a kind.
func (h *Hasher) enter(ctx context.Context, kind string) (leave func(), err error) {
	if leave, err = h.queue.enter(ctx, h.caller(ctx), kind); err != nil {
		return nil, fmt.Errorf("wait for a hash slot: %w", err)
	}
	return leave, nil
}

// random draws n bytes. crypto/rand returns no error: it ends the process instead.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
