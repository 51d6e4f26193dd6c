package resolvers

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// noErrors gives the empty userErrors of a mutation that succeeded.
func noErrors() []*graph.UserError { return []*graph.UserError{} }

// userErrors converts an expected error to the userErrors of a payload. It returns other errors as they are: unexpected
// ones, and those whose code is not in the enum ErrorCode.
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
	if f.TokenState != "" {
		state := graph.MailTokenState(f.TokenState)
		e.TokenState = &state
	}
	return []*graph.UserError{e}, nil
}

// auditedError is an error that has its event already: record ignores it.
type auditedError struct{ error }

func (n auditedError) Unwrap() error { return n.error }

// record writes the event of an expected error, with its code as the reason, and returns the error. It ignores errors
// that are unexpected or have their event already.
func (r *resolver) record(ctx context.Context, refusal error, e db.Event) error {
	f := fault.From(refusal)
	if _, done := errors.AsType[auditedError](refusal); done || f == nil || !graph.ErrorCode(f.Code).IsValid() {
		return refusal
	}
	e.Reason = strings.ToLower(string(f.Code))
	if err := r.recordSampled(ctx, e); err != nil {
		return err
	}
	return refusal
}

// recordSampled writes a sample of the events that changed nothing to the audit log, so that equal refusals cannot
// flood it (LG-30): five a minute of one action and reason of one account, or without an account of one network, and
// sixty of all its actions.
func (r *resolver) recordSampled(ctx context.Context, e db.Event) error {
	now := r.now()
	if !r.sampled(ctx, e, now) {
		return nil
	}
	return r.DB.Record(ctx, e, now)
}

func (r *resolver) sampled(ctx context.Context, e db.Event, now time.Time) bool {
	who := visit.From(ctx).Network()
	if id := cmp.Or(e.Actor, e.User); !id.IsZero() {
		who = id.String()
	}
	return r.refusals.Take(ctx, now, strings.Join([]string{who, e.Action.Failed, e.Reason}, " "), who)
}

// atField adds an input field to an error without one.
func atField(err error, field string) error {
	f := fault.From(err)
	if f == nil || f.Field != nil {
		return err
	}
	named := *f
	named.Field = []string{"input", field}
	return &named
}
