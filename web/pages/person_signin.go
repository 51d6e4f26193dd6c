package pages

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// The steps of /account/signin, as its forms name them.
const (
	stepChallenge = "challenge" // shows the challenge that another page got
	stepCode      = "code"      // answers it
	stepEnrol     = "enrol"     // begins the set-up that the account must have
	stepConfirm   = "confirm"   // ends it
)

const totpMethod, recoveryMethod = "TOTP", "RECOVERY_CODE"

// challenge is what a sign-in asks for beyond its first factor.
type challenge struct {
	Token             string   `json:"token"`
	Methods           []string `json:"methods"`
	EnrolmentRequired bool     `json:"enrolmentRequired"`
}

// fields are the hidden fields by which a form hands a challenge on.
func (c *challenge) fields() map[string]string {
	step := stepChallenge
	if c.EnrolmentRequired {
		step = stepEnrol
	}
	return map[string]string{"step": step, "challenge": c.Token, "methods": c.Words()}
}

// Words is the methods in one field.
func (c *challenge) Words() string { return strings.Join(c.Methods, " ") }

// Other is the method beside another, "" for none.
func (c *challenge) Other(method string) string {
	for _, m := range c.Methods {
		if m != method {
			return m
		}
	}
	return ""
}

func challengeOf(form url.Values) *challenge {
	return &challenge{Token: form.Get("challenge"), Methods: strings.Fields(form.Get("methods"))}
}

// methodOf is the method that a form names, or else the first one that there is.
func methodOf(named string, methods []string) string {
	if slices.Contains(methods, named) || len(methods) == 0 {
		return named
	}
	return methods[0]
}

func (a *account) showSignIn(w http.ResponseWriter, r *http.Request) {
	a.signInForm(w, r, nil)
}

// signInForm asks for the password.
func (a *account) signInForm(w http.ResponseWriter, r *http.Request, why *refusal) {
	v := a.personView(r, "Sign in")
	if r.Method != http.MethodPost {
		v.Who = a.signedIn(r.Context())
	}
	v.Unconfirmed = why != nil && why.code == fault.NotVerified
	a.show(w, r, "signin.html", v, why)
}

func (a *account) postSignIn(w http.ResponseWriter, r *http.Request, form url.Values) {
	switch form.Get("step") {
	case stepChallenge:
		a.showChallenge(w, r, challengeOf(form), form.Get("method"), nil)
	case stepCode:
		a.answerChallenge(w, r, form)
	case stepEnrol:
		a.enrol(w, r, form.Get("challenge"))
	case stepConfirm:
		a.confirmEnrolment(w, r, form)
	default:
		a.signIn(w, r, form)
	}
}

// signIn signs in by a password.
func (a *account) signIn(w http.ResponseWriter, r *http.Request, form url.Values) {
	who := strings.TrimSpace(form.Get("who"))
	if who == "" || form.Get("password") == "" {
		a.signInForm(w, r, &refusal{
			text: "Please enter your email address or username, and your password.", status: http.StatusOK,
		})
		return
	}
	variables := map[string]any{"password": form.Get("password")}
	if strings.Contains(who, "@") {
		variables["email"] = who
	} else {
		variables["username"] = who
	}
	got, why := a.ask(r.Context(), "login", variables)
	if why != nil {
		a.signInForm(w, r, why)
		return
	}
	a.goOn(w, r, got)
}

// goOn leads a person on whose first factor was right.
func (a *account) goOn(w http.ResponseWriter, r *http.Request, got *personPayload) {
	switch c := got.Challenge; {
	case c == nil:
		a.leadOn(w, r, got.User)
	case c.EnrolmentRequired:
		a.enrol(w, r, c.Token)
	default:
		a.showChallenge(w, r, c, totpMethod, nil)
	}
}

// showChallenge asks for a code.
func (a *account) showChallenge(w http.ResponseWriter, r *http.Request, c *challenge, method string, why *refusal) {
	v := a.personView(r, "One more step")
	v.Challenge, v.Method = c, methodOf(method, c.Methods)
	a.show(w, r, "challenge.html", v, why)
}

