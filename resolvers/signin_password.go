package resolvers

import (
	"context"
	"errors"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

const (
	turnWait     = 2 * time.Second // how long an attempt waits for those at the same account before it
	clockSkew    = 5 * time.Second // how far the clocks of two instances may differ
	failedWithin = 5 * time.Second // in which a failure has to be written down
)

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
	if err := r.canDeliver(ctx, input.TokenDelivery); err != nil {
		return nil, err
	}
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
	attempt.Notices = r.notices(ctx, attempt)
	// The hash of an account that does not exist is empty: Verify then does the same work in vain.
	right, err := r.Hasher.Verify(ctx, attempt.User.PasswordHash, input.Password)
	if err != nil {
		return nil, err
	}
	user, now := &attempt.User, r.now()
	if right && user.Status == db.UserActive && user.PasswordDisabledAt == nil {
		if r.RequireVerifiedEmail && !user.EmailVerified() {
			return nil, r.unverified(ctx, attempt, now)
		}
		p := proof{user: user, method: db.AuthPassword, device: r.deviceID(ctx), at: now, delivery: input.TokenDelivery}
		payload, err := r.startSession(ctx, p, func(s *db.Session) (*db.User, error) {
			started, err := r.DB.Login(ctx, attempt, s, r.SessionLimit)
			if !started {
				return nil, err
			}
			return user, err
		})
		if err != nil || payload.Session != nil {
			return payload, err
		}
	}
	if err := r.failed(ctx, attempt, whyFailed(attempt, right), now); err != nil {
		return nil, err
	}
	if r.RevealAccounts && user.ID.IsZero() {
		return nil, fault.New(fault.NotFound, "There is no such account.")
	}
	return nil, fault.New(fault.InvalidCredentials, "Email, username or password is wrong.")
}

// unverified is the answer to the right password of an account whose address must be confirmed first. It is no failure to count.
func (r *resolver) unverified(ctx context.Context, a *db.Attempt, now time.Time) error {
	if err := r.DB.LoginFailed(ctx, a, "email_not_verified", false, now); err != nil {
		return err
	}
	return fault.New(fault.NotVerified, "Confirm your email address first.")
}

// failed counts the failure and writes it down, also for a caller who hung up during the check: guesses are not free for
// those who do not wait for the answer.
func (r *resolver) failed(ctx context.Context, a *db.Attempt, reason string, now time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failedWithin)
	defer cancel()
	return r.DB.LoginFailed(ctx, a, reason, r.Throttle, now)
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
	case a.User.PasswordDisabledAt != nil:
		return "password_disabled"
	}
	return "account_changed"
}

func (r *resolver) identifier(ctx context.Context, input graph.LoginInput) (who db.Identifier, err error) {
	email, username := input.Email.Value(), input.Username.Value()
	if (email == nil) == (username == nil) {
		return who, fault.New(fault.InvalidInput, "Give the email or the username, one of them.", "input")
	}
	// What register would refuse is nobody's, however close it looks (ID-03); failures are counted for it all the same.
	text := email
	if who.Username = username != nil; who.Username {
		text = username
		if _, canonical, err := identity.Username(*text); err == nil {
			who.Canonical = canonical
		}
	} else if _, canonical, err := identity.Email(*text); err == nil {
		who.Canonical = canonical
	}
	copy(who.StandIn[:], r.standIn.MAC([]byte(identity.LoginKey(*text))))
	who.Address, who.Device = address(ctx), r.deviceID(ctx)
	return who, nil
}

// address is that of the caller, "" when unknown.
func address(ctx context.Context) string {
	if ip := visit.From(ctx).IP; ip.IsValid() {
		return ip.Unmap().String()
	}
	return ""
}

// attempt reads the account and waits for its turn. While throttling is on, the passwords of one bucket are checked one at a
// time in this process, so that a volley of guesses meets the delay that its first ones earned (LG-10). What comes too
// soon is sent away before it stands in the way of others.
func (r *resolver) attempt(ctx context.Context, who db.Identifier) (*db.Attempt, func(), error) {
	a, err := r.DB.Attempt(ctx, who)
	if err != nil || !r.Throttle {
		return a, func() {}, err
	}
	if err := r.throttled(ctx, a); err != nil {
		return nil, nil, err
	}
	leave, waited, err := r.enter(ctx, a.Bucket())
	if err != nil {
		return nil, nil, err
	}
	if waited { // what was read is out of date
		if a, err = r.DB.Attempt(ctx, who); err == nil {
			err = r.throttled(ctx, a)
		}
		if err != nil {
			leave()
			return nil, nil, err
		}
	}
	return a, leave, nil
}

func (r *resolver) enter(ctx context.Context, bucket string) (leave func(), waited bool, err error) {
	wait, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	leave, waited, err = r.turns.Enter(wait, bucket)
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
	now, delay := r.now(), limit.Delay(a.Failures)
	left := a.FailedAt.Add(delay).Sub(now)
	if left <= 0 || left > delay+clockSkew {
		return nil // over; or the clock was put back since: nobody is locked out for the difference (AV-05), and a failure counts from now
	}
	left = min(left, delay)
	if err := r.DB.LoginThrottled(ctx, a, now); err != nil {
		return err
	}
	return fault.Wait(fault.AccountLocked, "Too many failed sign-ins. Wait a moment, then try again.", left)
}
