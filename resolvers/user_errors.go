package resolvers

import (
	"context"
	"errors"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// noErrors is the userErrors of a mutation that took effect.
func noErrors() []*graph.UserError { return []*graph.UserError{} }

// userErrors turns an expected error into the userErrors of a payload. An error whose code is not in the enum, and an
// unexpected error, come back as they are.
func userErrors(err error) ([]*graph.UserError, error) {
	f := fault.From(err)
	if f == nil || !graph.ErrorCode(f.Code).IsValid() {
		return nil, err
	}
	e := &graph.UserError{Code: graph.ErrorCode(f.Code), Message: f.Message, Field: f.Field}
	if f.RetryAfter > 0 {
		seconds := f.RetrySeconds()
		e.RetryAfterSeconds = &seconds
	}
	return []*graph.UserError{e}, nil
}

// auditedError is an error that the audit log has already.
type auditedError struct{ error }

func (n auditedError) Unwrap() error { return n.error }

// record writes an expected error to the audit log, with its code as the reason, and gives it back. It ignores audited
// and unexpected errors.
func (r *resolver) record(ctx context.Context, refusal error, e db.Event) error {
	f := fault.From(refusal)
	if _, done := errors.AsType[auditedError](refusal); done || f == nil || !graph.ErrorCode(f.Code).IsValid() {
		return refusal
	}
	e.Reason = strings.ToLower(string(f.Code))
	if err := r.DB.Record(ctx, e, r.now()); err != nil {
		return err
	}
	return refusal
}

// atField names the input field of an error that names none.
func atField(err error, field string) error {
	f := fault.From(err)
	if f == nil || f.Field != nil {
		return err
	}
	named := *f
	named.Field = []string{"input", field}
	return &named
}
