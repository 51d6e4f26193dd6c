package main

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestAU01_FactorOfAChange: the event of a change says whether the password was shown for it or the sudo window was enough.
func TestAU01_FactorOfAChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := start(t, dsn), openSide(t, dsn)
		ada := s.register(t, "ada@example.com")
		for _, c := range []struct {
			document string
			input    map[string]any
			shown    bool
		}{
			{changeEmailDoc, inputOf("email", "ada2@example.com"), false},
			{changeEmailDoc, inputOf("email", "ada3@example.com", "currentPassword", goodPass), true},
			{updateMeDoc, inputOf("name", "Ada"), false},
			{updateMeDoc, inputOf("email", "ada4@example.com", "currentPassword", goodPass), true},
			{sudoDoc, inputOf("password", goodPass), true},
			{changePasswordDoc, inputOf("newPassword", "another good pass phrase"), false},
			{changePasswordDoc, inputOf("newPassword", goodPass, "currentPassword", "another good pass phrase"), true},
		} {
			side.exec(t, `DELETE FROM audit_events`)
			if a := s.graphql(t, ada.Access, c.document, c.input); a.code() != "" {
				t.Fatalf("%s", a.Raw)
			}
			row := side.audit(t)
			if len(row) != 1 || row[0].outcome != "ok" || (row[0].methods == `["PASSWORD"]`) != c.shown || !c.shown && row[0].methods != "" {
				t.Errorf("%v: %+v", c.input, row)
			}
		}
	})
}
