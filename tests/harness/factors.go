package harness

import (
	"encoding/base32"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/totp"
)

// The documents of second factors.
const (
	ChallengeParts = `challenge { token methods enrolmentRequired expiresAt }`
	userErrorParts = ` userErrors { code message field retryAfterSeconds }`

	MfaLoginDoc = `mutation L($input: LoginInput!) { login(input: $input) { user { id } session { id } ` +
		`tokens { accessToken refreshToken } deviceToken ` + ChallengeParts + userErrorParts + ` } }`
	VerifyMfaDoc = `mutation V($input: VerifyMfaInput!) { verifyMfa(input: $input) { user { id } session { id ` +
		`authMethods sudoMethod secondFactorAt } tokens { accessToken refreshToken sessionToken } deviceToken` +
		userErrorParts + ` } }`
	SetupTotpDoc = `mutation S($input: SetupTotpInput! = {}) { setupTotp(input: $input) { enrolment { id secret ` +
		`otpauthUri qrCodeDataUri expiresAt }` + userErrorParts + ` } }`
	ConfirmTotpDoc = `mutation C($input: ConfirmTotpInput!) { confirmTotp(input: $input) { user { id mfa { enabled } } ` +
		`authenticator { id name } recoveryCodes tokens { accessToken refreshToken } session { id } deviceToken` +
		userErrorParts + ` } }`
	RemoveAuthenticatorDoc = `mutation R($input: RemoveAuthenticatorInput!) { removeAuthenticator(input: $input) { ` +
		`user { id mfa { enabled } }` + userErrorParts + ` } }`
	RecoveryCodesDoc = `mutation { regenerateRecoveryCodes { recoveryCodes` + userErrorParts + ` } }`
	ForgetDevicesDoc = `mutation { forgetDevices {` + userErrorParts + ` } }`
	ResetMfaDoc      = `mutation R($input: ResetUserMfaInput!) { resetUserMfa(input: $input) { user { id }` +
		userErrorParts + ` } }`
	NameAuthenticatorDoc = `mutation N($input: UpdateAuthenticatorInput!) { updateAuthenticator(input: $input) { ` +
		`authenticator { name }` + userErrorParts + ` } }`
	MfaStatusDoc = `{ me { mfa { enabled required methods authenticators { id name lastUsedAt } ` +
		`recoveryCodesRemaining guessesRemaining } } }`
)

// App is an authenticator app of a test.
type App struct {
	ID, Secret string
	Codes      []string // recovery codes of the account, where this is its first app
	raw        []byte
}

// Code is what the app shows at a time.
func (a *App) Code(t testing.TB, at time.Time) string {
	t.Helper()
	code, err := totp.Code(a.raw, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// CodeOf is what an app shows now, by its secret.
func (i *Instance) CodeOf(secret string) (string, error) { return totp.CodeOf(secret, i.Clock.Now()) }

// NextCode waits for a code that was not used before, and gives it.
func (i *Instance) NextCode(t testing.TB, a *App) string {
	t.Helper()
	i.Clock.Add(totp.Period)
	return a.Code(t, i.Clock.Now())
}

// Enrols sets an authenticator app up for a person whose session is in its sudo window, by a second factor where the
// account has one.
func (i *Instance) Enrols(t testing.TB, access string) *App {
	t.Helper()
	app, _ := i.enrols(t, access)
	return app
}

// EnrolsBy sets an authenticator app up by a challenge, and gives the answer with the tokens.
func (i *Instance) EnrolsBy(t testing.TB, challenge string) (*App, *Answer) {
	t.Helper()
	return i.enrols(t, "", "challengeToken", challenge)
}

func (i *Instance) enrols(t testing.TB, access string, fields ...any) (*App, *Answer) {
	t.Helper()
	app := i.SetsUp(t, access, fields...)
	a := Fine(t, i.GraphQL(t, access, ConfirmTotpDoc,
		InputOf(append(fields, "id", app.ID, "code", i.NextCode(t, app))...)))
	codes, _ := a.At("confirmTotp", "recoveryCodes").([]any)
	for _, c := range codes {
		app.Codes = append(app.Codes, c.(string))
	}
	return app, a
}

// SetsUp begins the set-up of an authenticator app, which no code confirmed yet.
func (i *Instance) SetsUp(t testing.TB, access string, fields ...any) *App {
	t.Helper()
	a := Fine(t, i.GraphQL(t, access, SetupTotpDoc, InputOf(fields...)))
	app := &App{ID: a.Text("setupTotp", "enrolment", "id"), Secret: a.Text("setupTotp", "enrolment", "secret")}
	var err error
	if app.raw, err = base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(app.Secret); err != nil {
		t.Fatal(err)
	}
	return app
}

// Challenged signs in with the password of an account with a second factor, and gives the token of the challenge.
func (i *Instance) Challenged(t testing.TB, email string, fields ...any) string {
	t.Helper()
	a := Fine(t, i.GraphQL(t, "", MfaLoginDoc, InputOf(append(fields, "email", email, "password", GoodPass)...)))
	token := a.Text("login", "challenge", "token")
	if token == "" || a.At("login", "tokens") != nil || a.At("login", "user") != nil ||
		a.At("login", "session") != nil {
		t.Fatalf("no challenge, or more than one: %s", a.Raw)
	}
	return token
}

// Answers answers a challenge by a code of an app. It does not judge the answer.
func (i *Instance) Answers(t testing.TB, challenge, code string, fields ...any) *Answer {
	t.Helper()
	return i.GraphQL(t, "", VerifyMfaDoc, InputOf(append(fields, "challengeToken", challenge, "method", "TOTP", "code",
		code)...))
}

// ChallengeOfNobody is the token of a challenge that the servers of tests could have made, of a sign-in that never was.
func ChallengeOfNobody() string {
	master, err := secret.New([]byte(Secret))
	if err != nil {
		return err.Error()
	}
	return token.NewCodec(master, time.Now).Challenge(db.NewSessionID().UUID).Reveal()
}
