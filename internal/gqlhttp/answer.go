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

// answer is a GraphQL response. Data is left out, not null, if nothing ran (GraphQL specification, section 7.1).
type answer struct {
	Errors gqlerror.List      `json:"errors,omitempty"`
	Data   stdjson.RawMessage `json:"data,omitempty"`

	status int
	retry  int // seconds; 0 for no Retry-After
}

// answerTo makes the answer to a request and sets its status (GraphQL over HTTP, section 6.4).
func answerTo(media string, data []byte, errs gqlerror.List) answer {
	a := answer{Errors: errs, Data: data, status: http.StatusOK}
	if len(errs) == 0 {
		return a
	}
	if data == nil {
		a.status = statusOf(media, errs)
	}
	if data == nil || allNull(data) {
		a.askToRetry(errs)
	}
	return a
}

// statusOf gives the status of a request error.
func statusOf(media string, errs gqlerror.List) int {
	if errs[0].Extensions["code"] == fault.Internal {
		return http.StatusInternalServerError
	}
	if media == graphqlResponse {
		return http.StatusBadRequest
	}
	return http.StatusOK
}

// askToRetry turns an answer without data into 429 or 503 with Retry-After, if one of its errors says that a retry may
// succeed.
func (a *answer) askToRetry(errs gqlerror.List) {
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

// allNull tells whether every root field is null.
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
