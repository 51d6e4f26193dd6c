package main

import (
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestAV05_SudoClockSetBack: a clock that is put back makes no sudo window longer, and sudo opens it anew.
func TestAV05_SudoClockSetBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		token := s.loginAs(t, s.register(t, "ada@example.com"), "SESSION_TOKEN").Refresh
		s.clock.add(-time.Hour)
		if a := s.graphql(t, token, changeEmailDoc, inputOf("email", "ada2@example.com")); a.code() != "SUDO_REQUIRED" {
			t.Errorf("an hour too long: %s", a.Raw)
		}
		if a := s.graphql(t, token, sudoDoc, inputOf("password", goodPass)); a.code() != "" || a.text("sudo", "sudoExpiresAt") == "" {
			t.Errorf("%s", a.Raw)
		}
		if a := s.graphql(t, token, changeEmailDoc, inputOf("email", "ada2@example.com")); a.code() != "" {
			t.Errorf("%s", a.Raw)
		}
	})
}
