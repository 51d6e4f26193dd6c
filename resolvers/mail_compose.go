package resolvers

import (
	"cmp"
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// tokenLives is the lifetime of the token of a mail, unless the profile of the dialect has another one (OT-01).
var tokenLives = map[db.Purpose]time.Duration{
	db.PurposeVerifyEmail:   24 * time.Hour,
	db.PurposeResetPassword: 15 * time.Minute,
	db.PurposeMagicLink:     15 * time.Minute,
	db.PurposeConfirmChange: 24 * time.Hour,
	db.PurposeCancelChange:  72 * time.Hour, // OT-19
}

// setPasswordLives is the lifetime of a token to set a first password. It is long: the owner did not ask for the mail.
const setPasswordLives = 24 * time.Hour

// linkNames maps a kind of mail to its name in the profile of a dialect.
var linkNames = map[db.MailKind]string{
	db.MailVerifyEmail: "verifyEmail", db.MailResetPassword: "resetPassword", db.MailSetPassword: "resetPassword",
	db.MailMagicLink: "signIn", db.MailConfirmChange: "changeEmail",
}

// mail makes a mail about this request, for db to queue. The zero user stands for whoever has the address when the mail
// is resolved, if anybody has.
func (r *resolver) mail(ctx context.Context, kind db.MailKind, user db.UserID, address, canonical string) *db.Mail {
	v := visit.From(ctx)
	lives := tokenLives[kind.Purpose()]
	switch kind {
	case db.MailSetPassword:
		lives = setPasswordLives
	case db.MailLoginCode:
		lives = db.CodeLives
	}
	m := &db.Mail{
		ID:               db.NewMailID(),
		Kind:             kind,
		UserID:           user,
		Address:          address,
		AddressCanonical: canonical,
		Locale:           v.Languages,
		Dialect:          v.Dialect,
		State:            db.MailQueued,
		CreatedAt:        r.now(),
	}
	name := linkNames[kind]
	if kind == db.MailConfirmChange && r.emailAtOnce(ctx) {
		name = linkNames[db.MailVerifyEmail] // the document knows no address that waits
	}
	special := r.profile(ctx).Mails[name]
	m.Link = cmp.Or(special.Page, r.MailPages[name])
	lives = cmp.Or(special.TTL, lives)
	if kind != db.MailSetPassword { // whoever chooses the first password resets none
		m.Data.Button = special.Button
	}
	m.TTLSeconds = int(lives / time.Second)
	return m
}
