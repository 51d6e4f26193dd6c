package rest

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dragoman-auth/dragoman/internal/credential"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

// maxBody is the greatest length of a body in bytes (HT-10).
const maxBody = 64 << 10

// read turns a request into `$request` of the expressions. One object holds the parameters of the path, the query
// string and the body. A name in both the query string and the body is an error. The path wins over both: it chose the
// route.
func (d *Dialect) read(w http.ResponseWriter, req *http.Request, r *route) (map[string]any, *apiError) {
	given := emptyRequest(req.Method, req.URL.Path)
	given["headers"], given["cookies"] = d.visibleHeaders(req.Header), d.cookiesOf(req)
	text, apiErr := bodyOf(w, req)
	if apiErr != nil {
		return given, apiErr
	}
	given["hasBody"] = len(text) > 0
	params, textual, apiErr := r.body(text, req.Header, d.jsonType)
	if apiErr == nil {
		apiErr = r.typed(params, textual)
	}
	if apiErr != nil {
		return given, apiErr
	}
	if r.accepts.query {
		query, apiErr := parseForm(req.URL.RawQuery)
		delete(query, confirmation)
		if apiErr == nil {
			apiErr = r.typed(query, true)
		}
		if apiErr != nil {
			return given, apiErr
		}
		for name, value := range query {
			if _, twice := params[name]; twice {
				return given, malformed("duplicate", "A parameter is given in the query string and in the body.")
			}
			params[name] = value
		}
	}
	r.fromPath(req, params)
	given["params"] = params
	return given, nil
}

// emptyRequest returns `$request` before the request is read: without parameters, headers and cookies.
func emptyRequest(method, path string) map[string]any {
	return map[string]any{
		"method":      method,
		"path":        path,
		"params":      map[string]any{},
		"headers":     map[string]any{},
		"cookies":     map[string]any{},
		"hasBody":     false,
		"mailedToken": nil, "challengeToken": nil,
		"renewed": nil,
	}
}

// visibleHeaders returns the headers for expressions, by their names in lower case. A header that is sent twice is left
// out. Only the engine reads headers that can hold a credential.
func (d *Dialect) visibleHeaders(h http.Header) map[string]any {
	seen := headerMap(h)
	for _, name := range []string{"authorization", "cookie", "x-api-key"} {
		delete(seen, name)
	}
	for _, source := range d.credentials {
		if source.Kind == credential.Header {
			delete(seen, strings.ToLower(source.Names[0]))
		}
	}
	return seen
}

func headerMap(h http.Header) map[string]any {
	out := make(map[string]any, len(h))
	for name, values := range h {
		if len(values) == 1 && utf8.ValidString(values[0]) {
			out[strings.ToLower(name)] = values[0]
		}
	}
	return out
}

func (d *Dialect) cookiesOf(req *http.Request) map[string]any {
	out := map[string]any{}
	if len(d.cookies) == 0 {
		return out
	}
	sent := req.Cookies()
	for _, c := range d.cookies {
		if value := c.read(sent); value != "" && utf8.ValidString(value) {
			out[c.name] = value
		}
	}
	return out
}

func bodyOf(w http.ResponseWriter, req *http.Request) ([]byte, *apiError) {
	text, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, errorOf(bodyTooLarge)
	}
	if err != nil {
		return nil, malformed("unreadable", "The body could not be read to its end.")
	}
	return text, nil
}

// body reads the parameters of the body. textual means that all values are text, as in a form.
func (r *route) body(
	text []byte, header http.Header, jsonType string,
) (params map[string]any, textual bool, apiErr *apiError) {
	if len(text) == 0 || !r.accepts.json && !r.accepts.form {
		return map[string]any{}, false, nil
	}
	switch form, ok := contentType(header, jsonType); {
	case ok && form && r.accepts.form:
		params, apiErr = parseForm(string(text))
		return params, true, apiErr
	case ok && !form && r.accepts.json:
		params, apiErr = parseJSON(text)
		return params, false, apiErr
	}
	apiErr = errorOf(unsupportedMedia)
	apiErr.message = r.wantsType(header)
	return nil, false, apiErr
}

