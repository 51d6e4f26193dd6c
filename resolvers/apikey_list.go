package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
)

// Keys is Query.keys.
func (r *resolver) Keys(ctx context.Context) ([]*db.ApiKey, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	return r.DB.Keys(ctx, c.User.ID, r.now())
}

const keysList = "keys, newest first"

// KeyConnection is Query.keyConnection.
func (r *resolver) KeyConnection(ctx context.Context, first *int, after *string) (*graph.APIKeyConnection, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	var behind db.KeyID
	limit := 0
	if limit, behind.UUID, err = r.ownPage(c, keysList, first, after); err != nil {
		return nil, err
	}
	keys, more, err := r.DB.KeyPage(ctx, c.User.ID, behind, limit, r.now())
	if err != nil {
		return nil, err
	}
	list := &graph.APIKeyConnection{Edges: []*graph.APIKeyEdge{}, Nodes: keys}
	var cursors []string
	for _, k := range keys {
		cursors = append(cursors, r.cursor(k.ID.UUID, keysList, c.User.ID.String()))
		list.Edges = append(list.Edges, &graph.APIKeyEdge{Cursor: cursors[len(cursors)-1], Node: k})
	}
	list.PageInfo = pageInfo(cursors, after, more)
	if slices.Contains(graphql.CollectAllFields(ctx), "totalCount") {
		list.TotalCount, err = r.DB.CountKeys(ctx, c.User.ID, r.now())
	}
	return list, err
}
