package gqlhttp

import (
	"context"
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// limitOf gives the limit by address of a root field: that of its @credential, or the one that all other mutations
// share. Other queries have none.
func limitOf(operation ast.Operation, field *ast.FieldDefinition) (c Credential, limited bool) {
	if c, limited = credentialOf(field); limited || operation != ast.Mutation {
		return c, limited
	}
	return Credential{Field: field.Name, Limit: limit.Mutation}, true
}

// giveBack tells Unserved of a field that was admitted and then found the server too busy.
func (h *Handler) giveBack(ctx context.Context, field *rootField, err error) {
	if h.unserved != nil && field.ticket.Admitted() && fault.Is(err, fault.Unavailable) {
		h.unserved(context.WithoutCancel(ctx), field.credential)
	}
}

// countRefused counts a field that was refused before it asked for admission: what proves nothing has a limit of its
// own, and never uses up that of honest callers (LG-26). The error is what to answer instead, once that limit is used
// up. A refused input, and a credential that is genuine and over, keep their own answer: clients act on it (LG-36).
// What another limit refused is not counted again.
//
// A field with a limit that took effect without asking is a mistake of ours, which the first test that runs it finds.
func (h *Handler) countRefused(ctx context.Context, field *rootField, result any, err error) error {
	switch {
	case field.ticket == nil || field.ticket.Asked() || err != nil && fault.From(err) == nil,
		fault.Is(err, fault.RateLimited):
		return nil
	case err == nil && payloadCode(result) == codeOK && !field.ticket.Worthless():
		return fmt.Errorf("gqlhttp: %s took effect without admission; call limit.Enter in its resolver", field.name)
	case h.refused == nil:
		return nil
	}
	err = h.refused(ctx, field.name)
	if !field.ticket.Worthless() && fault.Is(err, fault.RateLimited) {
		return nil
	}
	return err
}
