package userfile

import (
	"database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/password"
)

// readText gives what a recipe makes of a file with a text, or the error that ends it.
func readText(t *testing.T, recipe, name, text string, o Options) ([]*Record, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readPath(t, recipe, path, o)
}

func readPath(t *testing.T, recipe, path string, o Options) (records []*Record, failures string) {
	t.Helper()
	s, err := Open(path, recipe, o)
	if err != nil {
		return nil, err.Error()
	}
	var lines []string
	err = Each(s, func(r *Record, p *Problem) error {
		if p != nil {
			lines = append(lines, p.Error())
		} else if r.PassedOver == "" {
			records = append(records, r)
		}
		return nil
	})
	if err = errors.Join(err, s.Close()); err != nil {
		lines = append(lines, err.Error())
	}
	return records, strings.Join(lines, "\n")
}

// TestMI21_Malformed holds every recipe to a place, a column and a reason for what it does not understand.
func TestMI21_Malformed(t *testing.T) {
	t.Parallel()
	credential := func(data, secret string) string {
		return `{"users":[{"id":"1","credentials":[{"type":"password","credentialData":` + data + `,"secretData":` +
			secret + `}]}]}`
	}
	for _, c := range []struct{ recipe, text, want string }{
		{"auth0", "user_id,email\n", `order the export with "format": "json"`},
		{"auth0", `{"email":"a@example.com"}`, "line 1: user_id: it is empty"},
		{"auth0", `{"user_id":"auth0|1","blocked":"perhaps"}`, "line 1: blocked: it must be true or false"},
		{"auth0", `{"user_id":"auth0|1","created_at":"yesterday"}`, "line 1: created_at: this is not a time"},
		{"auth0", `{"user_id":"auth0|1","identities":[{"provider":"github"}]}`, "line 1: identities: each needs"},
		{"auth0", `{"user_id":"auth0|1","identities":"x"}`, "line 1: identities: it must be a JSON array"},
		{"auth0", `{"user_id":"auth0|1","user_metadata":7}`, "line 1: user_metadata: it must be a JSON object"},
		{"auth0", `{"_id":{"$oid":7},"passwordHash":"x"}`, "line 1: _id: it must be a text"},
		{
			"auth0", `{"_id":{"$oid":"1"},"identifiers":[{"type":"email","value":[]}]}`,
			"line 1: value: it must be a text",
		},
		{"auth0", "{\"user_id\":\"auth0|1\"}\n{\"user_id\":", "line 2: this is not a JSON object: it ends too early"},
		{"authcompanion", `{"email":"a@example.com"}`, "line 1: uuid: it is empty"},
		{"authcompanion", `{"uuid":"1","active":"maybe"}`, "line 1: active: it must be true or false"},
		{"authcompanion", `{"uuid":"1","metadata":"{"}`, "line 1: metadata: it must be a JSON object"},
		{"authentication-zero", "email,verified\na@example.com,t\n", "line 2: id: it is empty"},
		{"authentication-zero", "id,verified\n1,perhaps\n", "line 2: verified: it must be true or false"},
		{"devise", "id,email\n,a@example.com\n", "line 2: id: it is empty"},
		{"devise", "id,confirmed_at\n1,soon\n", "line 2: confirmed_at: this is not a time"},
		{"devise", "id,locked_at\n1,soon\n", "line 2: locked_at: this is not a time"},
		{"devise", "id,email\n1\n", "line 2: it has 1 columns and the header 2"},
		{"devise", "id,email,id\n", `the column "id" is empty or there twice`},
		{"devise", "id,email\n1,\xff\n", "line 2: email: this is not UTF-8"},
		{"devise", "", "the file is empty"},
		{"devise", "id,email\n1,\"a\n", `line 2: extraneous or missing " in quoted-field`},
		{"django", `[{"model":"auth.user","pk":1,"fields":"x"}]`, "entry 1: fields: it must be a JSON object"},
		{"django", `[{"model":"auth.user","pk":null,"fields":{"password":"x"}}]`, "entry 1: id: it is empty"},
		{"django", "id,is_active\n1,x\n", "line 2: is_active: it must be true or false"},
		{"firebase", "kS3,ada@example.com,true\n", "export to a name that ends with .json"},
		{"firebase", `{"accounts":[]}`, `the JSON document has no array "users"`},
		{"firebase", `{"users":[{"email":"a@example.com"}]}`, "entry 1: localId: it is empty"},
		{"firebase", `{"users":[{"localId":"1","customAttributes":"["}]}`, "entry 1: customAttributes: it must be"},
		{
			"firebase", `{"users":[{"localId":"1","providerUserInfo":[{"providerId":"google.com"}]}]}`,
			"entry 1: providerUserInfo: each needs",
		},
		{"firebase", `{"users":[{"localId":"1","passwordHash":"!","salt":"!"}]}`, "entry 1: passwordHash: "},
		{"firebase", `{"users":[{"localId":"1"},7,{"localId":"2"}]}`, "entry 2: this is not a JSON object"},
		{"keycloak", `7`, "this is no export of a realm"},
		{"keycloak", `{"realm":"x"}`, "export with --users realm_file"},
		{"keycloak", `{"users":{}}`, `a "[" is missing`},
		{"keycloak", `[{"users":[]},7]`, `a "{" is missing`},
		{"keycloak", `{"users":[{"id":"1"}`, "this is not JSON"},
		{"keycloak", `{"users":[{"username":"a"}]}`, "entry 1: id: it is empty"},
		{"keycloak", `{"users":[{"id":"1","attributes":[]}]}`, "entry 1: attributes: it must be a JSON object"},
		{"keycloak", `{"users":[{"id":"1","federatedIdentities":[{}]}]}`, "entry 1: federatedIdentities: each needs"},
		{"keycloak", credential(`"{"`, `"{}"`), "entry 1: credentials: credentialData: it must be a JSON object"},
		{
			"keycloak", credential(`"{\"algorithm\":\"bcrypt\",\"hashIterations\":10}"`, `"{\"value\":\"eA==\"}"`),
			"entry 1: credentials: ",
		},
		{
			"keycloak", credential(`"{\"algorithm\":\"argon2\",\"hashIterations\":5}"`, `"{\"value\":\"eA==\"}"`),
			"entry 1: credentials: ",
		},
		{"laravel", "id,email_verified_at\n1,never\n", "line 2: email_verified_at: this is not a time"},
		{"laravel", "email\na@example.com\n", "line 2: id: it is empty"},
		{"supabase", "id,identities\n1,[{}]\n", "line 2: identities: each needs a provider and a provider_id"},
		{"supabase", "id,mfa_factors\n1,\"[{\"\"secret\"\":[]}]\"\n", "line 2: mfa_factors: each needs"},
		{"supabase", "provider_id,identity_data\n1,{}\n", "line 2: this is a row of auth.identities"},
		{"supabase", "id,encrypted_password\n1,\"{\"\"a\"\":1}\"\n", "line 2: encrypted_password: it is encrypted"},
		{"wolfpal", `{"username":"a"}`, "line 1: _id: it is empty"},
		{"wolfpal", `{"_id":{"$oid":"1"},"createdAt":{"$date":{"$numberLong":"x"}}}`, "line 1: createdAt: this is not"},
		{"wolfpal", `{"_id":{"$oid":"1"},"isBanned":{}}`, "line 1: isBanned: it must be true or false"},
		{"laravel", sqliteStart + "and no more", "this SQLite file: "},
		{"supabase", sqliteStart + "and no more", "export the table of accounts as CSV or NDJSON"},
	} {
		_, got := readText(t, c.recipe, "file", c.text, Options{Firebase: sampleFirebase})
		if !strings.Contains(got, c.want) {
			t.Errorf("%s of %q: %q; want %q", c.recipe, c.text, got, c.want)
		}
	}
}

