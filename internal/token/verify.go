package token

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"
)

// algHS256 is HMAC with SHA-256 (RFC 7518, section 3.2).
const algHS256 = "HS256"

// headerHS256 is the first segment of every HS256 token of ours: {"alg":"HS256","typ":"JWT"}. It is compared as text, so
// that a token which spells or says it in any other way can not reach the HMAC key.
const headerHS256 = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// ErrUnknownKey is the ErrMalformed of a token whose form is right and whose key is none of the issuer's: it may have been
// signed by a key that was made since.
var ErrUnknownKey = fmt.Errorf("%w: its key is unknown", ErrMalformed)

// kidLength is the length of every kid of ours.
const kidLength = 43

// joseHeader is the only header that our tokens under a key pair have. Every other member is refused, above all those by which a token
// would bring or point to its own key (jku, jwk, x5u, x5c) or ask for rules of its own (crit, RFC 7515, section 4.1.11).
type joseHeader struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid"`
}

// Verify checks an access token and returns what it says. It is valid when all of these hold, checked in this order: the
// compact form, the header, which alone chooses the key: that of HS256 tokens, or one of our own set by its kid with the
// algorithm of that key; then the signature, issuer and audience, the times, and a user, a session and an id. Times may
// be 5 seconds off.
//
// Its error is always ErrMalformed, with a reason for the log that holds nothing of the token. Whether the session still
// lives is for the caller to ask, by Access.Session and never by the text: ECDSA lets anybody turn one valid signature
// into a second one of the same claims.
func (i *Issuer) Verify(text string) (Access, error) {
	if !isCompact(text) {
		return Access{}, malformed("its form is not that of a JWT")
	}
	parser, key, err := i.keyFor(text)
	if err != nil {
		return Access{}, err
	}
	var c claims
	token, err := parser.ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return key, nil })
	// Any error refuses, even one that comes with a token.
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Access{}, malformed("its claims cannot be read")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return Access{}, malformed("its signature is wrong")
	case errors.Is(err, jwt.ErrTokenExpired):
		return Access{}, malformed("it has expired")
	case err != nil || !token.Valid:
		return Access{}, malformed("its claims are not those that it needs here")
	}
	return Access{
		ID: c.ID, User: c.Subject, Session: c.Session, Roles: c.Roles, Methods: c.Methods, Metadata: c.Metadata,
		IssuedAt: time.Unix(*c.IssuedAt, 0).UTC(), ExpiresAt: time.Unix(*c.ExpiresAt, 0).UTC(), HS256: parser == i.parsers[algHS256],
	}, nil
}

// SessionOfExpired returns the session of an access token that only fails Verify because it has expired. ok is false for
// every other text. Whether the caller may use the session is not checked.
func (i *Issuer) SessionOfExpired(text string) (session string, ok bool) {
	if !isCompact(text) {
		return "", false
	}
	parser, key, err := i.keyFor(text)
	if err != nil {
		return "", false
	}
	var c claims
	_, err = parser.ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return key, nil })
	// That it has expired is found behind the signature, and together with whatever else is wrong with the claims.
	ok = errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid) &&
		c.Issuer == i.issuer && c.Audience == i.audience && c.Validate() == nil
	return c.Session, ok
}

// keyFor reads the header of a token in compact form and finds its key, and the parser that takes no other algorithm
// than that key's. A kid is a name in our own set and nothing else: no path, no query, no address.
func (i *Issuer) keyFor(text string) (*jwt.Parser, any, error) {
	segment, _, _ := strings.Cut(text, ".")
	if segment == headerHS256 {
		var set jwt.VerificationKeySet
		for _, key := range i.hmac() {
			set.Keys = append(set.Keys, key)
		}
		return i.parsers[algHS256], set, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return nil, nil, malformed("its header cannot be read")
	}
	var header joseHeader
	// The codec also refuses members in another case, members that stand twice, and invalid UTF-8.
	if err := json.Unmarshal(raw, &header, json.RejectUnknownMembers(true)); err != nil {
		return nil, nil, malformed("its header cannot be read")
	}
	if header.Typ != accessType {
		return nil, nil, malformed("it is not an access token")
	}
	key, ok := i.keys[header.Kid]
	if !ok {
		if len(header.Kid) == kidLength && isSegment(header.Kid) {
			return nil, nil, ErrUnknownKey
		}
		return nil, nil, malformed("its key is none of ours")
	}
	if header.Alg != key.Alg {
		return nil, nil, malformed("its algorithm is not that of its key")
	}
	return i.parsers[key.Alg], key.private().Public(), nil
}

// malformed takes fixed words only: the errors of the parsers quote what they were given.
func malformed(reason string) error { return fmt.Errorf("%w: %s", ErrMalformed, reason) }
