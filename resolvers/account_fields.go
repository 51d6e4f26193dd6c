package resolvers

import (
	"context"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// setEmail, setUsername, setName and setLocale set a field of an account from what was typed. Nil clears the field.
// Errors name the input field.

func setEmail(u *db.User, text string) error {
	email, canonical, err := identity.Email(text)
	if err != nil {
		return atField(err, "email")
	}
	u.Email, u.EmailCanonical = &email, canonical
	return nil
}

func setUsername(u *db.User, text *string) error {
	if text == nil {
		u.Username, u.UsernameCanonical = nil, nil
		return nil
	}
	username, canonical, err := identity.Username(*text)
	if err != nil {
		return atField(err, "username")
	}
	u.Username, u.UsernameCanonical = &username, &canonical
	return nil
}

// setLocale stores a language tag (RFC 5646) in its canonical spelling: de-at becomes de-AT.
func setLocale(u *db.User, text *string) error {
	if text == nil {
		u.Locale = nil
		return nil
	}
	canonical, err := identity.Locale(*text)
	if err != nil {
		return atField(err, "locale")
	}
	u.Locale = &canonical
	return nil
}

func setName(u *db.User, text *string) error {
	if text == nil {
		u.Name = nil
		return nil
	}
	name, err := identity.Name(*text)
	if err != nil {
		return atField(err, "name")
	}
	u.Name = &name
	return nil
}

// newUser makes an account from the input of a registration, without the password.
func (r *resolver) newUser(input graph.RegisterInput) (*db.User, error) {
	u := db.NewUser(r.now())
	if err := setEmail(u, input.Email); err != nil {
		return nil, err
	}
	if err := setUsername(u, input.Username.Value()); err != nil {
		return nil, err
	}
	if err := setName(u, input.Name.Value()); err != nil {
		return nil, err
	}
	if err := setLocale(u, input.Locale.Value()); err != nil {
		return nil, err
	}
	var err error
	if u.Metadata, err = metadata(input.Metadata.Value()); err != nil {
		return nil, err
	}
	if given := input.Phone.Value(); given != nil {
		phone, err := identity.Phone(*given)
		if err != nil {
			return nil, atField(err, "phone")
		}
		u.Phone = &phone
	}
	return u, nil
}

// metadata reads the metadata of an account.
func metadata(given db.JSONObject) (db.JSONObject, error) {
	kept, err := identity.Metadata(given)
	return kept, atField(err, "metadata")
}

// takenError gives the error for a taken name. It mails the owner of a taken address about the attempt (LG-04).
func (r *resolver) takenError(ctx context.Context, wanted *db.User, which *db.Taken) error {
	if which.Email && !which.Username && !r.MailOff {
		m := r.mail(ctx, db.MailAddressTaken, db.UserID{}, *wanted.Email, wanted.EmailCanonical)
		if err := r.DB.QueueMails(ctx, m); err != nil {
			return err
		}
	}
	return alreadyExists(which)
}

// alreadyExists names the username first, where both are taken. A username is public, an address is not: some dialects
// answer a taken address like a free one (LG-04), and must do so too when the username is taken.
func alreadyExists(taken *db.Taken) error {
	if taken.Username {
		return fault.New(fault.AlreadyExists, "This username is taken.", "input", "username")
	}
	return fault.New(fault.AlreadyExists, "There is an account with this email address already.", "input", "email")
}
