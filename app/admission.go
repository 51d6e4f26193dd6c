package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// limiters apply the rules of the settings. A nil *limiters lets everything pass: the operator has switched limits off.
type limiters struct {
	shared *limit.Limiter // by address; on Postgres all instances count together
	own    *limit.Limiter // of this instance
}

// openLimiters makes the limiters. It fails where the schema names a limit that has no rule, with limits switched off
// too.
func (s *Server) openLimiters(fields []gqlhttp.Credential) (*limiters, error) {
	table := limit.Table()
	for _, c := range fields {
		known := func(e limit.Entry) bool { return e.Name == c.Limit && e.Shared }
		if !slices.ContainsFunc(table, known) {
			return nil, fmt.Errorf("%s has @credential(limit: %q): there is no rule of this name; see internal/limit",
				c.Field, c.Limit)
		}
	}
	if !s.settings.RateLimits {
		return nil, nil
	}
	var store limit.Store = limit.NewMemory(limit.DefaultSize)
	if s.DB.Postgres() {
		store = s.DB
	}
	shared, own := map[string]limit.Rule{}, map[string]limit.Rule{}
	for _, e := range table {
		if e.Shared {
			shared[e.Name] = s.settings.Limits[e.Name]
		} else {
			own[e.Name] = s.settings.Limits[e.Name]
		}
	}
	var err error
	l := &limiters{}
	if l.shared, err = limit.New(store, shared, s.options.Now); err != nil {
		return nil, err
	}
	if l.own, err = limit.New(limit.NewMemory(limit.DefaultSize), own, s.options.Now); err != nil {
		return nil, err
	}
	l.shared.OnLimited, l.own.OnLimited = s.Observer.Limited, s.Observer.Limited
	return l, nil
}

// byAddress takes a try of the rule that a field names, for the address block, and one of its network where the rule is
// for callers of whom nothing is known yet.
func (l *limiters) byAddress(ctx context.Context, name string) error {
	switch {
	case l == nil:
		return nil
	case name == limit.Mutation:
		return l.own.Admit(ctx, name)
	}
	if err := l.shared.Admit(ctx, name); err != nil || !limit.OfStrangers(name) {
		return err
	}
	return l.own.AdmitAs(ctx, limit.Network, visit.From(ctx).Network(), 1)
}

// giveBack gives back the tries that byAddress took for a field that was not served.
func (l *limiters) giveBack(ctx context.Context, name string) error {
	v := visit.From(ctx)
	err := l.shared.GiveBack(ctx, name, v.Block())
	if err == nil && limit.OfStrangers(name) {
		err = l.own.GiveBack(ctx, limit.Network, v.Network())
	}
	return err
}

// admission sets what is asked before a mutation, or a field with @credential, does anything: the queue of hashes,
// which refuses who would find no place, then the limits by address, so that who is sent away by the queue loses no try
// (LG-35). It also sets what counts a field that was refused before, and what gives the try back of a field that lost
// its place in the queue. Refusals are logged by sample.
func (s *Server) admission(l *limiters, cfg *gqlhttp.Config) {
	log := limit.LogRefusals(s.options.Now, s.options.Log)
	cfg.Admit = func(ctx context.Context, c gqlhttp.Credential) (err error) {
		if c.Hash {
			err = s.options.Hasher.Admit(ctx)
		}
		if err == nil {
			err = l.byAddress(ctx, c.Limit)
		}
		log(ctx, c.Field, err)
		return err
	}
	if l == nil {
		return
	}
	cfg.Refused = func(ctx context.Context, field string) error {
		err := l.own.AdmitAs(ctx, limit.Refused, visit.From(ctx).Block(), 1)
		log(ctx, field, err)
		return err
	}
	cfg.Unserved = func(ctx context.Context, c gqlhttp.Credential) {
		if err := l.giveBack(ctx, c.Limit); err != nil {
			s.options.Log.WarnContext(ctx, "limits: a try of a call that was not served is not given back",
				"error", err, "request_id", visit.From(ctx).RequestID)
		}
	}
}

// identify tells callers of the queue of hashes apart: by the device token of the request, which is judged by its MAC
// alone, else by the network.
func (s *Server) identify(codec *token.Codec) func(context.Context) password.Caller {
	return func(ctx context.Context) password.Caller {
		v := visit.From(ctx)
		c := password.Caller{Network: v.Network()}
		if d, err := codec.ParseDevice(v.DeviceToken); err == nil {
			c.Account = d.Account.String()
		}
		return c
	}
}
