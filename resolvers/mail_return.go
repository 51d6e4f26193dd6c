package resolvers

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/fault"
)

// returnTo reads where the person goes on after the link of a mail, "" for nowhere: a URL of the list, written anew.
func (r *resolver) returnTo(wanted graphql.Omittable[*string]) (string, error) {
	text := wanted.Value()
	if text == nil {
		return "", nil
	}
	to, allowed := r.Returns.Allows(*text)
	if !allowed {
		return "", fault.New(fault.InvalidInput, "This server does not lead back to that address. "+
			"DRAGOMAN_RETURN_URLS of the server lists those that it does, by scheme, host, port and path.", "input",
			"returnTo")
	}
	return to, nil
}

// leadOn makes the links of mails lead on. Notices lead nowhere, and what takes a change back stays on our pages.
func leadOn(to string, mails ...*db.Mail) []*db.Mail {
	for _, m := range mails {
		if linkNames[m.Kind] != "" {
			m.Data.ReturnTo = to
		}
	}
	return mails
}

// goesOn is where whoever redeemed the token of a mail goes on, nil for nowhere. The list may have become shorter since
// the mail was asked for.
func (r *resolver) goesOn(m *db.TokenWithUser) *string {
	if to, allowed := r.Returns.Allows(m.Token.ReturnTo); allowed {
		return &to
	}
	return nil
}
