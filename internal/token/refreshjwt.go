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

// headerRefresh is the first segment of every refresh token in the form of a JWT: {"alg":"HS256","typ":"rt+jwt"}. It is
// compared as text, so a header with any other content or spelling is rejected unread. No access token has this typ
// (RFC 8725, section 3.11).
const headerRefresh = "eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9"

// sessionKind is the prefix of the session id in the claim sid, as in access tokens.
const sessionKind = "sess"

// Refresh is the content of a refresh token in the form of a JWT. ParseRefresh returns the session and the generation;
// the other claims are for clients that read the token.
type Refresh struct {
	User       string    // the claim sub: a typed id, for example user_…
	Session    uuid.UUID // the claim sid: sess_…
	Generation int64     // the claim gen, from 0 to 2^53
	IssuedAt   time.Time // the claim iat, cut to whole seconds
	ExpiresAt  time.Time // the claim exp, cut to whole seconds; the token then expires, even if the session is alive
}

// refreshClaims are the claims in the order of writing. All of them are required.
type refreshClaims struct {
	Subject    string `json:"sub"`
	IssuedAt   *int64 `json:"iat"`
	ExpiresAt  *int64 `json:"exp"`
	Session    string `json:"sid"`
	Generation *int64 `json:"gen"`
}

// RefreshJWT returns the refresh token of a session as a JWT (RFC 7519), signed with HMAC-SHA-256 under a key of this
// server alone. ParseRefresh reads it like the text of Codec.Refresh. The same r always gives the same text.
// ParseRefresh rejects the token of an incomplete r.
func (c *Codec) RefreshJWT(r Refresh) secret.Text {
	iat, exp := r.IssuedAt.Unix(), r.ExpiresAt.Unix()
	// Marshal fails only if User is not UTF-8. ParseRefresh rejects the token that results.
	claims, _ := json.Marshal(&refreshClaims{
		Subject:    r.User,
		IssuedAt:   &iat,
		ExpiresAt:  &exp,
		Session:    FormatID(sessionKind, r.Session),
		Generation: &r.Generation,
	})
	input := headerRefresh + "." + base64.RawURLEncoding.EncodeToString(claims)
	return secret.Text(input + "." + base64.RawURLEncoding.EncodeToString(hmacSHA256(c.refreshJWT()[0], input)))
}

// parseRefreshJWT reads a token of RefreshJWT. It checks the form, then the MAC in constant time under each secret, and
// decodes the claims only after that.
func (c *Codec) parseRefreshJWT(text string) (uuid.UUID, int64, error) {
	if !isCompact(text) {
		return uuid.Nil, 0, ErrMalformed
	}
	dot := strings.LastIndexByte(text, '.')
	// Decoding cannot fail after isCompact.
	mac, _ := base64.RawURLEncoding.DecodeString(text[dot+1:])
	signed := func(key []byte) bool { return hmac.Equal(hmacSHA256(key, text[:dot]), mac) }
	if !slices.ContainsFunc(c.refreshJWT(), signed) {
		return uuid.Nil, 0, ErrMalformed
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text[len(headerRefresh)+1 : dot])
	var claims refreshClaims
	// Unmarshal rejects duplicate members and invalid UTF-8. It ignores unknown members, because a newer release may
	// have written them; a member in another case is unknown too.
	if err := json.Unmarshal(raw, &claims); err != nil {
		return uuid.Nil, 0, ErrMalformed
	}
	return claims.read(c.now())
}

// read checks the claims, and returns the session and the generation. The leeway is the same as for access tokens.
func (c *refreshClaims) read(now time.Time) (uuid.UUID, int64, error) {
	if c.Subject == "" || c.IssuedAt == nil || c.ExpiresAt == nil || c.Generation == nil {
		return uuid.Nil, 0, ErrMalformed
	}
	for _, n := range []int64{*c.IssuedAt, *c.ExpiresAt, *c.Generation} {
		if n < 0 || n > maxSeconds { // maxGeneration has the same value
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
