package program

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// oldTables are what the commands of docs/moving-in.md export, cut down to the columns that make them difficult:
// quotes, line feeds, JSON, and rows of other tables.
const oldTables = `
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email varchar, encrypted_password varchar, email_confirmed_at timestamptz,
  raw_user_meta_data jsonb, created_at timestamptz);
CREATE TABLE auth.identities (user_id uuid, provider text, provider_id text, identity_data jsonb);
CREATE TABLE auth.mfa_factors (user_id uuid, factor_type text, status text, secret text);
INSERT INTO auth.users VALUES ('5f0b9c1e-7a35-4c58-9a1b-0c8d0d5e2a11', 'ada@example.com', NULL,
  '2024-03-01 09:15:02.123456+00', '{"full_name": "Ada \"the first\" Winter", "note": "one\ntwo"}', now());
INSERT INTO auth.identities VALUES
  ('5f0b9c1e-7a35-4c58-9a1b-0c8d0d5e2a11', 'google', '1', '{"email": "ada@example.com"}'),
  ('5f0b9c1e-7a35-4c58-9a1b-0c8d0d5e2a11', 'github', '2', '{}');
INSERT INTO auth.mfa_factors VALUES
  ('5f0b9c1e-7a35-4c58-9a1b-0c8d0d5e2a11', 'totp', 'verified', 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP');
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar, name varchar, created_at timestamp);
INSERT INTO users (email, name, created_at) VALUES ('ada@example.com', E'Ada, "the\tfirst"', '2024-03-01 09:14:40.123');
CREATE TABLE members (id serial, mail text, mail_ok boolean, login text, pwd text, created timestamptz);
INSERT INTO members (mail, mail_ok, login, created) VALUES ('ada@example.com', true, 'ada', '2024-03-01 09:14:40+01');
`

// TestMI25_Exports runs the commands of docs/moving-in.md for psql against tables of such systems, and checks that what
// they write can be imported.
func TestMI25_Exports(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(harness.Path(movingIn))
	if err != nil {
		t.Fatal(err)
	}
	old, dir := dbtest.EmptyPostgres(t), t.TempDir()
	psql := func(line string) {
		c := exec.Command("sh", "-c", line)
		c.Dir, c.Env = dir, append(os.Environ(), "DATABASE_URL="+old)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", line, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "tables.sql"), []byte(oldTables), 0o600); err != nil {
		t.Fatal(err)
	}
	psql(`psql "$DATABASE_URL" -q -v ON_ERROR_STOP=1 -f tables.sql`)
	found := 0
	for _, line := range strings.Split(string(page), "\n") {
		if strings.HasPrefix(line, "psql ") {
			found++
			psql(line)
		}
	}
	for file, from := range map[string]string{
		"supabase.csv": "supabase", "devise.csv": "devise", "laravel.csv": "laravel",
		"authentication-zero.csv": "authentication-zero", "users.csv": "",
	} {
		got := command(t, dir, harness.ProcessEnv(dbtest.SQLite(t)), "users", "import", file, "--check", "--from="+from)
		if got.code != 0 || !strings.HasPrefix(got.stdout, "1 record: 1 can be imported.\n") {
			t.Errorf("%s: %+v", file, got)
		}
	}
	if found != 5 {
		t.Errorf("%d commands for psql", found)
	}
}
