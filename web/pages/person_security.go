package pages

import (
	"net/http"
	"net/url"
	"time"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// app is an authenticator app in force.
type app struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	CreatedAt  time.Time  `json:"createdAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"` // nil for never
}

// session is a device that is signed in.
type session struct {
	ID        string    `json:"id"`
	IsCurrent bool      `json:"isCurrent"`
	IPAddress *string   `json:"ipAddress"`
	CreatedAt time.Time `json:"createdAt"`
	Device    struct {
		Name string `json:"name"`
	} `json:"device"`
}

// doneNotices is what /account/security says after an act of it, by the parameter done of its address.
func doneNotices() map[string]string {
	return map[string]string{
		"added":     "The app is set up. From now on you are asked for a code when you sign in.",
		"renamed":   "The app has its new name.",
		"removed":   "The app is removed.",
		"forgotten": "Every device is asked for a second factor at its next sign-in.",
		"ended":     "That device is signed out.",
		"others":    "All other devices are signed out.",
	}
}

// act is what a button of /account/security does: a mutation, the fields of the form that it takes, and the notice
// after it.
type act struct {
	document string
	fields   []string
	done     string
}

func securityAct(name string) act {
	return map[string]act{
		"rename": {"updateAuthenticator", []string{"id", "name"}, "renamed"},
		"remove": {"removeAuthenticator", []string{"id"}, "removed"},
		"codes":  {"regenerateRecoveryCodes", nil, ""},
		"forget": {"forgetDevices", nil, "forgotten"},
		"end":    {"revokeSession", []string{"id"}, "ended"},
		"others": {"revokeOtherSessions", nil, "others"},
		"add":    {"setupTotp", []string{"name"}, ""},
		"app":    {"confirmTotp", []string{"id", "code"}, "added"},
		"leave":  {"logout", nil, ""},
	}[name]
}

func (a *account) showSecurity(w http.ResponseWriter, r *http.Request) { a.securityPage(w, r, nil) }

// securityPage shows the account of the session cookie; without one it leads to the sign-in.
func (a *account) securityPage(w http.ResponseWriter, r *http.Request, why *refusal) {
	var data struct {
		Me       *person   `json:"me"`
		Sessions []session `json:"sessions"`
	}
	err := a.graphql.Do(r.Context(), a.documents["security"], nil, &data)
	if f := fault.From(err); err != nil && (f == nil || f.Code != fault.Unauthenticated) {
		out := errorOutcome(err)
		why = &refusal{text: out.Problem, status: out.status, wait: out.wait}
		a.show(w, r, "security.html", a.personView(r, "Security"), why)
		return
	}
	if err != nil || data.Me == nil || data.Me.Mfa == nil {
		a.lead(w, r, signInPath, url.Values{})
		return
	}
	v := a.personView(r, "Security")
	v.Person, v.Sessions, v.Who = data.Me, data.Sessions, data.Me.name()
	if r.Method != http.MethodPost {
		v.Notice = doneNotices()[r.URL.Query().Get("done")]
	}
	a.show(w, r, "security.html", v, why)
}

// postSecurity does what a button says, after the proof that may come with it.
func (a *account) postSecurity(w http.ResponseWriter, r *http.Request, form url.Values) {
	do := securityAct(form.Get("do"))
	if do.document == "" {
		a.securityPage(w, r, &refusal{text: "This page has no such button.", status: http.StatusBadRequest})
		return
	}
	if form.Has("proof") {
		if why := a.prove(r, form); why != nil {
			a.askProof(w, r, form, do, why)
			return
		}
	}
	variables := map[string]any{}
	for _, field := range do.fields {
		if text := form.Get(field); text != "" || field != "name" || do.document != "setupTotp" {
			variables[field] = text
		}
	}
	got, why := a.ask(r.Context(), do.document, variables)
	if why != nil {
		a.refuseAct(w, r, form, do, why)
		return
	}
	a.acted(w, r, do, got)
}

// acted shows what an act gave.
func (a *account) acted(w http.ResponseWriter, r *http.Request, do act, got *personPayload) {
	switch {
	case len(got.RecoveryCodes) > 0:
		a.showCodes(w, r, got.RecoveryCodes)
	case got.Enrolment != nil:
		a.showEnrolment(w, r, got.Enrolment, "", nil)
	case do.document == "logout":
		a.lead(w, r, signInPath, url.Values{})
	default:
		a.lead(w, r, securityPath, url.Values{"done": {do.done}})
	}
}

// refuseAct says why an act had no effect, or asks for the proof that it takes.
func (a *account) refuseAct(w http.ResponseWriter, r *http.Request, form url.Values, do act, why *refusal) {
	switch {
	case why.code == fault.Unauthenticated:
		a.lead(w, r, signInPath, url.Values{})
	case why.code == fault.SudoRequired:
		a.askProof(w, r, form, do, nil)
	case do.document == "confirmTotp" && (why.code == fault.InvalidCode || why.code == fault.InvalidInput):
		a.showEnrolment(w, r, enrolmentOf(form), "", why)
	default:
		a.securityPage(w, r, why)
	}
}

// prove opens the sudo window by what was typed: a code of an account that has a second factor, or the password.
func (a *account) prove(r *http.Request, form url.Values) *refusal {
	variables := map[string]any{"password": form.Get("proof")}
	if method := form.Get("proofMethod"); method != "" {
		variables = map[string]any{"code": form.Get("proof"), "method": method}
	}
	_, why := a.ask(r.Context(), "sudo", variables)
	return why
}

// askProof asks who somebody is before an act, and keeps the form of the act. What guards the account is asked for: a
// code where it has a second factor, the password elsewhere.
func (a *account) askProof(w http.ResponseWriter, r *http.Request, form url.Values, do act, why *refusal) {
	var data struct {
		Me *person `json:"me"`
	}
	if why != nil && why.code == fault.Unauthenticated ||
		a.graphql.Do(r.Context(), a.documents["security"], nil, &data) != nil || data.Me == nil {
		a.lead(w, r, signInPath, url.Values{})
		return
	}
	v := a.personView(r, "Is it you?")
	v.Who, v.Kept = data.Me.name(), map[string]string{"do": form.Get("do"), "returnTo": v.ReturnTo}
	for _, field := range append(do.fields, "secret", "qr") {
		if form.Has(field) {
			v.Kept[field] = form.Get(field)
		}
	}
	if mfa := data.Me.Mfa; mfa != nil && mfa.Enabled {
		v.Challenge = &challenge{Methods: []string{totpMethod}}
		if mfa.RecoveryCodesRemaining > 0 {
			v.Challenge.Methods = append(v.Challenge.Methods, recoveryMethod)
		}
		v.Method = methodOf(form.Get("proofMethod"), v.Challenge.Methods)
	}
	a.show(w, r, "sudo.html", v, why)
}
