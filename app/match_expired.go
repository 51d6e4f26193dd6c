package app

import (
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// MatchExpired gives the function that compares a credential with a refresh token. lapsed: an expired access token of
// the same session. other: an access token of another session. It asks no database: the refresh shows whether the
// session lives.
func (k *Keyring) MatchExpired(codec *token.Codec) func(credential, refresh string) (lapsed, other bool) {
	return func(credential, refresh string) (lapsed, other bool) {
		id, _, err := codec.ParseRefresh(refresh)
		if err != nil {
			return false, false
		}
		issuer, session := k.held.Load().issuer, db.SessionIDFrom(id).String()
		if of, ok := issuer.SessionOfExpired(credential); ok {
			return of == session, of != session
		}
		access, err := issuer.Verify(credential)
		return false, err == nil && access.Session != session
	}
}
