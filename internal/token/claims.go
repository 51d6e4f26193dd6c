package token

import (
	stdjson "encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// claims is the body of an access token (RFC 9068, section 2.2). One exact reading serves both for the signature
// library and for us, so that no two parsers can see two things: members in their exact case and once each, at any
// depth, valid UTF-8, and times as integers. A member that we do not know is skipped, because a newer release may have
// written it.
type claims struct {
	Issuer    string         `json:"iss"`
	Audience  string         `json:"aud"` // one string; the list that RFC 7519 also allows is refused
	Subject   string         `json:"sub"`
	Session   string         `json:"sid"`
	IssuedAt  *int64         `json:"iat"`
	NotBefore *int64         `json:"nbf,omitzero"` // never issued, but checked
	ExpiresAt *int64         `json:"exp"`
	ID        string         `json:"jti"`
	Roles     []string       `json:"roles,omitempty"`
	Methods   []string       `json:"amr,omitempty"`
	Metadata  map[string]any `json:"metadata,omitempty"`

	Extra map[string]any `json:"-"` // written beside the others, never read
}

// MarshalJSON writes the claims by the same rules. A further claim under the name of one of ours would be a member that
// stands twice, which the codec refuses.
func (c *claims) MarshalJSON() ([]byte, error) {
	return encodeJSON(struct {
		Ours  *plainClaims   `json:",embed"`
		Extra map[string]any `json:",embed"`
	}{(*plainClaims)(c), c.Extra})
}

// UnmarshalJSON reads the claims strictly; golang-jwt itself would not.
func (c *claims) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*plainClaims)(c)) }

// ReservedClaim tells whether the server itself sets the claim of this name in an access token, or checks it there, so
// that nobody else may. Case does not count: many readers of JSON take SUB for sub. The claim metadata is not reserved.
func ReservedClaim(name string) bool {
	reserved := []string{"iss", "aud", "sub", "sid", "iat", "exp", "nbf", "jti", "roles", "amr"}
	return slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, name) })
}

// maxSeconds is the latest time that a claim may hold: the largest integer that every JSON reader takes exactly. Far
// beyond it the arithmetic of package time wraps around.
const maxSeconds = 1 << 53

// plainClaims has no methods, so that the codec does not call itself.
type plainClaims claims

// numbers keeps a json.Number, in which jq gives numbers of many digits, a number; the codec would write a string.
var numbers = json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, n stdjson.Number) error {
	return e.WriteValue(jsontext.Value(n))
}))

// encodeJSON writes the same bytes for the same value, with the escapes that encoding/json would add to them, so that a
// size taken from it is the size in the token.
func encodeJSON(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.EscapeForHTML(true), jsontext.EscapeForJS(true), numbers)
}

// Validate makes every member required that each token of ours has. golang-jwt calls it after its own checks.
func (c *claims) Validate() error {
	if c.Subject == "" || c.Session == "" || c.ID == "" || c.IssuedAt == nil || c.ExpiresAt == nil {
		return errors.New("a required claim is missing")
	}
	for _, at := range []*int64{c.IssuedAt, c.NotBefore, c.ExpiresAt} {
		if at != nil && (*at < 0 || *at > maxSeconds) {
			return errors.New("a time is out of range")
		}
	}
	return nil
}

// The methods of jwt.Claims.

func (c *claims) GetIssuer() (string, error)             { return c.Issuer, nil }
func (c *claims) GetSubject() (string, error)            { return c.Subject, nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error) { return jwt.ClaimStrings{c.Audience}, nil }

func (c *claims) GetIssuedAt() (*jwt.NumericDate, error) { return numericDate(c.IssuedAt), nil }

func (c *claims) GetNotBefore() (*jwt.NumericDate, error) { return numericDate(c.NotBefore), nil }

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return numericDate(c.ExpiresAt), nil }

func numericDate(seconds *int64) *jwt.NumericDate {
	if seconds == nil {
		return nil
	}
	return &jwt.NumericDate{Time: time.Unix(*seconds, 0)}
}
