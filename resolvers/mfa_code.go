package resolvers

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/totp"
)

// shownCode is a code that somebody typed for an account.
type shownCode struct {
	user      *db.User
	challenge db.SessionID // that it answers; zero for a person who is signed in
	method    db.MfaMethod
	text      string
	shown     db.Shown // the device token of the request
	action    db.Action
	session   db.SessionID // of the events

	lastOfChallenge, lastOfYear bool // set by takeTry: no further code is compared
}

// checkCode counts a code before it compares it, for the challenge and for the year (MF-03, MF-14). A right code is not
// used up yet: db does so in the statement of what it opens.
func (r *resolver) checkCode(ctx context.Context, s shownCode) (*db.UsedFactor, error) {
	now := r.now()
	text := cleanCode(s.text)
	try := &db.FactorTry{User: s.user.ID, Session: s.challenge, Cost: 1}
	if knownForFactors(s.user, s.shown) {
		try.Device = s.shown.Device
	}
	if s.method == db.MfaRecovery {
		short := isShortRecoveryCode(text)
		if try.Free = !short; !short && !isRecoveryCode(text) {
			return nil, malformedCode()
		}
		if err := r.takeTry(ctx, &s, try, now); err != nil {
			return nil, err
		}
		return &db.UsedFactor{
			Try: try, Hashes: r.recoveryHashes(s.user.ID, text), Notice: r.codeUsedNotice(ctx, s.user),
		}, nil
	}
	if !totp.IsCode(text) {
		return nil, malformedCode()
	}
	apps, err := r.DB.Authenticators(ctx, s.user.ID)
	if err != nil {
		return nil, err
	}
	try.Cost = max(1, len(apps)) // each app is one more chance
	if err := r.takeTry(ctx, &s, try, now); err != nil {
		return nil, err
	}
	for _, app := range apps {
		raw, err := r.Sealing.Open(app.Sealed, totp.SealedAt(s.user.ID))
		if err != nil {
			continue // under a server secret that this server does not have
		}
		if step, ok := totp.Step(raw, text, now); ok && step > app.LastStep {
			return &db.UsedFactor{Try: try, Authenticator: app.ID, Step: step}, nil
		}
	}
	return nil, r.wrongCode(ctx, s)
}

// knownForFactors tells whether a device has a budget of guesses of its own: its token counts, and was made since the
// account has a second factor. An earlier one proves the password alone, and whoever knew it could collect any number.
func knownForFactors(u *db.User, shown db.Shown) bool {
	return shown.Counts(u) && u.MFAEnabledAt != nil && shown.IssuedAt.After(*u.MFAEnabledAt)
}

// cleanCode takes out what people type or paste beside a code.
func cleanCode(text string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\u00a0", "").Replace(text))
}

// takeTry counts a try, and refuses it where there is none left.
func (r *resolver) takeTry(ctx context.Context, s *shownCode, try *db.FactorTry, now time.Time) error {
	taken, left, err := r.DB.TakeFactorTry(ctx, try, now)
	switch {
	case err != nil:
		return err
	case taken:
		s.lastOfChallenge = !s.challenge.IsZero() && left.Challenge == 0
		s.lastOfYear = try.Device == uuid.Nil && left.Budget < try.Cost
		return nil
	}
	reason := "challenge_ended"
	refusal := errChallenge()
	if left.Budget < try.Cost {
		reason = "guesses_spent"
		refusal = fault.New(fault.AccountLocked, "Too many wrong codes: codes of apps are closed to this device. "+
			"Use a recovery code, or a device that you signed in on before.", "input", "code")
	}
	return r.refusedCode(ctx, *s, reason, refusal)
}

// wrongCode records a wrong code, tells of those that were one too many, and gives the error.
func (r *resolver) wrongCode(ctx context.Context, s shownCode) error {
	if err := r.tellOfTries(ctx, s); err != nil {
		return err
	}
	return r.refusedCode(ctx, s, "wrong_code", fault.New(fault.InvalidCode, "This code is wrong, or was used before. "+
		"Wait for the next one, and check that the clock of the app is right.", "input", "code"))
}

func (r *resolver) refusedCode(ctx context.Context, s shownCode, reason string, refusal error) error {
	e := db.Event{Action: s.action, Reason: reason, User: s.user.ID, Sess: s.session}
	if err := r.recordSampled(ctx, e); err != nil {
		return err
	}
	r.logFailure(ctx, s.action, reason)
	return auditedError{refusal}
}

func malformedCode() error {
	return fault.New(fault.InvalidInput, "A code of an app has six digits; a recovery code looks as it was shown.",
		"input", "code")
}

func errChallenge() error {
	return fault.New(fault.InvalidToken, "This sign-in has ended. Begin it again.", "input", "challengeToken")
}

// orNewDevice names a device that shows no device token of the account: it gets one.
func orNewDevice(u *db.User, shown db.Shown, at time.Time) db.Shown {
	if shown.Counts(u) {
		return shown
	}
	return db.Shown{Device: token.NewID(), Account: u.ID, IssuedAt: at}
}
