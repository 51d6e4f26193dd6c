package resolvers

import (
	"context"
	"slices"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// redeemRegistration makes an account of a registration by the token of a mail. The token proves the mailbox. It does
// not prove who typed the password of the registration: see claim.
func (r *resolver) redeemRegistration(
	ctx context.Context, in tokenInput, m *db.TokenWithUser, input graph.VerifyEmailInput,
) (*graph.VerifyEmailPayload, error) {
	if reason := m.RejectReason(r.now(), in.purposes...); reason != "" {
		return nil, r.rejectToken(ctx, in, db.UserID{}, reason)
	}
	c, err := r.claim(ctx, m, input)
	if err != nil {
		return nil, r.record(ctx, err, db.Event{Action: in.action})
	}
	wanted := c.User.Username
	user, reason, err := r.tryRedeem(ctx, in, m, func(m *db.TokenWithUser) (*db.User, error) {
		if !m.OfRegistration() {
			return nil, errStale // somebody redeemed it meanwhile
		}
		return orStale(r.DB.RedeemRegistration(ctx, m, c, r.now()))
	})
	switch {
	case err != nil:
		return nil, err
	case user == nil:
		user, err = r.orConfirmed(ctx, in, m, reason, input.AllowConfirmed)
		return &graph.VerifyEmailPayload{Email: &m.Token.Address, User: user, ReturnTo: r.goesOn(m)}, err
	}
	payload := &graph.VerifyEmailPayload{
		Email: user.Email, User: user, PasswordMissing: user.PasswordHash == "", ReturnTo: r.goesOn(m),
	}
	if user.Username == nil {
		payload.UsernameTaken = wanted
	}
	return payload, nil
}

// claim decides which of the registrations of an address becomes the account, and by which password (OT-45). The device
// token or the password of a registration is the proof of who registered. Without a proof the registration of the mail
// counts, and its password does not: somebody else may have typed the address.
func (r *resolver) claim(
	ctx context.Context, m *db.TokenWithUser, input graph.VerifyEmailInput,
) (*db.Redemption, error) {
	now := r.now()
	g, proved := r.shownRegistration(ctx, m, input.DeviceToken.Value())
	if typed := input.Password.Value(); typed != nil && !proved {
		var err error
		if g, err = r.registrationByPassword(ctx, m, *typed); err != nil {
			return nil, err
		}
		proved = true
	}
	u := g.User()
	c := &db.Redemption{User: &u, Apart: !proved}
	chosen := input.NewPassword.Value()
	switch {
	case chosen != nil:
		var err error
		if c.Note, err = r.checkNewPassword(ctx, *chosen, &u); err != nil {
			return nil, atField(err, "newPassword")
		}
		if u.PasswordHash, err = r.Hasher.Hash(ctx, *chosen); err != nil {
			return nil, err
		}
	case proved:
		u.PasswordHash = g.PasswordHash
	case !input.Unattended:
		return nil, fault.New(fault.InvalidInput, "Please choose a password for the account. "+
			"Else show the device token of the registration, or type its password.", "input", "newPassword")
	case len(m.Registrations) == 1:
		u.PasswordHash, c.Alone = g.PasswordHash, true
	default:
		clearProfile(&u)
		u.Locale = nil
	}
	if input.StartEmpty {
		clearProfile(&u)
	}
	if !proved && !c.Alone {
		u.DevicesClearedAt = &now // the device token of the registration may be a stranger's
	}
	c.Mails = leadOn(m.Token.ReturnTo,
		r.redemptionMails(ctx, g, u.PasswordHash == "" && (g.SendPasswordSetup || !proved))...)
	return c, nil
}

func clearProfile(u *db.User) {
	u.Username, u.UsernameCanonical, u.Name, u.Metadata = nil, nil, nil, nil
}

// shownRegistration finds the registration whose device token the request shows, and tells whether it shows one. Else
// it gives the registration that the mail was for, or the newest where that one ended.
func (r *resolver) shownRegistration(
	ctx context.Context, m *db.TokenWithUser, given *string,
) (g *db.Registration, shown bool) {
	waiting := m.Waiting(r.now())
	of := func(id db.UserID) int {
		return slices.IndexFunc(waiting, func(g *db.Registration) bool { return g.ID == id })
	}
	if i := of(r.shownDevice(ctx, given).Account); i >= 0 {
		return waiting[i], true
	}
	return waiting[max(0, of(m.Token.RegistrationID))], false
}

// registrationByPassword finds the registration that a password is of. Each costs a hash; few wait for an address.
func (r *resolver) registrationByPassword(
	ctx context.Context, m *db.TokenWithUser, typed string,
) (*db.Registration, error) {
	if err := password.CheckForm(typed); err != nil {
		return nil, atField(err, "password")
	}
	for _, g := range m.Waiting(r.now()) {
		right, err := r.Hasher.Verify(ctx, g.PasswordHash, typed)
		if err != nil {
			return nil, err
		}
		if right {
			return g, nil
		}
	}
	return nil, fault.New(fault.InvalidInput,
		"This is not the password of the registration. Type it again, or choose a new one.", "input", "password")
}

// redemptionMails makes the mails that follow when a registration becomes an account, in the dialect in which somebody
// registered.
func (r *resolver) redemptionMails(ctx context.Context, g *db.Registration, setUp bool) (mails []*db.Mail) {
	if r.MailOff {
		return nil
	}
	ctx = visit.With(ctx, &visit.Visit{Dialect: g.Dialect, Languages: visit.From(ctx).Languages})
	if setUp {
		mails = append(mails, r.mail(ctx, db.MailSetPassword, g.ID, g.Address, g.AddressCanonical))
	}
	if g.SendWelcome {
		mails = append(mails, r.mail(ctx, db.MailWelcome, g.ID, g.Address, g.AddressCanonical))
	}
	return mails
}

// mailedRegistration is MailedToken for a token that makes an account of a registration.
func (r *resolver) mailedRegistration(ctx context.Context, m *db.TokenWithUser) *graph.MailedToken {
	g, proved := r.shownRegistration(ctx, m, nil)
	return &graph.MailedToken{
		Purpose: tokenPurpose(m.Token.Purpose), Email: g.Address, Registration: true, PasswordNeeded: !proved,
		Username: g.Username, Name: g.Name, Metadata: g.Metadata, ReturnTo: r.goesOn(m),
	}
}
