// Package token writes and reads the credentials of the server: access, refresh and session tokens, API keys, device
// tokens, and the one-time tokens and codes of mails. It also writes and reads ids in their text form.
//
// The rules of this package:
//   - A credential has one spelling. A text in another case, with padding, spare bits or white space is rejected
//     before any database query.
//   - Each kind of credential has its own key, so no kind is accepted as another.
//   - Only the MAC of a secret may be stored. No error contains a token.
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

// ErrMalformed says that a text is not a credential or id of this server, or has expired. Every function that parses or
// verifies a credential or id returns it, alone or wrapped with a reason for the log. The reason never contains the
// text.
var ErrMalformed = errors.New("token: not a valid credential")

// The prefixes of refresh and session tokens. The digit is the version of the format.
const (
	refreshPrefix = "rt1."
	sessionPrefix = "st1."
)

// maxGeneration is the largest generation: the largest integer that a JSON number holds exactly.
const maxGeneration = 1 << 53

// The lengths of a MAC in a token (a key id, then 32 bytes in base64url) and of the longest refresh token.
const (
	macLength  = 4 + 43
	maxRefresh = len(refreshPrefix) + idLength + 1 + len("9007199254740992") + 1 + macLength
)

// Codec writes and checks the credentials that need the server secret alone. It is safe for concurrent use.
type Codec struct {
	refresh, session, device, apiKey, oneTime, code, challenge, phoneCode secret.Key

	refreshJWT func() [][]byte // the first key signs; a function, because fmt prints only its address
	now        func() time.Time
}

// NewCodec derives a key for each kind of credential from the server secret. It writes credentials under the present
// secret of m, and accepts credentials under any secret of m.
func NewCodec(m *secret.Master, now func() time.Time) *Codec {
	jwt := m.HMACKeys("refresh")
	return &Codec{
		refresh:    m.Key("refresh"),
		session:    m.Key("session"),
		device:     m.Key("device"),
		apiKey:     m.Key("api-key"),
		oneTime:    m.Key("one-time token"),
		code:       m.Key("one-time code"),
		challenge:  m.Key("challenge"),
		phoneCode:  m.Key("phone code"),
		refreshJWT: func() [][]byte { return jwt },
		now:        now,
	}
}

// Refresh returns the refresh token of a session at a generation from 0 to 2^53:
//
//	rt1.<session: 26 base32>.<generation: decimal>.<key id: 4 base64url><mac: 43 base64url>
//
// The same session and generation always give the same text: so a retry gets the same token, though no token is stored.
// ParseRefresh rejects a token with a generation out of range. RefreshJWT writes the other form.
func (c *Codec) Refresh(session uuid.UUID, generation int64) secret.Text {
	return refreshText(c.refresh, session, generation)
}

func refreshText(key secret.Key, session uuid.UUID, generation int64) secret.Text {
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(generation))
	return secret.Text(refreshPrefix + encodeID(session) + "." + strconv.FormatInt(generation, 10) + "." +
		sign(key, session[:], number[:]))
}

// ParseRefresh returns the session and the generation of a refresh token of either form. It compares the MAC in
// constant time. Its error is ErrMalformed.
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

// Session returns the session token of a session, for browsers and for dialects without refresh tokens:
//
//	st1.<session: 26 base32>.<key id: 4 base64url><mac: 43 base64url>
//
// The token is valid as long as its session. The same session always gives the same text. No token is stored.
func (c *Codec) Session(session uuid.UUID) secret.Text {
	return sessionText(c.session, session)
}

func sessionText(key secret.Key, session uuid.UUID) secret.Text {
	return secret.Text(sessionPrefix + encodeID(session) + "." + sign(key, session[:]))
}

// ParseSession returns the session of a session token. It compares the MAC in constant time. Its error is ErrMalformed.
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

// sign returns the key id and the MAC as text. The key id tells which server secret made the MAC.
func sign(key secret.Key, parts ...[]byte) string {
	return key.ID() + base64.RawURLEncoding.EncodeToString(key.MAC(parts...))
}

// same compares text in constant time with the text that write makes, under the present secret and each further one. It
// compares the whole text and not the MAC alone, so no second spelling of a part is accepted.
func same(key secret.Key, text string, write func(secret.Key) secret.Text) bool {
	found := 0
	for _, k := range append([]secret.Key{key}, key.Previous()...) {
		found |= subtle.ConstantTimeCompare([]byte(write(k).Reveal()), []byte(text))
	}
	return found == 1
}
