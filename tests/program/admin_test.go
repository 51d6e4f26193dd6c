package program

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// AZ-03 and AZ-04 from the terminal: the role comes and goes beside a server that runs, and counts with the next
// request.
func TestAZ04_PromoteAndDemote(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env, dir := harness.ProcessEnv(dsn), t.TempDir()
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		s.Expect(t, "FORBIDDEN", ada.Access, harness.UsersDoc, nil)
		got := command(t, dir, env, "admin", "promote", "ada@example.com")
		if got.code != 0 || got.stdout != "ada@example.com ("+ada.ID+
			") had the role user and has the role admin now.\n" || got.stderr != "" {
			t.Errorf("%+v", got)
		}
		s.Expect(t, "", ada.Access, harness.UsersDoc, nil)
		if got = command(t, dir, env, "admin", "demote", "ada@example.com"); got.code != 1 || got.stdout != "" ||
			!strings.Contains(got.stderr, "last administrator") {
			t.Errorf("%+v", got)
		}
		s.Admin(t, dsn, "bob@example.com")
		if got = command(t, dir, env, "admin", "demote", "ada@example.com"); got.code != 0 ||
			!strings.Contains(got.stdout, "has the role user now") {
			t.Errorf("%+v", got)
		}
		s.Expect(t, "FORBIDDEN", ada.Access, harness.UsersDoc, nil)
		if got = command(t, dir, env, "admin", "promote"); got.code != 1 || !strings.Contains(got.stderr, "--help") {
			t.Errorf("%+v", got)
		}
	})
}
