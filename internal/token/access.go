package token

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// accessType is the header typ of an access token (RFC 9068, section 2.1). No other signed token has it.
const accessType = "at+jwt"

// leeway is the greatest accepted difference between the clocks of two instances.
const leeway = 5 * time.Second

// maxMetadata is the greatest length of the encoded claim metadata, in bytes.
const maxMetadata = 4096

// minHMACKey is the least length of an HS256 key, in bytes (RFC 7518, section 3.2).
const minHMACKey = 32

// ErrTooLarge is returned for an access token with more than 4 KiB of encoded metadata, or with more than 8 KiB in all.
var ErrTooLarge = errors.New("token: the access token is too large; use fewer or shorter claims")

// Access is the content of an access token.
type Access struct {
	ID         string         // the claim jti, 26 characters; set by Issue
	User       string         // the claim sub: a typed id, for example user_…
	Session    string         // the claim sid: a typed id, for example sess_…; revoke by it, never by the token's text
	Generation int64          // the claim gen, of the session's refresh token; omitted if NoGeneration
	Roles      []string       // the claim roles; omitted if empty
	Methods    []string       // the claim amr (RFC 8176); omitted if empty
	Class      string         // the claim acr (RFC 9470): aal1, or aal2 after a second factor; omitted if empty
	Metadata   map[string]any // the claim metadata, at most 4 KiB encoded; as an object it overwrites no other claim
	IssuedAt   time.Time      // the claim iat, whole seconds in UTC; set by Issue
	ExpiresAt  time.Time      // the claim exp, whole seconds in UTC; set by Issue

	// HS256 selects the older of the two forms: HMAC-SHA-256 under the header {"alg":"HS256","typ":"JWT"}.
	HS256 bool

	// Extra holds further top-level claims as JSON values. A ReservedClaim is an error. The name metadata, with an
	// object or null, replaces Metadata. Verify does not read them back.
	Extra map[string]any
}

// NoGeneration is the Generation of a token without the claim gen: its session has no refresh token.
const NoGeneration = -1

// Issuer signs and verifies access tokens: JWTs signed with the active key, or with HS256 if Access asks for it. An
// Issuer is immutable, so a rotation of the keys makes a new one. It is safe for concurrent use, and never fetches
// anything.
type Issuer struct {
	issuer, audience string
	active           SigningKey
	keys             map[string]SigningKey  // by kid
	hmac             func() [][]byte        // the first key signs; a function, because fmt prints only its address
	parsers          map[string]*jwt.Parser // by algorithm; each accepts that algorithm alone
	now              func() time.Time
}

// NewIssuer returns an Issuer that signs with active. It verifies with active and with others: the next key, and each
// retired key until the last token under it has expired. hmac has at least 32 bytes, and is used for HS256 access
// tokens alone. Issuer and audience are compared exactly (RFC 9068, section 4). An empty issuer, audience or key is an
// error, because it would turn the check of it off.
func NewIssuer(
	issuer, audience string, active SigningKey, others []SigningKey, hmac []byte, now func() time.Time,
) (*Issuer, error) {
	if issuer == "" || audience == "" || now == nil {
		return nil, errors.New("token: an issuer has no name, audience or clock; set all three")
	}
	i := &Issuer{
		issuer:   issuer,
		audience: audience,
		active:   active,
		keys:     map[string]SigningKey{},
		parsers:  map[string]*jwt.Parser{},
		now:      now,
	}
	for _, k := range slices.Concat(others, []SigningKey{active}) {
		if k.private == nil || k.KID == "" || k.Alg == "" || k.Alg != algorithm(k.private()) {
			return nil, errors.New("token: a signing key is empty or of another algorithm; use GenerateKey or ParseKey")
		}
		i.keys[k.KID] = k
	}
	for _, alg := range []string{AlgES256, AlgEdDSA, AlgRS256, algHS256} {
		// golang-jwt makes each of these checks only if its option is set.
		i.parsers[alg] = jwt.NewParser(
			jwt.WithValidMethods([]string{alg}),
			jwt.WithStrictDecoding(),
			jwt.WithIssuer(issuer),
			jwt.WithAudience(audience),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(leeway),
			jwt.WithTimeFunc(now),
		)
	}
	return i.withHMAC([][]byte{hmac})
}

