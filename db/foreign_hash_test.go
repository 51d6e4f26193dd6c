package db_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/password"
)

// LG-03: the kinds of imported hashes are added up, by imports at once too, and the accounts that still have one are
// counted: no account without a password, and none with a hash as ours are made today.
func TestHashMix(t *testing.T) {
	t.Parallel()
	ours, err := password.NewHasher(1).Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	const bcrypt = "$2b$05$abcdefghijklmnopqrstuuO.T0xOeEVlIVLtbq1WcmDPYbl/LUdPy"
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		hashes := []string{
			`'` + ours + `'`, `NULL`, `'` + bcrypt + `'`, `'{SSHA}x'`,
			`'` + strings.Replace(ours, "t=2", "t=3", 1) + `'`, `'` + ours + `'`,
		}
		for n, hash := range hashes {
			email := fmt.Sprintf("a%d@example.com", n)
			join(t, d, email)
			execute(t, conn, `UPDATE users SET password_hash = `+hash+` WHERE email_canonical = '`+email+`'`)
		}
		if m, err := d.HashMix(t.Context()); err != nil || len(m.Kinds) != 0 || m.Foreign != 0 || m.Password != 0 {
			t.Errorf("before an import: %+v, %v", m, err)
		}
		execute(t, conn, `DELETE FROM users WHERE password_hash LIKE '$2b$%' OR password_hash LIKE '{%'`)
		kinds := []db.ForeignHash{{Kind: "ssha", Sample: "{SSHA}y"}, {Kind: "bcrypt 5", Sample: bcrypt}}
		var all sync.WaitGroup
		for batch := range 4 {
			all.Go(func() {
				var users []*db.ImportedUser
				for n := range 6 {
					email := fmt.Sprintf("b%d-%d@example.com", batch, n)
					u := &db.ImportedUser{User: *db.NewUser(noon()), Hash: kinds[min(n, 1)]}
					u.Email, u.EmailCanonical, u.PasswordHash = &email, email, u.Hash.Sample
					users = append(users, u)
				}
				for range 2 { // the second run changes nothing
					if _, err := d.ImportUsers(t.Context(), users, noon()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		m, err := d.HashMix(t.Context())
		if err != nil || m.Foreign != 25 || m.Password != 27 || len(m.Kinds) != 2 {
			t.Fatalf("%+v, %v", m, err)
		}
		for i, want := range []db.ForeignHash{
			{Kind: "bcrypt 5", Sample: bcrypt, Imported: 20}, {Kind: "ssha", Sample: "{SSHA}y", Imported: 4},
		} {
			if m.Kinds[i] != want {
				t.Errorf("kind %d: %+v, want %+v", i, m.Kinds[i], want)
			}
		}
		execute(t, conn, `UPDATE users SET password_hash = '`+ours+`'`)
		if m, err := d.HashMix(t.Context()); err != nil || m.Foreign != 0 || m.Password != 0 {
			t.Errorf("after all signed in: %+v, %v", m, err)
		}
	})
}

// The counts of HashMix read the partial indexes, and no account.
func TestHashMix_Indexes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		conn := dbtest.Beside(t, dsn)
		for where, index := range map[string]string{
			`substr(password_hash, 1, 31) <> '$argon2id$v=19$m=19456,t=2,p=1$'`: "users_foreign_hash",
			`password_hash IS NULL`: "users_no_password",
		} {
			explain := `EXPLAIN QUERY PLAN `
			tx, err := conn.BeginTx(t.Context(), nil)
			if err == nil && !strings.HasPrefix(dsn, "sqlite:") {
				explain = `EXPLAIN `
				_, err = tx.ExecContext(t.Context(), `SET LOCAL enable_seqscan = off`) // of a table that is empty
			}
			if err != nil {
				t.Fatal(err)
			}
			rows, err := tx.QueryContext(t.Context(), explain+`SELECT count(*) FROM users WHERE `+where)
			if err != nil {
				t.Fatal(err)
			}
			plan := ""
			for rows.Next() {
				columns, _ := rows.Columns()
				values := make([]any, len(columns))
				for i := range values {
					values[i] = new(any)
				}
				if err := rows.Scan(values...); err != nil {
					t.Fatal(err)
				}
				plan += fmt.Sprintln(*values[len(values)-1].(*any))
			}
			err = errors.Join(rows.Err(), rows.Close(), tx.Rollback())
			if err != nil || !strings.Contains(plan, index) {
				t.Errorf("%s: %v, %s", where, err, plan)
			}
		}
	})
}
