package operator

import (
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// Lapsed makes the function by which dialects tell whether a credential is an access token that was good until it expired, of
// the session of a refresh token. It asks no database: whether the session lives shows when the refresh token is swapped.
func (k *Keyring) Lapsed(codec *token.Codec) func(credential, refresh string) bool {
	return func(credential, refresh string) bool {
		session, lapsed := k.held.Load().issuer.Lapsed(credential)
		id, _, err := codec.ParseRefresh(refresh)
		return lapsed && err == nil && session == db.SessionIDFrom(id).String()
	}
}
