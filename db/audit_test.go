package db_test

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// An action without a Failed name cannot be recorded as a failure: the event would have no action.
func TestRecord_EmptyAction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		d, conn := dbtest.Open(t, dsn), dbtest.Beside(t, dsn)
		signOut := db.Event{Action: db.ActionSessionEnded, Reason: "not_found"}
		err := d.Record(from(t, ""), signOut, noon())
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), "check constraint") {
			t.Errorf("the failure of a sign-out: %v", err)
		}
		signOut.Reason = ""
		if err := d.Record(from(t, ""), signOut, noon()); err != nil {
			t.Errorf("a sign-out: %v", err)
		}
		if n := count(t, conn, "audit_events"); n != 1 {
			t.Errorf("%d events, want 1", n)
		}
	})
}
