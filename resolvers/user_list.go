package resolvers

import (
	"context"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

const maxSearch = 200 // code points

// User is Query.user. It gives null for an account that the caller may not read, as for one that does not exist
// (SE-18).
func (q queries) User(ctx context.Context, id string) (*db.User, error) {
	c, err := q.person(ctx)
	if err != nil {
		return nil, err
	}
	var user db.UserID
	known := user.UnmarshalText([]byte(id)) == nil
	switch {
	case known && user == c.User.ID:
		return &c.User, nil
	case !known || !c.may(db.UsersRead):
		return nil, nil
	}
	return q.DB.User(ctx, user)
}

// Users is Query.users.
func (r *resolver) Users(
	ctx context.Context, first *int, after *string, last *int, before *string, filter *db.UserFilter,
) (*graph.UserConnection, error) {
	if filter == nil {
		filter = &db.UserFilter{}
	}
	if filter.Search != "" {
		search, err := identity.Text(filter.Search, maxSearch)
		if err != nil {
			return nil, fault.New(fault.BadUserInput, fault.From(err).Message, "filter", "search")
		}
		filter.Search = search
	}
	page, err := r.userPage(first, after, last, before, filter)
	if err != nil {
		return nil, err
	}
	users, more, err := r.DB.Users(ctx, *filter, page)
	if err != nil {
		return nil, err
	}
	willShow(ctx, users...)
	c := &graph.UserConnection{
		Edges:    []*graph.UserEdge{},
		Nodes:    users,
		PageInfo: &graph.PageInfo{HasNextPage: more, HasPreviousPage: after != nil},
	}
	if page.FromEnd {
		c.PageInfo.HasNextPage, c.PageInfo.HasPreviousPage = before != nil, more
	}
	for _, u := range users {
		c.Edges = append(c.Edges, &graph.UserEdge{Cursor: r.userCursor(u.ID, filter), Node: u})
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	if slices.Contains(graphql.CollectAllFields(ctx), "totalCount") { // the time to count grows with the list
		c.TotalCount, err = r.DB.CountUsers(ctx, *filter)
	}
	return c, err
}

// ReadableUsers is Query.readableUsers: all accounts, or the caller's own alone. A list of one entry has cursors too.
func (r *resolver) ReadableUsers(ctx context.Context, first *int, after *string) (*graph.UserConnection, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	if c.may(db.UsersRead) {
		return r.Users(ctx, first, after, nil, nil, nil)
	}
	filter := &db.UserFilter{}
	page, err := r.userPage(first, after, nil, nil, filter)
	if err != nil {
		return nil, err
	}
	list := &graph.UserConnection{
		Edges:      []*graph.UserEdge{},
		Nodes:      []*db.User{},
		TotalCount: 1,
		PageInfo:   &graph.PageInfo{HasPreviousPage: after != nil},
	}
	if page.Limit > 0 && page.After.IsZero() {
		cursor := r.userCursor(c.User.ID, filter)
		list.Nodes = append(list.Nodes, &c.User)
		list.Edges = append(list.Edges, &graph.UserEdge{Cursor: cursor, Node: &c.User})
		list.PageInfo.StartCursor, list.PageInfo.EndCursor = &cursor, &cursor
	}
	return list, nil
}

// userPage reads the arguments that select a page. It bounds the length itself: the guard that does so for documents of
// callers does not see the stored documents of dialects.
func (r *resolver) userPage(
	first *int, after *string, last *int, before *string, filter *db.UserFilter,
) (db.UserPage, error) {
	page := db.UserPage{Limit: defaultPage, FromEnd: last != nil}
	for _, n := range []*int{first, last} { // last counts where it is given
		if n == nil {
			continue
		}
		if err := checkPage(*n); err != nil {
			return page, err
		}
		page.Limit = *n
	}
	for _, bound := range []struct {
		text *string
		id   *db.UserID
	}{{after, &page.After}, {before, &page.Before}} {
		if bound.text == nil {
			continue
		}
		id, ok := r.readUserCursor(*bound.text, filter)
		if !ok {
			return page, fault.New(fault.BadUserInput,
				"The cursor in \"after\" or \"before\" is none of this list with this filter: "+
					"take endCursor or startCursor of the page before, or leave the cursor out to begin again.")
		}
		*bound.id = id
	}
	return page, nil
}

// userCursor makes the cursor of an entry: the list with its order, and the filter.
func (r *resolver) userCursor(id db.UserID, filter *db.UserFilter) string {
	return r.cursor(id.UUID, usersList, filterParts(filter)...)
}

func (r *resolver) readUserCursor(text string, filter *db.UserFilter) (id db.UserID, ok bool) {
	id.UUID, ok = r.readCursor(text, usersList, filterParts(filter)...)
	return id, ok
}

const usersList = "users, newest first"

func filterParts(filter *db.UserFilter) []string {
	status := ""
	if filter.Status != nil {
		status = string(*filter.Status)
	}
	external := ""
	if filter.ExternalID != nil {
		external = "=" + *filter.ExternalID
	}
	return []string{filter.Search, status, filter.Role, external}
}
