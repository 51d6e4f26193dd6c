package db_test

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

// noon is an instant that no test depends on, with every digit that a database can hold.
func noon() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC) }

// from is a visit from an address, "" for unknown.
func from(t *testing.T, address string) context.Context {
	t.Helper()
	v := &visit.Visit{Dialect: "graphql", RequestID: "r", UserAgent: "test"}
	if address != "" {
		v.IP = netip.MustParseAddr(address)
	}
	return visit.With(t.Context(), v)
}

// join makes an account without a session.
func join(t *testing.T, d *db.DB, email string) *db.User {
	t.Helper()
	u := db.NewUser(noon())
	u.Email, u.EmailCanonical, u.PasswordHash = &email, email, "hash of "+email
	if taken, err := d.Register(from(t, ""), u, nil, nil); err != nil || taken != nil {
		t.Fatalf("register %s: %v %v", email, taken, err)
	}
	return u
}

// enter starts a session of an account.
func enter(t *testing.T, d *db.DB, u *db.User, address string, life, idle time.Duration, now time.Time) *db.Session {
	t.Helper()
	ctx := from(t, address)
	s := db.NewSession(ctx, u.ID, life, idle, now, db.AuthPassword)
	if started, err := d.Login(ctx, &db.Attempt{User: *u}, s, 100); err != nil || !started {
		t.Fatalf("login: %v %v", started, err)
	}
	return s
}

// addKey makes an API key under a handle; ends may be nil.
func addKey(t *testing.T, d *db.DB, u *db.User, handle string, now time.Time, ends *time.Time) *db.ApiKey {
	t.Helper()
	k := &db.ApiKey{
		ID: db.NewKeyID(), UserID: u.ID, Handle: handle, Hash: []byte("hash of " + handle), Prefix: "sk_live_" + handle,
		Name: handle, Scopes: []db.Permission{db.ProfileRead}, CreatedAt: now, ExpiresAt: ends,
	}
	if err := d.AddKey(from(t, ""), k); err != nil {
		t.Fatal(err)
	}
	return k
}

func count(t *testing.T, conn *sql.DB, from string) (n int) {
	t.Helper()
	if err := conn.QueryRowContext(t.Context(), "SELECT count(*) FROM "+from).Scan(&n); err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	return n
}

func execute(t *testing.T, conn *sql.DB, statement string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// equals tells whether a stored hash is this one.
func equals(hash []byte) func([]byte) bool {
	return func(stored []byte) bool { return hmac.Equal(stored, hash) }
}
