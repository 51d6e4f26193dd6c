package resolvers

import (
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// tokenLives is how long the token of a mail is good unless the profile of the dialect says otherwise (OT-01).
var tokenLives = map[db.Purpose]time.Duration{
	db.PurposeVerifyEmail:   24 * time.Hour,
	db.PurposeResetPassword: 15 * time.Minute,
	db.PurposeMagicLink:     15 * time.Minute,
	db.PurposeConfirmChange: 24 * time.Hour,
	db.PurposeCancelChange:  72 * time.Hour, // OT-19
}

// setPasswordLives is for an account that was made without a password: its owner did not ask just now.
const setPasswordLives = 24 * time.Hour

// linkNames is under what name the profile of a dialect speaks of each mail.
var linkNames = map[db.MailKind]string{
	db.MailVerifyEmail: "verifyEmail", db.MailResetPassword: "resetPassword", db.MailSetPassword: "resetPassword",
	db.MailMagicLink: "signIn", db.MailConfirmChange: "changeEmail",
}

// mail makes a mail about the present request, to be queued with the change that it is about. The zero user is whoever
// has the address, if anybody has.
func (r *resolver) mail(ctx context.Context, kind db.MailKind, user db.UserID, address, canonical string) *db.Mail {
	v := visit.From(ctx)
	lives := tokenLives[kind.Purpose()]
	if kind == db.MailSetPassword {
		lives = setPasswordLives
	}
	m := &db.Mail{
		ID: db.NewMailID(), Kind: kind, UserID: user, Address: address, AddressCanonical: canonical,
		Locale: v.Languages, Dialect: v.Dialect, State: db.MailQueued, CreatedAt: r.now(),
	}
	if special, ok := r.profile(ctx).Mails[linkNames[kind]]; ok {
		m.Link = special.Link
		if special.TTL > 0 {
			lives = special.TTL
		}
	}
	m.TTLSeconds = int(lives / time.Second)
	return m
}
