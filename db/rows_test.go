package db_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// A row comes back as it was written, times to the microsecond and in UTC.
func TestRows_RoundTrip(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("far away", -12*60*60)
	for _, now := range []time.Time{
		noon(), noon().Truncate(time.Second), noon().Truncate(100 * time.Millisecond),
		noon().Truncate(time.Second).Add(999999 * time.Microsecond),
		db.Clock(noon().Add(789).In(zone)), db.Clock(time.Date(2024, 2, 29, 23, 59, 59, 1000, zone)),
	} {
		t.Run(now.Format(time.RFC3339Nano), func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				d := dbtest.Open(t, dsn)
				ctx := from(t, "2001:db8::1")
				email, username, name := "Ada@Example.com", "Countess", "Ada “Lovelace” 🎲"
				canonical := "countess"
				u := db.NewUser(now)
				u.Email, u.EmailCanonical, u.Username, u.UsernameCanonical, u.Name = &email, "ada@example.com",
					&username, &canonical, &name
				u.PasswordHash, u.Metadata = "hash", db.JSONObject{
					"n": 1.5, "s": "<&\u2028'?$1", "l": []any{nil, true},
					"o": map[string]any{},
				}
				s := db.NewSession(ctx, u.ID, 3*day, 2*day, now, db.AuthPassword)
				if taken, err := d.Register(ctx, u, s, nil); err != nil || taken != nil {
					t.Fatalf("register: %v %v", taken, err)
				}
				u.LastLoginAt = &now
				ends := now.Add(36*time.Hour + 7*time.Microsecond)
				k := addKey(t, d, u, "handle", now, &ends)

				c, err := d.CallerBySession(ctx, s.ID, now)
				if err != nil || c == nil {
					t.Fatalf("by session: %v %v", c, err)
				}
				same(t, "user", c.User, *u)
				same(t, "session", c.Session, *s)
				list, err := d.Sessions(ctx, u.ID, s.ID, now)
				if err != nil || len(list) != 1 {
					t.Fatalf("sessions: %v %v", list, err)
				}
				same(t, "listed session", *list[0], *s)

				later := now.Add(time.Microsecond)
				r, err := d.Rotate(from(t, "192.0.2.1"), s.ID, 0, db.RefreshRules{}, later)
				if err != nil || r == nil {
					t.Fatalf("rotate: %v %v", r, err)
				}
				ip := "192.0.2.1"
				s.Generation, s.RotatedAt, s.LastUsedAt, s.IP = 1, &later, later, &ip
				same(t, "rotated session", r.Session, *s)
				same(t, "user of a rotated session", r.User, *u)

				byKey, err := d.CallerByKey(ctx, k.Handle, equals(k.Hash), now)
				if err != nil || byKey == nil || !byKey.Session.ID.IsZero() {
					t.Fatalf("by key: %+v %v", byKey, err)
				}
				same(t, "key", byKey.Key, *k)
				keys, err := d.Keys(ctx, u.ID, now)
				if err != nil || len(keys) != 1 {
					t.Fatalf("keys: %v %v", keys, err)
				}
				same(t, "listed key", *keys[0], *k)
			})
		})
	}
}

// same compares two rows; times are equal when they are the same instant in UTC.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		a, b := g.Field(i).Interface(), w.Field(i).Interface()
		if p, ok := a.(*time.Time); ok && p != nil {
			q := b.(*time.Time)
			if q == nil {
				t.Errorf("%s: %s is %v, not nil", what, g.Type().Field(i).Name, p)
				continue
			}
			a, b = *p, *q
		}
		if x, ok := a.(time.Time); ok {
			if y := b.(time.Time); !x.Equal(y) || x.UTC().Format(time.RFC3339Nano) != y.Format(time.RFC3339Nano) {
				t.Errorf("%s: %s is %v, not %v", what, g.Type().Field(i).Name, x, y)
			}
			continue
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %s is %v, not %v", what, g.Type().Field(i).Name, a, b)
		}
	}
}

// SE-16: the limits hold to the millisecond (SQLite counts idleness in those), in lookups and lists alike, whatever
// digits the times end in.
func TestSE16_Bounds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		for _, part := range []time.Duration{0, 1, 499, 500, 501, 999, 1000, 100_000, 123_456, 999_500, 999_999} {
			begin := noon().Truncate(time.Second).Add(part * time.Microsecond)
			for name, row := range map[string]struct {
				life, idle, end time.Duration
			}{
				"absolute": {time.Hour, 2 * time.Hour, time.Hour}, "idle": {2 * time.Hour, time.Hour, time.Hour},
			} {
				s := enter(t, d, u, "", row.life, row.idle, begin)
				for _, off := range []time.Duration{
					-time.Second, -2 * time.Millisecond, 0, time.Millisecond,
					time.Second,
				} {
					now, want := begin.Add(row.end+off), off < 0
					c, err := d.CallerBySession(ctx, s.ID, now)
					if err != nil || (c != nil) != want {
						t.Errorf("%s limit of a session of .%06d, %s off: found %v, %v", name, part, off, c != nil, err)
					}
					if one, err := d.SessionOf(ctx, u.ID, s.ID, 0, now); err != nil || (one != nil) != want {
						t.Errorf("%s limit of a session of .%06d, %s off: listed %v, %v", name, part, off, one != nil,
							err)
					}
					if s.ExpiresAt().After(now) != want {
						t.Errorf("%s limit, %s off: ExpiresAt is %v", name, off, s.ExpiresAt())
					}
				}
			}
			ends := begin.Add(time.Hour)
			k := addKey(t, d, u, begin.Format(".000000"), begin, &ends)
			for _, off := range []time.Duration{-time.Microsecond, 0, time.Microsecond} {
				c, err := d.CallerByKey(ctx, k.Handle, equals(k.Hash), ends.Add(off))
				if err != nil || (c != nil) != (off < 0) {
					t.Errorf("key of .%06d, %s off: found %v, %v", part, off, c != nil, err)
				}
			}
			if ok, err := d.DeleteKey(ctx, u.ID, k.ID, db.SessionID{}, begin); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
	})
}
