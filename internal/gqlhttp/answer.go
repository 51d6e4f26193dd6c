package gqlhttp

import (
	"bytes"
	stdjson "encoding/json"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// answer is a GraphQL response. Data is left out, and is not null, where nothing ran (GraphQL specification, 7.1).
type answer struct {
	Errors gqlerror.List      `json:"errors,omitempty"`
	Data   stdjson.RawMessage `json:"data,omitempty"`

	status int
	retry  int // seconds; 0 for no Retry-After
}

// answerTo settles the status of what came out of a request (GraphQL over HTTP, section 6.4).
func answerTo(media string, data []byte, errs gqlerror.List) answer {
	a := answer{Errors: errs, Data: data, status: http.StatusOK}
	if len(errs) == 0 {
		return a
	}
	if data == nil {
		a.status = statusOf(media, errs)
	}
	if data == nil || allNull(data) {
		a.hold(errs)
	}
	return a
}

// statusOf is the status of a request error.
func statusOf(media string, errs gqlerror.List) int {
	if errs[0].Extensions["code"] == fault.Internal {
		return http.StatusInternalServerError
	}
	if media == graphqlResponse {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// hold turns an answer without data into 429 or 503 when waiting would help.
func (a *answer) hold(errs gqlerror.List) {
	for _, e := range errs {
		f := fault.From(e)
		if f == nil || f.Code != fault.RateLimited && f.Code != fault.Unavailable {
			continue
		}
		a.Data = nil
		a.retry = max(a.retry, f.RetrySeconds(), 1)
		a.status = max(a.status, http.StatusTooManyRequests)
		if f.Code == fault.Unavailable {
			a.status = http.StatusServiceUnavailable
		}
	}
}

// allNull tells whether no root field has data.
func allNull(data []byte) bool {
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(data, &fields); err != nil {
		return false
	}
	for _, value := range fields {
		if value.Kind() != 'n' {
			return false
		}
	}
	return true
}

// write sends the answer.
func (a answer) write(w http.ResponseWriter, media string) error {
	var body bytes.Buffer
	encoder := stdjson.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(a); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", media+"; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	if a.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(a.retry))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body.Bytes()) // the caller may have hung up
	return nil
}
