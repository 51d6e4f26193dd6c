package userfile

// devise reads the table `users` of a Rails application with Devise, as CSV, NDJSON or an SQLite file. Columns by
// lib/generators/active_record/devise_generator.rb of heartcombo/devise; the application adds others.
//
// Devise.pepper, where it is set, is part of what was hashed and stands in no export. Such a hash looks like any other,
// and no password fits it.
var devise = recipe{
	about:  "Devise (Rails): the table users",
	marks:  [][]string{{"encrypted_password", "created_at", "updated_at"}},
	sqlite: "SELECT * FROM users",
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		if f.ask("deleted_at") || f.ask("discarded_at") {
			return passOver("deleted in the former system"), nil
		}
		email := f.text("email")
		out := &Record{
			ExternalID: f.id("id"), Email: email, EmailVerifiedAt: f.time("confirmed_at"),
			PendingEmail: f.text("unconfirmed_email"), Username: f.username("username", email),
			Name: railsName(f), Locale: f.language("locale", f.text("locale")), PasswordHash: f.text("encrypted_password"),
			CreatedAt: f.time("created_at"), UpdatedAt: f.time("updated_at"), LastLoginAt: deviseVisit(f),
		}
		out.Number = integer(out.ExternalID)
		if deviseLock(f) {
			out.Status = suspendedIf(true)
		}
		out.Identities = omniAuth(f)
		f.drop("reset_password_token", "reset_password_sent_at", "remember_created_at", "remember_token",
			"sign_in_count", "current_sign_in_ip", "last_sign_in_ip", "confirmation_token", "confirmation_sent_at",
			"unlock_token", "authentication_token")
		noteRails(f)
		return f.record(out)
	},
}

func railsName(f *fields) string {
	full := joinNames(f.text("first_name"), f.text("last_name"))
	if name := f.first("name", "full_name"); name != "" {
		return name
	}
	return full
}

// omniAuth reads the columns that the guides of Devise and authentication-zero have an application add for OmniAuth.
func omniAuth(f *fields) []Identity {
	provider, uid := f.text("provider"), f.text("uid")
	if provider == "" || uid == "" {
		return nil
	}
	return []Identity{{Provider: providerName(provider), Subject: uid}}
}

// deviseVisit gives the last sign-in: Devise keeps the one before it as last_sign_in_at.
func deviseVisit(f *fields) string {
	before, last := f.time("last_sign_in_at"), f.time("current_sign_in_at")
	if last == "" {
		return before
	}
	return last
}

// deviseLock tells whether the account is locked for good. Devise counts failed sign-ins up to a lock that ends by
// itself or by a mail (lib/devise/models/lockable.rb); a lock with none was put there by the application.
func deviseLock(f *fields) bool {
	failed := f.text("failed_attempts")
	if f.time("locked_at") == "" {
		return false
	}
	if failed != "" && failed != "0" {
		f.note("locked_at: a lock after failed sign-ins stays behind; sign-ins are limited here as well")
		return false
	}
	f.note("locked_at: the application locked this account; it is suspended here")
	return true
}

func noteRails(f *fields) {
	f.noteIf("otp_secret", "otp_secret: the application encrypts it; the person sets up the second factor again")
	f.noteIf("encrypted_otp_secret",
		"encrypted_otp_secret: the application encrypts it; the person sets up the second factor again")
	f.drop("encrypted_otp_secret_iv", "encrypted_otp_secret_salt", "otp_backup_codes", "consumed_timestep",
		"otp_required_for_login")
	noteRoles(f, "role", "admin")
}

// noteRoles says of columns that make an administrator of the former system that they do not here.
func noteRoles(f *fields, names ...string) {
	for _, name := range names {
		if !f.ask(name) {
			continue
		}
		if yes, problem := f.row.flag(name); problem != nil || yes {
			f.note(name + ": not taken over; `dragoman admin promote` makes an administrator")
		}
	}
}
