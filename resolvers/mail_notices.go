package resolvers

import (
	"context"
	"slices"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// manyFailures is how many failures before a successful sign-in make a mail.
const manyFailures = 5

// mailNotice makes the mail that tells the owner of an account what just happened to it, and from which device and
// address. It is empty where no mail is sent. It says whether the address is confirmed: such notices are never dropped
// (OT-32).
func (r *resolver) mailNotice(ctx context.Context, kind db.MailKind, u *db.User, data db.MailData) []*db.Mail {
	if r.MailOff || u.Email == nil {
		return nil
	}
	m := r.mail(ctx, kind, u.ID, *u.Email, u.EmailCanonical)
	data.Device, data.IP = device(nilIfEmpty(visit.From(ctx).UserAgent)).Name, clientIP(ctx)
	data.Unconfirmed = !u.EmailVerified()
	m.Data = data
	return []*db.Mail{m}
}

// takeOverNotice says that a sign-in by mail took a never confirmed account over, and that its password is gone.
func (r *resolver) takeOverNotice(ctx context.Context, m *db.TokenWithUser) []*db.Mail {
	if !m.TakesOver() {
		return nil
	}
	return r.mailNotice(ctx, db.MailTookOver, &m.User, db.MailData{})
}

// keyMails makes the mail about a change of an API key. A key that may no more than before makes none.
func (r *resolver) keyMails(ctx context.Context, c *caller, change db.KeyChange) db.KeyMails {
	return func(was, is *db.ApiKey) []*db.Mail {
		had := func(p db.Permission) bool { return slices.Contains(was.Scopes, p) }
		if change == db.KeyWidened && !slices.ContainsFunc(is.Scopes, func(p db.Permission) bool { return !had(p) }) {
			return nil
		}
		return r.mailNotice(ctx, db.MailKeyMade, &c.User, db.MailData{
			Key: &db.MailKey{Name: is.Name, Scopes: is.Scopes, Change: change},
		})
	}
}

// factorNotice makes the mail about a second factor.
func (r *resolver) factorNotice(ctx context.Context, news db.FactorNews, u *db.User, name string) []*db.Mail {
	return r.mailNotice(ctx, db.MailSecondFactor, u, db.MailData{Factor: &db.MailFactor{Change: news, Name: name}})
}

// codeUsedNotice makes the mail about a recovery code that was used, once it is known how many are left.
func (r *resolver) codeUsedNotice(ctx context.Context, u *db.User) func(left int) []*db.Mail {
	return func(left int) []*db.Mail {
		return r.mailNotice(ctx, db.MailSecondFactor, u, db.MailData{
			Factor: &db.MailFactor{Change: db.FactorCodeUsed, Left: left},
		})
	}
}

// tellOfTries tells the owner, once a day each, of the wrong code that ended a challenge and of the one that spent the
// budget of guesses. Administrators have the event and the line of the log.
func (r *resolver) tellOfTries(ctx context.Context, s shownCode) error {
	for news, due := range map[db.FactorNews]bool{
		db.FactorWrongCodes: s.lastOfChallenge, db.FactorGuessesSpent: s.lastOfYear,
	} {
		if !due {
			continue
		}
		first, err := r.DB.TellOfTries(ctx, s.user.ID, news, r.factorNotice(ctx, news, s.user, ""), r.now())
		if err != nil {
			return err
		}
		if first && news == db.FactorGuessesSpent {
			r.Log.WarnContext(ctx, "codes of apps closed to unknown devices",
				append(from(ctx), "account", s.user.ID.String())...)
		}
	}
	return nil
}

// notices makes the mails that the success or the failure of a sign-in may queue (LG-20).
func (r *resolver) notices(ctx context.Context, a *db.Attempt) (n db.Notices) {
	if a.NewDevice && !a.Known {
		n.NewDevice = r.mailNotice(ctx, db.MailNewSignIn, &a.User, db.MailData{})
	}
	if a.Failures >= manyFailures {
		n.AfterFailures = r.mailNotice(ctx, db.MailAfterFailures, &a.User, db.MailData{Failures: a.Failures})
	}
	if a.NearlyDisabled() {
		n.Disabled = r.mailNotice(ctx, db.MailDisabled, &a.User, db.MailData{})
	}
	return n
}
