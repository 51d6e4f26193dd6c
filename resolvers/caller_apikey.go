package resolvers

import (
	"context"
	"time"

	"github.com/dragoman-auth/dragoman/db"
)

// callerByKey finds the person behind an API key, nil for an invalid key. A hash under a previous server secret is
// replaced by one under the present secret.
func (r *resolver) callerByKey(ctx context.Context, text string, now time.Time) (*db.Caller, error) {
	handle, hash, err := r.Codec.ParseAPIKey(text)
	if err != nil {
		return nil, nil //nolint:nilerr // a malformed key is no credential, and costs no statement (AK-03)
	}
	stale := false
	found, err := r.DB.CallerByKey(ctx, handle, func(stored []byte) (is bool) {
		is, stale = r.Codec.IsAPIKey(text, stored)
		return is
	}, now)
	if err != nil || found == nil || !stale {
		return found, err
	}
	return found, r.DB.RehashKey(ctx, &found.Key, hash, now)
}
