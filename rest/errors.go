package rest

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// The codes of the engine's own errors. A table of errors may have rows for them, as for the codes of the schema.
// Without a row in the file, the standard here applies, in the form of the table's body.
const (
	malformedRequest = "MALFORMED_REQUEST"
	unsupportedMedia = "UNSUPPORTED_MEDIA_TYPE"
	bodyTooLarge     = "BODY_TOO_LARGE"
	unknownRoute     = "UNKNOWN_ROUTE"
	methodNotAllowed = "METHOD_NOT_ALLOWED"
	crossSite        = "CROSS_SITE"
	mfaRequired      = "MFA_REQUIRED" // a sign-in waits for a second factor
)

type standard struct {
	status  int
	message string
}

var standards = map[string]standard{
	malformedRequest: {http.StatusBadRequest, "The request is malformed."},
	unsupportedMedia: {http.StatusUnsupportedMediaType, "The body has a Content-Type that is not read here."},
	bodyTooLarge:     {http.StatusRequestEntityTooLarge, "The body is larger than 64 KiB."},
	unknownRoute:     {http.StatusNotFound, "No route has this path. Case and a slash at the end count."},
	methodNotAllowed: {http.StatusMethodNotAllowed, "This path has no such method."},
	crossSite: {http.StatusForbidden, "The request comes from a page of another site, which may not " +
		"use the cookies of this one."},
	mfaRequired:               {http.StatusForbidden, "A second factor is needed to sign in."},
	string(fault.RateLimited): {http.StatusTooManyRequests, "Too many requests. Wait a moment, then try again."},
	string(fault.Unavailable): {http.StatusServiceUnavailable, "The server is busy. Wait a moment, then try again."},
	string(fault.Internal):    {http.StatusInternalServerError, "Something went wrong on our side."},
}

// errorTable says how errors are answered, by their code. The table of a route comes before the table of the dialect.
type errorTable struct {
	body *tree
	rows map[string]*row
}

// row is the answer for one code.
type row struct {
	at      *node
	message *tree // replaces the server's message
	answer  *answer
}

// apiError is an error that the caller sees: `.` of the expressions in a row.
type apiError struct {
	code    string
	message string
	field   []string // the path of the invalid input
	problem string   // details MALFORMED_REQUEST, BAD_USER_INPUT, UNAUTHENTICATED and INVALID_TOKEN
	kind    string   // for BAD_USER_INPUT with the wrong type: the right type
	retry   int      // seconds, 0 if retrying does not help
	found   any      // the findings of a check with all:
	reveals bool     // whether callers may learn which accounts exist
	answer  *answer  // the answer of a check, which replaces the row
	after   bool     // an outcome made it: the document has run
	said    bool     // message is the dialect's own, which a row does not replace

	challenge map[string]any // of MFA_REQUIRED, by the names of MfaChallenge
}

// Error implements error.
func (e *apiError) Error() string { return e.code + ": " + e.message }

// errorOf returns an error with the message of its row.
func errorOf(code string) *apiError { return &apiError{code: code} }

func (t *errorTable) decode(n *node) error {
	known := knownCodes()
	table := keys{"body": treeOf(&t.body)}
	for _, code := range known {
		table[code] = func(n *node) (err error) {
			t.rows[code], err = decodeRow(n)
			return err
		}
	}
	return n.decode("errors", table)
}

func decodeRow(n *node) (*row, error) {
	r := &row{at: n, answer: &answer{at: n}}
	table := r.answer.keys()
	table["message"] = treeOf(&r.message)
	return r, n.decode("a row of errors", table)
}

// knownCodes returns all codes that a table may have rows for.
func knownCodes() []string {
	codes := []string{}
	for code := range standards {
		codes = append(codes, code)
	}
	for _, code := range fault.Codes() {
		if !slices.Contains(codes, string(code)) {
			codes = append(codes, string(code))
		}
	}
	slices.Sort(codes)
	return codes
}

// rowFor finds the row and the body for a code: in the route's table, then in the dialect's, then in the standards. The
// row is nil if none has one.
func (d *Dialect) rowFor(r *route, code string) (*row, *tree) {
	body := d.errors.body
	if r != nil && r.errors != nil {
		if r.errors.body != nil {
			body = r.errors.body
		}
		if found := r.errors.rows[code]; found != nil {
			return found, body
		}
	}
	if found := d.errors.rows[code]; found != nil {
		return found, body
	}
	if _, ok := standards[code]; ok {
		return &row{answer: &answer{}}, body
	}
	return nil, body
}

