package app

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/totp"
)

// sealPage is how many secrets are in memory at once.
const sealPage = 500

// SealAnew seals the secrets of authenticator apps under the present server secret, where they are under a former one
// (KE-02). A server does so once: the present secret does not change while it runs. What no known secret opens stays.
func (s *Server) SealAnew(ctx context.Context) error {
	key := s.master.Key(totp.Sealing)
	var after db.AuthenticatorID
	for {
		page, err := s.DB.AuthenticatorsSealedElsewhere(ctx, key.Header(), after, sealPage)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, row := range page {
			raw, err := key.Open(row.Sealed, totp.SealedAt(row.UserID))
			if err != nil {
				continue
			}
			sealed, err := key.Seal(raw, totp.SealedAt(row.UserID))
			if err == nil {
				err = s.DB.SealAuthenticator(ctx, row, sealed)
			}
			if err != nil {
				return err
			}
		}
		after = page[len(page)-1].ID
	}
}