// wantsType says which Content-Type a route takes.
func (r *route) wantsType(h http.Header) string {
	if h.Get("Content-Encoding") != "" {
		return "The body is compressed (Content-Encoding): send it as it is."
	}
	var takes []string
	if r.accepts.json {
		takes = append(takes, "application/json")
	}
	if r.accepts.form {
		takes = append(takes, "application/x-www-form-urlencoded")
	}
	must := "The Content-Type must be " + strings.Join(takes, " or ") + ", in UTF-8, and "
	media, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case h.Get("Content-Type") == "":
		return must + "there is none."
	case slices.Contains(takes, media): // in another charset, or twice
	case slices.Contains(usualTypes, media):
		return must + "is " + media + "."
	}
	return must + "is another one."
}

// usualTypes are the types that messages repeat. Any other text of a request is never repeated.
var usualTypes = []string{
	"application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain",
}

// contentType tells a form from JSON. JSON is application/json, or the media type of the dialect's answers. ok is false
// for every other type, and for every charset except UTF-8.
func contentType(h http.Header, jsonType string) (form, ok bool) {
	types := h.Values("Content-Type")
	if len(types) != 1 || h.Get("Content-Encoding") != "" {
		return false, false
	}
	media, params, err := mime.ParseMediaType(types[0])
	if charset, given := params["charset"]; err != nil || given && !strings.EqualFold(charset, "utf-8") {
		return false, false
	}
	switch media {
	case "application/x-www-form-urlencoded":
		return true, true
	case "application/json", jsonType:
		return false, true
	}
	return false, false
}

func malformed(problem, message string) *apiError {
	return &apiError{code: malformedRequest, problem: problem, message: message}
}

func parseJSON(text []byte) (map[string]any, *apiError) {
	value, err := strictjson.Decode(text)
	if f := fault.From(err); f != nil {
		return nil, malformed("value", f.Message)
	}
	if err != nil {
		return nil, malformed("syntax", "The body "+err.Error())
	}
	params, ok := value.(map[string]any)
	if !ok {
		return nil, malformed("not-object", "The body must be a JSON object, and is "+kindOf(value)+".")
	}
	return params, nil
}

// parseForm reads application/x-www-form-urlencoded, from a body or a query string. A duplicate name is an error
// (HT-12).
func parseForm(text string) (map[string]any, *apiError) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, malformed("syntax", "The form or query string is malformed: an escape by % is not one, or a ; "+
			"stands in it.")
	}
	params := make(map[string]any, len(values))
	for name, list := range values {
		switch {
		case len(list) > 1:
			return nil, malformed("duplicate", "A parameter is given twice: each may come once.")
		case !utf8.ValidString(name) || !utf8.ValidString(list[0]) || strings.ContainsRune(name+list[0], 0):
			return nil, malformed("value", "A parameter has a character that is not valid UTF-8, or U+0000.")
		}
		params[name] = list[0]
	}
	return params, nil
}

// fromPath adds the parameters of the path. An invalid value (an integer that is malformed or above 2^31-1, text that
// is not UTF-8 or holds a NUL) becomes 0 or "". Nothing has that value, so the answer is NOT_FOUND to those who may ask
// (SE-18).
func (r *route) fromPath(req *http.Request, params map[string]any) {
	for i, m := range parameter.FindAllStringSubmatch(r.path, -1) {
		value := req.PathValue("p" + strconv.Itoa(i))
		if r.params[m[1]] == "integer" {
			n, err := strconv.ParseInt(value, 10, 32)
			if err != nil || n < 0 || strconv.FormatInt(n, 10) != value {
				n = 0
			}
			params[m[1]] = int(n)
			continue
		}
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			value = ""
		}
		params[m[1]] = value
	}
}
