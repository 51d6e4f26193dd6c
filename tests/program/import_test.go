package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// hashOf is how another system kept harness.GoodPass.
func hashOf(t *testing.T) string {
	t.Helper()
	b, err := bcrypt.GenerateFromPassword([]byte(harness.GoodPass), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fileOf(t *testing.T, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// MI-04: accounts come in beside a server that runs, as NDJSON and as CSV. Their people sign in with the passwords they
// have, an administrator finds them by the id that they had, and a second run changes nothing.
func TestMI04_Import(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		env, hash := harness.ProcessEnv(dsn), hashOf(t)
		ndjson := fileOf(t, "users.ndjson",
			`{"id": "auth0|1", "email": "Ada@example.com", "emailVerified": true, "username": "ada", "number": 7, `+
				`"createdAt": "2019-05-04T03:02:01Z", "metadata": {"plan": "pro"}, "passwordHash": "`+hash+`"}`,
			`{"id": "auth0|2", "email": "bob@example.com", "status": "SUSPENDED", "passwordHash": "`+hash+`"}`)
		csv := fileOf(t, "users.csv", "id,email,emailVerified,passwordHash,identities",
			`77,cat@example.com,t,`+hash+`,"[{""provider"":""GitHub"",""subject"":""9""}]"`)
		for _, file := range []string{ndjson, csv} {
			said := []string{"1 record: 1 imported.\n", "1 record: 0 imported, 1 is there already.\n"}
			if file == ndjson {
				said = []string{"2 records: 2 imported.\n", "2 records: 0 imported, 2 are there already.\n"}
			}
			for _, want := range said {
				got := command(t, t.TempDir(), env, "users", "import", file)
				if got.code != 0 || got.stderr != "" || got.stdout != want {
					t.Errorf("%+v, want %q", got, want)
				}
			}
		}
		for _, email := range []string{"ada@example.com", "cat@example.com"} {
			harness.Fine(t, s.Login(t, email, harness.GoodPass))
			harness.RefusedWith(t, s.Login(t, email, harness.WrongPass), "INVALID_CREDENTIALS")
		}
		harness.RefusedWith(t, s.Login(t, "bob@example.com", harness.GoodPass), "INVALID_CREDENTIALS")
		a := s.GraphQL(t, root.Access, `{ users(filter: {externalId: "auth0|1"}) { totalCount nodes {
			email emailVerified number externalId createdAt metadata username } } }`, nil)
		if got := fmt.Sprint(a.At("users")); got != `map[nodes:[map[createdAt:2019-05-04T03:02:01.000Z `+
			`email:Ada@example.com emailVerified:true externalId:auth0|1 metadata:map[plan:pro] number:7 `+
			`username:ada]] `+
			`totalCount:1]` {
			t.Error(got)
		}
		side := harness.OpenSide(t, dsn)
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.imported' AND dialect = `+
			`'terminal' `+
			`AND user_id IN (SELECT id FROM users WHERE external_id IS NOT NULL)`); n != 3 {
			t.Errorf("%d events", n)
		}
		if n := side.Count(t, `SELECT sum(imported) FROM foreign_hashes WHERE kind = 'bcrypt 4'`); n != 3 {
			t.Errorf("%d hashes are counted, so that unknown names imitate them (LG-03)", n)
		}
	})
}