// answerChallenge signs in by a code.
func (a *account) answerChallenge(w http.ResponseWriter, r *http.Request, form url.Values) {
	c, method := challengeOf(form), form.Get("method")
	if method != recoveryMethod {
		method = totpMethod
	}
	got, why := a.ask(r.Context(), "verifyMfa", map[string]any{
		"challengeToken": c.Token, "method": method, "code": form.Get("code"),
		"rememberDevice": form.Get("remember") != "",
	})
	switch {
	case why == nil:
		a.leadOn(w, r, got.User)
	case why.code == fault.InvalidToken:
		a.ended(w, r)
	default:
		if why.code == fault.InvalidCode && method == recoveryMethod {
			why.text = "This recovery code is wrong, or was used before: each is good once."
		}
		a.showChallenge(w, r, c, method, why)
	}
}

// ended begins a sign-in again whose challenge is over.
func (a *account) ended(w http.ResponseWriter, r *http.Request) {
	a.signInForm(w, r, &refusal{
		code: fault.InvalidToken, status: http.StatusOK,
		text: "That took more than five minutes, or too many tries. Please sign in again.",
	})
}

// appEnrolment is what an authenticator app needs to know.
type appEnrolment struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	QRCode string `json:"qrCodeDataUri"`
}

const pngData = "data:image/png;base64,"

// Image is the QR code. The text may come out of a form, and is taken for an image in Base64 alone.
func (e *appEnrolment) Image() template.URL {
	data, ok := strings.CutPrefix(e.QRCode, pngData)
	if !ok || strings.Trim(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != "" {
		return pngData
	}
	return template.URL(e.QRCode) //nolint:gosec // checked above
}

// Groups is the secret in groups of four, for who types it.
func (e *appEnrolment) Groups() (groups []string) {
	for part := range slices.Chunk([]byte(e.Secret), 4) {
		groups = append(groups, string(part))
	}
	return groups
}

func enrolmentOf(form url.Values) *appEnrolment {
	return &appEnrolment{ID: form.Get("id"), Secret: form.Get("secret"), QRCode: form.Get("qr")}
}

// enrol begins the set-up of the app that an account must have before it is signed in.
func (a *account) enrol(w http.ResponseWriter, r *http.Request, token string) {
	got, why := a.ask(r.Context(), "setupTotp", map[string]any{"challengeToken": token})
	switch {
	case why == nil:
		a.showEnrolment(w, r, got.Enrolment, token, nil)
	case why.code == fault.InvalidToken:
		a.ended(w, r)
	default:
		a.signInForm(w, r, why)
	}
}

// showEnrolment shows the QR code and asks for a first code; without a challenge for a person who is signed in.
func (a *account) showEnrolment(
	w http.ResponseWriter, r *http.Request, e *appEnrolment, challenge string, why *refusal,
) {
	v := a.personView(r, "Set up an authenticator app")
	v.Enrolment, v.Next = e, securityPath
	if challenge != "" {
		v.Challenge, v.Next = challengeOf(url.Values{"challenge": {challenge}}), signInPath
		v.Lead = "This account needs a second factor before you are signed in."
	}
	a.show(w, r, "enrol.html", v, why)
}

// confirmEnrolment ends the set-up, and with it the sign-in.
func (a *account) confirmEnrolment(w http.ResponseWriter, r *http.Request, form url.Values) {
	token := form.Get("challenge")
	got, why := a.ask(r.Context(), "confirmTotp", map[string]any{
		"id": form.Get("id"), "code": form.Get("code"), "challengeToken": token,
	})
	switch {
	case why == nil && len(got.RecoveryCodes) > 0:
		a.showCodes(w, r, got.RecoveryCodes)
	case why == nil:
		a.leadOn(w, r, got.User)
	case why.code == fault.InvalidToken:
		a.ended(w, r)
	case why.code == fault.NotFound:
		a.enrol(w, r, token)
	default:
		a.showEnrolment(w, r, enrolmentOf(form), token, why)
	}
}

// showCodes shows recovery codes, this once.
func (a *account) showCodes(w http.ResponseWriter, r *http.Request, codes []string) {
	v := a.personView(r, "Keep your recovery codes")
	v.Codes, v.Next = codes, securityPath
	a.show(w, r, "codes.html", v, nil)
}
