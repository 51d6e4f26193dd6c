package operator_test

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/operator"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

const (
	oneSecret   = "Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"
	otherSecret = "Qm7Zt2Lw9Xc4Vb6Nk1Jh8Gf3Ds5Ap0Ou-Yi"
)

func master(t *testing.T, text string) *secret.Master {
	t.Helper()
	m, err := secret.New([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// settingsFor are settings for the database of dsn.
func settingsFor(t *testing.T, dsn string, more ...string) *config.Settings {
	t.Helper()
	env := map[string]string{"DRAGOMAN_SECRET": oneSecret, "DATABASE_URL": dsn}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		env["DRAGOMAN_DATA_DIR"], env["DATABASE_URL"] = strings.TrimSuffix(path, "/dragoman.db"), ""
	}
	for _, e := range more {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	s, err := config.Load(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenDB_Migrate(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/dragoman.db" },
		"postgres": dbtest.EmptyPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			off := settingsFor(t, dsn(t), "DRAGOMAN_MIGRATE=off")
			if d, err := app.OpenDB(ctx, off); err == nil || d != nil ||
				!strings.Contains(err.Error(), "dragoman migrate") {
				t.Errorf("an empty database: %v", err)
			}
			var out bytes.Buffer
			for range 2 {
				if err := operator.Migrate(ctx, off, &out); err != nil {
					t.Fatal(err)
				}
			}
			if off.Migrate || out.String() != strings.Repeat("The schema is up to date.\n", 2) {
				t.Errorf("migrate said %s", out.String())
			}
			d, err := app.OpenDB(ctx, off)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// AZ-04: the operator's command makes an account with the role admin, whose password is strong and shown once.
func TestCreateAdmin(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		var out bytes.Buffer
		if err := operator.CreateAdmin(ctx, settingsFor(t, dsn), &out, " Root@Example.com ", "The.Root"); err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`^Made the administrator Root@Example\.com \(user_[0-9a-z]{26}\)\.\nPassword, shown ` +
			`this once: ([A-Z2-7]{26})\n$`).
			FindStringSubmatch(out.String())
		if m == nil {
			t.Fatalf("said %q", out.String())
		}
		a, err := dbtest.Open(t, dsn).Attempt(ctx, db.Identifier{Canonical: "root@example.com"})
		if err != nil || a.User.Role != "admin" || *a.User.UsernameCanonical != "the.root" ||
			a.User.LastLoginAt != nil {
			t.Fatalf("%+v, %v", a, err)
		}
		if ok, err := password.NewHasher(1).Verify(ctx, a.User.PasswordHash, m[1]); err != nil || !ok {
			t.Errorf("the password does not fit: %v", err)
		}
		for _, c := range []struct{ email, username, says string }{
			{"root@EXAMPLE.com", "", "an account has this email address"},
			{"x@example.com", "the.ROOT", "the username is taken"},
			{"nonsense", "", "Please enter a valid email"},
			{"x@example.com", "admin", "reserved"},
		} {
			out.Reset()
			err := operator.CreateAdmin(ctx, settingsFor(t, dsn), &out, c.email, c.username)
			if err == nil || !strings.Contains(err.Error(), c.says) || out.Len() != 0 ||
				strings.Contains(err.Error(), "INVALID_INPUT") {
				t.Errorf("%s %s: %v %s", c.email, c.username, err, out.String())
			}
		}
		var n int
		if err := dbtest.Beside(t, dsn).QueryRow("SELECT count(*) FROM users").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d accounts, %v", n, err)
		}
	})
}

// AZ-04 and AZ-06: the operator gives and takes the role by email or username, hears what was done, and can not take it
// from the last administrator.
func TestSetRole(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, settings, d := context.Background(), settingsFor(t, dsn), dbtest.Open(t, dsn)
		for email, username := range map[string]string{"ada@example.com": "ada.l", "bob@example.com": "bobby"} {
			if err := operator.CreateAdmin(ctx, settings, &bytes.Buffer{}, email, username); err != nil {
				t.Fatal(err)
			}
		}
		conn := dbtest.Beside(t, dsn)
		for _, step := range []struct{ who, role, says, fails string }{
			{" Ada@EXAMPLE.com", "admin", `^ Ada@EXAMPLE\.com \(user_[0-9a-z]{26}\) has the role admin already\. ` +
				`Nothing was changed\.\n$`, ""},
			{"ada@example.com", "user", `^ada@example\.com \(user_[0-9a-z]{26}\) had the role admin and has the role ` +
				`user now\.\n$`, ""},
			{"bobby", "user", "", "bobby is the last administrator who can sign in"},
			{"ADA.L", "admin", `^ADA\.L \(user_[0-9a-z]{26}\) had the role user and has the role admin now\.\n$`, ""},
			{"Bobby", "user", `has the role user now\.\n$`, ""},
			{"nobody@example.com", "admin", "", "nobody@example.com: no account has this name"},
			{"nobody", "admin", "", "is no id, email address or username"}, // a reserved name
			{"a b", "user", "", "is no id, email address or username"},
			{"", "user", "", "is no id, email address or username"},
			{"x@", "admin", "", "is no id, email address or username"},
		} {
			var out bytes.Buffer
			err := operator.SetRole(ctx, settings, &out, step.who, step.role)
			if (err == nil) != (step.fails == "") || err != nil &&
				(!strings.Contains(err.Error(), step.fails) || out.Len() > 0) {
				t.Errorf("%q to %s: %v %s", step.who, step.role, err, out.String())
			}
			if step.says != "" && !regexp.MustCompile(step.says).MatchString(out.String()) {
				t.Errorf("%q to %s said %q", step.who, step.role, out.String())
			}
		}
		if _, err := conn.Exec(`UPDATE users SET status = 'SUSPENDED' WHERE email_canonical = 'bob@example.com'`); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := operator.SetRole(ctx, settings, &out, "bobby", "admin"); err != nil ||
			!strings.Contains(out.String(), "is suspended, and stays so") {
			t.Errorf("%v %s", err, out.String())
		}
		u, err := d.UserNamed(ctx, "bobby")
		if err != nil || u == nil || u.Role != "admin" || u.Status != db.UserSuspended {
			t.Errorf("%+v %v", u, err)
		}
		var n int
		if err := conn.QueryRow(`SELECT count(*) FROM audit_events WHERE action = 'user.updated' AND outcome = 'ok' ` +
			`AND dialect = 'terminal'
AND actor_id IS NULL AND reason IN ('role_admin', 'role_user')`).Scan(&n); err != nil || n != 4 {
			t.Errorf("%d events, %v", n, err)
		}
	})
}

