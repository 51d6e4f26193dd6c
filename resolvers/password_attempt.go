package resolvers

import (
	"context"
	"errors"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/oldsystem"
)

const (
	turnWait     = 2 * time.Second // how long an attempt waits for earlier ones of its bucket
	clockSkew    = 5 * time.Second // how far the clocks of two instances may differ
	failedWithin = 5 * time.Second // how long the statement that counts a failure may take
)

// attempt reads the account and its failures, and waits for its turn. Call leave when the outcome is written. With
// throttling, this process checks the passwords of one bucket one at a time: parallel guesses meet the delay that the
// first of them caused (LG-10). An attempt within the delay is refused before it waits.
func (r *resolver) attempt(ctx context.Context, who db.Identifier) (a *db.Attempt, leave func(), err error) {
	a, err = r.DB.Attempt(ctx, who)
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
	if waited { // others may have failed meanwhile
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
	longest := turnWait
	if r.OldSystem != nil { // the attempt before may outlast a question
		longest += oldsystem.Within + answerSlack
	}
	wait, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	leave, waited, err = r.turns.Enter(wait, bucket)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fault.Wait(fault.Unavailable, "Too many sign-ins for this account at once.", turnWait)
	}
	return leave, waited, err
}

// checkThrottle refuses an attempt within the delay after failures, also for an account that does not exist (LG-08).
func (r *resolver) checkThrottle(ctx context.Context, a *db.Attempt) error {
	if a.FailedAt == nil {
		return nil
	}
	now, delay := r.now(), limit.Delay(a.Failures)
	left := a.FailedAt.Add(delay).Sub(now)
	if left <= 0 || left > delay+clockSkew {
		// Either the delay is over, or the clock was set back since the failure: nobody is locked out for the
		// difference (AV-05).
		return nil
	}
	left = min(left, delay)
	logged, err := r.DB.LoginThrottled(ctx, a, now)
	if err != nil {
		return err
	}
	if logged {
		r.logFailure(ctx, a.Action(), "throttled")
	}
	return fault.Wait(fault.AccountLocked, "Too many failed sign-ins. Wait a moment, then try again.", left)
}

// countFailure counts and records a failure. A caller who disconnects does not cancel it: else guesses would be free
// for those who do not wait for the answer.
func (r *resolver) countFailure(ctx context.Context, a *db.Attempt, reason string, now time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), failedWithin)
	defer cancel()
	if err := r.DB.LoginFailed(ctx, a, reason, r.Throttle, now); err != nil {
		return err
	}
	r.logFailure(ctx, a.Action(), reason)
	r.logLock(ctx, a, now)
	return nil
}

// failureReason gives the reason for the audit log. The caller never learns it.
func failureReason(a *db.Attempt, right bool) string {
	switch {
	case a.User.ID.IsZero():
		return reasonUnknown
	case !right:
		return "wrong_password"
	case a.User.Status != db.UserActive:
		return "suspended"
	case a.User.PasswordDisabledAt != nil:
		return "password_disabled"
	}
	return "account_changed"
}
