package resolvers

import (
	"context"
	"errors"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/userimport"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/oldsystem"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/userfile"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// The reasons of failed sign-ins by a name that no account has, where the old system is asked.
const (
	reasonUnknown  = "unknown_account" // there as well
	reasonNotAsked = "old_system_not_asked"
	reasonNoAnswer = "old_system_failed"
	reasonRefused  = "record_refused" // it said yes, with a record that makes no account of this name
)

// migrate asks the old system about a name that no account has. On a yes it makes the account, and the attempt becomes
// one on it. It tells whether the password is right for the account, or why there is none.
func (r *resolver) migrate(
	ctx context.Context, who db.Identifier, a *db.Attempt, input graph.LoginInput,
) (right bool, reason string, err error) {
	record, reason := r.askOldSystem(ctx, who, input)
	if record == nil {
		return false, reason, nil
	}
	user, problem := r.migrated(record, who)
	if problem != nil {
		r.refuseRecord(ctx, problem)
		return false, reasonRefused, nil
	}
	if user.PasswordHash, err = r.Hasher.Hash(ctx, input.Password); err != nil {
		return false, "", err
	}
	made, err := r.DB.MigrateUser(ctx, user, r.now())
	if err != nil {
		return false, "", err
	}
	// Somebody may have made an account of this name since: a parallel sign-in, or whoever registered. It is judged as
	// if it had been there.
	found, err := r.DB.Attempt(ctx, who)
	if err != nil {
		return false, "", err
	}
	if found.User.ID.IsZero() {
		r.refuseRecord(ctx, taken(made))
		return false, reasonRefused, nil
	}
	*a = *found
	a.Notices = r.notices(ctx, a)
	if a.User.PasswordHash == user.PasswordHash { // of this password, with a salt that nobody else has
		r.OnMigration("migrated")
		return true, "", nil
	}
	r.OnMigration("there")
	right, err = r.Hasher.Verify(ctx, a.User.PasswordHash, input.Password)
	return right, "", err
}

// askOldSystem gives the record of a yes. Else the record is nil, and the reason says why.
func (r *resolver) askOldSystem(
	ctx context.Context, who db.Identifier, input graph.LoginInput,
) (*userfile.Record, string) {
	question, reason := r.question(ctx, who, input)
	if reason != "" {
		return nil, reason
	}
	record, err := r.OldSystem.Ask(ctx, question)
	failed, _ := errors.AsType[*oldsystem.Failure](err)
	switch {
	case err == nil:
		return record, ""
	case errors.Is(err, oldsystem.ErrNo):
		r.OnMigration("no")
		return nil, reasonUnknown
	case failed != nil:
		r.OnMigration("failed")
		r.Log.WarnContext(ctx, "old system: no answer that counts; check DRAGOMAN_MIGRATE_URL",
			append(from(ctx), "reason", failed.Reason, "paused", failed.Paused)...)
	case ctx.Err() == nil:
		return nil, r.notAsked(ctx, err.Error())
	}
	return nil, reasonNoAnswer
}

func (r *resolver) notAsked(ctx context.Context, why string) (reason string) {
	r.OnMigration("not_asked")
	r.Log.InfoContext(ctx, "old system: not asked", append(from(ctx), "reason", why)...)
	return reasonNotAsked
}

// question gives what is asked, or the reason why nothing is: the name is one that nobody here could have, there is no
// password, or the network has asked often enough.
func (r *resolver) question(
	ctx context.Context, who db.Identifier, input graph.LoginInput,
) (q oldsystem.Question, reason string) {
	v := visit.From(ctx)
	if who.Canonical == "" || input.Password == "" {
		return q, reasonUnknown
	}
	if r.Limits != nil {
		if d, err := r.Limits.Allow(ctx, limit.Migration, v.Network()); err != nil || !d.Allowed {
			return q, r.notAsked(ctx, "DRAGOMAN_LIMIT_MIGRATION")
		}
	}
	q = oldsystem.Question{Password: secret.Text(input.Password), RequestID: v.RequestID}
	if who.Username {
		q.Kind = "username"
		q.Identifier, _, _ = identity.Username(*input.Username.Value()) // it is one, since Canonical is not empty
	} else {
		q.Kind = "email"
		q.Identifier, _, _ = identity.Email(*input.Email.Value())
	}
	return q, ""
}

// migrated makes an account of what the old system said. It must have the name that was typed: else who signs in would
// get the account of somebody else. A role makes no administrator, and the hash is that of the password which was just
// found right.
func (r *resolver) migrated(record *userfile.Record, who db.Identifier) (*db.ImportedUser, *userfile.Problem) {
	record.PasswordHash, record.Role = "", ""
	record.PendingEmail, record.PendingEmailShown = "", false // it speaks for the name that was typed alone
	terms := userimport.Terms{Sealing: r.Sealing, Lenient: true}
	user, problem := terms.Account(record, r.now())
	if problem != nil {
		problem.Where = record.Where
		return nil, problem
	}
	column, canonical := "email", user.EmailCanonical
	if who.Username {
		column, canonical = "username", ""
		if user.UsernameCanonical != nil {
			canonical = *user.UsernameCanonical
		}
	}
	if canonical != who.Canonical {
		return nil, &userfile.Problem{
			Where: record.Where, Column: column, Reason: "it is not the one that was asked about",
		}
	}
	return user, nil
}

// taken says what an account here has of the record.
func taken(of db.ImportResult) *userfile.Problem {
	p := &userfile.Problem{Where: "the answer", Column: of.Column, Reason: "the account " + of.Holder.String() +
		" has it"}
	if of.Outcome == db.There {
		p.Column, p.Reason = "id", "an account has it, under another name"
	}
	return p
}

func (r *resolver) refuseRecord(ctx context.Context, p *userfile.Problem) {
	r.OnMigration("refused")
	r.Log.WarnContext(ctx, "old system: the record makes no account", append(from(ctx), "reason", oldsystem.Brief(p))...)
}

// answerSlack is beyond the time for a question: what its end takes.
const answerSlack = 100 * time.Millisecond

// outlast waits until a question that began at a time must have been answered. So a wrong password takes as long as a
// name that nobody here has, whatever the old system says of that, and however long it takes to (LG-03). Where nobody
// is asked it does nothing. It ends early for a caller who went away.
func (r *resolver) outlast(ctx context.Context, began time.Time) {
	if r.OldSystem == nil {
		return
	}
	timer := time.NewTimer(oldsystem.Within + answerSlack - time.Since(began))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