// MI-05: what cannot be imported is said by line, column and reason, and nothing is written, unless the operator wants
// the rest.
func TestMI05_ImportRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "taken@example.com")
		env, side := harness.ProcessEnv(dsn), harness.OpenSide(t, dsn)
		file := fileOf(t, "users.ndjson",
			`{"id": "1", "email": "fine@example.com"}`,
			`{"id": "2", "email": "nonsense"}`,
			`{"id": "3", "email": "three@example.com", "passwordHash": "$9$what"}`,
			``,
			`{"id": "5", "email": "five@example.com", "colour": "red"}`,
			`{"id": "1", "email": "six@example.com"}`,
			`{"id": "7", "email": "taken@example.com"}`,
			`{"id": "8", "email": `,
			`{"id": "9", "email": "nine@example.com", "createdAt": "yesterday"}`,
			`{"id": "10", "email": "ten@example.com", "role": "root"}`,
			`{"id": "11"}`,
			`{"id": "12", "email": "twelve@example.com", "number": 0.5}`,
			`{"id": "13", "email": "nul@example.com", "metadata": {"a": "\u0000"}}`,
			`{"id": "14", "email": "deep@example.com", "appMetadata": {"a": `+strings.Repeat("[", 100)+
				strings.Repeat("]", 100)+`}}`,
			`{"id": "15", "email": "lone@example.com", "name": "\ud800"}`,
			`{"id": "16", "email": "i@example.com", "identities": [{"provider": "g", "subject": "1", "email": `+
				`"a\u0000"}]}`,
			`{"id": "17", "email": "twice@example.com", "role": "user", "role": "admin"}`,
			`{"id": "user_00000000000000000000000000", "email": "zero@example.com"}`,
			`{"id": "19", "email": "date@example.com", "createdAt": 20240101}`,
			`{"id": "20", "email": "esc@example.com", "\u001b[2J": 1}`)
		wrong := []string{
			"line 2: email: ", "line 3: passwordHash: ", "line 5: colour: ", "line 6: externalId: the record at line 1",
			" has it and never confirmed it: ", "line 8: this is not a JSON object", "line 9: createdAt: ",
			"line 10: role: it must be user or admin", "line 11: it has neither", "line 12: number: ",
			"line 13: metadata: ", "line 14: appMetadata: ", "line 15: name: ", "line 16: identities: ",
			"line 17: a name stands twice", "line 18: id: ", "line 19: createdAt: ", `line 20: \x1b[2J: `,
		}
		for _, more := range [][]string{{}, {"--check"}} {
			got := command(t, t.TempDir(), env, append([]string{"users", "import", file}, more...)...)
			for _, w := range wrong {
				if !strings.Contains(got.stdout, w) {
					t.Errorf("%s is missing in:\n%s", w, got.stdout)
				}
			}
			if got.code != 1 || !strings.HasSuffix(got.stdout, "\n19 records: 1 can be imported, 18 cannot.\n") ||
				strings.Count(got.stdout, "\n") != len(wrong)+1 ||
				!strings.Contains(got.stderr, "18 of 19 records cannot be imported; nothing was written") {
				t.Errorf("%+v", got)
			}
			if strings.Contains(got.stdout, "what") || strings.Contains(got.stdout, "red") {
				t.Errorf("a value is repeated: %s", got.stdout)
			}
		}
		if n := side.Count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d accounts", n)
		}
		got := command(t, t.TempDir(), env, "users", "import", file, "--on-error=skip")
		if got.code != 0 || !strings.HasSuffix(got.stdout, "19 records: 1 imported, 18 left out.\n") {
			t.Errorf("%+v", got)
		}
		if n := side.Count(t, `SELECT count(*) FROM users WHERE email = 'fine@example.com'`); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

