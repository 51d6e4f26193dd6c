package app

import (
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/internal/password"
)

// HashMixEvery is the period of RefreshHashMix.
const HashMixEvery = time.Minute

// RefreshHashMix tells the hasher how the hashes of accounts are made, so that a name that nobody has costs what one of
// somebody could (LG-03).
func (s *Server) RefreshHashMix(ctx context.Context) error {
	m, err := s.DB.HashMix(ctx)
	if err != nil {
		return err
	}
	var mix password.Mix
	if m.Foreign > 0 {
		mix.Foreign = float64(m.Foreign) / float64(max(m.Password, m.Foreign))
	}
	for _, k := range m.Kinds {
		mix.Kinds = append(mix.Kinds, password.MixKind{Dummy: k.Sample, Weight: k.Imported})
	}
	s.options.Hasher.SetMix(mix)
	return nil
}
