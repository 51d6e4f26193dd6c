package sessions

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestAV05_SudoClockSetBack: a clock that is put back makes no sudo window longer, and sudo opens it anew.
func TestAV05_SudoClockSetBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		token := s.LoginAs(t, s.Register(t, "ada@example.com"), "SESSION_TOKEN").Refresh
		s.Clock.Add(-time.Hour)
		if a := s.GraphQL(t, token, harness.ChangeEmailDoc,
			harness.InputOf("email", "ada2@example.com")); a.Code() != "SUDO_REQUIRED" {
			t.Errorf("an hour too long: %s", a.Raw)
		}
		if a := s.GraphQL(t, token, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)); a.Code() != "" ||
			a.Text("sudo", "sudoExpiresAt") == "" {
			t.Errorf("%s", a.Raw)
		}
		if a := s.GraphQL(t, token, harness.ChangeEmailDoc,
			harness.InputOf("email", "ada2@example.com")); a.Code() != "" {
			t.Errorf("%s", a.Raw)
		}
	})
}
