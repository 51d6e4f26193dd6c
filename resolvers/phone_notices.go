package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
)

// phoneMails are those of a number that was confirmed: to its account, and to the one that had it until now.
func (r *resolver) phoneMails(ctx context.Context) func(phone string, was, loser *db.User) []*db.Mail {
	return func(phone string, was, loser *db.User) []*db.Mail {
		change := db.PhoneConfirmed
		if was.PhoneVerified() && *was.Phone != phone {
			change = db.PhoneChanged
		}
		mails := r.phoneNotice(ctx, was, &phone, change)
		if loser == nil || r.MailOff || loser.Email == nil {
			return mails
		}
		// Where somebody else is, is not the loser's business.
		m := r.mail(ctx, db.MailPhoneChanged, loser.ID, *loser.Email, loser.EmailCanonical)
		m.Data = db.MailData{
			Phone:       &db.MailPhone{Number: abridgedPhone(phone), Change: db.PhoneMoved},
			Unconfirmed: !loser.EmailVerified(),
		}
		return append(mails, m)
	}
}

// phoneNotice tells the owner of an account what happened to its number.
func (r *resolver) phoneNotice(ctx context.Context, u *db.User, phone *string, change db.PhoneChange) []*db.Mail {
	if phone == nil {
		return nil
	}
	return r.mailNotice(ctx, db.MailPhoneChanged, u, db.MailData{
		Phone: &db.MailPhone{Number: abridgedPhone(*phone), Change: change},
	})
}

// abridgedPhone gives enough of a number for its owner to recognize it.
func abridgedPhone(phone string) string { return "…" + phone[len(phone)-2:] }

// closedNotice makes the mails that tell the owner of an account that codes do not sign in any more.
func (r *resolver) closedNotice(ctx context.Context) db.ClosedMails {
	return func(u *db.User) []*db.Mail { return r.mailNotice(ctx, db.MailCodesClosed, u, db.MailData{}) }
}
