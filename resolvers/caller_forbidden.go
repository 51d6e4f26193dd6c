package resolvers

import (
	"context"
	"strings"
	"unicode"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// forbidden refuses what the caller may not do, and writes a sample of such refusals down (AU-09).
func (r *resolver) forbidden(ctx context.Context, c *caller) error {
	now := r.now()
	if r.denials.Take(ctx, c.User.ID.String(), now) {
		e := db.Event{
			Action: fieldName(ctx), Reason: "forbidden", User: c.User.ID, Sess: c.Caller.Session.ID, Key: c.Key.ID,
		}
		if err := r.DB.Record(ctx, e, now); err != nil {
			return err
		}
	}
	if c.kind == graph.CredentialKindAPIKey {
		return fault.New(fault.Forbidden, "This API key may not do that.")
	}
	return fault.New(fault.Forbidden, "You may not do that.")
}

// fieldName is the root field that runs, as the audit log names actions: deleteUser is delete_user.
func fieldName(ctx context.Context) string {
	fc := graphql.GetFieldContext(ctx)
	if fc == nil || fc.Field.Field == nil {
		return "unknown"
	}
	var b strings.Builder
	for _, letter := range fc.Field.Name {
		if unicode.IsUpper(letter) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(letter))
	}
	return b.String()
}
