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

// headerHS256 is the first segment of every HS256 access token: {"alg":"HS256","typ":"JWT"}. It is compared as text, so
// a token with any other spelling never reaches the HMAC key.
const headerHS256 = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"

// ErrUnknownKey is the ErrMalformed of a token with a valid form and an unknown key. A newer key may have signed it.
var ErrUnknownKey = fmt.Errorf("%w: its key is unknown", ErrMalformed)

// ErrExpired says that an access token has expired and is valid otherwise. It is ErrMalformed too.
var ErrExpired = fmt.Errorf("%w: it has expired", ErrMalformed)

// kidLength is the length of a kid: 32 bytes in base64url.
const kidLength = 43

// joseHeader is the only valid header of an access token under a signing key. Every other member is rejected, above all
// the members that bring or name a key (jku, jwk, x5u, x5c) or require extensions (crit, RFC 7515, section 4.1.11).
type joseHeader struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid"`
}

// Verify checks an access token and returns its claims. It checks, in this order: the compact form; the header, which
// selects the HS256 keys or one signing key; the signature; issuer and audience; the times, with a leeway of 5 seconds;
// and that there is a user, a session and an id.
//
// Its error is always ErrMalformed, wrapped with a reason for the log that contains nothing of the token. The caller
// must check that the session is alive, by Access.Session and never by the text: anybody can turn a valid ECDSA
// signature into a second one for the same claims.
func (i *Issuer) Verify(text string) (Access, error) {
	if !isCompact(text) {
		return Access{}, malformed("it is not a JWT in compact form")
	}
	parser, key, err := i.keyFor(text)
	if err != nil {
		return Access{}, err
	}
	var c claims
	token, err := parser.ParseWithClaims(text, &c, func(*jwt.Token) (any, error) { return key, nil })
	// Every error rejects the token, even if the parser also returns a token.
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return Access{}, malformed("its claims cannot be read")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return Access{}, malformed("its signature is wrong")
	case errors.Is(err, jwt.ErrTokenExpired):
		return Access{}, ErrExpired
	case err != nil || !token.Valid:
		return Access{}, malformed("its issuer, audience, times or identifiers are wrong")
	}
	generation := int64(NoGeneration)
	if c.Generation != nil {
		generation = *c.Generation
	}
	return Access{
		ID:         c.ID,
		User:       c.Subject,
		Session:    c.Session,
		Generation: generation,
		Roles:      c.Roles,
		Methods:    c.Methods,
		Class:      c.Class,
		Metadata:   c.Metadata,
		IssuedAt:   time.Unix(*c.IssuedAt, 0).UTC(),
		ExpiresAt:  time.Unix(*c.ExpiresAt, 0).UTC(),
		HS256:      parser == i.parsers[algHS256],
	}, nil
}

// SessionOfExpired returns the session of an access token that Verify rejects for its expiry alone. ok is false for
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
	// The parser checks the signature before the expiry, and joins the expiry with other errors of the claims.
	ok = errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid) &&
		c.Issuer == i.issuer && c.Audience == i.audience && c.Validate() == nil
	return c.Session, ok
}

// keyFor returns the key for the header of a token in compact form, and the parser that accepts the algorithm of the
// key alone. A kid only selects a key of the Issuer: it is never a path, a query or an address.
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
	// Unmarshal also rejects members in another case, duplicate members, and invalid UTF-8.
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
		return nil, nil, malformed("its key id is malformed")
	}
	if header.Alg != key.Alg {
		return nil, nil, malformed("its algorithm does not match its key")
	}
	return i.parsers[key.Alg], key.private().Public(), nil
}

// malformed wraps ErrMalformed. Its reasons are constants, because the errors of the parsers quote the token.
func malformed(reason string) error { return fmt.Errorf("%w: %s", ErrMalformed, reason) }
