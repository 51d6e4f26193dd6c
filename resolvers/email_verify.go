package resolvers

import (
	"cmp"
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// SendVerificationEmail is Mutation.sendVerificationEmail.
func (r *resolver) SendVerificationEmail(
	ctx context.Context, input *graph.SendVerificationEmailInput,
) (*graph.BasicPayload, error) {
	e := db.Event{Action: db.ActionEmailVerificationRequested}
	pending := input != nil && input.Pending
	if input != nil {
		if email := input.Email.Value(); email != nil && pending {
			return r.basicPayload(ctx, e, fault.New(fault.InvalidInput,
				"Give an address, or ask for the one that waits.", "input", "pending"))
		} else if email != nil {
			if input.RevealAccount && r.RevealAccounts {
				if err := r.requireWaiting(ctx, *email); err != nil {
					return r.basicPayload(ctx, e, err)
				}
			}
			return r.requestMail(ctx, e.Action, db.MailVerifyEmail, *email, input.ReturnTo)
		}
	}
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if c.kind == graph.CredentialKindAPIKey {
		return nil, r.forbidden(ctx, c, nil)
	}
	if err := cmp.Or(limit.Enter(ctx), r.countMutation(ctx, c)); err != nil {
		return nil, err
	}
	e.User, e.Sess = c.User.ID, c.Caller.Session.ID
	returnTo := ""
	if input != nil {
		if returnTo, err = r.returnTo(input.ReturnTo); err != nil {
			return r.basicPayload(ctx, e, err)
		}
	}
	if pending {
		return r.basicPayload(ctx, e, r.requestPendingMail(ctx, c, e, returnTo))
	}
	return r.basicPayload(ctx, e, r.requestOwnMail(ctx, c, e, returnTo))
}

// requireWaiting refuses an address that no account waits to confirm, on a server that reveals accounts. One code for
// an unknown and for a confirmed address is what the older API documents.
func (r *resolver) requireWaiting(ctx context.Context, address string) error {
	_, canonical, err := identity.Email(address)
	if err != nil {
		return atField(err, "email")
	}
	user, err := r.DB.UserNamed(ctx, canonical)
	if err != nil || user != nil && !user.EmailVerified() && user.Status == db.UserActive {
		return err
	}
	waits, err := r.DB.RegistrationWaits(ctx, canonical, r.now())
	if err == nil && (!waits || user != nil && user.EmailVerified()) {
		err = fault.New(fault.Conflict, "No account waits to confirm this address.", "input", "email")
	}
	return err
}

func (r *resolver) requestOwnMail(ctx context.Context, c *caller, e db.Event, returnTo string) error {
	switch {
	case r.MailOff:
		return errNoMail()
	case c.User.PendingShown || c.User.Email == nil && c.User.PendingEmail != nil:
		return r.requestPendingMail(ctx, c, e, returnTo)
	case c.User.Email == nil:
		return fault.New(fault.Conflict, "Your account has no address: give it one first.")
	case c.User.EmailVerified():
		return fault.New(fault.Conflict, "Your address is confirmed already.")
	}
	return r.DB.AskMails(ctx, e, r.now(),
		leadOn(returnTo, r.mail(ctx, db.MailVerifyEmail, c.User.ID, *c.User.Email, c.User.EmailCanonical))...)
}

// requestPendingMail mails the pending address again. An address that belongs to somebody else by now gets the notice
// for its owner instead, as in changeMails.
func (r *resolver) requestPendingMail(ctx context.Context, c *caller, e db.Event, returnTo string) error {
	switch {
	case r.MailOff:
		return errNoMail()
	case c.User.PendingEmail == nil:
		return fault.New(fault.Conflict, "No address waits to be confirmed.")
	}
	kind, user := db.MailConfirmChange, c.User.ID
	owner, err := r.DB.UserNamed(ctx, *c.User.PendingEmailCanonical)
	if err != nil {
		return err
	}
	if owner != nil && owner.EmailVerified() && owner.ID != c.User.ID {
		kind, user = db.MailAddressTaken, db.UserID{}
	}
	return r.DB.AskMails(ctx, e, r.now(),
		leadOn(returnTo, r.mail(ctx, kind, user, *c.User.PendingEmail, *c.User.PendingEmailCanonical))...)
}

// VerifyEmail is Mutation.verifyEmail.
func (r *resolver) VerifyEmail(ctx context.Context, input graph.VerifyEmailInput) (*graph.VerifyEmailPayload, error) {
	payload, err := r.verifyEmail(ctx, input)
	forget(ctx)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.VerifyEmailPayload{UserErrors: errs}, err
	}
	shown, err := r.emailPayload(ctx, payload.User, payload.Email)
	if err != nil {
		return nil, err
	}
	payload.User, payload.UserErrors = shown.User, shown.UserErrors
	return payload, nil
}

