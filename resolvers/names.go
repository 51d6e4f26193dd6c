package resolvers

import (
	"github.com/dragoman-auth/dragoman/db"
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
