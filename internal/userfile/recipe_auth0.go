package userfile

import (
	"bufio"
	"errors"
	"strings"
)

// auth0 reads the two files that Auth0 gives: the bulk user export as JSON (Auth0, Bulk User Exports), and the export
// of password hashes that its support makes (Auth0 Support Center, How to Use the Password Hashes Export). Of a
// directory with both it joins them by the id. A hash alone makes no account: it is for one that is here.
var auth0 = recipe{
	about: "Auth0: the bulk user export, and the export of password hashes",
	marks: [][]string{{"user_id", "identities"}, {"_id", "passwordHash", "connection"}},
	open:  openAuth0,
	join:  joinAuth0,
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		var out *Record
		if isAuth0Hash(r) {
			out = auth0Hash(f)
		} else {
			out = auth0User(f)
		}
		return f.record(out)
	},
}

func openAuth0(in *bufio.Reader, _ bool) (rows, error) {
	switch first, err := firstByte(in); {
	case err != nil:
		return nil, err
	case first == '{':
		return newLines(in), nil
	case first == '[':
		return newArray(in, ""), nil
	}
	return nil, errors.New(`this is no JSON; order the export with "format": "json"`)
}

// auth0User reads an account of the user export.
func auth0User(f *fields) *Record {
	email := f.text("email")
	out := &Record{
		ExternalID: f.id("user_id"), Email: email, EmailVerified: f.flag("email_verified"),
		Username: f.username("username", email), Phone: f.phone("phone_number"),
		Locale:   f.language("locale", f.text("locale")),
		Name:     joinNames(f.text("given_name"), f.text("family_name")),
		Metadata: f.object("user_metadata"), AppMetadata: f.object("app_metadata"),
		Status: suspendedIf(f.flag("blocked")), PasswordHash: f.text("passwordHash"),
		CreatedAt: f.time("created_at"), UpdatedAt: f.time("updated_at"), LastLoginAt: f.time("last_login"),
	}
	// Auth0 fills in the address as the name, and a drawing as the picture, where the person gave none.
	switch name := f.text("name"); {
	case strings.EqualFold(name, email) || name == out.Name:
	case out.Name == "":
		out.Name = name
	default:
		f.lose("name")
	}
	if picture := f.text("picture"); strings.Contains(picture, "gravatar.com/") {
		f.lose("picture")
	} else if picture != "" {
		if out.Metadata == nil {
			out.Metadata = map[string]any{}
		}
		if _, taken := out.Metadata["picture"]; taken {
			f.lose("picture")
		} else {
			out.Metadata["picture"] = picture
		}
	}
	for _, item := range f.list("identities") {
		i := f.item("identities", item)
		i.known("isSocial")
		provider, subject := i.text("provider"), i.text("user_id")
		switch {
		case i.problem != nil || provider == "" || subject == "":
			f.fail("identities", "each needs a provider and a user_id")
		case provider != "auth0": // which is the account itself
			profile := i.object("profileData")
			if len(profile) > 1 {
				i.lose("profileData")
			}
			out.Identities = append(out.Identities,
				Identity{providerName(provider), subject, textOf(profile, "email")})
		}
	}
	for _, name := range []string{"multifactor", "mfa_factors"} {
		f.noteIf(name, name+": a second factor is not taken over; the person sets it up again")
	}
	f.drop("nickname", "phone_verified", "last_ip", "logins_count", "last_password_reset",
		"multifactor_last_modified", "id", "connection", "provider", "email_domain", "isSocial")
	return out
}

// isAuth0Hash tells whether a row is of the export of password hashes.
func isAuth0Hash(r row) bool {
	return !hasValue(r.fields["user_id"]) && (hasValue(r.fields["_id"]) || hasValue(r.fields["alt_id"]))
}

// auth0Hash reads a row of the export of password hashes: the hash, and what says whose it is.
func auth0Hash(f *fields) *Record {
	out := &Record{
		ExternalID: auth0Key(f), Email: f.text("email"), EmailVerified: f.flag("email_verified"),
		Username: f.text("username"), PasswordHash: f.text("passwordHash"), HashOnly: true,
	}
	for _, item := range f.list("identifiers") {
		i := fieldsOf(item)
		value := i.text("value")
		switch kind := i.text("type"); {
		case kind == "email" && (out.Email == "" || out.Email == value):
			out.Email, out.EmailVerified = value, out.EmailVerified || i.flag("verified")
		case kind == "username" && out.Username == "":
			out.Username = value
		}
		f.keep(i.problem)
	}
	if f.problem == nil && out.PasswordHash == "" {
		return passOver("a line of the hashes without a hash")
	}
	f.known("_id", "alt_id", "password_set_date", "tenant", "connection", "_tmp_is_unique", "version")
	return out
}

// auth0Key gives the id of the account that a hash belongs to: auth0|, and what the database of Auth0 knows it by.
func auth0Key(f *fields) string {
	id := f.first("alt_id", "_id")
	if id == "" {
		f.fail("_id", "it is empty; export the id of every account")
	}
	if strings.HasPrefix(id, "auth0|") {
		return id
	}
	return "auth0|" + id
}