// emailPayload answers what the token of a mail did. Whoever has the token knows the address that the mail went to. The
// account is for who may read it: a link may be in strange hands, and is never a sign-in (AZ-16).
func (r *resolver) emailPayload(ctx context.Context, u *db.User, address *string) (*graph.EmailPayload, error) {
	c, err := r.caller(ctx)
	if err != nil {
		return nil, err
	}
	return &graph.EmailPayload{Email: address, User: c.shown(u), UserErrors: noErrors()}, nil
}

// verifyEmail gives the account and the address that was confirmed. It refuses the token of another account to somebody
// who is signed in: two accounts may wait for the same address, and one's own is meant (OT-25).
func (r *resolver) verifyEmail(ctx context.Context, input graph.VerifyEmailInput) (*graph.VerifyEmailPayload, error) {
	owner, err := r.signedIn(ctx)
	if err != nil {
		return nil, err
	}
	in := tokenInput{
		text: input.Token, email: input.Email.Value(), owner: owner, action: db.ActionEmailVerified,
		purposes: []db.Purpose{db.PurposeVerifyEmail, db.PurposeConfirmChange},
	}
	m, err := r.findToken(ctx, in)
	if err != nil {
		return nil, err
	}
	if m.OfRegistration() {
		return r.redeemRegistration(ctx, in, m, input)
	}
	if !in.owner.IsZero() && m.User.ID != in.owner {
		return nil, r.rejectToken(ctx, in, m.User.ID, "other_account")
	}
	user, reason, err := r.tryRedeem(ctx, in, m, func(m *db.TokenWithUser) (*db.User, error) {
		if m.Token.Purpose == db.PurposeConfirmChange {
			return r.confirmChange(ctx, m)
		}
		return orStale(r.DB.ConfirmEmail(ctx, m, in.owner, r.now()))
	})
	if err == nil && user == nil {
		user, err = r.orConfirmed(ctx, in, m, reason, input.AllowConfirmed)
	}
	return &graph.VerifyEmailPayload{Email: &m.Token.Address, User: user, ReturnTo: r.goesOn(m)}, err
}

// confirmChange replaces the email address by the pending one. The former address gets a notice with a link to revert.
// An account beyond `user` takes it only in a session of its own within the sudo window (AZ-11).
func (r *resolver) confirmChange(ctx context.Context, m *db.TokenWithUser) (*db.User, error) {
	c, err := r.caller(ctx)
	if err != nil {
		return nil, err
	}
	by := &db.Actor{}
	if c != nil {
		by = r.actor(ctx, c)
	}
	if m.User.BeyondUser() && (c == nil || c.kind == graph.CredentialKindAPIKey ||
		r.sudoEnd(ctx, &c.Caller.Session) == nil) {
		no := fault.New(fault.InvalidToken,
			"This account takes a new address only where its owner just signed in to it: sign in, then confirm.")
		return nil, r.record(ctx, no, db.Event{Action: db.ActionEmailVerified, User: m.User.ID})
	}
	notice := r.addressNotice(ctx, db.MailEmailChanged, &m.User, &m.Token.Address)
	user, taken, err := r.DB.ConfirmChange(ctx, m, by, r.now(), notice...)
	if err == nil && taken != nil {
		err = r.record(ctx, alreadyExists(taken), db.Event{Action: db.ActionEmailVerified, User: m.User.ID})
	}
	return orStale(user, err)
}

// orConfirmed rejects a token for a reason. With allowed it accepts one that is no good any more while the address that
// it is for is the confirmed one of the account: because it was redeemed before, or because a reset or a sign-in by
// mail confirmed the address (OT-15).
func (r *resolver) orConfirmed(
	ctx context.Context, in tokenInput, m *db.TokenWithUser, reason string, allowed bool,
) (*db.User, error) {
	if !allowed {
		return nil, r.rejectToken(ctx, in, m.User.ID, reason)
	}
	m, err := r.DB.TokenWithUser(ctx, m.Token.ID)
	if err != nil {
		return nil, err
	}
	if m == nil || !m.Confirmed(r.now()) {
		return nil, r.rejectToken(ctx, in, db.UserID{}, reason)
	}
	e := db.Event{Action: in.action, Note: "confirmed_before", User: m.User.ID}
	return &m.User, r.DB.Record(ctx, e, r.now())
}
