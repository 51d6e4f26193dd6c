package token

import (
	"strings"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// challengePrefix is the prefix of challenge tokens. The digit is the version of the format.
const challengePrefix = "mc1."

// Challenge returns the token of a sign-in that waits for its second factor:
//
//	mc1.<session: 26 base32>.<key id: 4 base64url><mac: 43 base64url>
//
// It answers a challenge, with a code, and authenticates nothing (MF-04). The row of the session holds its end. No
// token is stored.
func (c *Codec) Challenge(session uuid.UUID) secret.Text { return challengeText(c.challenge, session) }

func challengeText(key secret.Key, session uuid.UUID) secret.Text {
	return secret.Text(challengePrefix + encodeID(session) + "." + sign(key, session[:]))
}

// IsChallenge reports whether text has the prefix of a challenge token. ParseChallenge decides whether it is valid.
func IsChallenge(text string) bool { return strings.HasPrefix(text, challengePrefix) }

// ParseChallenge returns the session of a challenge token. It compares the MAC in constant time. Its error is
// ErrMalformed.
func (c *Codec) ParseChallenge(text string) (uuid.UUID, error) {
	if len(text) != len(challengePrefix)+idLength+1+macLength || text[:len(challengePrefix)] != challengePrefix {
		return uuid.Nil, ErrMalformed
	}
	session, err := decodeID(text[len(challengePrefix) : len(challengePrefix)+idLength])
	if err != nil || !same(c.challenge, text, func(k secret.Key) secret.Text { return challengeText(k, session) }) {
		return uuid.Nil, ErrMalformed
	}
	return session, nil
}
