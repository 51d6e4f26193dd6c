package resolvers

import (
	"context"
	"strings"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// edit is a change of the caller's own account: updateMe, changeEmail or changePassword.
type edit struct {
	db.Change
	caller   *caller
	password *string // the new password in clear, nil for no change
	field    string  // the input field of the new password
	current  *string // the current password as typed, nil for none
	reissued bool    // the payload has a new access token
	verify   bool    // a new address that counts at once gets a mail by which it is confirmed
	returnTo string  // where the link of the mail to a new address leads on, "" for nowhere
}

func (r *resolver) edit(ctx context.Context, c *caller, action db.Action) *edit {
	to := c.User
	return &edit{
		Change: db.Change{By: c.Caller, To: &to, Action: action, AtOnce: r.emailAtOnce(ctx), NoMail: r.MailOff},
		caller: c,
	}
}

// emailAtOnce tells whether a new address is shown before it is confirmed: by the document of the dialect, and never
// where addresses have to be confirmed (OT-23).
func (r *resolver) emailAtOnce(ctx context.Context) bool {
	return r.profile(ctx).EmailAtOnce && !r.RequireVerifiedEmail
}

// UpdateMe is Mutation.updateMe.
func (r *resolver) UpdateMe(ctx context.Context, input graph.UpdateMeInput) (*graph.UpdateMePayload, error) {
	c, err := r.person(ctx)
	if err != nil {
		return nil, err
	}
	e := r.edit(ctx, c, db.ActionUserUpdated)
	e.reissued = true
	after, err := r.applyEdit(ctx, e, func() (err error) {
		if e.returnTo, err = r.returnTo(input.ReturnTo); err != nil {
			return err
		}
		return e.readInput(input)
	})
	if err != nil {
		errs, err := userErrors(err)
		return &graph.UpdateMePayload{UserErrors: errs}, err
	}
	tokens, err := r.reissue(ctx, c, after)
	return &graph.UpdateMePayload{User: &after.User, Tokens: tokens, UserErrors: noErrors()}, err
}

// reissue makes a new access token for a live session, from the account after the change (SE-14). It ends with the
// credential of the request: only a refresh token prolongs anything (SE-31). A dialect documents that it gives a whole
// access token, and the refresh token in force; it does so for an access token of the generation in force alone, and
// never for a session that was handed out as a session token or a cookie: a page cannot read the cookie, and must not
// get a token that lives as long.
func (r *resolver) reissue(ctx context.Context, c *caller, after *db.Caller) (*graph.AuthTokens, error) {
	inForce := c.kind == graph.CredentialKindAccessToken && after.Session.Generation != db.NoRefresh &&
		c.generation == after.Session.Generation
	if r.Profiles[visit.From(ctx).Dialect] != nil && inForce {
		return r.tokens(ctx, &after.User, &after.Session, graph.TokenDeliveryBody)
	}
	return r.accessAlone(ctx, &after.User, &after.Session, c.expires)
}

// readInput reads the fields of updateMe.
func (e *edit) readInput(input graph.UpdateMeInput) (err error) {
	e.current, e.verify = input.CurrentPassword.Value(), input.SendVerificationEmail
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
		if err := e.setEmail(*email); err != nil {
			return err
		}
	}
	if text, given := input.Password.ValueOK(); given {
		if text == nil {
			return fault.New(fault.InvalidInput, "An account keeps a password.", "input", "password")
		}
		e.setPassword(*text, "password", true)
	}
	return nil
}

// setEmail ignores the current address in updateMe: forms send back the address that they show.
func (e *edit) setEmail(text string) error {
	if now := e.By.User.CurrentEmail(); now != nil && *now == text && e.Action == db.ActionUserUpdated {
		return nil
	}
	e.Email = true
	return setEmail(e.To, text)
}

func (e *edit) setPassword(text, field string, endOthers bool) {
	e.Password, e.password, e.field, e.EndOthers = true, &text, field, endOthers
}

func (r *resolver) userPayload(after *db.Caller, err error) (*graph.UserPayload, error) {
	if err != nil {
		errs, err := userErrors(err)
		return &graph.UserPayload{UserErrors: errs}, err
	}
	return &graph.UserPayload{User: &after.User, UserErrors: noErrors()}, nil
}

// applyEdit reads the input with read, validates it, demands a proof, hashes the password and writes the change. It
// records an expected error in the audit log.
func (r *resolver) applyEdit(ctx context.Context, e *edit, read func() error) (*db.Caller, error) {
	after, err := r.tryEdit(ctx, e, read)
	forget(ctx)
	if err != nil {
		return nil, r.record(ctx, err, db.Event{Action: e.Action, User: e.By.User.ID, Sess: e.By.Session.ID})
	}
	return after, nil
}

// tryEdit runs the cheap checks before the hash. The proof comes before the write, which reveals taken names.
func (r *resolver) tryEdit(ctx context.Context, e *edit, read func() error) (*db.Caller, error) {
	if err := read(); err != nil {
		return nil, err
	}
	if err := r.validateEdit(ctx, e); err != nil {
		return nil, err
	}
	if err := limit.Enter(ctx); err != nil {
		return nil, err
	}
	leave, err := r.proveEdit(ctx, e)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := r.hashEdit(ctx, e); err != nil {
		return nil, err
	}
	return r.writeEdit(ctx, e)
}

// validateEdit checks the new password and sets the note of the audit event.
func (r *resolver) validateEdit(ctx context.Context, e *edit) error {
	notes := e.notes()
	if e.Password {
		guessable, err := r.checkPassword(ctx, *e.password, identifiers(e.To)...)
		if err != nil {
			return atField(err, e.field)
		}
		if guessable {
			notes = append(notes, "guessable_password")
		}
	}
	if e.EndKeys {
		notes = append(notes, db.NoteKeysEnded)
	}
	e.Note = strings.Join(notes, " ")
	return nil
}

// proveEdit demands a proof for a new email address or password, and for whatever others see of an account beyond
// `user` (AZ-11). Call leave after the write.
func (r *resolver) proveEdit(ctx context.Context, e *edit) (leave func(), err error) {
	beyond := e.By.User.BeyondUser() && (e.Username || e.Name || e.Metadata)
	if !e.Email && !e.Password && !beyond {
		return func() {}, nil
	}
	if e.Email || e.Password {
		if err := r.factorRequired(ctx, e.caller); err != nil {
			return nil, err
		}
	}
	e.Proof, leave, err = r.prove(ctx, e.caller, e.current, e.Action)
	return leave, err
}

func (r *resolver) hashEdit(ctx context.Context, e *edit) (err error) {
	if e.Password {
		e.To.PasswordHash, err = r.Hasher.Hash(ctx, *e.password)
	}
	return err
}

func (r *resolver) writeEdit(ctx context.Context, e *edit) (*db.Caller, error) {
	if e.reissued {
		if err := r.validateClaims(ctx, e.To, &e.By.Session); err != nil {
			return nil, err
		}
	}
	if e.Email && !e.AtOnce && r.MailOff && e.To.EmailCanonical != e.By.User.EmailCanonical {
		return nil, errNoMail()
	}
	e.Mails = r.changeMails(ctx, e)
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

// notes names the fields of updateMe that matter in the audit log.
func (e *edit) notes() (notes []string) {
	if e.Action != db.ActionUserUpdated {
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
