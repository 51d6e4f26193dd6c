package resolvers

import (
	"cmp"
	"context"
	"encoding/json"

	"golang.org/x/text/language"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

const (
	maxName     = 200  // code points of a display name
	maxMetadata = 1024 // bytes of JSON (JW-11)
)

// These give an account what a person typed, or refuse it with the name of the input field. Nil clears.

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

// maxLocale is the longest tag that RFC 5646 section 4.4.1 expects every implementation to take.
const maxLocale = 35

// setLocale takes a language tag (RFC 5646) and keeps it in its canonical spelling: de-at is de-AT.
func setLocale(u *db.User, text *string) error {
	if text == nil {
		u.Locale = nil
		return nil
	}
	tag, err := language.Parse(*text)
	if err != nil || len(*text) > maxLocale || len(tag.String()) > maxLocale || tag == language.Und {
		return fault.New(
			fault.InvalidInput, "This is not the tag of a language, such as de or pt-BR.", "input", "locale",
		)
	}
	canonical := tag.String()
	u.Locale = &canonical
	return nil
}

func setName(u *db.User, text *string) error {
	if text == nil {
		u.Name = nil
		return nil
	}
	name, err := identity.Text(*text, maxName)
	if err != nil {
		return atField(err, "name")
	}
	u.Name = &name
	return nil
}

// newUser checks what the person asked for, but for the password.
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
	u.Metadata, err = metadata(input.Metadata.Value())
	return u, err
}

// metadata brings free data to the form that the database will give back, so that a token holds the same numbers today
// and after the next sign-in, and measures that form.
func metadata(given db.JSONObject) (db.JSONObject, error) {
	if given == nil {
		return nil, nil
	}
	var kept map[string]any
	b, err := json.Marshal(given)
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err == nil {
		b, err = json.Marshal(unsigned(kept))
	}
	if err != nil || len(b) > maxMetadata {
		return nil, fault.New(fault.InvalidInput, "The metadata is longer than 1 KiB as JSON.", "input", "metadata")
	}
	return kept, nil
}

// unsigned takes the sign from every zero, as Postgres does.
func unsigned(v any) any {
	switch v := v.(type) {
	case float64:
		return v + 0
	case []any:
		for i := range v {
			v[i] = unsigned(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = unsigned(v[k])
		}
	}
	return v
}

// takenError gives the error for a taken name. The owner of a taken email address gets a mail about the attempt
// (LG-04).
func (r *resolver) takenError(ctx context.Context, wanted *db.User, which *db.Taken) error {
	if which.Email && !which.Username && !r.MailOff {
		m := r.mail(ctx, db.MailAddressTaken, db.UserID{}, *wanted.Email, wanted.EmailCanonical)
		if may, err := r.allowMail(ctx, m.Kind, m.AddressCanonical); err != nil || !may {
			return cmp.Or(err, alreadyExists(which))
		}
		if err := r.DB.QueueMails(ctx, m); err != nil {
			return err
		}
	}
	return alreadyExists(which)
}

// alreadyExists names the username first. It is public and the address is not: a dialect that answers a taken address
// like a free one (LG-04) would else tell them apart when the username beside it is taken.
func alreadyExists(taken *db.Taken) error {
	if taken.Username {
		return fault.New(fault.AlreadyExists, "This username is taken.", "input", "username")
	}
	return fault.New(fault.AlreadyExists, "There is an account with this email address already.", "input", "email")
}
