package userfile

import "strings"

// supabase reads the table auth.users of Supabase as CSV or NDJSON. Columns by internal/models/user.go, identity.go and
// factor.go of supabase/auth. A column `identities` holds the rows of auth.identities of the account as a JSON array,
// a column `mfa_factors` those of auth.mfa_factors: docs/moving-in.md has the statement.
var supabase = recipe{
	about: "Supabase, GoTrue: the table auth.users",
	marks: [][]string{{"raw_user_meta_data"}, {"raw_app_meta_data"}, {"encrypted_password", "instance_id"}},
	read: func(o Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		switch {
		case f.ask("deleted_at"):
			return passOver("deleted in the former system"), nil
		case f.flag("is_anonymous"):
			return passOver("anonymous in the former system"), nil
		case f.ask("provider_id") && f.ask("identity_data"):
			return nil, bad("", "this is a row of auth.identities; export it as the column identities of auth.users")
		}
		metadata := f.object("raw_user_meta_data")
		out := &Record{
			ExternalID: f.id("id"), Email: f.text("email"), EmailVerifiedAt: f.time("email_confirmed_at"),
			PendingEmail: f.text("email_change"), Phone: f.phone("phone"), Name: textOf(metadata, "full_name", "name"),
			Metadata: metadata, AppMetadata: f.object("raw_app_meta_data"), PasswordHash: supabaseHash(f),
			CreatedAt: f.time("created_at"), UpdatedAt: f.time("updated_at"), LastLoginAt: f.time("last_sign_in_at"),
			Invited: f.ask("invited_at") && !f.ask("encrypted_password"),
		}
		if out.EmailVerifiedAt == "" && out.Phone == "" { // which is set where either was confirmed
			out.EmailVerifiedAt = f.time("confirmed_at")
		}
		if until := f.time("banned_until"); later(until, o.Now) {
			out.Status = suspendedIf(true)
			f.note("banned_until: suspended without an end")
		}
		out.Identities = supabaseIdentities(f)
		out.TOTPSecret = supabaseTOTP(f)
		supabaseRest(f)
		return f.record(out)
	},
}

func supabaseRest(f *fields) {
	f.drop("instance_id", "aud", "confirmed_at", "invited_at", "confirmation_token", "confirmation_sent_at",
		"recovery_token", "recovery_sent_at", "email_change_token_new", "email_change_token_current",
		"email_change_sent_at", "email_change_confirm_status", "phone_change_token", "phone_change_sent_at",
		"phone_confirmed_at", "reauthentication_token", "reauthentication_sent_at", "banned_reason")
	f.noteIf("phone_change", "phone_change: the change of a phone number is begun again")
	if role := f.text("role"); role != "" && role != "authenticated" {
		f.note("role: not taken over; `dragoman admin promote` makes an administrator")
	}
	noteRoles(f, "is_super_admin")
	f.drop("is_sso_user")
}

// supabaseHash reads the hash. With GOTRUE_SECURITY_DB_ENCRYPTION_ENCRYPT it is sealed.
func supabaseHash(f *fields) string {
	text := f.text("encrypted_password")
	if strings.HasPrefix(text, "{") {
		f.fail("encrypted_password", "it is encrypted with a key of the server (GOTRUE_SECURITY_DB_ENCRYPTION); "+
			"decrypt the column there first")
		return ""
	}
	return text
}

// supabaseIdentities reads those at other providers: email and phone are the account itself.
func supabaseIdentities(f *fields) (all []Identity) {
	for _, item := range f.list("identities") {
		i := f.item("identities", item)
		i.known("user_id")
		one := Identity{Provider: i.text("provider"), Subject: i.first("provider_id", "id"), Email: i.text("email")}
		if one.Email == "" {
			one.Email = textOf(i.object("identity_data"), "email")
		}
		switch {
		case i.problem != nil || one.Provider == "" || one.Subject == "":
			f.fail("identities", "each needs a provider and a provider_id, both texts")
		case one.Provider == "email" || one.Provider == "phone":
		case strings.HasPrefix(one.Provider, "sso:"):
			f.note("identities: the provider of a company (SSO) is not taken over")
		default:
			all = append(all, one)
		}
	}
	return all
}

// supabaseTOTP reads the first factor that is in use.
func supabaseTOTP(f *fields) (secret string) {
	for _, item := range f.list("mfa_factors") {
		i := f.item("mfa_factors", item)
		i.known("id", "user_id")
		kind, found := i.text("factor_type"), i.text("secret")
		switch {
		case i.problem != nil:
			f.fail("mfa_factors", "each needs a factor_type, a status and a secret, all texts")
		case i.text("status") == "unverified":
		case kind == "totp" && secret == "" && found != "" && !strings.HasPrefix(found, "{"):
			secret = found
		default:
			f.note("mfa_factors: a second factor is not taken over; the person sets it up again")
		}
	}
	return secret
}

// textOf gives the first of the names that has a text.
func textOf(object map[string]any, names ...string) string {
	for _, name := range names {
		if text, ok := object[name].(string); ok && strings.TrimSpace(text) != "" {
			return strings.TrimSpace(text)
		}
	}
	return ""
}