// Accepting returns a copy of i that also verifies HS256 tokens under further keys, each of at least 32 bytes.
func (i *Issuer) Accepting(further ...[]byte) (*Issuer, error) {
	return i.withHMAC(slices.Concat(i.hmac(), further))
}

func (i *Issuer) withHMAC(keys [][]byte) (*Issuer, error) {
	copies := make([][]byte, len(keys))
	for n, key := range keys {
		if len(key) < minHMACKey {
			return nil, errors.New("token: the HS256 key is too short; use at least 32 bytes")
		}
		copies[n] = slices.Clone(key)
	}
	with := *i
	with.hmac = func() [][]byte { return copies }
	return &with, nil
}

// Issue signs a token that expires ttl from now. ttl is at least a second; it and the time are cut to whole seconds.
// Issue returns the token, and a with ID, IssuedAt and ExpiresAt set. The one expected error is ErrTooLarge. Every
// other error is a mistake of the caller: a missing user or session, an extra claim that is reserved or not JSON.
func (i *Issuer) Issue(a Access, ttl time.Duration) (secret.Text, Access, error) {
	if a.User == "" || a.Session == "" || ttl < time.Second {
		return "", Access{}, errors.New("token: an access token has no user, session or lifetime; set all three")
	}
	if err := a.checkExtra(); err != nil {
		return "", Access{}, err
	}
	iat := i.now().Unix()
	exp := iat + int64(ttl/time.Second)
	a.ID, a.IssuedAt, a.ExpiresAt = rand.Text(), time.Unix(iat, 0).UTC(), time.Unix(exp, 0).UTC()
	c := &claims{
		Issuer:    i.issuer,
		Audience:  i.audience,
		Subject:   a.User,
		Session:   a.Session,
		IssuedAt:  &iat,
		ExpiresAt: &exp,
		ID:        a.ID,
		Roles:     a.Roles,
		Methods:   a.Methods,
		Class:     a.Class,
		Metadata:  a.Metadata,
		Extra:     a.Extra,
	}
	if a.Generation >= 0 {
		c.Generation = &a.Generation
	}
	if _, ok := a.Extra["metadata"]; ok {
		c.Metadata = nil // Extra already writes the claim, also if it is empty or null
	}
	text, err := i.sign(c, a.HS256)
	if err != nil {
		return "", Access{}, fmt.Errorf("token: signing an access token: %w", err)
	}
	if len(text) > maxCompact {
		return "", Access{}, ErrTooLarge
	}
	return secret.Text(text), a, nil
}

// checkExtra checks the extra claims and the size of the metadata. It sets a.Metadata to the extra claim metadata, if
// there is one.
func (a *Access) checkExtra() error {
	for name := range a.Extra {
		if ReservedClaim(name) {
			return fmt.Errorf("token: the claim %q is reserved; use another name", name)
		}
	}
	if value, ok := a.Extra["metadata"]; ok {
		object, isObject := value.(map[string]any)
		if value != nil && !isObject {
			return errors.New("token: the claim metadata has another type; use an object or null")
		}
		a.Metadata = object
	}
	if len(a.Metadata) == 0 {
		return nil
	}
	metadata, err := encodeJSON(a.Metadata)
	if err != nil {
		return fmt.Errorf("token: encoding metadata: %w", err)
	}
	if len(metadata) > maxMetadata {
		return ErrTooLarge
	}
	return nil
}

func (i *Issuer) sign(c *claims, hs256 bool) (string, error) {
	if hs256 {
		return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(i.hmac()[0])
	}
	t := jwt.NewWithClaims(jwt.GetSigningMethod(i.active.Alg), c)
	t.Header["typ"], t.Header["kid"] = accessType, i.active.KID
	return t.SignedString(i.active.private())
}
