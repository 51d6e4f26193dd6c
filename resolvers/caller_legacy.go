package resolvers

import (
	"context"
	"crypto/sha256"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// LegacyTokens are the access tokens of a former system that count in one dialect.
type LegacyTokens struct {
	Verifier *token.Legacy
	ByNumber bool      // whether they name the number of the account, not its external id
	Since    time.Time // what was issued before counts for nothing: a restore lost what ended it
}

// The refusals of tokens of a former system.
const (
	readsOnly   refusal = "This access token is one of the former system, which only reads here: sign in."
	isOfNobody  refusal = "This access token is one of the former system, and its account is not here: sign in."
	hasLapsed   refusal = "This access token is one of the former system, and has expired: sign in."
	wasSignedIn refusal = "This access token is one of the former system, and what it opened has ended since: sign in."
)

// callerByLegacy finds the person behind an access token of a former system. It opens queries of its dialect, never a
// mutation and never GraphQL itself, whose dialect has no such tokens; it has no session, and reads the own account
// alone. The caller is nil for a token that opens nothing, with the refusal.
func (r *resolver) callerByLegacy(ctx context.Context, text string, now time.Time) (*caller, refusal, error) {
	v := visit.From(ctx)
	tokens := r.Legacy[v.Dialect]
	if tokens.Verifier == nil {
		return nil, isNoToken, nil
	}
	access, invalid := tokens.Verifier.Verify(text)
	who, named := tokens.subject(access)
	switch {
	case invalid != nil:
		return nil, invalidLegacy(invalid), nil
	case !access.IssuedAt.After(tokens.Since):
		return nil, wasSignedIn, nil
	case operation(ctx) != ast.Query:
		return nil, readsOnly, nil
	case !named:
		return nil, isOfNobody, nil
	}
	found, err := r.DB.CallerByLegacy(ctx, who)
	if err != nil {
		return nil, "", err
	}
	if found.Rejection != "" {
		return nil, rejectedLegacy(found.Rejection), r.recordSampled(ctx, db.Event{
			Action: db.ActionLegacyTokenUsed, User: found.User.ID, Reason: string(found.Rejection),
		})
	}
	v.SetLegacyToken()
	if r.legacyUses.first(text, now) {
		if err := r.DB.Record(ctx, db.Event{Action: db.ActionLegacyTokenUsed, User: found.User.ID}, now); err != nil {
			return nil, "", err
		}
	}
	c := &caller{Caller: &found.Caller, kind: graph.CredentialKindLegacyToken, expires: &access.ExpiresAt}
	return c, "", r.countQuery(ctx, c)
}

// subject gives whose a token is; ok is false for a number that no account can have.
func (t LegacyTokens) subject(access token.LegacyAccess) (who db.LegacySubject, ok bool) {
	who.IssuedAt = db.Clock(access.IssuedAt)
	if !t.ByNumber {
		who.ExternalID = access.Subject
		return who, true
	}
	n, err := strconv.ParseInt(access.Subject, 10, 32)
	who.Number = int(n)
	return who, err == nil && n > 0
}

// invalidLegacy says why Verify refused a token.
func invalidLegacy(invalid error) refusal {
	if errors.Is(invalid, token.ErrExpired) {
		return hasLapsed
	}
	return isNoToken
}

func rejectedLegacy(why db.LegacyRejection) refusal {
	if why == db.LegacyUnknown {
		return isOfNobody
	}
	return wasSignedIn
}

// maxLegacyUses bounds the tokens that are remembered within an hour. A use beyond it leaves no event.
const maxLegacyUses = 50_000

// legacyUses remembers the tokens of former systems that left an event in the last hour or two, by their hashes.
type legacyUses struct {
	mu   sync.Mutex
	hour time.Time
	seen map[[sha256.Size]byte]struct{}
}

// first tells whether a token is used for the first time in this hour.
func (u *legacyUses) first(text string, now time.Time) bool {
	hash, hour := sha256.Sum256([]byte(text)), now.Truncate(time.Hour)
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.hour.Equal(hour) {
		u.hour, u.seen = hour, map[[sha256.Size]byte]struct{}{}
	}
	if _, known := u.seen[hash]; known || len(u.seen) >= maxLegacyUses {
		return false
	}
	u.seen[hash] = struct{}{}
	return true
}
