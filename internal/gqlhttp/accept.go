package gqlhttp

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// The media types of an answer (GraphQL over HTTP, section 4.1). A request error is 400 in graphqlResponse. It is 200
// in plainJSON, because older clients read the body of no other status.
const (
	graphqlResponse = "application/graphql-response+json"
	plainJSON       = "application/json"
)

// negotiate gives the media type that the Accept headers prefer (RFC 9110, section 12.5.1), or "" if they accept
// neither. A caller without a preference gets application/json.
func negotiate(h http.Header) string {
	accept := strings.Join(h.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return plainJSON
	}
	var response, plain preference
	for part := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil || !isUTF8(params["charset"]) {
			continue
		}
		q := quality(params["q"])
		switch media {
		case graphqlResponse:
			response.add(2, q)
		case plainJSON:
			plain.add(2, q)
		case "application/*":
			response.add(1, q)
			plain.add(1, q)
		case "*/*":
			response.add(0, q)
			plain.add(0, q)
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

// preference is the weight of one media type. The most precise range that names the type decides.
type preference struct {
	precision int // 2 for the type itself, 1 for application/*, 0 for */*
	q         float64
}

// add takes one range of the Accept header into account.
func (p *preference) add(precision int, q float64) {
	if precision > p.precision || precision == p.precision && q > p.q {
		p.precision, p.q = precision, q
	}
}

// quality reads a weight from 0 to 1. A missing or malformed weight counts as 1.
func quality(s string) float64 {
	q, err := strconv.ParseFloat(s, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 1
	}
	return q
}

func isUTF8(charset string) bool { return charset == "" || strings.EqualFold(charset, "utf-8") }
