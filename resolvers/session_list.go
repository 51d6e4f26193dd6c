package resolvers

import (
	"context"
	"math"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// Sessions is Query.sessions. An API key has no session of its own.
func (r *resolver) Sessions(ctx context.Context) ([]*db.Session, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	return r.DB.Sessions(ctx, c.User.ID, c.Caller.Session.ID, r.now())
}

const sessionsList = "sessions, newest first"

// SessionConnection is Query.sessionConnection.
func (r *resolver) SessionConnection(
	ctx context.Context, first *int, after *string,
) (*graph.SessionConnection, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	limit, behind, err := r.ownPage(c, sessionsList, first, after)
	if err != nil {
		return nil, err
	}
	sessions, more, err := r.DB.SessionPage(ctx, c.User.ID, db.SessionIDFrom(behind), limit, r.now())
	if err != nil {
		return nil, err
	}
	list := &graph.SessionConnection{Edges: []*graph.SessionEdge{}, Nodes: sessions}
	var cursors []string
	for _, s := range sessions {
		cursors = append(cursors, r.cursor(s.ID.UUID, sessionsList, c.User.ID.String()))
		list.Edges = append(list.Edges, &graph.SessionEdge{Cursor: cursors[len(cursors)-1], Node: s})
	}
	list.PageInfo = pageInfo(cursors, after, more)
	if slices.Contains(graphql.CollectAllFields(ctx), "totalCount") {
		list.TotalCount, err = r.DB.CountSessions(ctx, c.User.ID, r.now())
	}
	return list, err
}

// Session is Query.session.
func (q queries) Session(ctx context.Context, id *string, number *int) (*db.Session, error) {
	c, err := q.person(ctx)
	if err != nil {
		return nil, err
	}
	want, ok := sessionNamed(id, number)
	if !ok {
		return nil, fault.New(fault.BadUserInput, "Give the id or the number, one of them.")
	}
	if want == (named{}) {
		return nil, nil
	}
	return q.DB.SessionOf(ctx, c.User.ID, want.id, want.number, q.now())
}

// named is the id or the number of a session. Both are zero for a text or a number that no session can have: the
// session does not exist then, as if it were somebody else's (SE-18).
type named struct {
	id     db.SessionID
	number int
}

// sessionNamed reads the id or the number; ok is false unless exactly one is given.
func sessionNamed(id *string, number *int) (n named, ok bool) {
	if (id == nil) == (number == nil) {
		return n, false
	}
	if number != nil {
		if *number > 0 && *number <= math.MaxInt32 {
			n.number = *number
		}
		return n, true
	}
	_ = n.id.UnmarshalText([]byte(*id))
	return n, true
}

// sessionFields answers the fields of Session that are no columns.
type sessionFields struct{ *resolver }

// IsCurrent is Session.isCurrent.
func (f sessionFields) IsCurrent(ctx context.Context, s *db.Session) (bool, error) {
	c, err := f.caller(ctx)
	return err == nil && c != nil && c.Caller.Session.ID == s.ID, err
}
