package mfa

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// ways says what each way in gives an account in each state. tokens: it is signed in, or its credential opens;
// challenge, enrolment: it must answer by a code, or get its first factor; none: nothing that opens anything.
const ways = `
                       none    an app     several    remembered required   spent      suspended
login by email         tokens  challenge  challenge  tokens     enrolment  challenge  none
login by username      tokens  challenge  challenge  tokens     enrolment  challenge  none
magic link             tokens  challenge  challenge  tokens     enrolment  challenge  none
refresh                tokens  tokens     tokens     tokens     tokens     tokens     none
session cookie         tokens  tokens     tokens     tokens     tokens     tokens     none
API key                tokens  tokens     tokens     tokens     tokens     tokens     none
authcompanion          tokens  none       none       tokens     none       none       none
wolfpal                tokens  none       none       tokens     none       none       none
service-authentication tokens  none       none       tokens     none       none       none
generic-v1             tokens  none       none       tokens     none       none       none
authentication-zero    tokens  none       none       tokens     none       none       none
reset by mail          none    none       none       none       none       none       none
login after the reset  tokens  challenge  challenge  challenge  enrolment  challenge  none
`

// dialectSignIns are the sign-ins of the REST APIs: route and body.
var dialectSignIns = map[string][2]string{
	"authcompanion": {
		"POST /v1/auth/login", `{"data":{"type":"users","attributes":{"email":"EMAIL","password":"PASSWORD"}}}`,
	},
	"wolfpal":                {"POST /auth/login", "email=EMAIL&password=PASSWORD"},
	"service-authentication": {"POST /login", `{"email":"EMAIL","password":"PASSWORD"}`},
	"generic-v1":             {"POST /api/v1/auth/login", `{"username":"EMAIL","password":"PASSWORD"}`},
	"authentication-zero":    {"POST /sign_in", `{"email":"EMAIL","password":"PASSWORD"}`},
}

// subject is an account in a state, with what it held before.
type subject struct {
	harness.Account
	name, device, key, magic, reset string
	cookie                          []string
	password                        string
}

// newSubject makes an account with a confirmed address, an API key, a cookie, a link to sign in and one to reset, and
// brings it into a state.
func newSubject(t *testing.T, s *harness.Instance, side *harness.Side, root harness.Account, state string) *subject {
	t.Helper()
	name := "is-" + strings.ReplaceAll(state, " ", "-")
	who := &subject{name: name, password: harness.GoodPass}
	who.Account = s.Register(t, name+"@example.com")
	side.MustExec(t, `UPDATE users SET email_verified_at = created_at WHERE email_canonical = '`+who.Email+`'`)
	harness.Fine(t, s.GraphQL(t, who.Access, harness.UpdateMeDoc, harness.InputOf("username", name)))
	_, who.key = s.NewKey(t, who.Access, nil)
	c, _ := s.BrowserIn(t, who.Email)
	who.cookie = harness.Carrying(c)
	switch state {
	case "an app", "spent":
		s.Enrols(t, who.Access)
	case "several":
		s.Enrols(t, who.Access)
		s.Enrols(t, who.Access)
	case "remembered":
		app := s.Enrols(t, who.Access)
		a := harness.Fine(t, s.Answers(t, s.Challenged(t, who.Email), s.NextCode(t, app), "rememberDevice", true))
		who.device = a.Text("verifyMfa", "deviceToken")
	}
	who.magic = s.Mailed(t, harness.AskMagicDoc, who.Email, "magic-link").Token
	who.reset = s.Mailed(t, harness.AskResetDoc, who.Email, "reset-password").Token
	switch state {
	case "spent":
		side.MustExec(t, `INSERT INTO factor_tries (user_id, scope, day, tries) SELECT id, '', '`+
			s.Clock.Now().UTC().Format(time.DateOnly)+`', 300 FROM users WHERE email_canonical = '`+who.Email+`'`)
	case "suspended":
		harness.Fine(t, s.GraphQL(t, root.Access, harness.SuspendDoc, harness.InputOf("id", who.ID)))
	}
	return who
}

var longText = regexp.MustCompile(`[A-Za-z0-9._~-]{20,}`)

