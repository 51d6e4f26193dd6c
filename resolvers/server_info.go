package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// ServerInfo is Query.serverInfo.
func (r *resolver) ServerInfo(ctx context.Context) (*graph.ServerInfo, error) {
	methods := []db.AuthMethod{db.AuthPassword}
	if !r.MailOff {
		methods = append(methods, db.AuthMagicLink, db.AuthEmailCode)
	}
	if r.SMSLogin {
		methods = append(methods, db.AuthSMS)
	}
	methods = append(methods, db.AuthAPIKey)
	return &graph.ServerInfo{
		Version:     r.Version,
		AuthMethods: methods,
		PasswordPolicy: &graph.PasswordPolicy{
			MinLength: r.policy(ctx).MinLength, MaxLength: password.MaxRunes, MaxBytes: password.MaxBytes,
			ChecksBreaches: !r.profile(ctx).Password.FlagGuessable,
		},
		RegistrationOpen: r.RegistrationOpen, VerifiedEmailRequired: r.RequireVerifiedEmail, SmsEnabled: !r.SMSOff,
	}, nil
}
