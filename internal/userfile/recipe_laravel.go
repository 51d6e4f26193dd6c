package userfile

// laravel reads the table `users` of Laravel as CSV, NDJSON or an SQLite file. Columns by
// database/migrations/0001_01_01_000000_create_users_table.php of laravel/laravel, and those that laravel/fortify,
// laravel/jetstream and soft deletes add.
var laravel = recipe{
	about:  "Laravel: the table users",
	marks:  [][]string{{"email_verified_at", "password"}, {"email", "password", "remember_token"}},
	sqlite: "SELECT * FROM users",
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		if f.ask("deleted_at") {
			return passOver("deleted in the former system"), nil
		}
		email := f.text("email")
		out := &Record{
			ExternalID: f.id("id"), Email: email, EmailVerifiedAt: f.time("email_verified_at"),
			Username: f.username("username", email), Name: railsName(f), Locale: f.language("locale", f.text("locale")),
			PasswordHash: f.text("password"), CreatedAt: f.time("created_at"), UpdatedAt: f.time("updated_at"),
		}
		out.Number = integer(out.ExternalID)
		f.drop("remember_token", "two_factor_recovery_codes", "two_factor_confirmed_at", "current_team_id",
			"profile_photo_path", "api_token")
		f.noteIf("two_factor_secret",
			"two_factor_secret: the key of the application encrypts it; the person sets up the second factor again")
		noteRoles(f, "role", "is_admin")
		return f.record(out)
	},
}
