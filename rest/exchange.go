package rest

import (
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// exchange is one request to a dialect and its answer.
type exchange struct {
	engine  *Engine
	dialect *Dialect
	route   *route // nil where no route is
	w       http.ResponseWriter
	req     *http.Request
	visit   *visit.Visit
	given   map[string]any // what expressions see of the request
	page    bool           // whether the answer is a page, for a person who confirmed
	renewed []*http.Cookie // of a renewal, for whatever the answer is
	written bool
	refused bool // whether the answer is a refusal, or none of the route's at all
}

func (e *Engine) exchange(w http.ResponseWriter, req *http.Request, d *Dialect, r *route) *exchange {
	v := visit.From(req.Context())
	v.Dialect = d.Name
	v.Credential, v.Ambiguous = credential.Read(req.Header, d.credentials)
	v.SessionCookie = false // that of GraphQL is none of a dialect's
	announce(w.Header(), d, r)
	return &exchange{
		engine: e, dialect: d, route: r, w: w, req: req, visit: v,
		given: map[string]any{
			"method": req.Method, "path": req.URL.Path, "params": map[string]any{}, "headers": map[string]any{}, "cookies": map[string]any{},
			"hasBody": false, "mailedToken": nil, "renewed": nil,
		},
	}
}

// serve runs a route: who may ask, what was asked, what came of it.
func (x *exchange) serve(m *mounted, confirmed bool) {
	x.page = confirmed
	if x.unsafe(confirmed) && x.visit.Foreign {
		x.refuse(refuse(crossSite, ""))
		return
	}
	if m.changesState && !confirmed {
		switch classifyOrigin(x.req, x.visit.Foreign) {
		case needsConfirmation:
			x.confirm()
			return
		case foreign:
			x.refuse(refuse(crossSite, ""))
			return
		case direct:
		}
	}
	m, variables, refused, err := x.input(m)
	if err != nil || refused != nil {
		x.end(nil, refused, err)
		return
	}
	out, refused, err := x.attempt(m, variables)
	if refused != nil && refused.code == string(fault.Unauthenticated) && m.repeats(refused) && x.renewable() {
		done, instead, failed := x.renew()
		switch {
		case failed != nil || instead != nil:
			out, refused, err = nil, instead, failed
		case done:
			out, refused, err = x.attempt(m, variables)
		}
	}
	x.end(out, refused, err)
}

// attempt runs the document and makes the answer.
func (x *exchange) attempt(m *mounted, variables map[string]any) (*reply, *refusal, error) {
	data := map[string]any{}
	if m.document != nil {
		if err := x.engine.graphql.Do(x.req.Context(), m.document, variables, &data); err != nil {
			return nil, refusalOf(err), nil
		}
		if refused := userError(data); refused != nil {
			return nil, refused, nil
		}
	}
	return x.output(m, data)
}

// unsafe tells whether a page of another site could make a browser send this request with the cookies of its user
// (HT-03). A dialect without cookies has nothing that a browser would add by itself.
func (x *exchange) unsafe(confirmed bool) bool {
	return confirmed || len(x.dialect.cookies) > 0 && x.req.Method != http.MethodGet && x.req.Method != http.MethodHead
}

// input turns the request into variables, and finds out which variant of the route it asks for.
func (x *exchange) input(m *mounted) (as *mounted, variables map[string]any, refused *refusal, err error) {
	given, refused := x.dialect.read(x.w, x.req, x.route)
	given["mailedToken"] = x.mailedToken()
	x.given = given
	if refused != nil {
		return m, nil, refused, nil
	}
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	s := scope{ctx: ctx, dot: given, request: given}
	if refused, err = m.tryAll(s); err != nil || refused != nil {
		return m, nil, refused, err
	}
	if refused := m.missing(given["params"].(map[string]any)); refused != nil {
		return m, nil, refused, nil
	}
	as, err = x.choose(m, s)
	if err == nil && as != m {
		refused, err = as.tryAll(s)
	}
	if err != nil || refused != nil {
		return m, nil, refused, err
	}
	variables, err = evalAll(as.variables, s)
	return as, variables, nil, err
}

// tryAll gives the first refusal of the checks.
func (r *route) tryAll(s scope) (*refusal, error) {
	for _, c := range r.checks {
		if refused, err := c.try(s); err != nil || refused != nil {
			return refused, err
		}
	}
	return nil, nil
}

// evalAll makes the variables of a document.
func evalAll(list []pairTree, s scope) (map[string]any, error) {
	variables := make(map[string]any, len(list))
	for _, v := range list {
		value, present, err := v.value.eval(s)
		if err != nil {
			return nil, err
		}
		if present {
			variables[v.key] = plain(value)
		}
	}
	return variables, nil
}

// try gives the refusal when what the check looks for is there.
func (c *check) try(s scope) (*refusal, error) {
	refused := &refusal{code: c.code, message: standards[c.code].message, problem: "check"}
	if c.answer.hasBody() {
		refused.answer = c.answer
	}
	if c.when != nil {
		holds, err := c.when.holds(s)
		if err != nil || !holds {
			return nil, err
		}
	} else {
		var err error
		if refused.found, err = findAll(c.all, s); err != nil || refused.found == nil {
			return nil, err
		}
	}
	if c.says != nil {
		var err error
		refused.said = true
		if refused.message, _, err = c.says.text(s); err != nil {
			return nil, err
		}
	}
	return refused, nil
}

// findAll gathers what the parts of a check found: objects are merged, lists within them joined. Nil when nothing was.
func findAll(parts []*finding, s scope) (any, error) {
	var found any
	for _, part := range parts {
		holds, err := part.when.holds(s)
		if err != nil {
			return nil, err
		}
		if !holds {
			continue
		}
		value, present, err := part.add.eval(s)
		if err != nil {
			return nil, err
		}
		if present {
			found = merge(found, plain(value))
		}
	}
	return found, nil
}

func merge(into, value any) any {
	switch value := value.(type) {
	case map[string]any:
		if object, ok := into.(map[string]any); ok {
			for name, inner := range value {
				object[name] = merge(object[name], inner)
			}
			return object
		}
	case []any:
		if list, ok := into.([]any); ok {
			return append(list, value...)
		}
	}
	return value
}

// output turns the result into the answer.
func (x *exchange) output(m *mounted, data map[string]any) (*reply, *refusal, error) {
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	s := scope{ctx: ctx, dot: data, request: x.given}
	for _, o := range m.outcomes {
		holds, err := o.when.holds(s)
		switch {
		case err != nil:
			return nil, nil, err
		case !holds:
		case o.code != "":
			return nil, &refusal{code: o.code, message: standards[o.code].message, after: true}, nil
		default:
			out, err := x.dialect.reply(o.answer, s, http.StatusOK, nil)
			return out, nil, err
		}
	}
	out, err := x.dialect.reply(m.answer, s, http.StatusOK, nil)
	return out, nil, err
}

// refusalOf turns the error of a document into a refusal. An internal one was logged already.
func refusalOf(err error) *refusal {
	f := fault.From(err)
	if f == nil {
		return refuse(string(fault.Internal), "")
	}
	refused := &refusal{code: string(f.Code), message: f.Message, field: inputPath(f.Field), retry: f.RetrySeconds()}
	if f.Code == fault.BadUserInput && len(f.Field) > 0 { // it speaks of variables, which callers do not know
		refused.problem, refused.field, refused.message = "type", f.Field[1:], "A parameter is not valid."
		if len(refused.field) > 0 {
			refused.message = strings.Join(refused.field, ".") + " is not valid."
		}
	}
	return refused
}

// inputPath leaves out the argument, which callers of a dialect know nothing of.
func inputPath(path []string) []string {
	if len(path) > 0 && path[0] == "input" {
		return path[1:]
	}
	return path
}

// userError is the first of the expected refusals in the result of a mutation.
func userError(data map[string]any) *refusal {
	for _, root := range data {
		payload, _ := root.(map[string]any)
		errs, _ := payload["userErrors"].([]any)
		if len(errs) == 0 {
			continue
		}
		first, _ := errs[0].(map[string]any)
		refused := &refusal{}
		refused.code, _ = first["code"].(string)
		refused.message, _ = first["message"].(string)
		if retry, ok := first["retryAfterSeconds"].(float64); ok {
			refused.retry = int(retry)
		}
		var path []string
		steps, _ := first["field"].([]any)
		for _, step := range steps {
			text, _ := step.(string)
			path = append(path, text)
		}
		refused.field = inputPath(path)
		return refused
	}
	return nil
}

// end answers with a reply, a refusal, or for an error of our own.
func (x *exchange) end(out *reply, refused *refusal, err error) {
	switch {
	case err != nil:
		x.fail(err)
	case refused != nil:
		x.refuse(refused)
	default:
		x.send(out)
	}
}

func (x *exchange) refuse(refused *refusal) {
	x.refused = true
	refused.reveals = x.engine.reveals
	if refused.code == string(fault.Unauthenticated) && refused.problem == "" {
		switch {
		case x.visit.Ambiguous:
			refused.problem = "ambiguous"
		case x.visit.Credential == "":
			refused.problem = "missing"
		default:
			refused.problem = "invalid"
		}
	}
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	out, err := x.dialect.render(ctx, x.route, refused, x.given)
	if err != nil {
		x.fail(err)
		return
	}
	x.send(out)
}

// fail is for what is wrong on our side: it is logged once, and the caller gets the dialect's 500, or a plain one where
// that is what fails.
func (x *exchange) fail(err error) {
	x.refused = true
	x.engine.log.ErrorContext(x.req.Context(), "rest: an answer failed", "request_id", x.visit.RequestID, "dialect", x.dialect.Name,
		"method", x.req.Method, "route", x.name(), "error", err)
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	out, err := x.dialect.render(ctx, x.route, refuse(string(fault.Internal), ""), x.given)
	if err != nil {
		out = &reply{status: http.StatusInternalServerError, media: "application/json; charset=utf-8", body: []byte(`{"error":"Something went wrong on our side."}`)}
	}
	x.send(out)
}

func (x *exchange) name() string {
	if x.route == nil {
		return ""
	}
	return x.route.path
}

func (x *exchange) send(out *reply) {
	x.written = true
	x.withRenewed(out)
	x.refused = x.refused || out.status >= http.StatusBadRequest // which an outcome or an expression can be too
	x.visit.CopyHeaders(x.w.Header())
	if x.page {
		writeOutcome(x.w, x.dialect, out)
		return
	}
	out.write(x.w)
}

// recover answers for a panic in the dialect's own form (HT-15).
func (x *exchange) recover() {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler || x.written { //nolint:errorlint // net/http compares it this way
		panic(p)
	}
	x.fail(&panicked{value: p, stack: string(debug.Stack())})
}

// panicked is a panic on its way to the log.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }
