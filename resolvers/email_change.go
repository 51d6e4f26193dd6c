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
	e.current = input.CurrentPassword.Value()
	return r.userPayload(r.applyEdit(ctx, e, func() error { return e.setEmail(input.Email) }))
}

// changeMails makes the mails of a change of the caller's account. A pending address that belongs to somebody else gets
// one mail too, so that both cases look alike: its owner learns of the attempt, and gets nothing to confirm.
func (r *resolver) changeMails(ctx context.Context, e *edit) (func(was, is *db.User, taken bool) []*db.Mail, error) {
	if r.MailOff || !e.Email && !e.Password {
		return nil, nil
	}
	ask := map[db.MailKind]bool{}
	if e.Email && !e.AtOnce {
		// Both kinds count: which one is sent is known only after the write.
		for _, kind := range []db.MailKind{db.MailConfirmChange, db.MailAddressTaken} {
			var err error
			if ask[kind], err = r.allowMail(ctx, kind, e.To.EmailCanonical); err != nil {
				return nil, err
			}
		}
	}
	return func(was, is *db.User, taken bool) (mails []*db.Mail) {
		if e.Password {
			mails = r.mailNotice(ctx, db.MailPassword, was, db.MailData{})
		}
		if is.EmailCanonical != was.EmailCanonical {
			data := db.MailData{NewAddress: *is.Email, Confirmed: was.EmailVerified()}
			mails = append(mails, r.mailNotice(ctx, db.MailEmailChanged, was, data)...)
			mails = append(mails, r.mail(ctx, db.MailVerifyEmail, is.ID, *is.Email, is.EmailCanonical))
		}
		if e.Email && is.PendingEmail != nil {
			mails = append(mails, r.pendingMails(ctx, was, is, taken, ask)...)
		}
		return mails
	}, nil
}

// pendingMails makes the mails of a pending address. The present address gets one notice for each pending address. A
// repeated request for the same address sends only the mail to confirm it.
func (r *resolver) pendingMails(
	ctx context.Context, was, is *db.User, taken bool, ask map[db.MailKind]bool,
) (mails []*db.Mail) {
	kind, user := db.MailConfirmChange, is.ID
	if taken {
		kind, user = db.MailAddressTaken, db.UserID{}
	}
	if ask[kind] {
		mails = append(mails, r.mail(ctx, kind, user, *is.PendingEmail, *is.PendingEmailCanonical))
	}
	if was.PendingEmailCanonical == nil || *was.PendingEmailCanonical != *is.PendingEmailCanonical {
		data := db.MailData{NewAddress: *is.PendingEmail, Confirmed: was.EmailVerified()}
		mails = append(mails, r.mailNotice(ctx, db.MailChangeAsked, was, data)...)
	}
	return mails
}
