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

// claims is the body of an access token (RFC 9068, section 2.2). golang-jwt and this package use the same decoding, so
// the two cannot read different claims. Members are accepted in their exact case and once each, at any depth; texts are
// valid UTF-8; times are integers. Unknown members are ignored, because a newer release may have written them.
type claims struct {
	Issuer     string         `json:"iss"`
	Audience   string         `json:"aud"` // one string; a list, which RFC 7519 also allows, is rejected
	Subject    string         `json:"sub"`
	Session    string         `json:"sid"`
	Generation *int64         `json:"gen,omitzero"`
	IssuedAt   *int64         `json:"iat"`
	NotBefore  *int64         `json:"nbf,omitzero"` // never issued, but checked
	ExpiresAt  *int64         `json:"exp"`
	ID         string         `json:"jti"`
	Roles      []string       `json:"roles,omitempty"`
	Methods    []string       `json:"amr,omitempty"`
	Class      string         `json:"acr,omitempty"`
	Metadata   map[string]any `json:"metadata,omitempty"`

	Extra map[string]any `json:"-"` // written at the top level, never read
}

// MarshalJSON writes the claims and the extra claims as one object. An extra claim with the name of another claim is an
// error of the encoder, which rejects duplicate members.
func (c *claims) MarshalJSON() ([]byte, error) {
	return encodeJSON(struct {
		Claims *plainClaims   `json:",embed"`
		Extra  map[string]any `json:",embed"`
	}{(*plainClaims)(c), c.Extra})
}

// UnmarshalJSON decodes the claims strictly. The default decoding of golang-jwt is not strict.
func (c *claims) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*plainClaims)(c)) }

// ReservedClaim reports whether the server itself sets or checks the claim of this name in an access token. The case of
// name is ignored, because many JSON decoders read SUB as sub. The claim metadata is not reserved.
func ReservedClaim(name string) bool {
	reserved := []string{"iss", "aud", "sub", "sid", "gen", "iat", "exp", "nbf", "jti", "roles", "amr", "acr"}
	return slices.ContainsFunc(reserved, func(r string) bool { return strings.EqualFold(r, name) })
}

// maxSeconds is the latest accepted time of a claim, in seconds: the largest integer that every JSON decoder reads
// exactly. Far later times overflow in package time.
const maxSeconds = 1 << 53

// plainClaims is claims without its methods: MarshalJSON and UnmarshalJSON would otherwise call themselves.
type plainClaims claims

// numbers writes a json.Number as a number. The encoder would write it as a string. gojq returns numbers with many
// digits in this type.
var numbers = json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, n stdjson.Number) error {
	return e.WriteValue(jsontext.Value(n))
}))

// encodeJSON writes the same bytes for the same value. golang-jwt passes the result through encoding/json, which
// escapes for HTML and JavaScript. encodeJSON escapes in the same way, so the checked size of the metadata is the size
// in the token.
func encodeJSON(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.EscapeForHTML(true), jsontext.EscapeForJS(true), numbers)
}

// Validate checks the claims that every access token of this server has. golang-jwt calls it after its own checks.
func (c *claims) Validate() error {
	if c.Subject == "" || c.Session == "" || c.ID == "" || c.IssuedAt == nil || c.ExpiresAt == nil {
		return errors.New("a required claim is missing")
	}
	for _, at := range []*int64{c.IssuedAt, c.NotBefore, c.ExpiresAt} {
		if at != nil && (*at < 0 || *at > maxSeconds) {
			return errors.New("a time is out of range")
		}
	}
	if c.Generation != nil && (*c.Generation < 0 || *c.Generation > maxGeneration) {
		return errors.New("the generation is out of range")
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
