package resolvers

import (
	"cmp"
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// Login is Mutation.login.
func (r *resolver) Login(ctx context.Context, input graph.LoginInput) (*graph.LoginPayload, error) {
	payload, err := r.login(ctx, input)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.LoginPayload{UserErrors: errs}, err
	}
	return payload, nil
}

// login does the same work for an existing account and for an unknown one (LG-01, LG-03).
func (r *resolver) login(ctx context.Context, input graph.LoginInput) (*graph.LoginPayload, error) {
	if err := r.checkDelivery(ctx, input.TokenDelivery); err != nil {
		return nil, err
	}
	who, err := r.identifier(ctx, input)
	if err != nil {
		return nil, err
	}
	if err := password.CheckForm(input.Password); err != nil {
		return nil, atField(err, "password")
	}
	ctx = asCaller(ctx, who.Shown)
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	attempt, leave, err := r.attempt(ctx, who)
	if err != nil {
		return nil, err
	}
	defer leave()
	for first := true; ; first = false {
		payload, err := r.loginOnce(ctx, who, attempt, input)
		if err != nil {
			return nil, err
		}
		if payload.Session != nil || payload.Challenge != nil {
			return payload, nil
		}
		// The account changed during the check: a concurrent sign-in made the hash anew, a second factor came or
		// went, or somebody else did more.
		was := attempt
		if !first {
			return nil, r.loginFailed(ctx, attempt, failureReason(attempt, true), r.now())
		}
		if attempt, err = r.DB.Attempt(ctx, who); err != nil {
			return nil, err
		}
		if attempt.User.AuthVersion == was.User.AuthVersion &&
			!r.Hasher.Renews(was.User.PasswordHash, input.Password) {
			return nil, r.loginFailed(ctx, was, failureReason(was, true), r.now())
		}
	}
}

// loginOnce checks the password and starts the session. Its payload has no session if the account changed meanwhile.
func (r *resolver) loginOnce(
	ctx context.Context, who db.Identifier, attempt *db.Attempt, input graph.LoginInput,
) (*graph.LoginPayload, error) {
	// Mails are made before the outcome is known. The statement of the outcome queues those that fit it.
	attempt.Notices = r.notices(ctx, attempt)
	// An unknown account has an empty hash, for which VerifyNamed does the work of one that there could be.
	right, err := r.Hasher.VerifyNamed(ctx, who.Pseudonym, attempt.User.PasswordHash, input.Password)
	if err != nil {
		return nil, err
	}
	began, reason, user := time.Now(), "", &attempt.User
	if user.ID.IsZero() && r.OldSystem != nil {
		if right, reason, err = r.migrate(ctx, who, attempt, input); err != nil {
			return nil, err
		}
	}
	if !right || user.Status != db.UserActive || user.PasswordDisabledAt != nil {
		r.outlast(ctx, began)
		return nil, r.loginFailed(ctx, attempt, cmp.Or(reason, failureReason(attempt, right)), r.now())
	}
	if r.RequireVerifiedEmail && !user.EmailVerified() {
		return nil, r.unverified(ctx, attempt, r.now())
	}
	if attempt.NewHash, err = r.renewHash(ctx, user.PasswordHash, input.Password); err != nil {
		return nil, err
	}
	p := proof{
		user:     user,
		method:   db.AuthPassword,
		device:   r.deviceID(ctx),
		shown:    r.shownDevice(ctx, input.DeviceToken.Value()),
		at:       r.now(),
		delivery: input.TokenDelivery,
	}
	return r.startSession(ctx, p, func(s *db.Session) (*db.User, error) {
		started, err := r.DB.Login(ctx, attempt, s, r.SessionLimit)
		if !started {
			return nil, err
		}
		return user, err
	})
}

// renewHash hashes a password that was just found right if its stored hash is to be made anew (PW-12), and returns ""
// otherwise. A queue of hashes that is full delays this to a later sign-in, and not the sign-in.
func (r *resolver) renewHash(ctx context.Context, stored, typed string) (string, error) {
	if !r.Hasher.Renews(stored, typed) {
		return "", nil
	}
	hash, err := r.Hasher.Hash(ctx, typed)
	if fault.Is(err, fault.Unavailable) {
		return "", nil
	}
	return hash, err
}

// loginFailed counts the failure and gives the error for the caller.
func (r *resolver) loginFailed(ctx context.Context, a *db.Attempt, reason string, now time.Time) error {
	if err := r.countFailure(ctx, a, reason, now); err != nil {
		return err
	}
	if r.RevealAccounts && a.User.ID.IsZero() {
		return fault.New(fault.NotFound, "There is no such account.")
	}
	return fault.New(fault.InvalidCredentials, "Email, username or password is wrong.")
}

// unverified is the error for the right password of an account with an unconfirmed address. It does not count as a
// failure.
func (r *resolver) unverified(ctx context.Context, a *db.Attempt, now time.Time) error {
	const reason = "email_not_verified"
	if err := r.DB.LoginFailed(ctx, a, reason, false, now); err != nil {
		return err
	}
	r.logFailure(ctx, a.Action(), reason)
	return fault.New(fault.NotVerified, "Confirm your email address first.")
}

// identifier reads the name of a sign-in. Its Canonical is "" for a name that nobody can have.
func (r *resolver) identifier(ctx context.Context, input graph.LoginInput) (who db.Identifier, err error) {
	email, username := input.Email.Value(), input.Username.Value()
	if (email == nil) == (username == nil) {
		return who, fault.New(fault.InvalidInput, "Give the email or the username, one of them.", "input")
	}
	text, field := email, "email"
	if who.Username = username != nil; who.Username {
		text, field = username, "username"
	}
	if err := identity.CheckPrintable(*text); err != nil {
		return who, atField(err, field)
	}
	// A name that register would refuse belongs to nobody, however similar it looks (ID-03). Failures count for it too.
	if who.Username {
		if _, canonical, err := identity.Username(*text); err == nil {
			who.Canonical = canonical
		}
	} else if _, canonical, err := identity.Email(*text); err == nil {
		who.Canonical = canonical
	}
	// An address and a username of the same text count apart, since for an account they do (LG-22).
	copy(who.Pseudonym[:], r.pseudonyms.MAC([]byte(field), []byte(identity.LoginKey(*text))))
	who.Shown, who.Device = r.shownDevice(ctx, input.DeviceToken.Value()), r.deviceID(ctx)
	return who, nil
}
