package userfile

// wolfpal reads the collection `users` of wolfpal as mongoexport writes it: a JSON object a line, with {"$oid"} and
// {"$date"}. Fields by server/models/User.js of MrDemonWolf/wolfpal.
var wolfpal = recipe{
	about: "wolfpal: mongoexport of the collection users",
	marks: [][]string{{"_id", "isBanned"}, {"_id", "streamerMode"}, {"_id", "emailVerified", "password"}},
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		email := f.text("email")
		out := &Record{
			ExternalID: f.id("_id"), Email: email, EmailVerified: f.flag("emailVerified"),
			PendingEmail: f.text("newEmail"), Username: f.username("username", email),
			Status: suspendedIf(f.flag("isBanned")), PasswordHash: f.text("password"),
			CreatedAt: f.time("createdAt"), UpdatedAt: f.time("updatedAt"), LastLoginAt: f.time("lastLogin"),
		}
		if f.flag("twoFactor") {
			out.TOTPSecret = f.text("twoFactorSecret")
			f.noteIf("twoFactorBackupCodes", "twoFactorBackupCodes: the codes stay behind")
		}
		metadata := map[string]any{}
		if f.flag("streamerMode") {
			metadata["streamerMode"] = true
		}
		if notifications := f.object("notifications"); len(notifications) > 0 {
			metadata["notifications"] = notifications
		}
		if len(metadata) > 0 {
			out.Metadata = metadata
		}
		if role := f.text("role"); role != "" && role != "user" {
			f.note("role: not taken over; `dragoman admin promote` makes an administrator")
		}
		f.drop("__v", "slug", "twoFactorSecret", "twoFactorBackupCodes", "emailVerificationToken",
			"emailVerificationTokenExpire", "emailChanged", "passwordChanged", "passwordResetToken",
			"passwordResetTokenExpire", "lastLoginIP")
		return f.record(out)
	},
}
