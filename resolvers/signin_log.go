package resolvers

import (
	"context"
	"log/slog"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// logFailure writes a line about a failed sign-in, or about a wrong current password. Nothing that somebody typed is in
// it (LG-25). Failures of other actions have their event alone.
func (r *resolver) logFailure(ctx context.Context, action db.Action, reason string) {
	text := "sign-in failed"
	switch action {
	case db.ActionLoginSucceeded:
	case db.ActionSudoGranted, db.ActionPasswordChanged, db.ActionEmailChangeRequested, db.ActionUserUpdated:
		text = "current password refused"
	default:
		return
	}
	r.Log.InfoContext(ctx, text, append(from(ctx), "reason", reason)...)
}

// logLock writes a line about the lock that a failure at now began, if any: a delay, or a disabled password. A name
// that no account has is locked too, and its line names no account.
func (r *resolver) logLock(ctx context.Context, a *db.Attempt, now time.Time) {
	about := from(ctx)
	if !a.User.ID.IsZero() {
		about = append(about, "account", a.User.ID.String())
	}
	if delay := limit.Delay(a.FailuresWith(now)); r.Throttle && delay > 0 {
		r.Log.InfoContext(ctx, "sign-in locked", append(about, "failures", a.FailuresWith(now), "seconds",
			delay.Seconds())...)
	}
	if a.Disabled {
		r.Log.InfoContext(ctx, "password disabled", about...)
	}
}

// from says where a request came from.
func from(ctx context.Context) []any {
	v := visit.From(ctx)
	return []any{
		slog.String("block", v.Block()), slog.String("dialect", v.Dialect), slog.String("request_id", v.RequestID),
	}
}
