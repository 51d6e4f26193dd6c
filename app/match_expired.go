package app

import (
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// MatchExpired makes the function by which dialects tell what a credential is beside a refresh token, of either form:
// lapsed says that it is an access token of the same session that was good until it expired, other that it is one of
// another session, expired or not. It asks no database: whether the session lives shows when the refresh token is
// swapped.
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
