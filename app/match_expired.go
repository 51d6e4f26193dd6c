package app

import (
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// MatchExpired gives the function that compares an access token with a refresh token. expired means an expired access
// token of the same session, otherSession an access token of another session. It runs no statement: the refresh shows
// whether the session is alive.
func (k *Keyring) MatchExpired(codec *token.Codec) func(credential, refresh string) (expired, otherSession bool) {
	return func(credential, refresh string) (expired, otherSession bool) {
		id, _, err := codec.ParseRefresh(refresh)
		if err != nil {
			return false, false
		}
		issuer, session := k.current.Load().issuer, db.SessionIDFrom(id).String()
		if of, ok := issuer.SessionOfExpired(credential); ok {
			return of == session, of != session
		}
		access, err := issuer.Verify(credential)
		return false, err == nil && access.Session != session
	}
}
