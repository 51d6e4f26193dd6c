package resolvers

import (
	"context"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// CreateUser is Mutation.createUser.
func (r *resolver) CreateUser(ctx context.Context, input graph.CreateUserInput) (*graph.UserPayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := c.actorEvent(db.ActionUserCreated)
	user, err := r.createUser(ctx, c, e, input)
	if err != nil {
		errs, err := userErrors(r.record(ctx, err, e))
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: c.shown(user), UserErrors: noErrors()}, nil
}

func (r *resolver) createUser(
	ctx context.Context, c *caller, e db.Event, input graph.CreateUserInput,
) (*db.User, error) {
	if err := checkRole(input.Role); err != nil {
		return nil, err
	}
	user, err := r.newUser(graph.RegisterInput{
		Email: input.Email, Username: input.Username, Name: input.Name, Metadata: input.Metadata,
	})
	if err != nil {
		return nil, err
	}
	returnTo, err := r.returnTo(input.ReturnTo)
	if err != nil {
		return nil, err
	}
	notes := []string{"role_" + input.Role}
	user.Role, user.Invited = input.Role, true
	if !input.Active {
		user.Status = db.UserSuspended
		notes = append(notes, "suspended")
	}
	if input.EmailVerified {
		user.EmailVerifiedAt = &user.CreatedAt
		notes = append(notes, "email_verified")
	}
	if text := input.Password.Value(); text != nil {
		guessable, err := r.checkPassword(ctx, *text, identifiers(user)...)
		if err != nil {
			return nil, atField(err, "password")
		}
		if user.PasswordHash, err = r.Hasher.Hash(ctx, *text); err != nil {
			return nil, err
		}
		notes = append(notes, "password")
		if guessable {
			notes = append(notes, "guessable_password")
		}
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	e.Note = strings.Join(notes, " ")
	var mails []*db.Mail
	if input.Password.Value() == nil && !r.MailOff {
		mails = append(mails, r.mail(ctx, db.MailSetPassword, user.ID, *user.Email, user.EmailCanonical))
	}
	no, err := r.DB.CreateUser(ctx, r.actor(ctx, c), user, e, leadOn(returnTo, mails...)...)
	if err == nil {
		err = r.rejected(ctx, c, no, errNoUser())
	}
	return user, err
}