// MI-06: an export is an import: after a wipe the same accounts are back, with their passwords, and a second export is
// the first one. Without --with-hashes it has no secret.
func TestMI06_ExportWipeImport(t *testing.T) {
	t.Parallel()
	dbtest.EachKind(t, func(t *testing.T, fresh func(testing.TB) string) {
		dsn, secret := fresh(t), "DRAGOMAN_SECRET=5J5ZbYtNKNTNGFM4kaBQm0nEoGUl0K2v2rNfQGSm3Xg="
		s := harness.Start(t, dsn, secret)
		s.Register(t, "ada@example.com")
		env, dir := append(harness.ProcessEnv(dsn), secret), t.TempDir()
		file := fileOf(t, "users.ndjson",
			`{"id": "1", "email": "bob@example.com", "emailVerified": true, "number": 9, `+
				`"totpSecret": "jbsw y3dp ehpk 3pxp", "identities": [{"provider": "github", "subject": "9"}], `+
				`"appMetadata": {"tier": 1}, "phone": "+49 30 123456", "takenOverAt": "2025-03-04T05:06:07Z", `+
				`"passwordHash": "`+hashOf(t)+`"}`)
		if got := command(t, dir, env, "users", "import", file); got.code != 0 {
			t.Fatalf("%+v", got)
		}
		export := func(dir string, env []string, more ...string) string {
			t.Helper()
			got := command(t, dir, env, append([]string{"users", "export"}, more...)...)
			if got.code != 0 || got.stderr != "" {
				t.Fatalf("%+v", got)
			}
			return got.stdout
		}
		first := export(dir, env, "-", "--with-hashes")
		if bare := export(dir, env); strings.Contains(bare, "passwordHash") || strings.Contains(bare, "totpSecret") ||
			strings.Count(bare, "\n") != 2 {
			t.Error(bare)
		}
		whole := filepath.Join(dir, "out.ndjson")
		if said := export(dir, env, whole, "--with-hashes"); said != "2 accounts are in "+whole+".\n" {
			t.Error(said)
		}
		if b, err := os.ReadFile(whole); err != nil || string(b) != first {
			t.Errorf("%v: the file differs from standard output", err)
		}
		if got := command(t, dir, env, "users", "export", whole); got.code != 1 {
			t.Errorf("it writes over a file: %+v", got)
		}
		var record struct{ TOTPSecret, Phone, TakenOverAt string }
		for line := range bytes.Lines([]byte(first)) {
			if bytes.Contains(line, []byte("bob@")) && json.Unmarshal(line, &record) != nil {
				t.Error(string(line))
			}
		}
		if record.TOTPSecret != "JBSWY3DPEHPK3PXP" || record.Phone != "+4930123456" ||
			record.TakenOverAt != "2025-03-04T05:06:07Z" {
			t.Errorf("%+v", record)
		}
		empty := fresh(t)
		s = harness.Start(t, empty, secret)
		env = append(harness.ProcessEnv(empty), secret)
		if got := command(t, dir, env, "users", "import", whole); got.code != 0 {
			t.Fatalf("%+v", got)
		}
		if second := export(dir, env, "-", "--with-hashes"); second != first {
			t.Errorf("the second export differs:\n%s\n%s", second, first)
		}
		for _, email := range []string{"ada@example.com", "bob@example.com"} {
			harness.Fine(t, s.Login(t, email, harness.GoodPass))
		}
	})
}

