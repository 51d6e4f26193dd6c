package db_test

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// A key that is asked for while its session ends is not made: who comes by an account that was somebody's before gets
// it without.
func TestCreateKey_SessionIsOver(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d := dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		s := enter(t, d, u, "", time.Hour, time.Hour, noon())
		if _, err := d.Logout(from(t, ""), db.LogoutTarget{Session: s.ID}, noon()); err != nil {
			t.Fatal(err)
		}
		k := &db.ApiKey{
			ID: db.NewKeyID(), UserID: u.ID, Handle: "x", Hash: []byte("x"), Prefix: "sk_live_x", Name: "x",
			CreatedAt: noon(),
		}
		no, err := d.CreateKey(from(t, ""), &db.Actor{User: u.ID, Session: s.ID}, k, nil)
		if err != nil || no == nil || no.Why != db.CallerGone {
			t.Errorf("%v %v", no, err)
		}
	})
}
