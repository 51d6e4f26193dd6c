package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"
)

// maxLegacy is the longest life of a token of a former system. What ends sessions is on record for longer than that.
const maxLegacy = 30 * 24 * time.Hour

// LegacyRules say how the access tokens of a former system are signed and whose they are.
type LegacyRules struct {
	Alg      string // HS256, RS256 or ES256, exactly
	Key      []byte // the content of a key file: see legacyKeys
	Claim    string // holds the id of the person in that system
	Issuer   string // demanded of the claim iss; "" for any
	Audience string // demanded of the claim aud; "" for any
}

// Legacy verifies the access tokens of one former system. It signs nothing, and is safe for concurrent use.
type Legacy struct {
	parser *jwt.Parser
	keys   func() []legacyKey // a function, because fmt prints only its address
	claim  string
	now    func() time.Time
}

// LegacyAccess is the content of a token of a former system.
type LegacyAccess struct {
	Subject   string    // the id of the person in that system
	IssuedAt  time.Time // the claim iat in whole seconds; without one the earliest time that there can be
	ExpiresAt time.Time
}

// NewLegacy returns the verifier for a former system. Its errors contain nothing of the key.
func NewLegacy(rules LegacyRules, now func() time.Time) (*Legacy, error) {
	keys, err := legacyKeys(rules.Alg, rules.Key)
	if err != nil {
		return nil, err
	}
	if rules.Claim == "" {
		return nil, errors.New("no claim says whose the token is; name it")
	}
	// golang-jwt makes each of these checks only if its option is set.
	options := []jwt.ParserOption{
		jwt.WithValidMethods([]string{rules.Alg}),
		jwt.WithStrictDecoding(),
		jwt.WithJSONNumber(),
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(now),
	}
	if rules.Issuer != "" {
		options = append(options, jwt.WithIssuer(rules.Issuer))
	}
	if rules.Audience != "" {
		options = append(options, jwt.WithAudience(rules.Audience))
	}
	return &Legacy{
		parser: jwt.NewParser(options...), keys: func() []legacyKey { return keys }, claim: rules.Claim, now: now,
	}, nil
}

// Verify checks a token, as Issuer.Verify does: the compact form, the one algorithm, the signature, the times, and
// issuer and audience where rules name them. The token lives for 30 days at most. Its error is always ErrMalformed, and
// ErrExpired for a token that is over and valid otherwise.
func (l *Legacy) Verify(text string) (LegacyAccess, error) {
	if !isCompact(text) || !membersOnce(text) {
		return LegacyAccess{}, malformed("it is not a JWT in compact form, or has a member twice")
	}
	c := jwt.MapClaims{}
	parsed, err := l.parser.ParseWithClaims(text, c, l.keyFor)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired) && !errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return LegacyAccess{}, ErrExpired
	case err != nil || !parsed.Valid:
		return LegacyAccess{}, malformed("its signature, times, issuer or audience are wrong")
	}
	access := LegacyAccess{Subject: subjectIn(c[l.claim])}
	expires, err := c.GetExpirationTime()
	if err != nil || expires == nil || access.Subject == "" {
		return LegacyAccess{}, malformed("it names nobody, or never expires")
	}
	access.ExpiresAt = expires.UTC()
	access.IssuedAt = access.ExpiresAt.Add(-maxLegacy)
	issued, err := c.GetIssuedAt()
	if err != nil {
		return LegacyAccess{}, malformed("its times are wrong")
	}
	if issued != nil {
		access.IssuedAt = issued.UTC()
	}
	if access.ExpiresAt.After(l.now().Add(maxLegacy)) || access.ExpiresAt.Sub(access.IssuedAt) > maxLegacy {
		return LegacyAccess{}, malformed("it lives for more than 30 days")
	}
	return access, nil
}

// membersOnce tells whether header and claims of a token in compact form are JSON in which no name stands twice
// (JW-10).
func membersOnce(text string) bool {
	for _, segment := range strings.Split(text, ".")[:2] {
		raw, err := base64.RawURLEncoding.DecodeString(segment)
		if err != nil || !jsontext.Value(raw).IsValid() {
			return false
		}
	}
	return true
}

// keyFor gives the keys that may have signed a token. A kid only selects among them: it is never a path, a query or an
// address, and what else a header brings (jwk, jku, x5c, x5u) is not read. An extension that the token demands to be
// understood (crit, RFC 7515, section 4.1.11) is not understood.
func (l *Legacy) keyFor(t *jwt.Token) (any, error) {
	if _, demands := t.Header["crit"]; demands {
		return nil, errors.New("the token demands an extension")
	}
	kid, _ := t.Header["kid"].(string)
	var set jwt.VerificationKeySet
	for _, k := range l.keys() {
		if k.kid == "" || kid == "" || k.kid == kid {
			set.Keys = append(set.Keys, k.key)
		}
	}
	return set, nil
}

// wholeNumber is an integer of JSON as databases count accounts.
var wholeNumber = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)

// maxLegacySubject is the greatest length of the id of a person, in bytes.
const maxLegacySubject = 255

// subjectIn reads the id of a person: a text, or a whole number above zero as its digits; "" for anything else.
func subjectIn(value any) string {
	switch v := value.(type) {
	case string:
		if len(v) <= maxLegacySubject {
			return v
		}
	case json.Number:
		if wholeNumber.MatchString(v.String()) {
			return v.String()
		}
	}
	return ""
}

// String shows nothing of the keys.
func (l *Legacy) String() string {
	return fmt.Sprintf("tokens of a former system, by the claim %s", l.claim)
}
