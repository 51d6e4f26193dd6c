package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// MailDeliveries is Query.mailDeliveries.
func (r *resolver) MailDeliveries(
	ctx context.Context, first int, after *string, state *db.MailState,
) (*graph.MailDeliveryConnection, error) {
	if err := checkPage(first); err != nil {
		return nil, err
	}
	page := db.MailPage{State: state, Limit: first}
	if after != nil {
		id, ok := r.readCursor(*after, mailsList, mailState(state))
		if page.After.UUID = id; !ok {
			return nil, fault.New(fault.BadUserInput,
				"The cursor in \"after\" is none of this list with this state: "+
					"take endCursor of the page before, or leave \"after\" out to begin again.")
		}
	}
	mails, more, err := r.DB.Mails(ctx, page)
	if err != nil {
		return nil, err
	}
	for _, m := range mails {
		if m.Owner != nil {
			willShow(ctx, m.Owner)
		}
	}
	c := &graph.MailDeliveryConnection{
		Edges:    []*graph.MailDeliveryEdge{},
		Nodes:    mails,
		PageInfo: &graph.PageInfo{HasNextPage: more, HasPreviousPage: after != nil},
	}
	for _, m := range mails {
		cursor := r.cursor(m.ID.UUID, mailsList, mailState(state))
		c.Edges = append(c.Edges, &graph.MailDeliveryEdge{Cursor: cursor, Node: m})
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &c.Edges[0].Cursor, &c.Edges[n-1].Cursor
	}
	return c, nil
}

// RetryMailDelivery is Mutation.retryMailDelivery.
func (r *resolver) RetryMailDelivery(
	ctx context.Context, input graph.RetryMailDeliveryInput,
) (*graph.RetryMailDeliveryPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := c.actorEvent(db.ActionMailRetried)
	mail, err := r.retryMail(ctx, input.ID, e)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.RetryMailDeliveryPayload{UserErrors: errs}, err
	}
	if !c.may(db.UsersRead) { // a mail holds its account (AZ-14)
		mail = nil
	}
	return &graph.RetryMailDeliveryPayload{Delivery: mail, UserErrors: noErrors()}, nil
}

func (r *resolver) retryMail(ctx context.Context, text string, e db.Event) (*db.Mail, error) {
	var id db.MailID
	if id.UnmarshalText([]byte(text)) != nil {
		return nil, errNoDelivery()
	}
	mail, queued, err := r.DB.RetryMail(ctx, id, e, r.now())
	switch {
	case err != nil:
		return nil, err
	case mail == nil:
		return nil, errNoDelivery()
	case !queued:
		return nil, fault.New(fault.Conflict,
			"This mail was not given up: it was sent, or it is tried again by itself.", "input", "id")
	}
	return mail, nil
}

func errNoDelivery() error { return fault.New(fault.NotFound, "There is no such mail.", "input", "id") }

const mailsList = "mails, newest first"

// mailState is what selects the mails of a list, "" for all of them.
func mailState(state *db.MailState) string {
	if state == nil {
		return ""
	}
	return string(*state)
}
