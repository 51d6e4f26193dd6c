package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// headerRefresh is the first segment of every refresh token that is a JWT: {"alg":"HS256","typ":"rt+jwt"}. It is
// compared as text, so that nothing which spells or says it in another way is looked at, and its typ is that of no
// access token (RFC 8725, section 3.11).
const headerRefresh = "eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9"

// sessionKind is the prefix of a session's id, as the claim sid of access tokens has it.
const sessionKind = "sess"

// Refresh is what a refresh token in the form of a JWT says. Of all this only the session and its generation are what
// the token is worth; the rest is for whoever reads it.
type Refresh struct {
	User       string    // the claim sub: a typed id such as user_…
	Session    uuid.UUID // the claim sid: sess_…
	Generation int64     // the claim gen, from 0 to 2^53
	IssuedAt   time.Time // the claim iat, in whole seconds
	// the claim exp, in whole seconds: from then on the token is refused, even where the session lives on
	ExpiresAt time.Time
}

// refreshClaims are in the order in which they are written. All of them are required.
type refreshClaims struct {
	Subject    string `json:"sub"`
	IssuedAt   *int64 `json:"iat"`
	ExpiresAt  *int64 `json:"exp"`
	Session    string `json:"sid"`
	Generation *int64 `json:"gen"`
}

// RefreshJWT is the refresh token of a session in the form of a JWT (RFC 7519), signed by HMAC with SHA-256 under a key
// that this server alone has. It is worth what Codec.Refresh gives, and ParseRefresh takes the one like the other. The
// same r always gives the same text. One that ParseRefresh would refuse is made for an r that is not complete.
func (c *Codec) RefreshJWT(r Refresh) secret.Text {
	iat, exp := r.IssuedAt.Unix(), r.ExpiresAt.Unix()
	// Marshalling a struct of texts and numbers does not fail, but for a text that is no UTF-8: then there are no
	// claims.
	claims, _ := json.Marshal(&refreshClaims{
		Subject: r.User, IssuedAt: &iat, ExpiresAt: &exp, Session: FormatID(sessionKind, r.Session),
		Generation: &r.Generation,
	})
	input := headerRefresh + "." + base64.RawURLEncoding.EncodeToString(claims)
	return secret.Text(input + "." + base64.RawURLEncoding.EncodeToString(hmacSHA256(c.refreshJWT()[0], input)))
}

// parseRefreshJWT reads what RefreshJWT wrote. The form comes first, then the MAC in constant time under each secret,
// and only then what the claims say.
func (c *Codec) parseRefreshJWT(text string) (uuid.UUID, int64, error) {
	if !isCompact(text) {
		return uuid.Nil, 0, ErrMalformed
	}
	dot := strings.LastIndexByte(text, '.')
	// isCompact leaves nothing that could fail to decode, and no second spelling of the same bytes.
	mac, _ := base64.RawURLEncoding.DecodeString(text[dot+1:])
	if !slices.ContainsFunc(c.refreshJWT(),
		func(key []byte) bool { return hmac.Equal(hmacSHA256(key, text[:dot]), mac) }) {
		return uuid.Nil, 0, ErrMalformed
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text[len(headerRefresh)+1 : dot])
	var claims refreshClaims
	// The codec refuses members in another case, members that stand twice, and invalid UTF-8. It skips members that it
	// does not know, because a newer release may have written them.
	if err := json.Unmarshal(raw, &claims); err != nil {
		return uuid.Nil, 0, ErrMalformed
	}
	return claims.read(c.now())
}

// read holds the claims to their bounds. The 5 seconds by which clocks may differ count as for access tokens.
func (c *refreshClaims) read(now time.Time) (uuid.UUID, int64, error) {
	if c.Subject == "" || c.IssuedAt == nil || c.ExpiresAt == nil || c.Generation == nil {
		return uuid.Nil, 0, ErrMalformed
	}
	for _, n := range []int64{*c.IssuedAt, *c.ExpiresAt, *c.Generation} {
		if n < 0 || n > maxSeconds { // which is maxGeneration too
			return uuid.Nil, 0, ErrMalformed
		}
	}
	session, err := ParseID(sessionKind, c.Session)
	if err != nil || !now.Before(time.Unix(*c.ExpiresAt, 0).Add(leeway)) {
		return uuid.Nil, 0, ErrMalformed
	}
	return session, *c.Generation, nil
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // a hash never returns an error
	return h.Sum(nil)
}
