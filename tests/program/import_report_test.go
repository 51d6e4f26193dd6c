package program

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// says runs an import and wants an exit code, and everything that it prints.
func says(t *testing.T, env []string, code int, want string, args ...string) {
	t.Helper()
	got := command(t, t.TempDir(), env, append([]string{"users", "import"}, args...)...)
	if got.code != code || got.stdout != want || (code == 0) != (got.stderr == "") {
		t.Errorf("%v: %+v; want\n%s", args, got, want)
	}
}

// MI-08: a note names the first of its records, and --verbose every one. A check with --on-error=skip says what such an
// import would do, and one that fails has its notes too. What is of no use is named once, with a count.
func TestMI08_Report(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		harness.Start(t, dsn)
		env := harness.ProcessEnv(dsn)
		const shoe = "shoe_size: not taken over"
		lines := []string{"id,email,encrypted_password,shoe_size,sign_in_count,provider,uid"}
		for _, n := range []string{"1", "2", "3", "4"} {
			lines = append(lines, n+",user"+n+"@example.com,"+hashOf(t)+",44,2,,")
		}
		lines = append(lines, "5,,,,,github,5", "6,nonsense,,,,,", "7,user7@example.com,,,,github,7")
		file := fileOf(t, "users.csv", lines...)
		const (
			social = "no password comes along, and nothing here signs in by the provider yet; the person sets a password " +
				"by the mail for a forgotten one, or signs in by a mail"
			nobody  = "nobody can sign in to it yet: it has no email address, and no username with a password"
			dropped = "Of no use here, and left behind: sign_in_count 4.\n"
		)
		short := "1: " + social + " (line 8).\n1: " + nobody + " (line 6).\n4: " + shoe +
			" (line 2; line 3; line 4; …).\n" + dropped + "--verbose names every record of a line.\n"
		got := command(t, t.TempDir(), env, "users", "import", file, "--from=devise", "--check")
		problem, _, _ := strings.Cut(got.stdout, "\n")
		if got.code != 1 || got.stdout != problem+"\n7 records: 6 can be imported, 1 cannot.\n"+short ||
			!strings.HasPrefix(problem, "line 7: email: ") {
			t.Errorf("%+v", got)
		}
		says(t, env, 0, problem+"\n7 records: 6 can be imported, 1 would be left out.\n"+short, file, "--from=devise",
			"--check", "--on-error=skip")
		said := "line 2 (1): " + shoe + "\nline 3 (2): " + shoe + "\nline 4 (3): " + shoe + "\nline 5 (4): " + shoe +
			"\nline 6 (5): " + nobody + "\nline 8 (7): " + social + "\n7 records: 6 imported, 1 left out.\n1: " + social +
			".\n1: " + nobody + ".\n4: " + shoe + ".\n" + dropped
		says(t, env, 0, problem+"\n"+said, file, "--from=devise", "--on-error=skip", "--verbose")
		says(t, env, 0, problem+"\n7 records: 0 imported, 6 are there already, 1 left out.\n", file, "--from=devise",
			"--on-error=skip")
	})
}

// MI-08: what a username is to somebody who signs in by it alone, it is not to one with an address: that one comes
// without where two have it, in a file and here.
func TestMI08_UsernameTaken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		env, hash := harness.ProcessEnv(dsn), hashOf(t)
		const note = "username: another account has it; this one comes without, and signs in by its email address"
		file := fileOf(t, "users.csv", "id,email,username,encrypted_password",
			"1,ada@example.com,captain,"+hash, "2,ben@example.com,Captain,"+hash, "3,,CAPTAIN,"+hash)
		says(t, env, 0, "3 records: 3 can be imported.\n2: "+note+" (line 2; line 3).\n", file, "--from=devise", "--check")
		says(t, env, 0, "3 records: 3 imported.\n2: "+note+" (line 2; line 3).\n", file, "--from=devise")
		file = fileOf(t, "more.csv", "id,email,username,encrypted_password", "4,cleo@example.com,captain,"+hash)
		for _, word := range []string{"can be imported", "imported"} {
			args := []string{file, "--from=devise"}
			if word != "imported" {
				args = append(args, "--check")
			}
			says(t, env, 0, "1 record: 1 "+word+".\n1: "+note+" (line 2).\n", args...)
		}
		for _, email := range []string{"ada@example.com", "ben@example.com", "cleo@example.com"} {
			harness.Fine(t, s.Login(t, email, harness.GoodPass))
		}
		if n := harness.OpenSide(t, dsn).Count(t,
			`SELECT count(*) FROM users WHERE username = 'CAPTAIN' AND email IS NULL`); n != 1 {
			t.Error("who signs in by the username alone has it not")
		}
		file = fileOf(t, "last.csv", "id,email,username,encrypted_password", "5,,captain,"+hash)
		if got := command(t, t.TempDir(), env, "users", "import", file, "--from=devise"); got.code != 1 ||
			!strings.HasPrefix(got.stdout, "line 2: username: the account user_") {
			t.Errorf("%+v", got)
		}
	})
}

// MI-26: a file that is packed by gzip is read as it is, a directory says by name which of its files it does not read,
// and a file of another system is told from one that is wrong.
func TestMI26_Files(t *testing.T) {
	t.Parallel()
	dsn, dir := dbtest.SQLite(t), t.TempDir()
	harness.Start(t, dsn)
	env := harness.ProcessEnv(dsn)
	for _, name := range []string{"users.json", "hashes.json"} {
		text, err := os.ReadFile(harness.Path(samplesFolder + "auth0/export/" + name))
		if err != nil {
			t.Fatal(err)
		}
		to, err := os.Create(filepath.Join(dir, name+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		pack := gzip.NewWriter(to)
		if _, err := pack.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := pack.Close(); err != nil {
			t.Fatal(err)
		}
		_ = to.Close()
	}
	for _, name := range []string{"notes.txt", "users.zip"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("PK\x03\x04"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "old"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{dir, "--from=auth0", "--check"}, 0, "4 records: 4 can be imported.\n"},
		{[]string{dir, "--from=auth0", "--check"}, 0, "Not read: notes.txt, old/, users.zip.\n"},
		{
			[]string{dir, "--from=auth0", "--check"}, 0, "1 passed over: a password hash without an account, neither " +
				"in the files nor here (hashes.json.gz, line 3).\n",
		},
		{[]string{filepath.Join(dir, "users.json.gz"), "--from=auth0", "--check"}, 0, "4 records: 4 can be imported.\n"},
		{[]string{filepath.Join(dir, "hashes.json.gz"), "--from=auth0", "--check"}, 0, "0 records: 0 can be imported.\n"},
		{[]string{filepath.Join(dir, "users.json.gz"), "--check"}, 1, "pass --from=auth0"},
		{[]string{filepath.Join(dir, "users.zip"), "--check"}, 1, "this is a ZIP archive; unpack it"},
	} {
		got := command(t, t.TempDir(), env, append([]string{"users", "import"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stdout+got.stderr, c.want) {
			t.Errorf("%v: %+v; want %s", c.args, got, c.want)
		}
	}
}
