package program

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// SE-13: what was used before a crash stays used after it.
func TestSE13_CrashDoesNotReviveTokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		env := []string{
			"DRAGOMAN_SECRET=" + harness.Secret, "DRAGOMAN_REFRESH_GRACE=0s",
			"DRAGOMAN_PUBLIC_URL=http://auth.example.com",
		}
		if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
			env = append(env, "DRAGOMAN_DATA_DIR="+filepath.Dir(path))
		} else {
			env = append(env, "DATABASE_URL="+dsn)
		}
		p := harness.Spawn(t, env...)
		s := &harness.Instance{URL: p.URL}
		ada := s.Register(t, "ada@example.com")
		loggedOut := s.LoginAs(t, ada, "BODY")
		access, next := s.NextOf(t, ada.Refresh)
		if code := s.GraphQL(t, loggedOut.Access, harness.LogoutDoc, nil).Code(); code != "" {
			t.Fatalf("logout: %q", code)
		}
		if err := p.Cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Cmd.Wait()

		s = &harness.Instance{URL: harness.Spawn(t, env...).URL}
		if !s.Is(t, access, ada) {
			t.Fatal("a live session did not survive the crash")
		}
		if s.Is(t, loggedOut.Access, ada) || s.Refresh(t, loggedOut.Refresh).Code() != "INVALID_TOKEN" {
			t.Error("the crash revived an ended session")
		}
		if code := s.Refresh(t, ada.Refresh).Code(); code != "TOKEN_REUSED" {
			t.Errorf("the used token after the crash: %q", code)
		}
		if code := s.Refresh(t, next).Code(); code != "INVALID_TOKEN" {
			t.Errorf("the newest token after the reuse: %q", code)
		}
	})
}

// SE-27: a running server writes the first use of a generation within five seconds, so other instances know it then.
func TestSE27_FirstUseIsWrittenSoon(t *testing.T) {
	t.Parallel()
	dsn := dbtest.SQLite(t)
	p := harness.Spawn(t, harness.ProcessEnv(dsn)...)
	s, conn := &harness.Instance{URL: p.URL}, dbtest.Beside(t, dsn)
	ada := s.Register(t, "ada@example.com")
	access, _ := s.NextOf(t, ada.Refresh)
	if !s.Is(t, access, ada) {
		t.Fatal("the new access token does not work")
	}
	used := time.Now()
	harness.Eventually(t, "the first use of a generation is written", func() bool {
		return harness.MustCount(t, conn, `SELECT used_generation FROM sessions`) == 1
	})
	// Five seconds, and as many for a busy machine.
	if took := time.Since(used); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
