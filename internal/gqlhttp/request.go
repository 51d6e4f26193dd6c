package gqlhttp

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/edge"
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
		return request{}, bad(http.StatusRequestURITooLong,
			fmt.Sprintf("The URL is longer than %d KiB: send the query by POST.", maxURL>>10))
	}
	switch r.Method {
	case http.MethodPost:
		return readPost(w, r)
	case http.MethodGet:
		return readGet(r)
	}
	p := bad(http.StatusMethodNotAllowed, "The method must be POST, or GET for a query, and is "+
		edge.MethodName(r.Method)+".")
	p.allow = "GET, POST"
	return request{}, p
}

func readPost(w http.ResponseWriter, r *http.Request) (request, *problem) {
	if wrong := notJSON(r.Header); wrong != "" {
		return request{}, bad(http.StatusUnsupportedMediaType, wrong)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return request{}, bad(http.StatusRequestEntityTooLarge,
			fmt.Sprintf("The body is larger than %d KiB.", maxBody>>10))
	}
	if err != nil {
		return request{}, bad(http.StatusBadRequest, "The body could not be read to its end.")
	}
	value, p := decodeParameter(theBody, body)
	if p != nil {
		return request{}, p
	}
	switch object := value.(type) {
	case map[string]any:
		return parameters(object)
	case []any:
		return request{}, bad(http.StatusBadRequest, "The body is a list, and must be one JSON object: "+
			"this server takes one operation a request, and no batches.")
	}
	return request{}, bad(http.StatusBadRequest, "The body must be a JSON object, and is "+jsonKind(value)+". "+example)
}

const theBody = "The body"

const example = `A request looks like {"query": "{ serverInfo { version } }"}.`

// notJSON says why the body is not application/json in UTF-8, uncompressed, by exactly one Content-Type; "" if it is.
func notJSON(h http.Header) string {
	const must = "The Content-Type must be application/json, and "
	types := h.Values("Content-Type")
	switch {
	case h.Get("Content-Encoding") != "":
		return "The body is compressed (Content-Encoding): send it as it is."
	case len(types) == 0 || types[0] == "":
		return must + "there is none."
	case len(types) > 1:
		return must + "there are several."
	}
	media, params, err := mime.ParseMediaType(types[0])
	switch charset, ok := params["charset"]; {
	case err != nil:
		return must + "is malformed."
	case media == "application/x-www-form-urlencoded" || media == "text/plain":
		return must + "is " + media + ", which many clients send unless told: " +
			"tell curl by -H 'Content-Type: application/json'."
	case media == "application/graphql":
		return must + "is application/graphql. " + example
	case media == "multipart/form-data":
		return must + "is multipart/form-data: this server takes no files."
	case media != "application/json":
		return must + "is another type."
	case ok && !strings.EqualFold(charset, "utf-8"):
		return "The charset of the Content-Type must be UTF-8, and is another one."
	}
	return ""
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
		return request{}, bad(http.StatusBadRequest, "The query string is malformed: an escape by % is not one.")
	}
	object := map[string]any{}
	for name, list := range values {
		if len(list) > 1 {
			return request{}, bad(http.StatusBadRequest, "The query string has a parameter twice: each may come once.")
		}
		switch name {
		case "variables", "extensions":
			var p *problem
			if object[name], p = decodeParameter("The parameter "+name, []byte(list[0])); p != nil {
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
func decodeParameter(what string, text []byte) (any, *problem) {
	value, err := strictjson.Decode(text)
	if err == nil {
		return value, nil
	}
	if f := fault.From(err); f != nil {
		return nil, &problem{err: f}
	}
	message := what + " " + err.Error()
	if s, ok := errors.AsType[*strictjson.SyntaxError](err); ok && s.Line < 2 && s.Column < 2 && what == theBody {
		message += " " + example // the body is something else, or nothing
	}
	return nil, bad(http.StatusBadRequest, message)
}

// parameters checks the types of the four parameters. Other members are ignored, as the specification demands. A member
// that differs from a parameter in case alone is refused: a proxy may have read it as the parameter.
func parameters(object map[string]any) (request, *problem) {
	for name := range object {
		for _, known := range []string{"query", "operationName", "variables", "extensions"} {
			if name != known && strings.EqualFold(name, known) {
				return request{}, bad(http.StatusBadRequest, "A parameter is spelled in the wrong case: it must be "+
					known+".")
			}
		}
	}
	req := request{}
	var wrong [4]string
	req.query, wrong[0] = optional[string](object, "query", "a string")
	req.operationName, wrong[1] = optional[string](object, "operationName", "a string")
	req.variables, wrong[2] = optional[map[string]any](object, "variables", "a JSON object")
	extensions, notObject := optional[map[string]any](object, "extensions", "a JSON object")
	wrong[3] = notObject
	for _, message := range wrong {
		if message != "" {
			return request{}, bad(http.StatusBadRequest, message)
		}
	}
	if req.query != "" {
		return req, nil
	}
	if extensions["persistedQuery"] != nil {
		err := fault.New("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
		return request{}, &problem{err: err}
	}
	return request{}, bad(http.StatusBadRequest, "The parameter query, which holds the GraphQL document, is missing. "+
		example)
}

// optional reads a member that may be missing or null. For another type it says what is wrong.
func optional[T any](object map[string]any, name, must string) (T, string) {
	value, ok := object[name].(T)
	if ok || object[name] == nil {
		return value, ""
	}
	more := ""
	if _, isText := object[name].(string); isText {
		more = ": send the object itself, not its text"
	}
	return value, fmt.Sprintf("The parameter %s must be %s, and is %s%s.", name, must, jsonKind(object[name]), more)
}
