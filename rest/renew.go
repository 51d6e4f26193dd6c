package rest

import (
	"errors"
	"net/http"
	"slices"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
)

// renewal renews a request with a missing or expired session token and a cookie with a valid refresh token. The engine
// swaps the refresh token and runs the request again. The answer sets the new cookies, whatever it is.
type renewal struct {
	cookie     string  // holds the refresh token
	swap       *route  // its document and variables
	credential *tree   // the new credential of the request
	answer     *answer // the cookies
}

func (d *Dialect) decodeRenewal(n *node) error {
	r := &renewal{swap: &route{at: n, method: http.MethodPost}, answer: &answer{at: n}}
	if err := n.decode("renew", keys{
		"cookie":     text(&r.cookie),
		"variables":  pairsOf(&r.swap.variables),
		"document":   r.swap.decodeDocument,
		"credential": treeOf(&r.credential),
		"cookies":    pairsOf(&r.answer.cookies),
	}); err != nil {
		return err
	}
	d.renewal = r
	return n.require("renew", "cookie", "document", "credential", "cookies")
}

// completeRenewal checks renew: against the rest of the file.
func (d *Dialect) completeRenewal() error {
	r := d.renewal
	if r == nil {
		return nil
	}
	at := r.swap.at
	if d.cookie(r.cookie) == nil {
		return at.get("cookie").fault("Describe it under cookies:.", "there is no cookie %q", r.cookie)
	}
	if d.Profile.Refresh.SingleUse {
		return at.fault("Leave tokens: refresh: reuse: out, or renew:.",
			"of two requests that a page sends at once with one refresh token, reuse: refuse lets only one through")
	}
	if r.credential.expr == nil {
		return at.get("credential").fault("Write an expression that finds the new token in the document's data.",
			"the new credential is the same for everybody")
	}
	return r.answer.check(d)
}

// passing are the codes that say nothing about the refresh token. The caller sees them: UNAUTHENTICATED would make the
// caller drop a valid session.
var passing = []string{string(fault.RateLimited), string(fault.Unavailable), string(fault.Internal)}

// prepareRenewal validates the document of renew: against the schema.
func (e *Engine) prepareRenewal(d *Dialect) error {
	if d.renewal == nil {
		return nil
	}
	if e.matchExpired == nil {
		return errors.New("rest: MatchExpired is missing; a dialect with renew: needs it")
	}
	document, err := e.document(d.renewal.swap)
	if err != nil {
		return err
	}
	e.renewals[d] = document
	for _, code := range passing {
		if err := d.checkRow(d.renewal.swap.at, nil, code); err != nil {
			return err
		}
	}
	return nil
}

// renewable tells whether an unauthenticated request may be renewed. The request must come from a program, or from a
// page of ours or of a trusted origin (HT-04). A credential in a header must be the expired token of the session of the
// refresh token, because the header says as whom the caller wants to act (HT-05). A credential in a cookie may be a
// leftover, but not a token of another session: then another API of this host may have set a cookie of the same name.
func (x *exchange) renewable() bool {
	r := x.dialect.renewal
	if r == nil || x.req.Method == http.MethodHead || x.visit.Problem != "" ||
		!x.page && classifyOrigin(x.req, x.visit.Foreign) != direct {
		return false
	}
	refresh := x.dialect.cookie(r.cookie).read(x.req.Cookies())
	if refresh == "" {
		return false
	}
	expired, otherSession := x.engine.matchExpired(x.visit.Credential, refresh)
	return expired || !otherSession && x.inCookie()
}

// inCookie tells whether no header presents a credential. A credential can then only be in a cookie.
func (x *exchange) inCookie() bool {
	var elsewhere []credential.Source
	for _, s := range x.dialect.credentials {
		if s.Kind != credential.Cookie {
			elsewhere = append(elsewhere, s)
		}
	}
	presented, _ := credential.Read(x.req.Header, elsewhere)
	return presented == ""
}

// repeats tells whether the document may run again after this error. A mutation that failed with UNAUTHENTICATED
// changed nothing. A mutation whose outcome is UNAUTHENTICATED has taken effect.
func (m *mounted) repeats(err error) bool {
	apiErr, ok := errors.AsType[*apiError](err)
	return ok && apiErr.code == string(fault.Unauthenticated) &&
		m.document != nil && !(apiErr.after && m.document.Mutates())
}

// renew swaps the refresh token, and the request goes on with the new credential. An invalid refresh token changes
// nothing: renewed is false, and err nil.
func (x *exchange) renew() (renewed bool, err error) {
	r := x.dialect.renewal
	ctx, cancel := bound(x.req.Context())
	variables, err := evalAll(r.swap.variables, scope{ctx: ctx, dot: x.given, request: x.given})
	cancel()
	if err != nil {
		return false, err
	}
	data := map[string]any{}
	if err := x.engine.graphql.Do(x.req.Context(), x.engine.renewals[x.dialect], variables, &data); err != nil {
		if apiErr := asAPIError(err); slices.Contains(passing, apiErr.code) {
			return false, apiErr
		}
		return false, nil
	}
	if gqlhttp.TakeChallenge(data) != nil || userError(data) != nil {
		return false, nil
	}
	ctx, cancel = bound(x.req.Context())
	defer cancel()
	s := scope{ctx: ctx, dot: data, request: x.given}
	var out reply
	if err := x.dialect.headersOf(r.answer, s, &out); err != nil {
		return false, err
	}
	x.renewed = out.cookies // whatever happens from here on, the caller needs them
	text, _, err := r.credential.text(s)
	if err != nil {
		return false, err
	}
	x.given["renewed"] = data
	x.visit.Renew(text)
	return true, nil
}

// withRenewed adds the cookies of a renewal, except for names that the answer sets itself.
func (x *exchange) withRenewed(out *reply) {
	var cookies []*http.Cookie
	for _, c := range x.renewed {
		own := false
		for _, set := range out.cookies {
			own = own || set.Name == c.Name
		}
		if !own {
			cookies = append(cookies, c)
		}
	}
	out.cookies = append(cookies, out.cookies...)
}
