package resolvers

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// turnWait is how long an attempt waits for the attempts at the same account before it.
const turnWait = 2 * time.Second

// Login is Mutation.login.
func (r *resolver) Login(ctx context.Context, input graph.LoginInput) (*graph.LoginPayload, error) {
	payload, err := r.login(ctx, input)
	if err != nil {
		errs, err := refused(err)
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

// login takes the same steps, of the same cost, for an account that exists and for one that does not (LG-01, LG-03).
func (r *resolver) login(ctx context.Context, input graph.LoginInput) (*graph.LoginPayload, error) {
	who, err := r.identifier(ctx, input)
	if err != nil {
		return nil, err
	}
	if err := password.CheckForm(input.Password); err != nil {
		return nil, at(err, "password")
	}
	attempt, leave, err := r.attempt(ctx, who)
	if err != nil {
		return nil, err
	}
	defer leave()
	// The hash of an account that does not exist is empty: Verify then does the same work in vain.
	right, err := r.Hasher.Verify(ctx, attempt.User.PasswordHash, input.Password)
	if err != nil {
		return nil, err
	}
	user, now := &attempt.User, r.now()
	if right && user.Status == db.UserActive {
		session := db.NewSession(ctx, user.ID, r.SessionTTL, r.SessionIdle, now, db.AuthPassword)
		started, err := r.DB.Login(ctx, attempt, session)
		if err != nil {
			return nil, err
		}
		if started {
			user.LastLoginAt = &session.CreatedAt
			tokens, err := r.tokens(user, session, input.TokenDelivery)
			return &graph.LoginPayload{User: user, Session: session, Tokens: tokens, UserErrors: accepted()}, err
		}
	}
	if err := r.DB.LoginFailed(ctx, attempt, whyFailed(attempt, right), r.Throttle, now); err != nil {
		return nil, err
	}
	if r.RevealAccounts && user.ID.IsZero() {
		return nil, fault.New(fault.NotFound, "There is no such account.")
	}
	return nil, fault.New(fault.InvalidCredentials, "Email, username or password is wrong.")
}

// whyFailed is for the audit log and never for the caller.
func whyFailed(a *db.Attempt, right bool) string {
	switch {
	case a.User.ID.IsZero():
		return "unknown_account"
	case !right:
		return "wrong_password"
	case a.User.Status != db.UserActive:
		return "suspended"
	}
	return "account_changed"
}

func (r *resolver) identifier(ctx context.Context, input graph.LoginInput) (who db.Identifier, err error) {
	email, username := input.Email.Value(), input.Username.Value()
	if (email == nil) == (username == nil) {
		return who, fault.New(fault.InvalidInput, "Give the email or the username, one of them.", "input")
	}
	text := email
	if who.Username = username != nil; who.Username {
		text = username
	}
	who.Canonical = identity.LoginKey(*text)
	copy(who.StandIn[:], r.standIn.MAC([]byte(who.Canonical)))
	if ip := visit.From(ctx).IP; ip.IsValid() {
		who.Address = ip.Unmap().String()
	}
	return who, nil
}

// attempt reads the account and waits for the account's turn. While throttling is on, the passwords of one account are
// checked one at a time in this process, so that a volley of guesses meets the delay that its first ones earned (LG-10).
func (r *resolver) attempt(ctx context.Context, who db.Identifier) (*db.Attempt, func(), error) {
	a, err := r.DB.Attempt(ctx, who)
	if err != nil || !r.Throttle {
		return a, func() {}, err
	}
	leave, waited, err := r.enter(ctx, a.Account())
	if err != nil {
		return nil, nil, err
	}
	if waited { // what was read is out of date
		if a, err = r.DB.Attempt(ctx, who); err != nil {
			leave()
			return nil, nil, err
		}
	}
	if err := r.throttled(ctx, a); err != nil {
		leave()
		return nil, nil, err
	}
	return a, leave, nil
}

func (r *resolver) enter(ctx context.Context, account uuid.UUID) (leave func(), waited bool, err error) {
	wait, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	leave, waited, err = r.turns.Enter(wait, account.String())
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fault.Wait(fault.Unavailable, "Too many sign-ins for this account at once.", turnWait)
	}
	return leave, waited, err
}

// throttled refuses an attempt that comes too soon after failures; the same for an account that does not exist (LG-08).
func (r *resolver) throttled(ctx context.Context, a *db.Attempt) error {
	if a.FailedAt == nil {
		return nil
	}
	now := r.now()
	left := a.FailedAt.Add(limit.Delay(a.Failures)).Sub(now)
	if left <= 0 {
		return nil
	}
	if err := r.DB.LoginFailed(ctx, a, "throttled", false, now); err != nil {
		return err
	}
	return fault.Wait(fault.AccountLocked, "Too many failed sign-ins. Wait a moment, then try again.", left)
}
