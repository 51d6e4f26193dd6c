// Package password hashes passwords, and says which ones an account may have.
//
// The rules of this package: a password is compared exactly as typed, apart from Unicode normalisation (NFC, NIST SP
// 800-63B-4 section 3.1.1.2); every derivation, also the one for an account that does not exist, passes one queue and
// costs the same; and no error or log line made here ever holds a password.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Hasher derives and checks password hashes with argon2id (RFC 9106). It is safe for concurrent use.
type Hasher struct {
	queue  *queue
	fresh  func() phc // a hash to be
	dummy  phc
	derive func(password []byte, h phc) []byte // argon2id; the tests put a stand-in here
}

// NewHasher makes a hasher that derives at most slots hashes at once; less than one counts as one. A derivation keeps
// one core busy for about 40 ms and holds 19 MiB, so that GOMAXPROCS is the sensible number.
func NewHasher(slots int) *Hasher {
	return newHasher(slots, current)
}

// NewThrowawayHasher makes a hasher for a database that nobody will keep: that of an example of a dialect file, or of a
// test that is about something else. It does what every hasher does, with the least memory and passes that argon2id
// has.
func NewThrowawayHasher(slots int) *Hasher {
	return newHasher(slots, func() phc {
		p := current()
		p.memory, p.time = leastMemoryKiB, 1
		return p
	})
}

func newHasher(slots int, fresh func() phc) *Hasher {
	h := &Hasher{queue: newQueue(slots), fresh: fresh, dummy: fresh(), derive: deriveArgon2id}
	// No password leads to this sum: it is drawn, not derived.
	h.dummy.sum = random(sumBytes)
	return h
}

// Admit is a cheap check to make before a request that will hash is executed. It answers a *fault.Error with the code
// SERVICE_UNAVAILABLE when a newcomer would wait for more than two seconds. It reserves nothing.
func (h *Hasher) Admit() error { return h.queue.admit() }

// Load counts the derivations that are under way and the callers in line for one.
func (h *Hasher) Load() (working, waiting int) { return h.queue.load() }

// Observe has the wait of every caller told to waited, also of those who waited in vain. Call it before the hasher is
// used.
func (h *Hasher) Observe(waited func(time.Duration)) { h.queue.waited = waited }

// Hash makes the PHC string of a password with the parameters of today and a fresh salt. It fails like CheckForm; with
// a *fault.Error SERVICE_UNAVAILABLE when no slot is free within two seconds; and with ctx's error when ctx ends first,
// in which case nothing was derived.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p := h.fresh()
	sum, err := h.run(ctx, password, p)
	if err != nil {
		return "", err
	}
	p.sum = sum
	return p.String(), nil
}

// Verify tells whether password is the one that encoded, a PHC string, was made from. For an account that does not
// exist or has no password, encoded is "": the answer is then false after the same wait and the same work (security
// rule LG-03). It fails like Hash, and with an internal error when encoded is neither empty nor a PHC string that this
// package accepts.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (ok bool, err error) {
	p, known := h.dummy, encoded != ""
	if known {
		if p, err = parsePHC(encoded); err != nil {
			return false, err
		}
	}
	sum, err := h.run(ctx, password, p)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && known, nil
}

// run derives the sum of a password with p's parameters and salt, when it is the caller's turn.
func (h *Hasher) run(ctx context.Context, password string, p phc) ([]byte, error) {
	if err := CheckForm(password); err != nil {
		return nil, err
	}
	leave, err := h.queue.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("wait for a hash slot: %w", err)
	}
	defer leave()
	return h.derive(norm.NFC.Bytes([]byte(password)), p), nil
}

func deriveArgon2id(password []byte, h phc) []byte {
	return argon2.IDKey(password, h.salt, h.time, h.memory, h.threads, uint32(len(h.sum)))
}

// random draws n bytes from the system's generator, which never fails (crypto/rand ends the process instead).
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
