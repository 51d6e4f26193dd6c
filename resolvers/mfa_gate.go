package resolvers

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

const (
	challengeLasts = 5 * time.Minute
	rememberFor    = 30 * 24 * time.Hour
)

// MfaPolicy says who may and who must have a second factor.
type MfaPolicy struct {
	Off      bool     // nobody gets one; those who have one are asked for it
	Required bool     // everybody must have one
	Roles    []string // whoever has one of these must have one
}

// requires tells whether an account must have a second factor.
func (p MfaPolicy) requires(u *db.User) bool { return p.Required || slices.Contains(p.Roles, u.Role) }

// gate decides for every way in whether a session begins at once or waits for a second factor (MF-05, MF-13). A mail
// that takes an account over removes the factors of the one before.
func (r *resolver) gate(ctx context.Context, p proof, s *db.Session) error {
	s.Challenge, s.Remembered = nil, uuid.Nil
	enrolled, version := p.user.MFAEnabledAt != nil, p.user.AuthVersion
	if p.takesOver {
		enrolled, version = false, version+1
	}
	if !enrolled && !r.MfaPolicy.requires(p.user) {
		return nil
	}
	if enrolled && p.shown.Counts(p.user) {
		known, err := r.DB.Remembered(ctx, p.user.ID, p.shown.Device, p.at)
		if known {
			s.Remembered = p.shown.Device
		}
		if err != nil || known {
			return err
		}
	}
	lasts := cmp.Or(r.profile(ctx).ChallengeTTL, challengeLasts)
	s.Challenge = &db.NewChallenge{Until: p.at.Add(lasts), Version: version, Enrols: !enrolled}
	s.Device = nil
	return nil
}

// challengePayload is the answer of a sign-in that waits for its second factor. It tells nothing of the account but by
// what the challenge can be answered.
func (r *resolver) challengePayload(ctx context.Context, p proof, s *db.Session) (*graph.LoginPayload, error) {
	c := &graph.MfaChallenge{
		Token: r.Codec.Challenge(s.ID.UUID).Reveal(), ExpiresAt: s.Challenge.Until, Methods: []db.MfaMethod{},
		EnrolmentRequired: s.Challenge.Enrols,
	}
	if !c.EnrolmentRequired {
		var err error
		if c.Methods, err = r.mfaMethods(ctx, p.user); err != nil {
			return nil, err
		}
	}
	return &graph.LoginPayload{Challenge: c, UserErrors: noErrors()}, nil
}

// mfaMethods lists by what a challenge of an account can be answered.
func (r *resolver) mfaMethods(ctx context.Context, u *db.User) ([]db.MfaMethod, error) {
	methods := []db.MfaMethod{}
	if u.MFAEnabledAt == nil {
		return methods, nil
	}
	apps, err := r.DB.Authenticators(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	if len(apps) > 0 {
		methods = append(methods, db.MfaTOTP)
	}
	codes, err := r.DB.RecoveryCodesLeft(ctx, u.ID)
	if codes > 0 {
		methods = append(methods, db.MfaRecovery)
	}
	return methods, err
}

// remembers gives the device that an answer to a challenge names, zero for none.
func remembers(due bool, device uuid.UUID) uuid.UUID {
	if !due {
		return uuid.Nil
	}
	return device
}
