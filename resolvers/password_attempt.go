package resolvers

import (
	"context"
	"errors"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

const (
	turnWait     = 2 * time.Second // how long an attempt waits for those at the same account before it
	clockSkew    = 5 * time.Second // how far the clocks of two instances may differ
	failedWithin = 5 * time.Second // in which a failure has to be written down
)

// attempt reads the account and waits for its turn. While throttling is on, the passwords of one bucket are checked
// one at a time in this process, so that a volley of guesses meets the delay that its first ones earned (LG-10). What
// comes too soon is sent away before it stands in the way of others.
func (r *resolver) attempt(ctx context.Context, who db.Identifier) (*db.Attempt, func(), error) {
	a, err := r.DB.Attempt(ctx, who)
	if err != nil || !r.Throttle {
		return a, func() {}, err
	}
	if err := r.checkThrottle(ctx, a); err != nil {
		return nil, nil, err
	}
	leave, waited, err := r.awaitTurn(ctx, a.Bucket())
	if err != nil {
		return nil, nil, err
	}
	if waited { // what was read is out of date
		if a, err = r.DB.Attempt(ctx, who); err == nil {
			err = r.checkThrottle(ctx, a)
		}
		if err != nil {
			leave()
			return nil, nil, err
		}
	}
	return a, leave, nil
}

func (r *resolver) awaitTurn(ctx context.Context, bucket string) (leave func(), waited bool, err error) {
	wait, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	leave, waited, err = r.turns.Enter(wait, bucket)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fault.Wait(fault.Unavailable, "Too many sign-ins for this account at once.", turnWait)
	}
	return leave, waited, err
}

// checkThrottle refuses an attempt that comes too soon after failures; the same for an account that does not exist
// (LG-08).
func (r *resolver) checkThrottle(ctx context.Context, a *db.Attempt) error {
	if a.FailedAt == nil {
		return nil
	}
	now, delay := r.now(), limit.Delay(a.Failures)
	left := a.FailedAt.Add(delay).Sub(now)
	if left <= 0 || left > delay+clockSkew {
		// over; or the clock was put back since: nobody is locked out for the difference (AV-05), and a failure counts
		// from now
		return nil
	}
	left = min(left, delay)
	if err := r.DB.LoginThrottled(ctx, a, now); err != nil {
		return err
	}
	return fault.Wait(fault.AccountLocked, "Too many failed sign-ins. Wait a moment, then try again.", left)
}

// countFailure counts the failure and writes it down, also for a caller who hung up during the check: guesses are not
// free for those who do not wait for the answer.
func (r *resolver) countFailure(ctx context.Context, a *db.Attempt, reason string, now time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failedWithin)
	defer cancel()
	return r.DB.LoginFailed(ctx, a, reason, r.Throttle, now)
}

// failureReason is for the audit log and never for the caller.
func failureReason(a *db.Attempt, right bool) string {
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