// KE-02: the secrets of authenticator apps go over to another server secret when a server starts, an operator sees what
// has not yet, and a secret of nobody's stays and stops no other.
func TestKE02_AuthenticatorSecrets(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		old := harness.ProcessEnv(dsn)
		harness.Start(t, dsn)
		file := fileOf(t, "users.ndjson", `{"id": "1", "email": "ada@example.com", "totpSecret": "JBSWY3DPEHPK3PXP"}`,
			`{"id": "2", "email": "bob@example.com", "totpSecret": "GEZDGNBVGY3TQOJQ"}`)
		if got := command(t, t.TempDir(), old, "users", "import", file); got.code != 0 {
			t.Fatalf("%+v", got)
		}
		both := append(harness.ProcessEnv(dsn), "DRAGOMAN_SECRET="+harness.NextSecret,
			"DRAGOMAN_SECRET_PREVIOUS="+harness.Secret)
		alone := append(harness.ProcessEnv(dsn), "DRAGOMAN_SECRET="+harness.NextSecret)
		run := func(env []string, args ...string) ran { return command(t, t.TempDir(), env, args...) }
		if got := run(both, "secret", "status"); !strings.Contains(got.stdout, "authenticators  2") {
			t.Errorf("%+v", got)
		}
		if got := run(alone, "users", "export", "--with-hashes"); got.code != 1 ||
			!strings.Contains(got.stderr, "DRAGOMAN_SECRET_PREVIOUS") {
			t.Errorf("without the former secret: %+v", got)
		}
		fresh := harness.Start(t, dsn, "DRAGOMAN_SECRET="+harness.NextSecret, "DRAGOMAN_SECRET_PREVIOUS="+
			harness.Secret)
		if err := fresh.App.SealAnew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := run(both, "secret", "status"); strings.Contains(got.stdout, "authenticators") {
			t.Errorf("%+v", got)
		}
		got := run(alone, "users", "export", "--with-hashes")
		if !strings.Contains(got.stdout, "JBSWY3DPEHPK3PXP") || !strings.Contains(got.stdout, "GEZDGNBVGY3TQOJQ") {
			t.Errorf("%+v", got)
		}
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE authenticators SET sealed = substr(sealed, 1, 1)`)
		if err := fresh.App.SealAnew(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// MI-02, MI-04: what one record has twice, what people set themselves in another system, and what a stranger has
// without proof keep nobody else out.
func TestMI02_ImportCollisions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		stranger := s.Register(t, "squatted@example.com")
		env := harness.ProcessEnv(dsn)
		run := func(want string, code int, args ...string) string {
			t.Helper()
			got := command(t, t.TempDir(), env, append([]string{"users", "import"}, args...)...)
			if got.code != code || !strings.Contains(got.stdout+got.stderr, want) {
				t.Errorf("%v: %+v, want %q", args, got, want)
			}
			return got.stdout
		}
		// An identity that stands twice in one record.
		run("1 record: 1 imported", 0, fileOf(t, "a.ndjson", `{"id": "1", "email": "two@example.com", "identities": [`+
			`{"provider": "microsoft", "subject": "7"}, {"provider": "Microsoft", "subject": "7"}]}`))
		// Of two records with one address the confirmed one counts, though it stands behind.
		file := fileOf(t, "b.ndjson", `{"id": "11", "email": "Victim@example.com"}`,
			`{"id": "12", "email": "victim@example.com", "emailVerified": true}`)
		run("line 1: email: the record at line 2 has it too, and confirmed it", 1, file)
		if said := run("2 records: 1 imported, 1 left out", 0, file, "--on-error=skip"); !strings.Contains(said,
			"line 1: email: the record at line 2 has it too, and confirmed it") {
			t.Error(said)
		}
		// Who is left out is told the reason, whatever their other names.
		run("line 3: username: the record at line 2 has it too", 0, "--on-error=skip", fileOf(t, "f.ndjson",
			`{"id": "21", "email": "f1@example.com"}`, `{"id": "22", "email": "f2@example.com", "username": "grace"}`,
			`{"id": "23", "email": "f3@example.com", "username": "Grace"}`))
		side := harness.OpenSide(t, dsn)
		if n := side.Count(t,
			`SELECT count(*) FROM users WHERE external_id = '12' AND email_verified_at IS NOT NULL`); n != 1 {
			t.Error("the unconfirmed record came in")
		}
		// A record without an id is not there because a stranger registered with its address.
		bare := fileOf(t, "c.ndjson", `{"email": "squatted@example.com", "emailVerified": true}`)
		run("line 1: email: the account "+stranger.ID+" has it and never confirmed it", 1, bare)
		side.MustExec(t, `DELETE FROM users WHERE email_canonical = 'squatted@example.com'`)
		run("1 imported", 0, bare)
		run("0 imported, 1 is there already", 0, bare)
		// The ids of two systems meet.
		other := fileOf(t, "d.ndjson", `{"id": "12", "email": "somebody@example.com"}`)
		run("1 is there with another email address", 0, other)
		run("1 record: 1 imported.", 0, other, "--id-prefix=shop:")
		if n := side.Count(t, `SELECT count(*) FROM users WHERE external_id = 'shop:12'`); n != 1 {
			t.Error("no id has the prefix")
		}
		// What people set themselves is left out, and they are not.
		said := run("1 record: 1 imported.", 0, fileOf(t, "e.csv", "id,email,encrypted_password,raw_user_meta_data",
			`6f6f6f6f-0000-4000-8000-000000000001,long@example.com,,"{""full_name"":""`+strings.Repeat("x", 300)+
				`"",""bio"":""`+strings.Repeat("y", 5000)+`""}"`), "--from=supabase")
		for _, note := range []string{"1: name: it ", "1: metadata: it is longer than 4 KiB; appMetadata has it"} {
			if !strings.Contains(said, note) {
				t.Errorf("%s is not in %s", note, said)
			}
		}
	})
}

// MI-05: standard input leaves no file behind, and is read twice like any other.
func TestMI05_ImportStandardInput(t *testing.T) {
	t.Parallel()
	dsn, temporary := dbtest.SQLite(t), t.TempDir()
	cmd := program(t, t.TempDir(), append(harness.ProcessEnv(dsn), "TMPDIR="+temporary), "users", "import", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out harness.LogSink
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(in, `{"id": "1", "email": "ada@example.com"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) != 0 {
		t.Errorf("while it reads: %v %v", left, err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil || out.String() != "1 record: 1 imported.\n" {
		t.Errorf("%v %s", err, &out)
	}
}
