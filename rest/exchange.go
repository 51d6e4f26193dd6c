package rest

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// exchange is one request to a dialect, and its answer.
type exchange struct {
	engine  *Engine
	dialect *Dialect
	route   *route // nil if no route serves the request
	w       http.ResponseWriter
	req     *http.Request
	visit   *visit.Visit
	given   map[string]any // the request, as expressions see it
	page    bool           // a person pressed the button of the confirmation page: the answer is a page too
	renewed []*http.Cookie // the cookies of a renewal; every answer sets them
	written bool
	failed  bool // the answer is an error
}

func (e *Engine) exchange(w http.ResponseWriter, req *http.Request, d *Dialect, r *route) *exchange {
	v := visit.From(req.Context())
	v.Dialect = d.Name
	v.Credential, v.Problem = credential.Read(req.Header, d.credentials)
	v.SessionCookie = false // only GraphQL reads the session cookie
	announce(w.Header(), d, r)
	return &exchange{
		engine: e, dialect: d, route: r, w: w, req: req, visit: v,
		given: emptyRequest(req.Method, req.URL.Path),
	}
}

// serve answers a request to a route. confirmed means that a person pressed the button of the confirmation page.
func (x *exchange) serve(m *mounted, confirmed bool) {
	x.page = confirmed
	switch x.origin(m) {
	case needsConfirmation:
		x.confirm()
	case foreign:
		x.sendError(errorOf(crossSite))
	case direct:
		out, err := x.run(m)
		x.end(out, err)
	}
}

// origin classifies the origin of a request that can change state. Every other request counts as direct.
func (x *exchange) origin(m *mounted) originClass {
	switch {
	case x.unsafe() && x.visit.Foreign:
		return foreign
	case m.changesState && !x.page:
		return classifyOrigin(x.req, x.visit.Foreign)
	}
	return direct
}

// unsafe tells whether a page of another site could make a browser send this request with the user's cookies (HT-03).
// A browser adds nothing by itself for a dialect without cookies.
func (x *exchange) unsafe() bool {
	return x.page || len(x.dialect.cookies) > 0 && x.req.Method != http.MethodGet && x.req.Method != http.MethodHead
}

// run reads the request and runs the document. A request with an expired access token is renewed and runs once more.
// The error is an *apiError for the caller, or an internal one.
func (x *exchange) run(m *mounted) (*reply, error) {
	m, variables, err := x.input(m)
	if err != nil {
		return nil, err
	}
	out, err := x.runOnce(m, variables)
	if !m.repeats(err) || !x.renewable() {
		return out, err
	}
	renewed, failed := x.renew()
	switch {
	case failed != nil:
		return nil, failed
	case renewed:
		return x.runOnce(m, variables)
	}
	return out, err
}

// runOnce runs the document once and makes the answer.
func (x *exchange) runOnce(m *mounted, variables map[string]any) (*reply, error) {
	data := map[string]any{}
	if m.document != nil {
		if err := x.engine.graphql.Do(x.req.Context(), m.document, variables, &data); err != nil {
			return nil, asAPIError(err)
		}
		challenge := gqlhttp.TakeChallenge(data)
		if apiErr := userError(data); apiErr != nil {
			return nil, apiErr
		}
		if challenge != nil {
			return nil, challenged(challenge)
		}
	}
	return x.output(m, data)
}

// input turns the request into variables, and chooses the variant of the route.
func (x *exchange) input(m *mounted) (as *mounted, variables map[string]any, err error) {
	given, apiErr := x.dialect.read(x.w, x.req, x.route)
	given["mailedToken"], given["challengeToken"] = x.presented(token.IsOneTime), x.presented(token.IsChallenge)
	x.given = given
	if apiErr != nil {
		return nil, nil, apiErr
	}
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	s := scope{ctx: ctx, dot: given, request: given}
	if err := m.tryAll(s); err != nil {
		return nil, nil, err
	}
	if apiErr := m.missing(given["params"].(map[string]any)); apiErr != nil {
		return nil, nil, apiErr
	}
	if as, err = x.choose(m, s); err != nil {
		return nil, nil, err
	}
	if as != m {
		if err := as.tryAll(s); err != nil {
			return nil, nil, err
		}
	}
	variables, err = evalAll(as.variables, s)
	return as, variables, err
}

// tryAll returns the error of the first check that fails.
func (r *route) tryAll(s scope) error {
	for _, c := range r.checks {
		if err := c.try(s); err != nil {
			return err
		}
	}
	return nil
}

// evalAll evaluates the variables of a document.
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

