package rest

import (
	"errors"
	"net/http"
	"slices"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// renewal lets a request go on whose session token is missing or has expired, when it carries a cookie with a refresh token
// that is good: the engine swaps that first, and whatever the request is answered takes the new cookies along.
type renewal struct {
	cookie     string  // in which the refresh token stands
	swap       *route  // its document and variables
	credential *tree   // what the request presents from then on
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

// completeRenewal checks what can be said when the whole file is known.
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
			"two requests that a page sends at once carry one refresh token, of which reuse: refuse lets one through")
	}
	if r.credential.expr == nil {
		return at.get("credential").fault("Write an expression that finds the new token in the document's data.", "the new credential is the same for everybody")
	}
	return r.answer.check(d)
}

// passing are the codes that say nothing about the refresh token: a caller who is told to sign in again would lose a session
// that is still good.
var passing = []string{string(fault.RateLimited), string(fault.Unavailable), string(fault.Internal)}

// prepareRenewal holds the document that renews against the schema.
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

// renewable tells whether a request that nobody is known to have sent may be renewed: one of a program, or of a page of ours
// or of a trusted origin (HT-04), that presents no other credential. One that stands in a header says as whom the caller
// wants to act, so it counts only where it is the expired token of the very session that the cookie belongs to (HT-05). One
// in a cookie may be whatever was left there, but for a token of another session: then the refresh token is not what was set
// beside it, which is so where another API of this host has a cookie of that name.
func (x *exchange) renewable() bool {
	r := x.dialect.renewal
	if r == nil || x.req.Method == http.MethodHead || x.visit.Ambiguous || !x.page && classifyOrigin(x.req, x.visit.Foreign) != direct {
		return false
	}
	refresh := x.dialect.cookie(r.cookie).read(x.req.Cookies())
	if refresh == "" {
		return false
	}
	expired, otherSession := x.engine.matchExpired(x.visit.Credential, refresh)
	return expired || !otherSession && x.inCookie()
}

// inCookie tells whether no header presents a credential: what there is then, if anything, stands in a cookie.
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

// repeats tells whether the document may run again after this error. A mutation that failed with UNAUTHENTICATED changed
// nothing. A mutation whose outcome is UNAUTHENTICATED has taken effect.
func (m *mounted) repeats(err error) bool {
	apiErr, ok := errors.AsType[*apiError](err)
	return ok && apiErr.code == string(fault.Unauthenticated) && m.document != nil && !(apiErr.after && m.document.Mutates())
}

// renew swaps the refresh token, and the request goes on with the new credential. An invalid refresh token changes nothing:
// renewed is false, and err nil.
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
	if userError(data) != nil {
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

// withRenewed adds the cookies of a renewal to an answer that does not set them itself.
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
