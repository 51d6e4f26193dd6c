package password

import (
	"context"

	"github.com/dragoman-auth/dragoman/internal/visit"
)

// Caller is who asks for a hash, as far as the queue tells callers apart.
type Caller struct {
	Network string // by which strangers share the queue
	Account string // the account of a valid device token; "" for none. Who shows one has a lane of their own
}

func (c Caller) lane() int {
	if c.Account != "" {
		return 1
	}
	return 0
}

// share names the callers who share a part of the queue. An account that made itself many devices has one share.
func (c Caller) share() string {
	if c.Account != "" {
		return c.Account
	}
	return c.Network
}

type callerKey struct{}

// WithCaller says who asks for hashes in this context. Without it, Hasher.Identify says so.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// caller returns who asks for a hash.
func (h *Hasher) caller(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	if h.identify != nil {
		return h.identify(ctx)
	}
	return Caller{Network: visit.From(ctx).Network()}
}
