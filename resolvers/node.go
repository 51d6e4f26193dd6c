package resolvers

import (
	"context"
	"fmt"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

const maxNodes = 100

// Node is Query.node.
func (r *resolver) Node(ctx context.Context, id string) (graph.Node, error) {
	found, err := r.find(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Nodes is Query.nodes.
func (r *resolver) Nodes(ctx context.Context, ids []string) ([]graph.Node, error) {
	if len(ids) > maxNodes {
		return nil, fault.New(fault.BadUserInput, fmt.Sprintf("Ask for at most %d objects at once.", maxNodes))
	}
	return r.find(ctx, ids)
}

// find looks up ids, with at most one statement for each type. An object of somebody else gives nil, like an id that
// does not exist (SE-18, AK-07).
func (r *resolver) find(ctx context.Context, ids []string) ([]graph.Node, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	var sessions []db.SessionID
	var keys []db.KeyID
	for _, text := range ids {
		var session db.SessionID
		var key db.KeyID
		switch {
		case session.UnmarshalText([]byte(text)) == nil:
			sessions = append(sessions, session)
		case key.UnmarshalText([]byte(text)) == nil:
			keys = append(keys, key)
		}
	}
	own := map[string]graph.Node{c.User.ID.String(): &c.User}
	if len(sessions) > 0 {
		rows, err := r.DB.SessionsOf(ctx, c.User.ID, sessions, r.now())
		if err != nil {
			return nil, err
		}
		for _, s := range rows {
			own[s.ID.String()] = s
		}
	}
	if len(keys) > 0 {
		rows, err := r.DB.KeysOf(ctx, c.User.ID, keys, r.now())
		if err != nil {
			return nil, err
		}
		for _, k := range rows {
			own[k.ID.String()] = k
		}
	}
	found := make([]graph.Node, len(ids))
	for i, text := range ids {
		found[i] = own[text]
	}
	return found, nil
}
