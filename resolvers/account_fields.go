package resolvers

import (
	"golang.org/x/text/language"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/identity"
)

// These give an account what a person typed, or refuse it with the name of the input field. Nil clears.

func setEmail(u *db.User, text string) error {
	email, canonical, err := identity.Email(text)
	if err != nil {
		return at(err, "email")
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
		return at(err, "username")
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
		return fault.New(fault.InvalidInput, "This is not the tag of a language, such as de or pt-BR.", "input", "locale")
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
		return at(err, "name")
	}
	u.Name = &name
	return nil
}
