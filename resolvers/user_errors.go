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

// userErrors turns an expected refusal into userErrors. Codes that the enum does not have are for top-level errors;
// those, and everything unexpected, come back as the error that they are.
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

// auditedError is a refusal that is written down already.
type auditedError struct{ error }

func (n auditedError) Unwrap() error { return n.error }

// record writes down that an action was refused, with the code as the reason, and gives the refusal back. What is not
// an expected refusal is in the log already or will be.
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

// atField names the field that a refusal is about, where it names none itself.
func atField(err error, field string) error {
	f := fault.From(err)
	if f == nil || f.Field != nil {
		return err
	}
	named := *f
	named.Field = []string{"input", field}
	return &named
}
