package db_test

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

func TestIDs_Text(t *testing.T) {
	t.Parallel()
	user, session, key := db.NewUserID(), db.NewSessionID(), db.NewKeyID()
	var user2 db.UserID
	var session2 db.SessionID
	var key2 db.KeyID
	for prefix, row := range map[string]struct {
		from fmt.Stringer
		to   interface {
			fmt.Stringer
			encoding.TextUnmarshaler
		}
	}{
		"user_": {user, &user2}, "sess_": {session, &session2}, "key_": {key, &key2},
	} {
		text := row.from.String()
		if !strings.HasPrefix(text, prefix) || len(text) != len(prefix)+26 {
			t.Errorf("%s", text)
		}
		encoded, err := json.Marshal(row.from)
		if err != nil || string(encoded) != `"`+text+`"` {
			t.Errorf("JSON %s, %v", encoded, err)
		}
		if err := row.to.UnmarshalText([]byte(text)); err != nil || row.to.String() != text {
			t.Errorf("%s became %s, %v", text, row.to, err)
		}
		for _, bad := range []string{
			"", prefix, text[len(prefix):], strings.ToUpper(text), strings.ToUpper(prefix) + text[len(prefix):], text +
				"0", text[:len(text)-1],
			" " + text, text + "\n", "evt_" + text[len(prefix):], prefix + "8" + text[len(prefix)+1:], prefix +
				strings.Repeat("u", 26),
			prefix + "_" + text[len(prefix)+1:],
		} {
			if err := row.to.UnmarshalText([]byte(bad)); err == nil {
				t.Errorf("%q was read as an id", bad)
			}
		}
	}
	if (db.UserID{}).IsZero() != true || user.IsZero() {
		t.Error("which id is zero")
	}
}

func TestIDs_Value(t *testing.T) {
	t.Parallel()
	id := db.NewSessionID()
	raw, err := id.Value()
	if b, ok := raw.([]byte); err != nil || !ok || len(b) != 16 {
		t.Fatalf("value %v, %v", raw, err)
	}
	for name, src := range map[string]any{
		"bytes": raw, "text": id.UUID.String(),
		"text as bytes": []byte(id.UUID.String()),
	} {
		var got db.SessionID
		if err := got.Scan(src); err != nil || got != id {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if null, err := (db.SessionID{}).Value(); err != nil || null != driver.Value(nil) {
		t.Errorf("the zero id is %v, %v", null, err)
	}
	got := id
	if err := got.Scan(nil); err != nil || !got.IsZero() {
		t.Errorf("NULL became %v, %v", got, err)
	}
	for _, bad := range []any{42, "nonsense", []byte("short"), true} {
		if err := got.Scan(bad); err == nil {
			t.Errorf("%v was read as an id", bad)
		}
	}
}

// Every kind goes into its column and comes back the same, as parameter and as a literal of bun, and has its native
// type.
func TestIDs_InTheDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d, conn := from(t, ""), dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		u := join(t, d, "ada@example.com")
		// Bytes that a careless literal would spoil.
		s := db.NewSession(ctx, u.ID, day, day, noon(), db.AuthPassword)
		s.ID = db.SessionIDFrom(uuid.MustParse("00275c22-000a-7f00-8027-ff5c00225c27"))
		if ok, err := d.Login(ctx, &db.Attempt{User: *u}, s, 100); err != nil || !ok {
			t.Fatalf("login: %v %v", ok, err)
		}
		k := addKey(t, d, u, "handle", noon(), nil)
		c, err := d.CallerBySession(ctx, s.ID, noon())
		if err != nil || c == nil || c.Session.ID != s.ID || c.User.ID != u.ID || c.Session.UserID != u.ID ||
			!c.Key.ID.IsZero() {
			t.Fatalf("by session: %+v %v", c, err)
		}
		one, err := d.SessionOf(ctx, u.ID, s.ID, 0, noon())
		if err != nil || one == nil || one.ID != s.ID || one.UserID != u.ID {
			t.Errorf("by a literal: %+v %v", one, err)
		}
		keys, err := d.Keys(ctx, u.ID, noon())
		if err != nil || len(keys) != 1 || keys[0].ID != k.ID || keys[0].UserID != u.ID {
			t.Errorf("keys: %+v %v", keys, err)
		}
		kind := "typeof(id) || length(id)"
		want := "blob16"
		if d.Postgres() {
			kind, want = "pg_typeof(id)::text", "uuid"
		}
		for _, table := range []string{"users", "sessions", "api_keys", "audit_events"} {
			var got string
			if err := conn.QueryRowContext(ctx, "SELECT DISTINCT "+kind+" FROM "+table).Scan(&got); err != nil ||
				got != want {
				t.Errorf("%s: %s, %v", table, got, err)
			}
		}
		// The zero id is NULL.
		if n := count(t, conn, "audit_events WHERE action = 'login.succeeded' AND key_id IS NULL AND actor_id IS NULL "+
			"AND session_id IS NOT NULL"); n != 1 {
			t.Errorf("%d events of the sign-in", n)
		}
	})
}
