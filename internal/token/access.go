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

// accessType is the header typ of an access token (RFC 9068, section 2.1); nothing else that is signed carries it.
const accessType = "at+jwt"

// leeway is how far the clocks of two instances may differ.
const leeway = 5 * time.Second

// maxMetadata is the most that the encoded metadata of a token may take, in bytes.
const maxMetadata = 1024

// minHMACKey is the least that an HS256 key has, in bytes (RFC 7518, section 3.2).
const minHMACKey = 32

// ErrTooLarge says that an access token cannot be issued because its metadata take more than 1 KiB encoded, or the
// whole of it more than the 4 KiB that are accepted.
var ErrTooLarge = errors.New("token: too much for an access token")

// Access is what an access token says.
type Access struct {
	ID        string         // the claim jti, 26 characters; set by Issue
	User      string         // the claim sub: a typed id such as user_…
	Session   string         // the claim sid: a typed id such as sess_…; revoke by this, never by the text of a token
	Roles     []string       // the claim roles; left out when empty
	Methods   []string       // the claim amr (RFC 8176); left out when empty
	Metadata  map[string]any // the claim metadata, at most 1 KiB; it lies one level down and overwrites no other claim
	IssuedAt  time.Time      // the claim iat, whole seconds in UTC; set by Issue
	ExpiresAt time.Time      // the claim exp, whole seconds in UTC; set by Issue

	// HS256 is the older of the two forms: HMAC-SHA-256 under the header {"alg":"HS256","typ":"JWT"}.
	HS256 bool

	// Extra holds further claims of the top level, as values of JSON. None may be a ReservedClaim; metadata, an object
	// or null, stands in for Metadata. Verify skips them.
	Extra map[string]any
}

// Issuer signs and verifies access tokens: JWTs signed by the active key, or by HS256 where that was asked for. It
// never changes, so a rotation of keys makes a new one; it is safe for concurrent use and never fetches anything.
type Issuer struct {
	issuer, audience string
	active           SigningKey
	keys             map[string]SigningKey
	// the first one signs; a function, because fmt prints only the address of one
	hmac    func() [][]byte
	parsers map[string]*jwt.Parser // by algorithm: each takes no other
	now     func() time.Time
}

// NewIssuer signs by active, and verifies by active and the others: the next key, and the retired ones until their last
// token ends. The HMAC key, at least 32 bytes, belongs to the HS256 tokens of this issuer and to nothing else. Issuer
// and audience are compared exactly (RFC 9068, section 4). It refuses an empty issuer, audience or key, because the
// check that goes with it would be off.
func NewIssuer(
	issuer, audience string, active SigningKey, others []SigningKey, hmac []byte, now func() time.Time,
) (*Issuer, error) {
	if issuer == "" || audience == "" || now == nil {
		return nil, errors.New("token: an issuer has no name, audience or clock; set all three")
	}
	i := &Issuer{
		issuer: issuer, audience: audience, active: active, keys: map[string]SigningKey{},
		parsers: map[string]*jwt.Parser{}, now: now,
	}
	for _, k := range slices.Concat(others, []SigningKey{active}) {
		if k.private == nil || k.KID == "" || k.Alg == "" || k.Alg != algorithm(k.private()) {
			return nil, errors.New("token: a signing key is empty or not of its algorithm")
		}
		i.keys[k.KID] = k
	}
	for _, alg := range []string{AlgES256, AlgEdDSA, AlgRS256, algHS256} {
		// Each of these checks is off in golang-jwt until its option is set.
		i.parsers[alg] = jwt.NewParser(
			jwt.WithValidMethods([]string{alg}), jwt.WithStrictDecoding(), jwt.WithIssuer(issuer),
			jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway),
			jwt.WithTimeFunc(now),
		)
	}
	return i.withHMAC([][]byte{hmac})
}

// Accepting is i that takes HS256 tokens under further keys too, each of at least 32 bytes: those of earlier secrets.
func (i *Issuer) Accepting(further ...[]byte) (*Issuer, error) {
	return i.withHMAC(slices.Concat(i.hmac(), further))
}

func (i *Issuer) withHMAC(keys [][]byte) (*Issuer, error) {
	own := make([][]byte, len(keys))
	for n, key := range keys {
		if len(key) < minHMACKey {
			return nil, errors.New("token: the HS256 key is too short; use at least 32 bytes")
		}
		own[n] = slices.Clone(key)
	}
	with := *i
	with.hmac = func() [][]byte { return own }
	return &with, nil
}

// Issue signs a token that ends ttl from now, both cut to whole seconds; ttl is at least a second. It returns the token
// and a with ID, IssuedAt and ExpiresAt set. ErrTooLarge is the one expected error; a missing user or session, and a
// further claim that is reserved or no JSON, are mistakes of the caller.
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
		Issuer: i.issuer, Audience: i.audience, Subject: a.User, Session: a.Session, IssuedAt: &iat, ExpiresAt: &exp,
		ID: a.ID, Roles: a.Roles, Methods: a.Methods, Metadata: a.Metadata, Extra: a.Extra,
	}
	if _, theirs := a.Extra["metadata"]; theirs {
		c.Metadata = nil // theirs is written, as it is
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

// checkExtra holds the further claims and the metadata to their bounds, and brings metadata among the former to its
// place in a.
func (a *Access) checkExtra() error {
	for name := range a.Extra {
		if ReservedClaim(name) {
			return fmt.Errorf("token: the claim %q is reserved for the server; use another name", name)
		}
	}
	if given, ok := a.Extra["metadata"]; ok {
		object, isObject := given.(map[string]any)
		if given != nil && !isObject {
			return errors.New("token: the claim metadata is neither an object nor null; make it one")
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
