// Package token writes and reads every credential that the server hands out: ids in their text form, refresh and
// session tokens, API keys, and access tokens.
//
// The rules of this package:
//   - A text that is not exactly what this package would write is refused, and refused before anything is looked up. One
//     credential has one spelling: no other case, no padding, no spare bits, no white space.
//   - Each kind has a key of its own, so no kind is ever taken for another.
//   - Nothing but the MAC of a secret is fit for storing, and no error holds a token.
package token

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// ErrMalformed says that a text is not a credential of ours, or not a valid one any more. It is the one error of
// everything here that parses or verifies; one wrapped around it may give a reason for the log, never the text.
var ErrMalformed = errors.New("token: not a valid credential")

// The names in front of the two kinds of token that carry a MAC. The digit is the version of the form.
const (
	refreshPrefix = "rt1."
	sessionPrefix = "st1."
)

// maxGeneration is what a JSON number carries exactly. No session comes near it by refreshing.
const maxGeneration = 1 << 53

// The length of a MAC in a token (key id and 32 bytes, both base64url) and of the longest token.
const (
	macLength  = 4 + 43
	maxRefresh = len(refreshPrefix) + idLength + 1 + len("9007199254740992") + 1 + macLength
)

// Codec writes and checks the credentials that need nothing but the server secret. It is safe for concurrent use.
type Codec struct {
	refresh, session, apiKey, oneTime, code secret.Key
	// the first one signs; a function, because fmt prints only the address of one
	refreshJWT func() [][]byte
	now        func() time.Time
}

// NewCodec derives the keys of every kind from the server secret. New credentials are made under the present secret,
// and those that a further one of m made are accepted; another secret makes all earlier credentials invalid.
func NewCodec(m *secret.Master, now func() time.Time) *Codec {
	jwt := m.HMACKeys("refresh")
	return &Codec{
		refresh: m.Key("refresh"), session: m.Key("session"), apiKey: m.Key("api-key"),
		oneTime: m.Key("one-time token"), code: m.Key("one-time code"),
		refreshJWT: func() [][]byte { return jwt }, now: now,
	}
}

// Refresh is the refresh token of a session at a generation from 0 to 2^53:
//
//	rt1.<session: 26 base32>.<generation: decimal>.<key id: 4 base64url><mac: 43 base64url>
//
// The same session and generation always give the same text, which is how a client that lost an answer gets its token
// again. It is not stored; a generation out of range makes a token that ParseRefresh refuses. RefreshJWT is the other
// form.
func (c *Codec) Refresh(session uuid.UUID, generation int64) secret.Text {
	return refreshText(c.refresh, session, generation)
}

func refreshText(key secret.Key, session uuid.UUID, generation int64) secret.Text {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(generation))
	return secret.Text(refreshPrefix + encodeID(session) + "." + strconv.FormatInt(generation, 10) + "." +
		sign(key, session[:], number[:]))
}

// ParseRefresh returns what a refresh token of either form names, after checking its MAC in constant time; until then
// nothing of it counts, because the id of a session stands in every access token. Its error is ErrMalformed.
func (c *Codec) ParseRefresh(text string) (session uuid.UUID, generation int64, err error) {
	if strings.HasPrefix(text, headerRefresh+".") {
		return c.parseRefreshJWT(text)
	}
	rest, ok := strings.CutPrefix(text, refreshPrefix)
	if !ok || len(text) > maxRefresh || len(rest) <= idLength || rest[idLength] != '.' {
		return uuid.Nil, 0, ErrMalformed
	}
	session, err = decodeID(rest[:idLength])
	if err != nil {
		return uuid.Nil, 0, ErrMalformed
	}
	number, _, _ := strings.Cut(rest[idLength+1:], ".")
	generation, err = strconv.ParseInt(number, 10, 64)
	if err != nil || generation < 0 || generation > maxGeneration {
		return uuid.Nil, 0, ErrMalformed
	}
	if !same(c.refresh, text, func(k secret.Key) secret.Text { return refreshText(k, session, generation) }) {
		return uuid.Nil, 0, ErrMalformed
	}
	return session, generation, nil
}

// Session is the session token of a dialect that knows no refresh:
//
//	st1.<session: 26 base32>.<key id: 4 base64url><mac: 43 base64url>
//
// It is valid as long as its session. The same session always gives the same text, and it is not stored.
func (c *Codec) Session(session uuid.UUID) secret.Text {
	return sessionText(c.session, session)
}

func sessionText(key secret.Key, session uuid.UUID) secret.Text {
	return secret.Text(sessionPrefix + encodeID(session) + "." + sign(key, session[:]))
}

// ParseSession returns the session that a session token names, after checking its MAC in constant time. Its error is
// ErrMalformed.
func (c *Codec) ParseSession(text string) (uuid.UUID, error) {
	rest, ok := strings.CutPrefix(text, sessionPrefix)
	if !ok || len(rest) != idLength+1+macLength {
		return uuid.Nil, ErrMalformed
	}
	session, err := decodeID(rest[:idLength])
	if err != nil || !same(c.session, text, func(k secret.Key) secret.Text { return sessionText(k, session) }) {
		return uuid.Nil, ErrMalformed
	}
	return session, nil
}

// sign is the MAC as tokens carry it. The key id in front tells which server secret made it.
func sign(key secret.Key, parts ...[]byte) string {
	return key.ID() + base64.RawURLEncoding.EncodeToString(key.MAC(parts...))
}

// same compares the whole text with the one that we would have written, under the present secret or a further one: that
// leaves no second spelling of anything in it, and takes the same time wherever they differ.
func same(key secret.Key, text string, write func(secret.Key) secret.Text) bool {
	found := 0
	for _, k := range append([]secret.Key{key}, key.Previous()...) {
		found |= subtle.ConstantTimeCompare([]byte(write(k).Reveal()), []byte(text))
	}
	return found == 1
}
