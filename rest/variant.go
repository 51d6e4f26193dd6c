package rest

import (
	"maps"
	"slices"

	"github.com/dragoman-auth/dragoman/internal/token"
)

// variant replaces the document and the answer of a route if a condition holds.
type variant struct {
	at    *node
	when  *expr
	route *route // has the path, the fields and the rows of errors of the whole route
}

// decodeVariant reads the variant's own keys. completeVariants adds the rest from its route.
func (r *route) decodeVariant(n *node) error {
	own := &route{at: n, answer: &answer{at: n}, errors: &errorTable{rows: map[string]*row{}}}
	v := &variant{at: n, route: own}
	table := own.answer.keys()
	maps.Copy(table, keys{
		"when":      condition(&v.when),
		"checks":    items(own.decodeCheck),
		"variables": pairsOf(&own.variables),
		"document":  own.decodeDocument,
		"outcomes":  items(own.decodeOutcome),
		"errors":    own.errors.decode,
	})
	if err := n.decode("a variant", table); err != nil {
		return err
	}
	r.variants = append(r.variants, v)
	return n.require("a variant", "when")
}

// completeVariants copies the variants for one method of a route, and completes them.
func (d *Dialect) completeVariants(r *route) error {
	all := r.variants
	r.variants = nil
	for _, v := range all {
		one, own := *r, v.route
		one.variants, one.examples, one.variantAt = nil, nil, v.at
		one.checks, one.variables = own.checks, own.variables
		one.document, one.documentAt = own.document, own.documentAt
		one.outcomes, one.answer = own.outcomes, own.answer
		one.errors = &errorTable{body: own.errors.body, rows: maps.Clone(r.errors.rows)}
		if one.errors.body == nil {
			one.errors.body = r.errors.body
		}
		maps.Copy(one.errors.rows, own.errors.rows)
		if err := d.completeAnswers(&one); err != nil {
			return err
		}
		r.variants = append(r.variants, &variant{v.at, v.when, &one})
	}
	return nil
}

// place is the node that messages about the whole route point to.
func (r *route) place() *node {
	if r.variantAt != nil {
		return r.variantAt
	}
	return r.at.get("route")
}

// mountedVariant is a variant that is ready to serve.
type mountedVariant struct {
	when *expr
	as   *mounted
}

// choose returns the first variant whose condition holds, or the route itself. A variant passes the token of a mail or
// of a challenge to its document, so the token is no longer the credential.
func (x *exchange) choose(m *mounted, s scope) (*mounted, error) {
	for _, v := range m.variants {
		holds, err := v.when.holds(s)
		if err != nil {
			return nil, err
		}
		if holds {
			if token.IsOneTime(x.visit.Credential) || token.IsChallenge(x.visit.Credential) {
				x.visit.Credential = ""
			}
			x.route = v.as.route
			return v.as, nil
		}
	}
	return m, nil
}

// presented returns the token that the request presents as its credential, where it is of a kind that authenticates
// nobody: that of a mail or of a challenge. It returns nil for none.
func (x *exchange) presented(is func(string) bool) any {
	if x.visit.Problem == "" && is(x.visit.Credential) {
		return x.visit.Credential
	}
	return nil
}

// allCodes returns the codes that the route or one of its variants can end with, sorted.
func (m *mounted) allCodes() []string {
	codes := slices.Clone(m.codes)
	for _, v := range m.variants {
		codes = append(codes, v.as.codes...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// ending returns the route, or its first variant, that can end with the code.
func (m *mounted) ending(code string) *route {
	for _, v := range m.variants {
		if !slices.Contains(m.codes, code) && slices.Contains(v.as.codes, code) {
			return v.as.route
		}
	}
	return m.route
}
