// Package credential reads what a request presents to say who is calling.
//
// It knows the places of credentials, and does not check their validity. A request with two credentials, or a malformed
// one, is ambiguous (HT-05).
package credential

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Kind is a form in which a credential is presented.
type Kind string

// The kinds of Source.
const (
	Bearer Kind = "bearer"  // Authorization: Bearer x
	Token  Kind = "token"   // Authorization: Token x, Token token="x" or Token token=x, as Rails reads them
	Bare   Kind = "bare"    // Authorization: x
	APIKey Kind = "api-key" // X-API-Key: x, for API keys alone
	Header Kind = "header"  // the header named in Source.Names
	Cookie Kind = "cookie"  // a cookie of one of Source.Names
)

// Source is one place of a request where a credential may stand.
type Source struct {
	Kind  Kind
	Names []string // the names of the header or of the cookies; nil for the other kinds
}

// Parse reads the form in which people write a Source: "bearer", "token", "bare", "api-key", "header X-Session-Token",
// "cookie refreshToken", "cookie refreshToken userRefreshToken".
func Parse(text string) (Source, error) {
	kind, rest, _ := strings.Cut(text, " ")
	s := Source{Kind: Kind(kind), Names: strings.Fields(rest)}
	switch s.Kind {
	case Bearer, Token, Bare, APIKey:
		if rest != "" {
			return Source{}, fmt.Errorf("a credential of the kind %q has no name: write %q alone", kind, kind)
		}
		return Source{Kind: s.Kind}, nil
	case Header:
		if err := checkHeader(rest); err != nil {
			return Source{}, err
		}
		return s, nil
	case Cookie:
		for _, name := range s.Names {
			// RFC 6265 allows for cookies what is allowed for headers: a token
			if !httpguts.ValidHeaderFieldName(name) {
				return Source{}, fmt.Errorf("%q is not the name of a cookie: write it as in %q", name,
					"cookie refreshToken")
			}
		}
		if len(s.Names) == 0 {
			return Source{}, fmt.Errorf("the cookie has no name: write it as in %q", "cookie refreshToken")
		}
		return s, nil
	}
	return Source{}, fmt.Errorf(
		"%q is no place for a credential: write bearer, token, bare, api-key, header and a name, or cookie and a name",
		text)
}

func checkHeader(name string) error {
	if !httpguts.ValidHeaderFieldName(name) {
		return fmt.Errorf("%q is not the name of a header: write it as in %q", name, "header X-Session-Token")
	}
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case authorization:
		return errors.New("the header Authorization is read by its scheme: write bearer, token or bare")
	case apiKey:
		return fmt.Errorf("the header X-API-Key is for API keys: write %q", APIKey)
	case "Cookie":
		return fmt.Errorf("cookies are read one by one: write %q and the name of the cookie", Cookie)
	}
	return nil
}
