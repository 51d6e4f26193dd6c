package program

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// A restored backup brings back to life what was ended after it was taken, and restore-finish ends all of that:
// sessions, refresh tokens, session tokens, access tokens, API keys and signing keys.
func TestRestoreFinish(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		data, taken := filepath.Join(dir, "data"), filepath.Join(dir, "taken")
		env := []string{
			"DRAGOMAN_DATA_DIR=" + data, "DRAGOMAN_RATE_LIMITS=off",
			"DRAGOMAN_PUBLIC_URL=http://auth.example.com",
		}
		restored(t, env, func() { // the backup, with the secret that the server made
			got := command(t, dir, env, "backup", taken)
			if got.code != 0 || !strings.Contains(got.stdout, taken+".secret") ||
				!strings.Contains(got.stdout, "restore-finish") {
				t.Fatalf("backup: %+v", got)
			}
			for _, name := range []string{taken, taken + ".secret"} {
				if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
					t.Errorf("%v %v", info, err)
				}
			}
		}, func() { // on another machine
			if err := os.RemoveAll(data); err != nil {
				t.Fatal(err)
			}
			move := func(from, to string) {
				t.Helper()
				content, err := os.ReadFile(from)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(data, to), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Mkdir(data, 0o700); err != nil {
				t.Fatal(err)
			}
			move(taken, "dragoman.db")
			move(taken+".secret", "secret")
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		dsn, into := dbtest.Postgres(t), dbtest.EmptyPostgres(t)
		taken := filepath.Join(t.TempDir(), "taken")
		env := []string{
			"DATABASE_URL=" + dsn, "DRAGOMAN_SECRET=" + harness.Secret, "DRAGOMAN_RATE_LIMITS=off",
			"DRAGOMAN_PUBLIC_URL=http://auth.example.com",
		}
		restored(t, env, func() {
			postgresProgram(t, "pg_dump", "--format=custom", "--no-owner", "--file="+taken,
				dsn)
		}, func() {
			postgresProgram(t, "pg_restore", "--no-owner", "--exit-on-error", "--dbname="+into, taken)
			env[0] = "DATABASE_URL=" + into
		})
	})
}

// postgresProgram runs a program of the newest Postgres that there is.
func postgresProgram(t *testing.T, name string, args ...string) {
	t.Helper()
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	program, err := exec.LookPath(name)
	if err != nil && len(all) == 0 {
		t.Skipf("%s is not there", name)
	}
	if len(all) > 0 {
		program = all[len(all)-1]
	}
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", name, err, out)
	}
}

// restored takes a backup of a server, ends things, restores the backup and finishes that. env is what the server is
// started with; restore may change it.
func restored(t *testing.T, env []string, backup, restore func()) {
	t.Helper()
	p := harness.Spawn(t, env...)
	i := &harness.Instance{URL: p.URL}
	ada := i.Register(t, "ada@example.com")
	out := i.LoginAs(t, ada, "BODY")
	token := i.LoginAs(t, ada, "SESSION_TOKEN")
	keyID, key := i.NewKey(t, ada.Access, nil)
	_, kept := i.NewKey(t, ada.Access, nil)
	backup()
	i.GraphQL(t, token.Refresh, harness.LogoutDoc, nil)
	i.GraphQL(t, out.Access, harness.LogoutDoc, nil)
	i.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": keyID})
	if i.Is(t, key, ada) || i.Is(t, token.Refresh, ada) || i.Is(t, out.Access, ada) || !i.Is(t, kept, ada) ||
		!i.Is(t, ada.Access, ada) {
		t.Fatal("the server does not end what it is told to")
	}
	before, _ := harness.KeySet(t, p.URL)
	_ = p.Cmd.Process.Kill()
	_ = p.Cmd.Wait()
	restore()

	p = harness.Spawn(t, env...)
	i = &harness.Instance{URL: p.URL}
	if !i.Is(t, key, ada) || !i.Is(t, token.Refresh, ada) || !i.Is(t, out.Access, ada) {
		t.Fatal("nothing came back to life: this test proves nothing")
	}
	_ = p.Cmd.Process.Kill()
	_ = p.Cmd.Wait()
	got := command(t, t.TempDir(), env, "restore-finish")
	if got.code != 0 || !regexp.MustCompile(`sessions +3\n +API keys +2\n +signing keys +2,`).MatchString(got.stdout) {
		t.Fatalf("restore-finish: %+v", got)
	}
	p = harness.Spawn(t, env...)
	i = &harness.Instance{URL: p.URL}
	for what, credential := range map[string]string{
		"a revoked API key": key, "an API key": kept, "a session token": token.Refresh, "an access token": out.Access,
		"another access token": ada.Access,
	} {
		if a := i.GraphQL(t, credential, harness.MeDoc, nil); a.At("me") != nil || a.Code() != "UNAUTHENTICATED" {
			t.Errorf("%s works: %s", what, a.Raw)
		}
	}
	for _, refresh := range []string{ada.Refresh, out.Refresh} {
		if code := i.Refresh(t, refresh).Code(); code != "INVALID_TOKEN" {
			t.Errorf("a refresh token: %s", code)
		}
	}
	after, _ := harness.KeySet(t, p.URL)
	for _, k := range before.Keys {
		if len(after.Key(k.KeyID)) > 0 {
			t.Errorf("the signing key %s is still there", k.KeyID)
		}
	}
	in := i.LoginAs(t, ada, "BODY")
	if !i.Is(t, in.Access, ada) {
		t.Error("nobody can sign in after a restore")
	}
}