// TestMI21_FirebaseParameters refuses hashes without the parameters of their project, and takes accounts without any.
func TestMI21_FirebaseParameters(t *testing.T) {
	t.Parallel()
	records, got := readPath(t, "firebase", "testdata/firebase/users.json", Options{})
	if len(records) != 1 || !strings.Contains(got, "entry 1: passwordHash: it needs the hash parameters") {
		t.Errorf("%d records, %q; want that of the account without a hash", len(records), got)
	}
}

// TestMI20_LeftOut takes accounts without what only their old system can use, and says so.
func TestMI20_LeftOut(t *testing.T) {
	t.Parallel()
	const someone = `"email":"a@example.com"`
	for _, c := range []struct{ recipe, text, note string }{
		{"auth0", `{"user_id":"auth0|1",` + someone + `,"locale":"german"}`, "locale: it is no tag of a language"},
		{"auth0", `{"user_id":"auth0|1",` + someone + `,"name":"\u202e"}`, "name: it is too long, or has characters"},
		{"auth0", `{"user_id":"auth0|1",` + someone + `,"username":"admin"}`, "username: it is no username here"},
		{"auth0", `{"user_id":"auth0|1",` + someone + `,"nonsense":{"a":1}}`, "nonsense: not taken over"},
		{"devise", "id,email,shoe_size\n1,a@example.com,44\n", "shoe_size: not taken over"},
		{"keycloak", `{"users":[{"id":"1",` + someone + `,"attributes":{"locale":["?"]}}]}`, "locale: it is no tag"},
		{"keycloak", `{"users":[{"id":"1",` + someone + `,"federationLink":"ldap"}]}`, "federationLink: a directory"},
	} {
		records, failures := readText(t, c.recipe, "file", c.text, Options{})
		if failures != "" || len(records) != 1 || !strings.Contains(strings.Join(records[0].Notes, "\n"), c.note) {
			t.Errorf("%s of %s: %d records, %q; want the note %q", c.recipe, c.text, len(records), failures, c.note)
		}
	}
	for _, c := range []struct{ recipe, text, reason string }{
		{"firebase", `{"users":[{"localId":"1"}]}`, "anonymous in the former system"},
		{"firebase", `{"users":[{"localId":"1","phoneNumber":"+4915550100101"}]}`, "signed in by a phone number alone"},
		{"laravel", "id,email,deleted_at\n1,a@example.com,2024-07-01 00:00:00\n", "deleted in the former system"},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, open(t, path, c.recipe)); !strings.Contains(got, `"records": null`) ||
			!strings.Contains(got, c.reason) {
			t.Errorf("%s of %s: %s", c.recipe, c.text, got)
		}
	}
}