// checkRow reports a code that cannot be answered: its row, status or body is missing.
func (d *Dialect) checkRow(at *node, r *route, code string) error {
	found, body := d.rowFor(r, code)
	who := "a request that no route serves"
	if r != nil {
		who = r.method + " " + r.path
	}
	if found == nil {
		return at.fault(
			"Add it under errors: of the route or of the dialect, for example: "+code+": {status: 400, message: ...}.",
			"%s can end with %s, and errors: has no row for it", who, code)
	}
	place := at
	if found.at != nil {
		place = found.at
	}
	if _, ok := standards[code]; !ok && found.answer.status == nil {
		return place.fault("Add status: to the row.", "the row %s has no status", code)
	}
	if !found.answer.hasBody() && body == nil && code != mfaRequired { // files of before second factors have neither
		return place.fault(
			"Add errors.body for all rows, for example {error: =.message}, or body:, text: or empty: true to the row.",
			"the row %s has no body", code)
	}
	return nil
}

// dot returns `.` of the expressions in a row.
func (e *apiError) dot(status int) map[string]any {
	field, name := make([]any, len(e.field)), any(nil)
	for i, step := range e.field {
		field[i], name = step, step
	}
	dot := map[string]any{
		"status":           status,
		"code":             e.code,
		"message":          e.message,
		"field":            field,
		"name":             name,
		"problem":          nil,
		"type":             nil,
		"retryAfter":       nil,
		"found":            e.found,
		"accountsRevealed": e.reveals,
		"challenge":        nil,
	}
	if e.challenge != nil {
		dot["code"], dot["challenge"] = mfaCode, e.challenge
	}
	if e.problem != "" {
		dot["problem"] = e.problem
	}
	if e.kind != "" {
		dot["type"] = e.kind
	}
	if e.retry > 0 {
		dot["retryAfter"] = e.retry
	}
	return dot
}

// render makes the answer for an error.
func (d *Dialect) render(ctx context.Context, r *route, e *apiError, request any) (*reply, error) {
	found, body := d.rowFor(r, e.code)
	shown, status := *e, standards[e.code].status
	if e.answer != nil {
		found, status = &row{answer: e.answer}, http.StatusBadRequest
	}
	if found == nil {
		return nil, errNoRow(e.code)
	}
	if shown.message == "" {
		shown.message = standards[e.code].message
	}
	s := scope{ctx: ctx, dot: shown.dot(status), request: request}
	if found.message != nil && !e.said {
		message, _, err := found.message.text(s)
		if err != nil {
			return nil, err
		}
		shown.message = message
		s.dot = shown.dot(status)
	}
	if found.answer.status != nil {
		var err error
		if status, err = found.answer.statusOf(s); err != nil {
			return nil, err
		}
		s.dot = shown.dot(status)
	}
	if shown.message == "" { // the code of an outcome may have no message
		shown.message = http.StatusText(status) + "."
		s.dot = shown.dot(status)
	}
	out, err := d.reply(found.answer, s, status, body)
	if err == nil && e.challenge != nil && !found.answer.hasBody() {
		err = d.tellChallenge(out, s, body, &shown)
	}
	if err == nil && e.retry > 0 {
		out.retry = e.retry
	}
	if out != nil {
		out.message = shown.message
	}
	return out, err
}

type errNoRow string

func (e errNoRow) Error() string {
	return "no row of errors answers " + strings.ToUpper(string(e))
}

// asAPIError turns an error of GraphQL into one of the dialect. GraphQL has logged an internal error already.
func asAPIError(err error) *apiError {
	f := fault.From(err)
	if f == nil {
		return errorOf(string(fault.Internal))
	}
	apiErr := &apiError{code: string(f.Code), message: f.Message, field: inputPath(f.Field), retry: f.RetrySeconds()}
	if f.Code == fault.BadUserInput && len(f.Field) > 0 { // the message names a variable, which callers do not know
		apiErr.problem, apiErr.field = "type", f.Field[1:]
		apiErr.message = aboutParameter(f.Message)
	}
	return apiErr
}

// aboutVariable matches a message about a variable or an argument of a document, by its path and what is said of it.
var aboutVariable = regexp.MustCompile(`^The (?:variable \$|argument ")(\w+)([.\w\[\]]*)"? (.+)$`)

// aboutParameter puts the parameter of the request in the place of the variable of a document. Callers do not know the
// name of the variable. A message of another form may name what they do not know, and is not shown.
func aboutParameter(message string) string {
	m := aboutVariable.FindStringSubmatch(message)
	switch {
	case m == nil:
		return "A parameter is not valid."
	case m[2] == "":
		return "A parameter " + m[3]
	}
	return strings.TrimPrefix(m[2], ".") + " " + m[3]
}

// inputPath drops the argument `input`, which callers of a dialect do not know.
func inputPath(path []string) []string {
	if len(path) > 0 && path[0] == "input" {
		return path[1:]
	}
	return path
}
