package resolvers

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"golang.org/x/text/language"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/strictjson"
)

const (
	maxName     = 200  // code points of a display name
	maxMetadata = 4096 // bytes of JSON (JW-11)
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

// maxLocale is the length in bytes of a language tag that RFC 5646 section 4.4.1 expects every implementation to take.
const maxLocale = 35

// setLocale stores a language tag (RFC 5646) in its canonical spelling: de-at becomes de-AT.
func setLocale(u *db.User, text *string) error {
	if text == nil {
		u.Locale = nil
		return nil
	}
	tag, err := language.Parse(*text)
	if err != nil || len(*text) > maxLocale || len(tag.String()) > maxLocale || tag == language.Und {
		return fault.New(fault.InvalidInput, "This is not the tag of a language, such as de or pt-BR.",
			"input", "locale")
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
	u.Metadata, err = metadata(input.Metadata.Value())
	return u, err
}

// metadata converts metadata to the form that the database gives back: a token holds the same numbers before and after
// the row is read. The limit of 4 KiB counts for that form (JW-11). A number that this form rounds is an error (JW-16).
func metadata(given db.JSONObject) (db.JSONObject, error) {
	if given == nil {
		return nil, nil
	}
	if !exact(map[string]any(given)) {
		return nil, fault.New(fault.InvalidInput, strictjson.ExactMessage, "input", "metadata")
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
		return nil, fault.New(fault.InvalidInput, "The metadata is longer than 4 KiB as JSON.", "input", "metadata")
	}
	return kept, nil
}

// exact reports whether float64 keeps every number of a value. The literals of a document are of int64 and float64, the
// variables of a request are json.Number, and the expressions of a dialect may make an int.
func exact(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return strictjson.Exact(v.String())
	case int:
		return strictjson.Exact(strconv.Itoa(v))
	case int64:
		return strictjson.Exact(strconv.FormatInt(v, 10))
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !exact(item) })
	case map[string]any:
		for _, member := range v {
			if !exact(member) {
				return false
			}
		}
	}
	return true
}

// unsigned turns -0 into 0 everywhere, as Postgres does in jsonb.
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
