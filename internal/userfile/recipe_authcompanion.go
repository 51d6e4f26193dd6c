package userfile

// authCompanion reads the SQLite file of AuthCompanion itself, while it runs or from a copy; of its Postgres the table
// `users` as CSV or NDJSON. Columns by plugins/db/schema/*.sql of version 3 and db/sqlite/sqlite.schema.js of version 5
// of authcompanion/authcompanion2. Callers know the column uuid as the id. Version 3 keeps administrators in a table of
// their own, which is not read.
var authCompanion = recipe{
	about:  "AuthCompanion: its SQLite file",
	marks:  [][]string{{"uuid", "jwt_id"}, {"uuid", "password", "appdata"}},
	sqlite: "SELECT * FROM users",
	read: func(_ Options, r row) (*Record, *Problem) {
		f := fieldsOf(r)
		out := &Record{
			ExternalID: f.id("uuid"), Email: f.text("email"), Name: f.text("name"), PasswordHash: f.text("password"),
			Metadata: f.object("metadata"), AppMetadata: f.object("appdata"),
			Status:    suspendedIf(!f.enabled("active")),
			CreatedAt: f.time("created_at"), UpdatedAt: f.time("updated_at"),
		}
		f.noteIf("authenticator_id", "authenticator_id: the passkey stays behind")
		noteRoles(f, "isAdmin")
		f.drop("id", "challenge", "jwt_id")
		return f.record(out)
	},
}
