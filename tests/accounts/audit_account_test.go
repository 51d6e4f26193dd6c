package accounts

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestAU01_FactorOfAChange: the event of a change says whether the password was shown for it or the sudo window was
// enough.
func TestAU01_FactorOfAChange(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		for _, c := range []struct {
			document string
			input    map[string]any
			shown    bool
		}{
			{harness.ChangeEmailDoc, harness.InputOf("email", "ada2@example.com"), false},
			{
				harness.ChangeEmailDoc, harness.InputOf("email", "ada3@example.com", "currentPassword",
					harness.GoodPass),
				true,
			},
			{harness.UpdateMeDoc, harness.InputOf("name", "Ada"), false},
			{
				harness.UpdateMeDoc, harness.InputOf("email", "ada4@example.com", "currentPassword", harness.GoodPass),
				true,
			},
			{harness.SudoDoc, harness.InputOf("password", harness.GoodPass), true},
			{harness.ChangePasswordDoc, harness.InputOf("newPassword", "another good pass phrase"), false},
			{harness.ChangePasswordDoc, harness.InputOf("newPassword", harness.GoodPass, "currentPassword",
				"another good pass phrase"), true},
		} {
			side.MustExec(t, `DELETE FROM audit_events`)
			if a := s.GraphQL(t, ada.Access, c.document, c.input); a.Code() != "" {
				t.Fatalf("%s", a.Raw)
			}
			row := side.Audit(t)
			if len(row) != 1 || row[0].Outcome != "ok" || (row[0].Methods == `["PASSWORD"]`) != c.shown || !c.shown &&
				row[0].Methods != "" {
				t.Errorf("%v: %+v", c.input, row)
			}
		}
	})
}
