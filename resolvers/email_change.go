package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// ChangeEmail is Mutation.changeEmail.
func (r *resolver) ChangeEmail(ctx context.Context, input graph.ChangeEmailInput) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := r.edit(ctx, c, db.ActionEmailChangeRequested)
	e.current, e.verify = input.CurrentPassword.Value(), true
	return r.userPayload(r.applyEdit(ctx, e, func() (err error) {
		if e.returnTo, err = r.returnTo(input.ReturnTo); err != nil {
			return err
		}
		return e.setEmail(input.Email)
	}))
}

// changeMails are those of a change of the own account. Where a new address waits to be confirmed, as many mails go
// out for one that is somebody else's: that person learns of it, and nobody can confirm it.
func (r *resolver) changeMails(ctx context.Context, e *edit) func(was, is *db.User, taken bool) []*db.Mail {
	if r.MailOff || !e.Email && !e.Password {
		return nil
	}
	return func(was, is *db.User, taken bool) (mails []*db.Mail) {
		if e.Password {
			mails = r.mailNotice(ctx, db.MailPassword, was, db.MailData{})
		}
		switch {
		case is.EmailCanonical != was.EmailCanonical: // at once, in place of one that was never confirmed
			mails = append(mails, r.addressNotice(ctx, db.MailEmailChanged, was, is.Email)...)
			if e.verify || r.RequireVerifiedEmail { // the document of a dialect may promise no such mail (OT-37)
				mails = append(mails, r.mail(ctx, db.MailVerifyEmail, is.ID, *is.Email, is.EmailCanonical))
			}
		case e.Email && is.PendingEmail != nil:
			mails = append(mails, r.pendingMails(ctx, was, is, taken)...)
		}
		return leadOn(e.returnTo, mails...)
	}
}

// pendingMails are those of an address that waits, shown or not. The former one is told of each address once; asked for
// again, only the mail to confirm goes out again.
func (r *resolver) pendingMails(ctx context.Context, was, is *db.User, taken bool) (mails []*db.Mail) {
	kind, user := db.MailConfirmChange, is.ID
	if taken {
		kind, user = db.MailAddressTaken, db.UserID{}
	}
	// Also where the document of a dialect promises no such mail (OT-37): an address that is only shown recovers
	// nothing.
	mails = append(mails, r.mail(ctx, kind, user, *is.PendingEmail, *is.PendingEmailCanonical))
	if was.PendingEmailCanonical != nil && *was.PendingEmailCanonical == *is.PendingEmailCanonical &&
		was.PendingShown == is.PendingShown {
		return mails
	}
	told := db.MailChangeAsked
	if is.PendingShown {
		told = db.MailEmailChanged
	}
	return append(mails, r.addressNotice(ctx, told, was, is.PendingEmail)...)
}

// addressNotice tells the former address of a new one, with a link to take the change back. An address that nobody ever
// proved to own gets no link: its reader may be a stranger to whom somebody mistyped it (OT-21).
func (r *resolver) addressNotice(ctx context.Context, kind db.MailKind, was *db.User, to *string) []*db.Mail {
	mails := r.mailNotice(ctx, kind, was, db.MailData{NewAddress: *to})
	for _, m := range mails {
		if m.Data.Unconfirmed {
			m.NoLink()
		}
	}
	return mails
}
