package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// changeMails are those of a change of the own account. Where a new address waits to be confirmed, the same number of mails goes out
// for an address that is somebody else's: that person learns of it, and nobody can confirm it.
func (r *resolver) changeMails(ctx context.Context, e *edit) (func(was, is *db.User, taken bool) []*db.Mail, error) {
	if !e.Email && !e.Password {
		return nil, nil
	}
	return func(was, is *db.User, taken bool) (mails []*db.Mail) {
		if e.Password {
			mails = append(mails, r.notice(ctx, db.MailPassword, was))
		}
		if is.EmailCanonical != was.EmailCanonical {
			told := r.notice(ctx, db.MailEmailChanged, was)
			told.Data.NewAddress, told.Data.Confirmed = *is.Email, was.EmailVerified()
			mails = append(mails, told, r.mail(ctx, db.MailVerifyEmail, is.ID, *is.Email, is.EmailCanonical))
		}
		if !e.Email || is.PendingEmail == nil {
			return mails
		}
		if taken {
			mails = append(mails, r.mail(ctx, db.MailAddressTaken, db.UserID{}, *is.PendingEmail, *is.PendingEmailCanonical))
		} else {
			mails = append(mails, r.mail(ctx, db.MailConfirmChange, is.ID, *is.PendingEmail, *is.PendingEmailCanonical))
		}
		if was.PendingEmailCanonical == nil || *was.PendingEmailCanonical != *is.PendingEmailCanonical {
			asked := r.notice(ctx, db.MailChangeAsked, was)
			asked.Data.NewAddress, asked.Data.Confirmed = *is.PendingEmail, was.EmailVerified()
			mails = append(mails, asked)
		}
		return mails
	}, nil
}

// taken gives the refusal of a name that somebody has, after telling the owner of an address that it was tried (LG-04).
func (r *resolver) taken(ctx context.Context, wanted *db.User, which *db.Taken) error {
	if which.Email && !which.Username {
		m := r.mail(ctx, db.MailAddressTaken, db.UserID{}, *wanted.Email, wanted.EmailCanonical)
		if err := r.DB.QueueMails(ctx, m); err != nil {
			return err
		}
	}
	return alreadyExists(which)
}

// CancelEmailChange is Mutation.cancelEmailChange.
func (r *resolver) CancelEmailChange(ctx context.Context, input graph.CancelEmailChangeInput) (*graph.UserPayload, error) {
	user, err := r.cancelEmailChange(ctx, input.Token)
	forget(ctx)
	if err != nil {
		errs, err := refused(r.record(ctx, err, db.Event{Action: "cancel_email_change"}))
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: user, UserErrors: accepted()}, nil
}

func (r *resolver) cancelEmailChange(ctx context.Context, text string) (*db.User, error) {
	id, err := r.Codec.ParseOneTime(text)
	if err != nil {
		return nil, errBadLink()
	}
	user, taken, err := r.DB.CancelEmailChange(ctx, id, r.now())
	switch {
	case err != nil:
		return nil, err
	case taken != nil:
		return nil, fault.New(fault.AlreadyExists, "Somebody else has this address by now.")
	case user == nil:
		return nil, errBadLink()
	}
	return user, nil
}

func errBadLink() error {
	return fault.New(fault.InvalidToken, "This link is wrong, was used already, or is too old.", "input", "token")
}
