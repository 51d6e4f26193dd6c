package gqlhttp

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

// request holds the parameters of a GraphQL request (GraphQL over HTTP, section 5.1).
type request struct {
	query         string
	operationName string
	variables     map[string]any
}

// problem refuses a request before its document is read.
type problem struct {
	status int    // 0 for the status of a request error: see statusOf
	allow  string // for 405
	err    *fault.Error
}

func bad(status int, message string) *problem {
	return &problem{status: status, err: fault.New(fault.BadUserInput, message)}
}

// read reads the parameters of a request, from at most maxBody bytes of body.
func read(w http.ResponseWriter, r *http.Request) (request, *problem) {
	if len(r.URL.Path)+len(r.URL.RawQuery) > maxURL {
		return request{}, bad(http.StatusRequestURITooLong, "The URL is too long.")
	}
	switch r.Method {
	case http.MethodPost:
		return readPost(w, r)
	case http.MethodGet:
		return readGet(r)
	}
	p := bad(http.StatusMethodNotAllowed, "The method must be POST, or GET for a query.")
	p.allow = "GET, POST"
	return request{}, p
}

func readPost(w http.ResponseWriter, r *http.Request) (request, *problem) {
	if !isJSON(r.Header) {
		return request{}, bad(http.StatusUnsupportedMediaType, "The Content-Type must be application/json in UTF-8.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return request{}, bad(http.StatusRequestEntityTooLarge, "The body is too large.")
	}
	if err != nil {
		return request{}, bad(http.StatusBadRequest, "The body could not be read.")
	}
	value, p := decodeParameter(body)
	if p != nil {
		return request{}, p
	}
	object, ok := value.(map[string]any)
	if !ok {
		return request{}, bad(http.StatusBadRequest, "The body must be one JSON object.")
	}
	return parameters(object)
}

// isJSON tells whether the body is application/json in UTF-8, uncompressed, by exactly one Content-Type.
func isJSON(h http.Header) bool {
	types := h.Values("Content-Type")
	if len(types) != 1 || h.Get("Content-Encoding") != "" {
		return false
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil || media != "application/json" {
		return false
	}
	charset, ok := params["charset"]
	return !ok || strings.EqualFold(charset, "utf-8")
}

// readGet requires a header that a page of another origin cannot send without a preflight request (GQ-05).
func readGet(r *http.Request) (request, *problem) {
	if !preflighted(r.Header) {
		return request{}, bad(http.StatusBadRequest, "A GET request needs a header that no link and no form can send: "+
			"Authorization with Bearer, Content-Type: application/json or Apollo-Require-Preflight: 1. "+
			"Or send the query by POST.")
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return request{}, bad(http.StatusBadRequest, "The query string is malformed.")
	}
	object := map[string]any{}
	for name, list := range values {
		if len(list) > 1 {
			return request{}, bad(http.StatusBadRequest, "A parameter of the query string is given twice.")
		}
		switch name {
		case "variables", "extensions":
			var p *problem
			if object[name], p = decodeParameter([]byte(list[0])); p != nil {
				return request{}, p
			}
		default:
			object[name] = list[0]
		}
	}
	return parameters(object)
}

// preflighted tells whether a browser lets another origin send these headers only after a preflight request, which the
// server answers by the list of origins. Basic and Digest do not count: a browser repeats them by itself.
func preflighted(h http.Header) bool {
	scheme, _, _ := strings.Cut(h.Get("Authorization"), " ")
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Token") || media == "application/json" ||
		slices.ContainsFunc(ownHeaders, func(name string) bool { return h.Get(name) != "" })
}

// ownHeaders are headers that no form, link or image sends: those of this server, and those that clients send against
// forged requests.
var ownHeaders = []string{
	"Apollo-Require-Preflight", "X-Apollo-Operation-Name", "GraphQL-Preflight", "X-Requested-With", "X-API-Key",
	"X-Device-Token",
}

// decodeParameter decodes strict JSON. Malformed text is 400; JSON with a refused value, such as NUL, is a request
// error.
func decodeParameter(text []byte) (any, *problem) {
	value, err := strictjson.Decode(text)
	if err == nil {
		return value, nil
	}
	if f := fault.From(err); f != nil {
		return nil, &problem{err: f}
	}
	return nil, bad(http.StatusBadRequest, "The request is not strict JSON: no duplicate names, no trailing data, "+
		"valid UTF-8, at most 32 levels deep.")
}

// parameters checks the types of the four parameters. Other members are ignored, as the specification demands. A member
// that differs from a parameter in case alone is refused: a proxy may have read it as the parameter.
func parameters(object map[string]any) (request, *problem) {
	for name := range object {
		for _, known := range []string{"query", "operationName", "variables", "extensions"} {
			if name != known && strings.EqualFold(name, known) {
				return request{}, bad(http.StatusBadRequest, "A parameter is spelled with the wrong case: it must be "+
					known+".")
			}
		}
	}
	req := request{}
	var wellTyped [4]bool
	req.query, wellTyped[0] = optional[string](object, "query")
	req.operationName, wellTyped[1] = optional[string](object, "operationName")
	req.variables, wellTyped[2] = optional[map[string]any](object, "variables")
	extensions, ok := optional[map[string]any](object, "extensions")
	wellTyped[3] = ok
	if wellTyped != [4]bool{true, true, true, true} {
		return request{}, bad(http.StatusBadRequest, "query and operationName must be strings, variables and "+
			"extensions objects.")
	}
	if req.query != "" {
		return req, nil
	}
	if extensions["persistedQuery"] != nil {
		err := fault.New("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
		return request{}, &problem{err: err}
	}
	return request{}, bad(http.StatusBadRequest, "The parameter query is missing.")
}

// optional reads a member that may be missing or null. It reports false for another type.
func optional[T any](object map[string]any, name string) (T, bool) {
	value, ok := object[name].(T)
	return value, ok || object[name] == nil
}
