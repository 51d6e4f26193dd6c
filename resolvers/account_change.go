package resolvers

import (
	"context"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// edit is a change of the own account on its way.
type edit struct {
	db.Change
	password *string // the new one, in clear
	field    string  // the name of its input field
	current  *string // the one in use, as the person gave it
	reissued bool    // whether an access token is made afterwards
}

func (r *resolver) edit(ctx context.Context, c *caller, action string) *edit {
	to := c.User
	return &edit{Change: db.Change{By: c.Caller, To: &to, Action: action, AtOnce: r.profile(ctx).EmailAtOnce}}
}

// UpdateMe is Mutation.updateMe.
func (r *resolver) UpdateMe(ctx context.Context, input graph.UpdateMeInput) (*graph.UpdateMePayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := r.edit(ctx, c, "update_me")
	e.reissued = true
	err = e.take(input)
	after, err := r.apply(ctx, c, e, err)
	if err != nil {
		errs, err := userErrors(err)
		return &graph.UpdateMePayload{UserErrors: errs}, err
	}
	tokens, err := r.reissue(ctx, c, after)
	return &graph.UpdateMePayload{User: &after.User, Tokens: tokens, UserErrors: noErrors()}, err
}

// reissue makes an access token with what is true now for a session that is alive (SE-14). The refresh token is the one in
// force. A session that was handed out as a session token or a cookie has none, and gets none, whatever its person came with:
// pages do not read the cookie, and nothing that lives as long shall come to them instead.
func (r *resolver) reissue(ctx context.Context, c *caller, after *db.Caller) (*graph.AuthTokens, error) {
	tokens, err := r.tokens(ctx, &after.User, &after.Session, graph.TokenDeliveryBody)
	if err == nil && (c.kind != graph.CredentialKindAccessToken || after.Session.Generation == db.NoRefresh) {
		tokens.RefreshToken = nil
	}
	return tokens, err
}

// take reads what the person wants to change.
func (e *edit) take(input graph.UpdateMeInput) (err error) {
	e.current = input.CurrentPassword.Value()
	if name, given := input.Name.ValueOK(); given {
		e.Name = true
		if err := setName(e.To, name); err != nil {
			return err
		}
	}
	if name, given := input.Username.ValueOK(); given {
		e.Username = true
		if err := setUsername(e.To, name); err != nil {
			return err
		}
	}
	if data, given := input.Metadata.ValueOK(); given {
		e.Metadata = true
		if e.To.Metadata, err = metadata(data); err != nil {
			return err
		}
	}
	if tag, given := input.Locale.ValueOK(); given {
		e.Locale = true
		if err := setLocale(e.To, tag); err != nil {
			return err
		}
	}
	if email, given := input.Email.ValueOK(); given {
		if email == nil {
			return fault.New(fault.InvalidInput, "An account keeps an email address.", "input", "email")
		}
		if err := e.takeEmail(*email); err != nil {
			return err
		}
	}
	if text, given := input.Password.ValueOK(); given {
		if text == nil {
			return fault.New(fault.InvalidInput, "An account keeps a password.", "input", "password")
		}
		e.takePassword(*text, "password", true)
	}
	return nil
}

// takeEmail lets the address in use pass as no change: a form that shows it sends it back.
func (e *edit) takeEmail(text string) error {
	if e.By.User.Email != nil && *e.By.User.Email == text && e.Action == "update_me" {
		return nil
	}
	e.Email = true
	return setEmail(e.To, text)
}

func (e *edit) takePassword(text, field string, endOthers bool) {
	e.Password, e.password, e.field, e.EndOthers = true, &text, field, endOthers
}

func (r *resolver) userPayload(after *db.Caller, err error) (*graph.UserPayload, error) {
	if err != nil {
		errs, err := userErrors(err)
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: &after.User, UserErrors: noErrors()}, nil
}

// apply takes the step unless its input was refused already, and writes a refusal down.
func (r *resolver) apply(ctx context.Context, c *caller, e *edit, refusal error) (after *db.Caller, err error) {
	if err = refusal; err == nil {
		after, err = r.step(ctx, c, e)
	}
	forget(ctx)
	if err != nil {
		return nil, r.record(ctx, err, db.Event{Action: e.Action, User: c.User.ID, Sess: c.Caller.Session.ID})
	}
	return after, nil
}

// step does what is cheap before what costs a hash, and the proof before anything that tells of other accounts.
func (r *resolver) step(ctx context.Context, c *caller, e *edit) (_ *db.Caller, err error) {
	notes := e.notes()
	if e.Password {
		guessable, err := r.checkPassword(ctx, *e.password, identifiers(e.To)...)
		if err != nil {
			return nil, atField(err, e.field)
		}
		if guessable {
			notes = append(notes, "guessable_password")
		}
	}
	if e.Email || e.Password {
		proof, leave, err := r.prove(ctx, c, e.current, e.Action)
		if err != nil {
			return nil, err
		}
		defer leave()
		e.Proof = proof
	}
	if e.Password {
		hash, err := r.Hasher.Hash(ctx, *e.password)
		if err != nil {
			return nil, err
		}
		e.To.PasswordHash = hash
	}
	if e.reissued {
		if err := r.validateClaims(ctx, e.To, &c.Caller.Session); err != nil {
			return nil, err
		}
	}
	e.Note = strings.Join(notes, " ")
	if e.Email && !e.AtOnce && r.MailOff && e.To.EmailCanonical != c.User.EmailCanonical {
		return nil, errNoMail()
	}
	if e.Mails, err = r.changeMails(ctx, e); err != nil {
		return nil, err
	}
	after, taken, err := r.DB.ChangeAccount(ctx, &e.Change, r.now())
	switch {
	case err != nil:
		return nil, err
	case taken != nil:
		return nil, r.takenError(ctx, e.To, taken)
	case after == nil:
		return nil, r.superseded(ctx, e.Proof, "currentPassword")
	}
	return after, nil
}

// notes name what of several things updateMe changed that matter to whoever reads the log.
func (e *edit) notes() (notes []string) {
	if e.Action != "update_me" {
		return nil
	}
	if e.Email {
		notes = append(notes, "email")
	}
	if e.Password {
		notes = append(notes, "password")
	}
	return notes
}
