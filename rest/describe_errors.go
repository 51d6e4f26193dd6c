package rest

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// The placeholders in a sample of an error, for values that depend on the request.
const (
	anySentence = "…"
	anyField    = "{field}"
)

// meanings explains every code in a sentence. The documentation shows it.
var meanings = map[string]string{
	malformedRequest: "The body or the query string cannot be read, or names something twice.",
	unsupportedMedia: "The body has a Content-Type that is not accepted here.",
	bodyTooLarge:     "The body has more than 64 KiB.",
	unknownRoute:     "No route has this path.",
	methodNotAllowed: "The path has no such method; the header Allow names those that it has.",
	crossSite:        "A page of another site sent the request.",
	mfaRequired: "The account has, or must have, a second factor: the answer holds a challenge and no tokens. " +
		"verifyMfa of GraphQL answers it, where the API has no route that does.",
	string(fault.RateLimited): "Too many requests; the header Retry-After says how long to wait.",
	string(fault.Unavailable): "Too many passwords are being checked at this moment; Retry-After says how " +
		"long to wait.",
	string(fault.Internal):           "Something went wrong on the side of the server.",
	string(fault.BadUserInput):       "A parameter is missing or has the wrong type.",
	string(fault.InvalidInput):       "A value is too long, too short or malformed.",
	string(fault.PasswordTooWeak):    "The password is too short, or easily guessed.",
	string(fault.PasswordBreached):   "The password is in a known breach corpus.",
	string(fault.InvalidCredentials): "The email address, username or password is wrong.",
	string(fault.WrongPassword):      "The current password is wrong.",
	string(fault.NotVerified):        "The password is right, and the address has to be confirmed first.",
	string(fault.InvalidToken):       "A refresh token, or the token of a mail, is wrong, spent or expired.",
	string(fault.InvalidCode):        "The code of the second factor is wrong, or was used before.",
	string(fault.TokenReused):        "The refresh token was used before; its session has ended.",
	string(fault.AlreadyExists):      "The email address or username is in use.",
	string(fault.NotFound):           "There is no such thing, or none that the caller may see.",
	string(fault.AccountLocked):      "Too many failures for this account; Retry-After says how long to wait.",
	string(fault.NotGrantable):       "The caller would give more than the caller has.",
	string(fault.Conflict):           "It changed meanwhile, or the step is not allowed now.",
	string(fault.FeatureDisabled):    "This is switched off on this server.",
	string(fault.Unauthenticated):    "There is no credential, or none that is good.",
	string(fault.Forbidden):          "The credential may not do this.",
	string(fault.SudoRequired):       "The person has to prove themselves again first.",
}

// describeError renders the row of a code with placeholders for the values that depend on the request.
func (d *Dialect) describeError(r *route, code string) Error {
	sample := apiError{code: code, field: []string{anyField}, found: map[string]any{}}
	if _, ok := standards[code]; !ok {
		sample.message = anySentence
	}
	if code == mfaRequired {
		sample.challenge = sampleChallenge(false)
	}
	if code == string(fault.BadUserInput) {
		sample.problem = "missing"
	}
	if code == string(fault.RateLimited) || code == string(fault.Unavailable) || code == string(fault.AccountLocked) {
		sample.retry = 30
	}
	ctx, cancel := bound(context.Background())
	defer cancel()
	request := map[string]any{
		"method":  "",
		"path":    "",
		"params":  map[string]any{},
		"headers": map[string]any{},
		"cookies": map[string]any{},
	}
	if r != nil {
		request["method"], request["path"] = r.method, r.path
	}
	out := Error{Code: code, Meaning: meanings[code], Status: standards[code].status}
	reply, err := d.render(ctx, r, &sample, request)
	if err != nil { // tryRow tries other samples, so an expression may still fail on this one
		return out
	}
	out.Status, out.Media, out.Body = reply.status, reply.media, string(reply.body)
	for _, h := range reply.headers {
		out.Headers = append(out.Headers, h[0])
	}
	if reply.retry > 0 {
		out.Headers = append(out.Headers, "Retry-After")
	}
	return out
}

// commonHeaders are the headers of examples that the description of a route leaves out.
var commonHeaders = []string{"Authorization", "X-Api-Key", "Cookie", "Content-Type", "Accept", "Content-Length"}

var (
	readsHeader = regexp.MustCompile(`\.headers(?:\.([A-Za-z_][A-Za-z0-9_]*)|\["([^"]+)"\])`)
	readsCookie = regexp.MustCompile(`\.cookies(?:\.([A-Za-z_][A-Za-z0-9_]*)|\["([^"]+)"\])`)
)

// readBy returns the request headers and cookies that the expressions of a route or the headers of its examples name,
// except credentials.
func (d *Dialect) readBy(r *route) (headers, cookies []string) {
	add := func(to *[]string, name string) {
		if !slices.Contains(*to, name) {
			*to = append(*to, name)
		}
	}
	for _, text := range r.expressions() {
		for _, found := range readsHeader.FindAllStringSubmatch(text, -1) {
			add(&headers, http.CanonicalHeaderKey(found[1]+found[2]))
		}
		for _, found := range readsCookie.FindAllStringSubmatch(text, -1) {
			if c := d.cookie(found[1] + found[2]); c != nil && !d.isCredential(credential.Cookie, c.names[0]) {
				for _, name := range c.names {
					add(&cookies, name)
				}
			}
		}
	}
	for _, e := range r.examples {
		for name := range e.Headers {
			name = http.CanonicalHeaderKey(name)
			if !slices.Contains(commonHeaders, name) && !d.isCredential(credential.Header, name) {
				add(&headers, name)
			}
		}
	}
	slices.Sort(headers)
	return headers, cookies
}

func (d *Dialect) isCredential(kind credential.Kind, name string) bool {
	return slices.ContainsFunc(d.credentials, func(s credential.Source) bool {
		return s.Kind == kind &&
			slices.ContainsFunc(s.Names, func(own string) bool { return strings.EqualFold(own, name) })
	})
}

// expressions returns the texts of all expressions of a route and its variants.
func (r *route) expressions() []string {
	var all []string
	add := func(trees ...*tree) {
		for _, t := range trees {
			all = t.expressions(all)
		}
	}
	for _, c := range r.checks {
		if c.when != nil {
			all = append(all, c.when.text)
		}
		for _, f := range c.all {
			all = append(all, f.when.text)
			add(f.add)
		}
		add(c.says)
	}
	for _, v := range r.variables {
		add(v.value)
	}
	for _, o := range r.outcomes {
		all = append(all, o.when.text)
	}
	for _, a := range r.answers() {
		add(a.status, a.body, a.plain, a.redirect)
		for _, h := range append(slices.Clone(a.headers), a.cookies...) {
			add(h.value)
		}
	}
	for _, v := range r.variants {
		all = append(append(all, v.when.text), v.route.expressions()...)
	}
	return all
}

func (t *tree) expressions(all []string) []string {
	if t == nil {
		return all
	}
	for _, e := range []*expr{t.expr, t.each} {
		if e != nil {
			all = append(all, e.text)
		}
	}
	for _, part := range t.parts {
		all = part.expressions(all)
	}
	return t.item.expressions(all)
}
