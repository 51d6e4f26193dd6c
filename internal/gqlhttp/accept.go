package gqlhttp

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types of an answer (GraphQL over HTTP, section 4.1). With the first, a request error is 400; with the
// second it is 200, because clients of old read the body of no other status.
const (
	graphqlResponse = "application/graphql-response+json"
	plainJSON       = "application/json"
)

// negotiate picks the media type that the Accept headers like best (RFC 9110, section 12.5.1); "" when they like
// neither. It is application/json where the caller does not care.
func negotiate(h http.Header) string {
	accept := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return plainJSON
	}
	var response, plain liking
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || !isUTF8(params["charset"]) {
			continue
		}
		q := quality(params["q"])
		switch media {
		case graphqlResponse:
			response.hear(2, q)
		case plainJSON:
			plain.hear(2, q)
		case "application/*":
			response.hear(1, q)
			plain.hear(1, q)
		case "*/*":
			response.hear(0, q)
			plain.hear(0, q)
		}
	}
	switch {
	case response.q == 0 && plain.q == 0:
		return ""
	case response.q != plain.q:
		if response.q > plain.q {
			return graphqlResponse
		}
		return plainJSON
	case response.precision > plain.precision || response.precision == 2 && plain.precision == 2:
		return graphqlResponse
	}
	return plainJSON
}

// liking is how much one media type is wanted, by the most precise range that names it.
type liking struct {
	precision int
	q         float64
}

func (l *liking) hear(precision int, q float64) {
	if precision > l.precision || precision == l.precision && q > l.q {
		l.precision, l.q = precision, q
	}
}

// quality reads a weight; one that is malformed counts as absent.
func quality(s string) float64 {
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 1
	}
	return q
}

func isUTF8(charset string) bool { return charset == "" || strings.EqualFold(charset, "utf-8") }