// KE-01, KE-02: a terminal that has another secret than the servers changes nothing, and says why.
func TestCommands_AnotherSecret(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := context.Background(), dbtest.Open(t, dsn)
		before, err := app.SigningKeys(ctx, d, master(t, oneSecret), token.AlgES256, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		wrong := settingsFor(t, dsn, "DRAGOMAN_SECRET="+otherSecret)
		for name, run := range map[string]func(*config.Settings, *bytes.Buffer) error{
			"rotate": func(s *config.Settings,
				out *bytes.Buffer,
			) error {
				return operator.RotateKeys(ctx, s, out, true)
			},
			"restore-finish": func(s *config.Settings,
				out *bytes.Buffer,
			) error {
				return operator.FinishRestore(ctx, s, out)
			},
		} {
			var out bytes.Buffer
			if err := run(wrong, &out); err == nil || !strings.Contains(err.Error(), "another secret") ||
				out.Len() > 0 {
				t.Errorf("%s: %v %s", name, err, out.String())
			}
		}
		after, err := app.SigningKeys(ctx, d, master(t, oneSecret), token.AlgES256, time.Now)
		if err != nil || len(after) != 2 || after[0].KID != before[0].KID || after[1].KID != before[1].KID {
			t.Errorf("the keys are others: %v", err)
		}
		// A key whose row says another algorithm is none (JW-01).
		if _, err := dbtest.Beside(t, dsn).Exec(`UPDATE signing_keys SET alg = 'EdDSA' WHERE state = 'active'`); err !=
			nil {
			t.Fatal(err)
		}
		if _, err := app.SigningKeys(ctx, d, master(t, oneSecret), token.AlgES256, time.Now); err == nil {
			t.Error("a key of another algorithm than its row says was taken")
		}
	})
}

// JW-14: a next key may sign when it was published for as long as others may keep the key set, and not before.
func TestRotateKeys_TooEarly(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d, settings := context.Background(), dbtest.Open(t, dsn), settingsFor(t, dsn)
		if _, err := app.SigningKeys(ctx, d, master(t, oneSecret), token.AlgES256, time.Now); err != nil {
			t.Fatal(err)
		}
		conn := dbtest.Beside(t, dsn)
		for _, step := range []struct {
			ago  time.Duration
			done bool
		}{{0, false}, {295 * time.Second, false}, {303 * time.Second, false}, {307 * time.Second, true}, {0, false}} {
			if step.ago > 0 {
				at := time.Now().UTC().Add(-step.ago).Format("2006-01-02 15:04:05.999999-07:00")
				if _, err := conn.Exec(`UPDATE signing_keys SET created_at = $1 WHERE state = 'next'`, at); err != nil {
					t.Fatal(err)
				}
			}
			var out bytes.Buffer
			err := operator.RotateKeys(ctx, settings, &out, false)
			if (err == nil) != step.done || err != nil && !strings.Contains(err.Error(), "--force") {
				t.Errorf("published %s ago: %v %s", step.ago, err, out.String())
			}
		}
	})
}
