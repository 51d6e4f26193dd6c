package resolvers

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"fmt"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// MailDeliveries is Query.mailDeliveries.
func (r *resolver) MailDeliveries(
	ctx context.Context, first int, after *string, state *db.MailState,
) (*graph.MailDeliveryConnection, error) {
	if first < 0 || first > maxPage {
		return nil, fault.New(fault.BadUserInput, fmt.Sprintf("The length of a page is between 0 and %d.", maxPage))
	}
	page := db.MailPage{State: state, Limit: first}
	if after != nil {
		var ok bool
		if page.After, ok = r.readMailCursor(*after, state); !ok {
			return nil, fault.New(fault.BadUserInput,
				"This cursor is not one of this list and this state. Begin again without it.")
		}
	}
	mails, more, err := r.DB.Mails(ctx, page)
	if err != nil {
		return nil, err
	}
	c := &graph.MailDeliveryConnection{
		Edges:    []*graph.MailDeliveryEdge{},
		Nodes:    mails,
		PageInfo: &graph.PageInfo{HasNextPage: more, HasPreviousPage: after != nil},
	}
	for _, m := range mails {
		c.Edges = append(c.Edges, &graph.MailDeliveryEdge{Cursor: r.mailCursor(m.ID, state), Node: m})
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

// mailCursor is userCursor for the list of mails: the MAC covers the list with its order, the id and the state.
func (r *resolver) mailCursor(id db.MailID, state *db.MailState) string {
	return base64.RawURLEncoding.EncodeToString(append(id.UUID[:], mailCursorMAC(r.cursorKey, id, state)...))
}

func mailCursorMAC(key secret.Key, id db.MailID, state *db.MailState) []byte {
	var only db.MailState
	if state != nil {
		only = *state
	}
	return key.MAC([]byte("mails, newest first"), id.UUID[:], []byte(only))[:macBytes]
}

func (r *resolver) readMailCursor(text string, state *db.MailState) (id db.MailID, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(id.UUID)+macBytes ||
		base64.RawURLEncoding.EncodeToString(raw) != text { // a cursor has one spelling
		return id, false
	}
	copy(id.UUID[:], raw)
	for _, key := range append([]secret.Key{r.cursorKey}, r.cursorKey.Previous()...) {
		ok = ok || hmac.Equal(raw[len(id.UUID):], mailCursorMAC(key, id, state))
	}
	return id, ok
}