// opens tells whether anything in a text is a credential of the account.
func opens(t *testing.T, s *harness.Instance, who *subject, text string) bool {
	t.Helper()
	for _, candidate := range longText.FindAllString(text, -1) {
		if s.Is(t, candidate, who.Account) {
			return true
		}
		if a := s.Refresh(t, candidate); a.Code() == "" && a.At("refresh", "tokens") != nil {
			return true
		}
	}
	return false
}

// ofPayload is what a payload of GraphQL gives.
func ofPayload(a *harness.Answer, field string) string {
	switch {
	case a.At(field, "tokens") != nil:
		return "tokens"
	case a.At(field, "challenge", "enrolmentRequired") == true:
		return "enrolment"
	case a.At(field, "challenge") != nil:
		return "challenge"
	}
	return "none"
}

// given is what a way in gives an account.
func given(t *testing.T, s *harness.Instance, who *subject, way string) string {
	t.Helper()
	yes := func(ok bool) string {
		if ok {
			return "tokens"
		}
		return "none"
	}
	if call, ok := dialectSignIns[way]; ok {
		body := strings.NewReplacer("EMAIL", who.Email, "PASSWORD", who.password).Replace(call[1])
		header := []string{"X-Device-Token", who.device}
		if !strings.HasPrefix(body, "{") {
			body = strings.ReplaceAll(strings.ReplaceAll(body, " ", "+"), "@", "%40")
			header = append(header, "Content-Type", "application/x-www-form-urlencoded")
		}
		r, err := s.Call(call[0], body, header...)
		if err != nil {
			t.Fatal(err)
		}
		text := r.Body
		for name, values := range r.Header {
			text += "\n" + name + ": " + strings.Join(values, "\n")
		}
		return yes(opens(t, s, who, text))
	}
	const parts = `tokens { accessToken } ` + harness.ChallengeParts + ` userErrors { code }`
	switch way {
	case "login by email", "login after the reset":
		return ofPayload(s.GraphQL(t, "", harness.MfaLoginDoc,
			harness.InputOf("email", who.Email, "password", who.password, "deviceToken", who.device)), "login")
	case "login by username":
		return ofPayload(s.GraphQL(t, "", harness.MfaLoginDoc,
			harness.InputOf("username", who.name, "password", who.password, "deviceToken", who.device)), "login")
	case "magic link":
		return ofPayload(s.GraphQL(t, "", `mutation M($input: LoginWithMagicLinkInput!) {
  loginWithMagicLink(input: $input) { `+parts+` } }`, harness.InputOf("token", who.magic, "deviceToken", who.device)),
			"loginWithMagicLink")
	case "refresh":
		return ofPayload(s.Refresh(t, who.Refresh), "refresh")
	case "session cookie":
		return yes(harness.Asked(t, s.URL, "", harness.MeDoc, nil, who.cookie...).Text("me", "id") == who.ID)
	case "API key":
		return yes(s.Is(t, who.key, who.Account))
	case "reset by mail":
		a := s.GraphQL(t, "", harness.ResetDoc, harness.InputOf("token", who.reset, "newPassword", harness.NewPass))
		if a.Code() == "" {
			who.password = harness.NewPass
		}
		return ofPayload(a, "resetPassword")
	}
	t.Fatalf("no such way: %s", way)
	return ""
}

// MF-05, MF-13: the matrix of who gets tokens, by every way in and in every state of an account.
func TestMF05_Matrix(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		env := []string{
			"DRAGOMAN_PUBLIC_URL=http://localhost:8080", "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_SESSION_LIMIT=100",
			"DRAGOMAN_ACCESS_TTL=1h",
		}
		s, side := harness.StartWithClock(t, c, dsn, env...), harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		lines := strings.Split(strings.Trim(ways, "\n"), "\n")
		gaps := regexp.MustCompile(` {2,}`)
		states := gaps.Split(strings.TrimSpace(lines[0]), -1)
		states = append(states[:3], strings.Fields(strings.Join(states[3:], " "))...)
		for i, state := range states {
			who := newSubject(t, s, side, root, state)
			at := s
			if state == "required" {
				at = harness.StartWithClock(t, c, dsn, append(env, "DRAGOMAN_MFA=required")...)
			}
			for _, line := range lines[1:] {
				way := strings.TrimSpace(line[:22])
				if got, want := given(t, at, who, way), strings.Fields(line[22:])[i]; got != want {
					t.Errorf("%s, %s: %s, want %s", way, state, got, want)
				}
			}
		}
	})
}
