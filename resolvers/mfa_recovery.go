package resolvers

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// A recovery code has sixteen characters of five bits (MF-09), in groups of four. Letters that are taken for digits are
// left out. A short one, as one dialect documents it, has eight digits.
const (
	recoveryCodes    = 10
	recoveryLength   = 16
	recoveryAlphabet = "abcdefghjkmnpqrstvwxyz0123456789"
	shortLength      = 8
)

func isRecoveryCode(text string) bool {
	return len(text) == recoveryLength && strings.Trim(text, recoveryAlphabet) == ""
}

func isShortRecoveryCode(text string) bool {
	return len(text) == shortLength && strings.Trim(text, "0123456789") == ""
}

// newRecoveryCodes draws codes as the dialect documents them, and hashes them.
func (r *resolver) newRecoveryCodes(ctx context.Context, user db.UserID) (codes []string, hashes [][]byte, short bool) {
	count := recoveryCodes
	if n := r.profile(ctx).ShortRecoveryCodes; n > 0 {
		count, short = n, true
	}
	for range count {
		code := newRecoveryCode(short)
		codes = append(codes, code)
		hashes = append(hashes, r.recoveryHashes(user, strings.ReplaceAll(code, "-", ""))[0])
	}
	return codes, hashes, short
}

func newRecoveryCode(short bool) string {
	var b [recoveryLength]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	if short {
		// 2^64 is so much more than 10^8 that the bias of the remainder does not matter.
		return fmt.Sprintf("%08d", binary.BigEndian.Uint64(b[:8])%100_000_000)
	}
	var code strings.Builder
	for i, v := range b {
		if i > 0 && i%4 == 0 {
			code.WriteByte('-')
		}
		code.WriteByte(recoveryAlphabet[v%32])
	}
	return code.String()
}

// recoveryHashes gives the keyed hashes of a code of an account, under the present server secret and each former one.
// The account is part of the hash: no code is good for another one (MF-14).
func (r *resolver) recoveryHashes(user db.UserID, code string) (hashes [][]byte) {
	for _, k := range append([]secret.Key{r.recoveryKey}, r.recoveryKey.Previous()...) {
		hashes = append(hashes, k.MAC(user.UUID[:], []byte(code)))
	}
	return hashes
}

// RegenerateRecoveryCodes is Mutation.regenerateRecoveryCodes.
func (r *resolver) RegenerateRecoveryCodes(ctx context.Context) (*graph.RecoveryCodesPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.factorRequired(ctx, c); err != nil {
		return nil, err
	}
	codes, hashes, short := r.newRecoveryCodes(ctx, c.User.ID)
	done, err := r.DB.ReplaceRecoveryCodes(ctx, &db.FactorChange{
		User: c.User.ID, Session: c.Caller.Session.ID, Version: c.User.AuthVersion, Codes: hashes, Short: short,
		Mails: r.factorNotice(ctx, db.FactorCodesReplaced, &c.User, ""),
	}, r.now())
	if err == nil && !done {
		err = r.record(ctx, fault.New(fault.Conflict, "Recovery codes stand in for a second factor: set one up first."),
			db.Event{Action: db.ActionRecoveryCodesReplaced, User: c.User.ID, Sess: c.Caller.Session.ID})
	}
	if err != nil {
		errs, err := userErrors(err)
		return &graph.RecoveryCodesPayload{UserErrors: errs}, err
	}
	return &graph.RecoveryCodesPayload{RecoveryCodes: codes, UserErrors: noErrors()}, nil
}
