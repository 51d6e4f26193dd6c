package program

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// MI-12: who came over by a sign-in is there already for a file that comes later, with or without ids.
func TestMI12_ThenAFile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		old := harness.NewOldSystem(t, clock)
		s := harness.StartWithClock(t, clock, dsn, old.Env()...)
		lines := []string{
			`{"id": "7", "email": "ada@example.com", "emailVerified": true}`, `{"email": "ben@example.com"}`,
			`{"username": "cleo"}`,
		}
		for n, in := range []map[string]any{
			harness.InputOf("email", "ada@example.com", "password", "old"),
			harness.InputOf("email", "ben@example.com", "password", "old"),
			harness.InputOf("username", "cleo", "password", "old"),
		} {
			for _, name := range []string{"ada@example.com", "ben@example.com", "cleo"} {
				if strings.Contains(lines[n], name) {
					old.People[name] = harness.Person{Password: "old", Record: lines[n]}
				}
			}
			harness.Fine(t, s.GraphQL(t, "", harness.LoginDoc, in))
		}
		file := fileOf(t, "rest.ndjson", append(lines, `{"id": "8", "email": "dora@example.com"}`)...)
		got := command(t, t.TempDir(), harness.ProcessEnv(dsn), "users", "import", file)
		if got.code != 0 || got.stdout != "4 records: 1 imported, 3 are there already.\n" {
			t.Errorf("%+v", got)
		}
		harness.Fine(t, s.Login(t, "ben@example.com", "old"))
		if len(old.Asked()) != 3 {
			t.Error("somebody was asked about twice")
		}
	})
}

// MI-25: the old system of docs/moving-in.md runs as it stands there: it takes our questions, says yes and no, and
// refuses what we did not sign.
func TestMI25_OldSystem(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no node, and CI=true wants the whole suite")
		}
		t.Skip("there is no node")
	}
	var text string
	for _, b := range blocksOf(harness.ReadFile(t, movingIn)) {
		if b.kind == "js" && strings.Contains(b.text, "old-system.mjs") {
			text = b.text
		}
	}
	address := harness.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	file := filepath.Join(t.TempDir(), "old-system.mjs")
	if err := os.WriteFile(file, []byte(strings.Replace(text, "8090", port, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", file)
	cmd.Env = append(os.Environ(), "DRAGOMAN_MIGRATE_SECRET="+harness.MigrateSecret)
	var out harness.LogSink
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		res, err := http.Post("http://"+address, "application/json", strings.NewReader("{}"))
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode != http.StatusBadRequest {
				t.Fatalf("without a signature: %d", res.StatusCode)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v: %s", err, out.String())
		}
	}
	other := "whsec_" + "T3RoZXIgcXVlc3Rpb25zIGZvciB0aGUgb2xkIHN5c3RlbSE3"
	for secret, code := range map[string]string{harness.MigrateSecret: "", other: "INVALID_CREDENTIALS"} {
		s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_MIGRATE_URL=http://"+address, "DRAGOMAN_MIGRATE_SECRET="+
			secret)
		harness.RefusedWith(t, s.Login(t, "ada@example.com", samplePassword+"x"), "INVALID_CREDENTIALS")
		a := s.Login(t, "Ada@example.com", samplePassword)
		if a.Code() != code || code == "" && a.Text("login", "user", "email") != "ada@example.com" {
			t.Errorf("%s: %s", a.Raw, s.Logged.String())
		}
		if told := strings.Contains(s.Logged.String(), "status 400"); told != (code != "") {
			t.Errorf("the log says %s", s.Logged.String())
		}
	}
}