// try returns an *apiError if the condition of the check holds.
func (c *check) try(s scope) error {
	apiErr := &apiError{code: c.code, message: standards[c.code].message, problem: "check"}
	if c.answer.hasBody() {
		apiErr.answer = c.answer
	}
	if c.when != nil {
		if holds, err := c.when.holds(s); err != nil || !holds {
			return err
		}
	} else {
		var err error
		if apiErr.found, err = findAll(c.all, s); err != nil || apiErr.found == nil {
			return err
		}
	}
	if c.says != nil {
		var err error
		apiErr.said = true
		if apiErr.message, _, err = c.says.text(s); err != nil {
			return err
		}
	}
	return apiErr
}

// findAll gathers the findings of a check, nil for none. Objects are merged, and lists within them are joined.
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

// output turns the result of the document into the answer: the first outcome that holds, or the route's own.
func (x *exchange) output(m *mounted, data map[string]any) (*reply, error) {
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	s := scope{ctx: ctx, dot: data, request: x.given}
	for _, o := range m.outcomes {
		holds, err := o.when.holds(s)
		switch {
		case err != nil:
			return nil, err
		case !holds:
		case o.code != "":
			return nil, &apiError{code: o.code, message: standards[o.code].message, after: true}
		default:
			return x.dialect.reply(o.answer, s, http.StatusOK, nil)
		}
	}
	return x.dialect.reply(m.answer, s, http.StatusOK, nil)
}

// userError returns the first of userErrors in the result of a mutation, nil for none.
func userError(data map[string]any) *apiError {
	for _, root := range data {
		payload, _ := root.(map[string]any)
		errs, _ := payload["userErrors"].([]any)
		if len(errs) == 0 {
			continue
		}
		first, _ := errs[0].(map[string]any)
		apiErr := &apiError{}
		apiErr.code, _ = first["code"].(string)
		apiErr.message, _ = first["message"].(string)
		apiErr.problem, _ = first["tokenState"].(string)
		if retry, ok := first["retryAfterSeconds"].(float64); ok {
			apiErr.retry = int(retry)
		}
		var path []string
		steps, _ := first["field"].([]any)
		for _, step := range steps {
			text, _ := step.(string)
			path = append(path, text)
		}
		apiErr.field = inputPath(path)
		return apiErr
	}
	return nil
}

// end sends the reply, or the error.
func (x *exchange) end(out *reply, err error) {
	apiErr, expected := errors.AsType[*apiError](err)
	switch {
	case expected:
		x.sendError(apiErr)
	case err != nil:
		x.fail(err)
	default:
		x.send(out)
	}
}

// sendError answers with the row of the error. UNAUTHENTICATED also says what is wrong with the credential.
func (x *exchange) sendError(apiErr *apiError) {
	x.failed = apiErr.challenge == nil // a step of a sign-in is no failure
	apiErr.reveals = x.engine.reveals
	if apiErr.code == string(fault.Unauthenticated) && apiErr.problem == "" {
		switch {
		case x.visit.Problem != "":
			apiErr.problem = "ambiguous"
		case x.visit.Credential == "":
			apiErr.problem = "missing"
		default:
			apiErr.problem = "invalid"
		}
	}
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	out, err := x.dialect.render(ctx, x.route, apiErr, x.given)
	if err != nil {
		x.fail(err)
		return
	}
	x.send(out)
}

// fail logs an internal error and answers with the dialect's 500. If the 500 cannot be rendered either, the answer is
// fixed JSON.
func (x *exchange) fail(err error) {
	x.failed = true
	x.engine.log.ErrorContext(x.req.Context(), "rest: an answer failed",
		"request_id", x.visit.RequestID,
		"dialect", x.dialect.Name,
		"method", x.req.Method,
		"route", x.name(),
		"error", err)
	ctx, cancel := bound(x.req.Context())
	defer cancel()
	out, err := x.dialect.render(ctx, x.route, errorOf(string(fault.Internal)), x.given)
	if err != nil {
		out = &reply{
			status: http.StatusInternalServerError,
			media:  "application/json; charset=utf-8",
			body:   []byte(`{"error":"Something went wrong on our side."}` + "\n"),
		}
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
	x.failed = x.failed || out.status >= http.StatusBadRequest // an outcome or an expression can set it
	if c := x.visit.DeviceCookie(); c != nil && len(out.cookies) > 0 {
		// The caller is a browser that keeps its session in a cookie, and keeps the device token in one too.
		out.cookies = append(out.cookies, c)
	}
	x.visit.CopyHeaders(x.w.Header())
	if x.page {
		x.writeOutcome(out)
		return
	}
	out.write(x.w)
}

// recover answers a panic with the dialect's 500 (HT-15).
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

// panicked carries a panic to the log.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }
