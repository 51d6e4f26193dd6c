package userfile

// authenticationZero reads the table `users` of an application made with authentication-zero, as CSV, NDJSON or an
// SQLite file. Columns by lib/generators/authentication/templates/migrations/create_users_migration.rb.tt of
// lazaronixon/authentication-zero, versions 2 to 4.
var authenticationZero = recipe{
	about:  "authentication-zero (Rails): the table users",
	marks:  [][]string{{"password_digest", "verified"}},
	sqlite: "SELECT * FROM users",
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		email := f.text("email")
		out := &Record{
			ExternalID: f.id("id"), Email: email, EmailVerified: f.flag("verified"), Name: railsName(f),
			Username: f.username("username", email), PasswordHash: f.text("password_digest"),
			CreatedAt: f.time("created_at"), UpdatedAt: f.time("updated_at"),
		}
		out.Number = integer(out.ExternalID)
		secret, required := f.text("otp_secret"), f.row.fields["otp_required_for_sign_in"]
		// Every account has a secret; the person uses it where the flag says so. Versions before the flag kept a
		// secret only where it was in use.
		if f.flag("otp_required_for_sign_in") || required == nil {
			out.TOTPSecret = secret
		}
		out.Identities = omniAuth(f)
		f.noteIf("account_id", "account_id: the tenant is not taken over")
		f.drop("webauthn_id")
		noteRoles(f, "role", "admin")
		return f.record(out)
	},
}
