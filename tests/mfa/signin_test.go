package mfa

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/totp"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// MF-04, MF-07: an app that waits for its first code asks nobody for anything; one in force makes a sign-in answer with
// a challenge, which opens nothing but what a right code makes of it.
func TestMF04_SignIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.SetupTotpDoc, nil))
		harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass))
		app := s.Enrols(t, ada.Access)
		if len(app.Codes) != 10 {
			t.Fatalf("%d recovery codes", len(app.Codes))
		}
		challenge := s.Challenged(t, ada.Email)
		for _, credential := range []string{challenge} {
			if s.Is(t, credential, ada) {
				t.Error("a challenge authenticates")
			}
		}
		harness.RefusedWith(t, s.Refresh(t, challenge), "INVALID_TOKEN")
		harness.RefusedWith(t, s.Answers(t, challenge, "000000"), "INVALID_CODE")
		code := s.NextCode(t, app)
		a := harness.Fine(t, s.Answers(t, challenge, code))
		if !s.Is(t, a.Text("verifyMfa", "tokens", "accessToken"), ada) {
			t.Error(a.Raw)
		}
		if got := a.Text("verifyMfa", "session", "sudoMethod"); got != "TOTP" {
			t.Error(a.Raw)
		}
		harness.RefusedWith(t, s.Answers(t, challenge, s.NextCode(t, app)), "INVALID_TOKEN")
		harness.Fine(t, s.Refresh(t, a.Text("verifyMfa", "tokens", "refreshToken")))
		if left := s.GraphQL(t, ada.Access, harness.MfaStatusDoc, nil); left.At("me", "mfa", "guessesRemaining") !=
			float64(299) {
			t.Error(left.Raw)
		}
	})
}

// MF-01, MF-02: a code is good once, and in its own step of 30 seconds and those beside it alone.
func TestMF01_OncePerStep(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		for _, row := range []struct {
			step int
			want string
		}{
			{-2, "INVALID_CODE"},
			{-1, ""},
			{-1, "INVALID_CODE"},
			{0, ""},
			{0, "INVALID_CODE"},
			{-1, "INVALID_CODE"},
			{1, ""},
			{2, "INVALID_CODE"},
		} {
			if row.step == -2 {
				s.Clock.Add(10 * totp.Period)
			}
			code := app.Code(t, s.Clock.Now().Add(time.Duration(row.step)*totp.Period))
			if got := s.Answers(t, s.Challenged(t, ada.Email), code).Code(); got != row.want {
				t.Errorf("step %d: %q, want %q", row.step, got, row.want)
			}
		}
	})
}

// OT-02, MF-01: of 64 answers at once by one code, to one challenge or to many, one signs in.
func TestOT02_CodesAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=off")
		ada := s.Register(t, "ada@example.com")
		app := s.Enrols(t, ada.Access)
		recovery := func(c, code string) []any {
			return []any{"challengeToken", c, "method", "RECOVERY_CODE", "code", code}
		}
		var many []string
		for range 16 {
			many = append(many, s.Challenged(t, ada.Email))
		}
		code := s.NextCode(t, app)
		for name, of := range map[string]func(n int) []any{
			"one challenge": func(int) []any {
				return []any{
					"challengeToken", many[0], "method", "TOTP", "code",
					code,
				}
			},
			"recovery codes":  func(n int) []any { return recovery(many[1+n%15], app.Codes[0]) },
			"a recovery code": func(n int) []any { return recovery(many[1+n%15], app.Codes[1]) },
		} {
			won := 0
			for _, a := range harness.Together(64, func(n int) (*harness.Answer, error) {
				return harness.Send(s.URL, "", harness.VerifyMfaDoc, harness.InputOf(of(n)...))
			}) {
				if a != nil && a.Code() == "" {
					won++
				}
			}
			if won != 1 {
				t.Errorf("%s: %d signed in", name, won)
			}
		}
	})
}
