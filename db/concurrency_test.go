package db_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// KE-07: 64 writers through two openings of one database, readers beside them: no error, nothing lost.
func TestKE07_ParallelWriters(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		const writers, rounds = 64, 4
		both := []*db.DB{dbtest.Open(t, dsn), dbtest.Open(t, dsn)}
		conn := dbtest.Beside(t, dsn)
		ctx := from(t, "192.0.2.1")
		var wg sync.WaitGroup
		for n := range writers {
			wg.Go(func() {
				d, now := both[n%len(both)], noon()
				u := db.NewUser(now)
				email := fmt.Sprintf("u%d@example.com", n)
				u.Email, u.EmailCanonical, u.PasswordHash = &email, email, "hash"
				s := db.NewSession(ctx, u.ID, day, day, now, db.AuthPassword)
				taken, err := d.Register(ctx, u, s, nil)
				if err != nil || taken != nil {
					t.Errorf("register: %v %v", taken, err)
					return
				}
				for round := range int64(rounds) {
					now = now.Add(2 * time.Minute)
					c, err := d.Rotate(ctx, s.ID, round, db.RefreshRules{}, now)
					if err != nil || c == nil || c.Session.Generation != round+1 {
						t.Errorf("rotate: %+v %v", c, err)
						return
					}
					if err := d.Touch(ctx, c, round+1, now.Add(time.Minute)); err != nil {
						t.Errorf("touch: %v", err)
					}
					if err := d.FlushTouches(ctx); err != nil {
						t.Errorf("flush: %v", err)
					}
					if list, err := both[(n+1)%len(both)].Sessions(ctx, u.ID, s.ID, now); err != nil || len(list) != 1 {
						t.Errorf("sessions: %v %v", list, err)
					}
				}
				if ok, err := d.Logout(ctx, db.LogoutTarget{Session: s.ID}, now); err != nil || !ok {
					t.Errorf("logout: %v %v", ok, err)
				}
			})
		}
		wg.Wait()
		for from, want := range map[string]int{
			"users": writers, "sessions WHERE generation = 4 AND revoked_at IS NOT NULL": writers,
			"audit_events": writers * (rounds + 2), // AU-04: register, each refresh, logout
		} {
			if n := count(t, conn, from); n != want {
				t.Errorf("%s: %d, not %d", from, n, want)
			}
		}
	})
}

// ID-02: of 64 who take one name at once, one gets it; the others are told which name it was, and leave nothing behind.
func TestID02_UniqueNames(t *testing.T) {
	t.Parallel()
	rows := map[string]struct {
		email, username func(n int) string
		want            db.Taken
	}{
		"email": {
			func(int) string { return "ada@example.com" }, func(n int) string { return fmt.Sprint("ada", n) },
			db.Taken{Email: true},
		},
		"username": {
			func(n int) string { return fmt.Sprintf("u%d@example.com", n) }, func(int) string { return "countess" },
			db.Taken{Username: true},
		},
		"both": {
			func(int) string { return "eve@example.com" }, func(int) string { return "eve" },
			db.Taken{Email: true, Username: true},
		},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		ctx := from(t, "")
		for name, row := range rows {
			before := count(t, conn, "users")
			answers := make([]*db.Taken, 64)
			begin := make(chan struct{})
			var wg sync.WaitGroup
			for n := range answers {
				wg.Go(func() {
					u := db.NewUser(noon())
					email, username := row.email(n), row.username(n)
					u.Email, u.EmailCanonical, u.Username, u.UsernameCanonical, u.PasswordHash = &email, email,
						&username, &username, "hash"
					<-begin
					var err error
					if answers[n], err = d.Register(ctx, u, db.NewSession(ctx, u.ID, day, day, noon(), db.AuthPassword),
						nil); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			close(begin)
			wg.Wait()
			made := 0
			for _, taken := range answers {
				if taken == nil {
					made++
				} else if *taken != row.want {
					t.Errorf("%s: %+v", name, *taken)
				}
			}
			if n := count(t, conn, "users") - before; made != 1 || n != 1 {
				t.Errorf("%s: %d made, %d rows", name, made, n)
			}
		}
		for from, want := range map[string]int{
			"sessions": len(rows), "audit_events WHERE outcome = 'ok'": len(rows), "audit_events": len(rows),
		} {
			if n := count(t, conn, from); n != want {
				t.Errorf("%s: %d, not %d", from, n, want)
			}
		}
	})
}

// The path of the file is taken as it is, whatever a URI would make of it.
func TestOpen_AnyPath(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"plain", "a b", "a#b", "a?b=c&d", "a%41b", "100%", "ä+ö", "a:b",
		"_pragma=x?_txlock=y",
	} {
		path := filepath.Join(t.TempDir(), name)
		join(t, dbtest.Open(t, migrated(t, "sqlite:"+path)), "ada@example.com")
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%q: %v %v", name, info, err)
		}
	}
}

func migrated(t *testing.T, dsn string) string {
	t.Helper()
	if err := dbtest.Open(t, dsn).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// Several servers bring an empty database up to date at once.
func TestMigrate_Simultaneous(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "dragoman.db") },
		"postgres": dbtest.EmptyPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn, ctx := fresh(t), t.Context()
			var wg sync.WaitGroup
			for range 6 {
				wg.Go(func() {
					d, err := db.Open(ctx, dsn)
					if err != nil {
						t.Errorf("open: %v", err)
						return
					}
					for range 2 { // the second finds nothing to do
						if err := d.Migrate(ctx); err != nil {
							t.Errorf("migrate: %v", err)
						}
					}
					if n, err := d.Pending(ctx); err != nil || n != 0 {
						t.Errorf("pending: %d %v", n, err)
					}
					if err := d.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
			}
			wg.Wait()
			d := dbtest.Open(t, dsn)
			join(t, d, "ada@example.com")
			files, err := filepath.Glob("migrations/" + name + "/*.sql")
			if n := count(t, dbtest.Beside(t, dsn), "bun_migrations"); err != nil || n != len(files) {
				t.Errorf("%d migrations are marked of %d, %v", n, len(files), err)
			}
		})
	}
}

func TestPending_EmptyDatabase(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "dragoman.db"), "postgres": dbtest.EmptyPostgres(t),
	} {
		if n, err := dbtest.Open(t, dsn).Pending(t.Context()); err != nil || n < 1 {
			t.Errorf("%s: %d %v", name, n, err)
		}
	}
}

// A database of version 0.1.0 is refused, not called newer, and left as it is.
func TestMigrate_SchemaOfVersion010(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		execute(t, conn, `DELETE FROM bun_migrations`)
		execute(t, conn, `INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('20261122000000', 1, `+
			`current_timestamp)`)
		const want = "the schema of Dragoman 0.1.0, which this version does not read: start with an empty database"
		if err := d.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("migrate: %v", err)
		}
		if _, err := d.Pending(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("pending: %v", err)
		}
		if n := count(t, conn, "bun_migrations"); n != 1 {
			t.Errorf("%d migrations are marked", n)
		}
	})
}