// What backup refuses: a file that is there, a database that is not, and Postgres, for which it says what to run
// instead.
func TestBackup_Refusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"DRAGOMAN_DATA_DIR=" + dir + "/data"}
	refused := func(got ran, says string) {
		t.Helper()
		if got.code != 1 || !strings.Contains(got.stderr, says) || got.stdout != "" {
			t.Errorf("%+v, want %s", got, says)
		}
	}
	refused(command(t, dir, env, "backup", dir+"/x"), "no such file")
	harness.Spawn(t, env...)
	taken := dir + "/taken"
	if got := command(t, dir, env, "backup", taken); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	refused(command(t, dir, env, "backup", taken), "exists")
	if err := os.Remove(taken + ".secret"); err != nil {
		t.Fatal(err)
	}
	refused(command(t, dir, env, "backup", taken), "exists")
	if _, err := os.Stat(taken + ".secret"); err == nil {
		t.Error("a backup that was refused leaves a secret behind")
	}
	// A secret that the operator keeps is not copied.
	other := []string{"DRAGOMAN_DATA_DIR=" + dir + "/other", "DRAGOMAN_SECRET=" + harness.Secret}
	harness.Spawn(t, other...)
	got := command(t, dir, other, "backup", dir+"/set")
	if _, err := os.Stat(dir + "/set.secret"); err == nil || got.code != 0 ||
		!strings.Contains(got.stdout, "DRAGOMAN_SECRET") || strings.Contains(got.stdout, harness.Secret) {
		t.Errorf("with a secret that is set: %+v", got)
	}
	refused(command(t, dir, []string{
		"DATABASE_URL=postgres://ada:" + harness.CanarySecret + "@h/d",
		"DRAGOMAN_SECRET=" + harness.Secret,
	}, "backup", dir+"/y"), "pg_dump")
	left, _ := filepath.Glob(dir + "/*")
	for _, name := range left {
		if info, err := os.Stat(name); err != nil || info.Mode()&fs.ModePerm&0o077 != 0 {
			t.Errorf("%s: %v", name, info.Mode())
		}
	}
}

// `dragoman schema` is what introspection shows, type by type and field by field, and is a schema by itself.
func TestSchema_IsWhatIntrospectionShows(t *testing.T) {
	t.Parallel()
	got := command(t, t.TempDir(), nil, "schema")
	if got.code != 0 || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	parsed, err := gqlparser.LoadSchema(&ast.Source{Name: "printed", Input: got.stdout})
	if err != nil {
		t.Fatal(err)
	}
	printed := map[string]bool{}
	for name, d := range parsed.Types {
		printed[name+" "+string(d.Kind)] = true
		for _, f := range d.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			printed[name+"."+f.Name+": "+f.Type.String()+" "+f.Description] = true
			for _, a := range f.Arguments {
				printed[name+"."+f.Name+"("+a.Name+": "+a.Type.String()+")"] = true
			}
		}
		for _, v := range d.EnumValues {
			printed[name+"="+v.Name] = true
		}
	}
	const typed = `type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`
	answer := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_INTROSPECTION=on").GraphQL(t, "",
		`{ __schema { types { kind name enumValues(includeDeprecated: true) { name }
fields(includeDeprecated: true) { name description args { name `+typed+` } `+typed+` } inputFields { name description `+
			typed+` } } } }`, nil)
	shown := map[string]bool{}
	list := func(v any) []any { l, _ := v.([]any); return l }
	text := func(v any) string { s, _ := v.(string); return s }
	var ref func(v any) string
	ref = func(v any) string {
		m := v.(map[string]any)
		switch m["kind"] {
		case "NON_NULL":
			return ref(m["ofType"]) + "!"
		case "LIST":
			return "[" + ref(m["ofType"]) + "]"
		}
		return text(m["name"])
	}
	for _, v := range list(answer.At("__schema", "types")) {
		d := v.(map[string]any)
		name := text(d["name"])
		shown[name+" "+text(d["kind"])] = true
		for _, f := range append(list(d["fields"]), list(d["inputFields"])...) {
			f := f.(map[string]any)
			shown[name+"."+text(f["name"])+": "+ref(f["type"])+" "+text(f["description"])] = true
			for _, a := range list(f["args"]) {
				a := a.(map[string]any)
				shown[name+"."+text(f["name"])+"("+text(a["name"])+": "+ref(a["type"])+")"] = true
			}
		}
		for _, e := range list(d["enumValues"]) {
			shown[name+"="+text(e.(map[string]any)["name"])] = true
		}
	}
	for what, pair := range map[string][2]map[string]bool{
		"printed and not shown": {printed, shown},
		"shown and not printed": {shown, printed},
	} {
		for line := range pair[0] {
			if !pair[1][line] && !strings.HasPrefix(line, "__") {
				t.Errorf("%s: %s", what, line)
			}
		}
	}
	if len(printed) < 150 {
		t.Errorf("only %d lines are compared", len(printed))
	}
}
