package userfile

import "strings"

// django reads the table auth_user of django.contrib.auth as CSV, NDJSON or an SQLite file, and what
// `manage.py dumpdata auth.user` writes. Fields by django/contrib/auth/models.py, passwords by
// django/contrib/auth/hashers.py. A model of users that the application made itself (AUTH_USER_MODEL) has the same
// fields and others.
var django = recipe{
	about:  "Django: the table auth_user, or dumpdata",
	marks:  [][]string{{"model", "pk", "fields"}, {"date_joined", "password"}},
	sqlite: "SELECT * FROM auth_user",
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		if f.ask("model") && f.ask("fields") { // of dumpdata
			inner, problem := djangoFixture(f)
			if problem != nil {
				return nil, problem
			}
			if inner == nil {
				return passOver("of another model than the accounts"), nil
			}
			f = inner
		}
		email := f.text("email")
		if name := f.text("username"); email == "" && strings.Contains(name, "@") {
			email = name
		}
		out := &Record{
			ExternalID: f.id("id"), Email: email, Username: f.username("username", email),
			Name: joinNames(f.text("first_name"), f.text("last_name")), PasswordHash: djangoHash(f),
			Status: suspendedIf(!f.enabled("is_active")), CreatedAt: f.time("date_joined"),
			LastLoginAt: f.time("last_login"),
		}
		out.Number = integer(out.ExternalID)
		noteRoles(f, "is_superuser", "is_staff")
		f.noteIf("groups", "groups: not taken over")
		f.noteIf("user_permissions", "user_permissions: not taken over")
		return f.record(out)
	},
}

// djangoFixture gives the fields of an entry of dumpdata, with its key as the id, or nil for another model. An account
// is what has a password.
func djangoFixture(f *fields) (*fields, *Problem) {
	inner, problem := f.row.object("fields")
	if problem != nil {
		return nil, problem
	}
	if _, ok := inner["password"]; !ok {
		return nil, nil
	}
	all := map[string]any{"id": f.row.fields["pk"]}
	for name, v := range inner {
		all[name] = v
	}
	return fieldsOf(row{f.row.where, all}), nil
}

// djangoHash reads a password, none for one that make_password(None) made.
func djangoHash(f *fields) string {
	text := f.text("password")
	if strings.HasPrefix(text, "!") {
		return ""
	}
	return text
}
