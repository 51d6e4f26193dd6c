package resolvers

import (
	"cmp"
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// changeMails are those of a change of the own account. Where a new address waits to be confirmed, as many mails go out for one
// that is somebody else's: that person learns of it, and nobody can confirm it.
func (r *resolver) changeMails(ctx context.Context, e *edit) (func(was, is *db.User, taken bool) []*db.Mail, error) {
	if r.MailOff || !e.Email && !e.Password {
		return nil, nil
	}
	ask := map[db.MailKind]bool{}
	if e.Email && !e.AtOnce {
		for _, kind := range []db.MailKind{db.MailConfirmChange, db.MailAddressTaken} { // it is not known yet which
			var err error
			if ask[kind], err = r.mayMail(ctx, kind, e.To.EmailCanonical); err != nil {
				return nil, err
			}
		}
	}
	return func(was, is *db.User, taken bool) (mails []*db.Mail) {
		if e.Password {
			mails = r.mailNotice(ctx, db.MailPassword, was, db.MailData{})
		}
		if is.EmailCanonical != was.EmailCanonical {
			mails = append(mails, r.mailNotice(ctx, db.MailEmailChanged, was, db.MailData{NewAddress: *is.Email, Confirmed: was.EmailVerified()})...)
			mails = append(mails, r.mail(ctx, db.MailVerifyEmail, is.ID, *is.Email, is.EmailCanonical))
		}
		if e.Email && is.PendingEmail != nil {
			mails = append(mails, r.pendingMails(ctx, was, is, taken, ask)...)
		}
		return mails
	}, nil
}

// pendingMails are those of an address that waits. The former one is told of each address once; asked for again, only the mail to
// confirm goes out again.
func (r *resolver) pendingMails(ctx context.Context, was, is *db.User, taken bool, ask map[db.MailKind]bool) (mails []*db.Mail) {
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

// addressSet tells the former address of an account that an administrator set another one. There is no link to take that back:
// the former mailbox may be the reason for it.
func (r *resolver) addressSet(ctx context.Context) func(was, is *db.User) []*db.Mail {
	return func(was, is *db.User) []*db.Mail {
		if was.EmailCanonical == is.EmailCanonical {
			return nil
		}
		mails := r.mailNotice(ctx, db.MailEmailChanged, was, db.MailData{NewAddress: *is.Email})
		for _, m := range mails {
			m.TTLSeconds = 0
			m.Data.Device, m.Data.IP = "", "" // the administrator's, which are none of the person's business
		}
		return mails
	}
}

// taken gives the refusal of a name that somebody has, after telling the owner of an address that it was tried (LG-04).
func (r *resolver) taken(ctx context.Context, wanted *db.User, which *db.Taken) error {
	if which.Email && !which.Username && !r.MailOff {
		m := r.mail(ctx, db.MailAddressTaken, db.UserID{}, *wanted.Email, wanted.EmailCanonical)
		if may, err := r.mayMail(ctx, m.Kind, m.AddressCanonical); err != nil || !may {
			return cmp.Or(err, alreadyExists(which))
		}
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
		return nil, errMailToken()
	}
	user, taken, err := r.DB.CancelEmailChange(ctx, id, r.now())
	switch {
	case err != nil:
		return nil, err
	case taken != nil:
		return nil, fault.New(fault.AlreadyExists, "Somebody else has this address by now.")
	case user == nil:
		return nil, errMailToken()
	}
	return user, nil
}