// TestMI22_Hashes demands that every hash of a sample is one that a sign-in can check.
func TestMI22_Hashes(t *testing.T) {
	t.Parallel()
	for _, sample := range samples {
		hashes := 0
		s := open(t, filepath.Join("testdata", sample.path), sample.recipe)
		err := Each(s, func(r *Record, _ *Problem) error {
			if r == nil || r.PasswordHash == "" {
				return nil
			}
			hashes++
			_, err := password.ReadForeign(r.PasswordHash)
			return err
		})
		if err := errors.Join(err, s.Close()); err != nil || hashes == 0 && sample.want != "auth0/want_users.json" {
			t.Errorf("%s: %d hashes, %v", sample.path, hashes, err)
		}
	}
}

// TestMI23_NoAdmin demands that no sample makes an administrator, though each has one of its own.
func TestMI23_NoAdmin(t *testing.T) {
	t.Parallel()
	for _, sample := range samples {
		s := open(t, filepath.Join("testdata", sample.path), sample.recipe)
		err := Each(s, func(r *Record, _ *Problem) error {
			if r != nil && r.Role != "" {
				t.Errorf("%s: %s is %s", sample.path, r.Where, r.Role)
			}
			return nil
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestMI24_SQLite reads a file while its application writes it, and leaves it as it was.
func TestMI24_SQLite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authc database.db")
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(path, " ", "%20")+"?_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE users (id INTEGER PRIMARY KEY ASC, uuid TEXT NOT NULL, name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE, password TEXT NOT NULL, challenge TEXT, jwt_id TEXT NOT NULL, active INTEGER NOT NULL,
  created_at TEXT NOT NULL, updated_at TEXT NOT NULL, authenticator_id INTEGER);
INSERT INTO users VALUES (1, 'u1', 'Ada', 'ada@example.com', '$argon2id$x', NULL, 'j', 1, '2024-03-01T09:14:40.123Z',
  '2024-03-01T09:14:40.123Z', NULL)`); err != nil {
		t.Fatal(err)
	}
	records, problems := readPath(t, "authcompanion", path, Options{})
	if len(records) != 1 || records[0].ExternalID != "u1" || problems != "" {
		t.Errorf("version 3, while it is open: %d records, %q", len(records), problems)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(before) != 1 {
		t.Fatalf("%v beside the file of a closed application (%v)", before, err)
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if records, problems := readPath(t, "authcompanion", path, Options{}); len(records) != 1 || problems != "" {
		t.Errorf("a copy: %d records, %q", len(records), problems)
	}
	if after, err := os.ReadDir(filepath.Dir(path)); err != nil || len(after) != 1 {
		t.Errorf("reading left %v (%v)", after, err)
	}
}

// MI-24: what an application with a rollback journal has not committed is not read, though it stands in the file.
func TestMI24_SQLiteUncommitted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(DELETE)&_pragma=cache_size(2)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, password_digest TEXT, verified INTEGER);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO users SELECT i, 'user' || i || '@example.com', NULL, 1 FROM n`); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`UPDATE users SET email = 'uncommitted' || id || '@example.net'`); err != nil {
		t.Fatal(err)
	}
	source, err := Open(path, "authentication-zero", Options{})
	if err == nil {
		_, err = source.Next()
		_ = source.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "stop the application") {
		t.Errorf("a file in the middle of a transaction: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	records, problems := readPath(t, "authentication-zero", path, Options{})
	if len(records) != 20000 || problems != "" || records[7].Email != "user8@example.com" {
		t.Errorf("%d records, %q", len(records), problems)
	}
}

// FuzzRecipes feeds the recipes any bytes, as a file or as two files of a directory. Nothing panics or goes on for
// ever, and what is read has a place.
func FuzzRecipes(f *testing.F) {
	names := slices.Sorted(maps.Keys(recipes))
	for _, sample := range samples {
		if text, err := os.ReadFile(filepath.Join("testdata", sample.path)); err == nil {
			for i := range names {
				f.Add(text, uint8(i), i%2 == 0)
			}
		}
	}
	f.Add([]byte(`[{"users":[{"id":"1","credentials":[{"type":"otp","secretData":"{}","credentialData":"{}"}]}]}]`),
		uint8(slices.Index(names, "keycloak")), false)
	f.Fuzz(func(t *testing.T, text []byte, which uint8, many bool) {
		name, folder := names[int(which)%len(names)], t.TempDir()
		path := filepath.Join(folder, "a.json")
		for _, to := range []string{path, filepath.Join(folder, "b.json")} {
			if err := os.WriteFile(to, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if many {
			path = folder
		}
		records, _ := readPath(t, name, path, Options{Firebase: sampleFirebase})
		for _, r := range records {
			if r.Where == "" {
				t.Errorf("%s gave a record without a place", name)
			}
		}
	})
}
