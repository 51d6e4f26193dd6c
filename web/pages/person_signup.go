package pages

import (
	"net/http"
	"net/url"
	"strings"
)

func (a *account) showSignUp(w http.ResponseWriter, r *http.Request) { a.signUpForm(w, r, nil) }

func (a *account) signUpForm(w http.ResponseWriter, r *http.Request, why *refusal) {
	a.show(w, r, "signup.html", a.personView(r, "Create an account"), why)
}

// postSignUp registers. Where the address must be confirmed first the answer is the same for every address (LG-04).
func (a *account) postSignUp(w http.ResponseWriter, r *http.Request, form url.Values) {
	email, password := strings.TrimSpace(form.Get("email")), form.Get("password")
	problem := ""
	switch {
	case email == "" || password == "":
		problem = "Please enter your email address, and choose a password."
	case password != form.Get("repeat"):
		problem = "The two passwords are not the same."
	}
	if problem != "" {
		a.signUpForm(w, r, &refusal{text: problem, status: http.StatusOK})
		return
	}
	variables := map[string]any{"email": email, "password": password}
	for _, field := range []string{"username", "name"} {
		if text := strings.TrimSpace(form.Get(field)); text != "" {
			variables[field] = text
		}
	}
	if to := a.returnTo(r); to != "" {
		variables["returnTo"] = to
	}
	got, why := a.ask(r.Context(), "register", variables)
	switch {
	case why != nil:
		a.signUpForm(w, r, why)
	case got.ConfirmationRequired:
		v := a.personView(r, "Look into your mailbox")
		v.Lead = "A mail to " + email + " says how to go on. Nothing has come? Look among the unwanted mails."
		a.show(w, r, "mailed.html", v, nil)
	default:
		a.goOn(w, r, got)
	}
}
