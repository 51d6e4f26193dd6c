package program

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestMail_KillAfterCommit kills the server between the commit of a change and the delivery of its mails, again and
// again: every mail that was committed arrives at least once, always under the same Message-ID, and none that was not.
func TestMail_KillAfterCommit(t *testing.T) {
	t.Parallel()
	rounds := harness.Amount(2, 200)
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sideways, sink := harness.OpenSide(t, dsn), harness.NewSink(t, nil)
		sink.Pause = 30 * time.Millisecond // so that some die while they are handed over
		env := append(harness.ProcessEnv(dsn), "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_SMTP_URL="+sink.URL)
		addresses := make([]string, 4*rounds) // each asks once for each kind, so that no mail overtakes another
		p := harness.Spawn(t, env...)
		for i := range addresses {
			addresses[i] = fmt.Sprintf("ada%d@example.com", i)
			if a, err := harness.Send(p.URL, "", harness.RegisterDoc,
				harness.InputOf("email", addresses[i], "password", harness.GoodPass)); err != nil || a.Code() != "" {
				t.Fatalf("%v %+v", err, a)
			}
		}
		_ = p.Cmd.Process.Kill()
		_ = p.Cmd.Wait()
		committed := map[string]bool{}
		for round := range rounds {
			p := harness.Spawn(t, env...)
			var group sync.WaitGroup
			for _, address := range addresses[4*round : 4*round+4] {
				group.Go(func() { // whether or not it is answered
					_, _ = harness.Send(p.URL, "", harness.AskResetDoc, harness.InputOf("email", address))
					_, _ = harness.Send(p.URL, "", harness.AskMagicDoc, harness.InputOf("email", address))
				})
			}
			// from before the first commit to after the last delivery
			time.Sleep(time.Duration(200+round*370%1300) * time.Millisecond)
			_ = p.Cmd.Process.Signal(syscall.SIGKILL)
			_ = p.Cmd.Wait()
			group.Wait()
			for _, id := range mailIDs(t, sideways) {
				committed[id] = true
			}
		}
		began := time.Now()
		harness.Spawn(t, env...)
		eventuallyWithin(t, 90*time.Second, "no mail waits", func() bool {
			return sideways.Count(t, "SELECT count(*) FROM mails WHERE state = 'QUEUED'") == 0
		})
		t.Logf("%d mails, %d deliveries; after the last start it took %v", len(committed), len(sink.To("")),
			time.Since(began).Round(time.Millisecond))
		arrived := map[string]string{}
		for _, m := range sink.To("") {
			id := regexp.MustCompile(`^<(mail_[0-9a-z]+)@localhost>$`).FindStringSubmatch(m.ID())
			if id == nil {
				t.Fatalf("the Message-ID %s", m.ID())
			}
			if to, twice := arrived[id[1]]; twice && to != m.To {
				t.Errorf("%s went to %s and to %s", m.ID(), to, m.To)
			}
			arrived[id[1]] = m.To
		}
		for id := range committed {
			if arrived[id] == "" {
				t.Errorf("%s was committed and did not arrive", id)
			}
		}
		known := map[string]bool{}
		for _, id := range mailIDs(t, sideways) {
			known[id] = true
		}
		for id := range arrived {
			if !known[id] {
				t.Errorf("%s arrived and was never committed", id)
			}
		}
		if n := sideways.Count(t, "SELECT count(*) FROM mails WHERE state <> 'SENT'"); n > 0 {
			t.Errorf("%d mails are not sent", n)
		}
	})
}

// mailIDs are those of all mails, as text.
func mailIDs(t testing.TB, s *harness.Side) (all []string) {
	t.Helper()
	rows, err := s.Query("SELECT id FROM mails")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id db.MailID
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func eventuallyWithin(t testing.TB, most time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", most, what)
		}
	}
}

// TestStart_MailIsDecided: a server that is there for others does not start without a word about its mails, and
// commands do not ask.
func TestStart_MailIsDecided(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{
		"a public listener": {"DRAGOMAN_LISTEN=:FREEPORT"},
		"a port":            {"PORT=FREEPORT"},
		"a public URL":      {"DRAGOMAN_LISTEN=127.0.0.1:FREEPORT", "DRAGOMAN_PUBLIC_URL=https://auth.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			got := command(t, dir, env)
			if got.code != 1 || !strings.HasPrefix(got.stderr, "dragoman: DRAGOMAN_SMTP_URL is not set") ||
				!strings.Contains(got.stderr, "smtp://user:password@host:587") ||
				!strings.Contains(got.stderr, "none") || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%+v", got)
			}
			if got := command(t, dir, env, "migrate"); got.code != 0 {
				t.Errorf("migrate: %+v", got)
			}
		})
	}
	off := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_SMTP_URL=none")
	if a, err := harness.Send(off.URL, "", harness.AskResetDoc,
		harness.InputOf("email", "ada@example.com")); err != nil || a.Code() != "FEATURE_DISABLED" {
		t.Errorf("without mail: %v %+v", err, a)
	}
	if res, _ := harness.Fetched(t, "GET", off.URL+"/dev/mailbox", "", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("a mailbox where there are no mails: %d", res.StatusCode)
	}
}

// TestHT22_DialectsAreChosen: a server that is there for others, and one with files of its own, does not start without
// a word about the APIs that it serves. For this machine alone the five that come with it are served.
func TestHT22_DialectsAreChosen(t *testing.T) {
	t.Parallel()
	files := "DRAGOMAN_DIALECTS_DIR=" + harness.TutorialFiles
	for name, env := range map[string][]string{
		"a public listener":  {"DRAGOMAN_LISTEN=:FREEPORT"},
		"a port":             {"PORT=FREEPORT"},
		"a public URL":       {"DRAGOMAN_LISTEN=127.0.0.1:FREEPORT", "DRAGOMAN_PUBLIC_URL=https://auth.example.com"},
		"a trusted proxy":    {"DRAGOMAN_LISTEN=127.0.0.1:FREEPORT", "DRAGOMAN_TRUSTED_PROXIES=127.0.0.1/32"},
		"files of its own":   {"DRAGOMAN_LISTEN=127.0.0.1:FREEPORT", files},
		"auto, and files":    {"DRAGOMAN_LISTEN=127.0.0.1:FREEPORT", files, "DRAGOMAN_DIALECTS=auto"},
		"a container, as is": {"DRAGOMAN_LISTEN=:FREEPORT", "DRAGOMAN_MAILBOX=on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(strings.Join(env, " "), "MAILBOX") {
				env = append(env, "DRAGOMAN_SMTP_URL=none")
			}
			dir := t.TempDir()
			got := command(t, dir, env)
			if got.code != 1 || !strings.HasPrefix(got.stderr, "dragoman: DRAGOMAN_DIALECTS is not set, and ") ||
				!strings.Contains(got.stderr, "none for GraphQL alone") || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%+v", got)
			}
			if got := command(t, dir, env, "migrate"); got.code != 0 {
				t.Errorf("migrate: %+v", got)
			}
			got = command(t, dir, env, "dialect", "list")
			if got.code != 0 || strings.Contains(got.stdout, " yes ") || !strings.Contains(got.stdout, "generic-v1") ||
				!strings.Contains(got.stdout, "DRAGOMAN_DIALECTS is not set") {
				t.Errorf("dialect list: %+v", got)
			}
		})
	}
	served := func(p *harness.Process, path string) bool {
		t.Helper()
		res, _ := harness.Fetched(t, "POST", p.URL+path, "application/json", "{}")
		return res.StatusCode != http.StatusNotFound
	}
	alone := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir())
	own := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), files, "DRAGOMAN_DIALECTS=library-card")
	none := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_PUBLIC_URL=https://auth.example.com",
		"DRAGOMAN_DIALECTS=none")
	for _, path := range []string{harness.Generic + "/login", "/sign_in", "/login", "/v1/auth/login", "/auth/login"} {
		if !served(alone, path) || served(own, path) || served(none, path) {
			t.Errorf("%s: %v alone, %v beside own files, %v where none is served", path, served(alone, path),
				served(own, path), served(none, path))
		}
	}
	if !served(own, "/desk/Card") {
		t.Error("the own one is not served")
	}
}

// TestHT21_MailboxInAContainer is a server as in a container: its mails are read with the key that it prints.
func TestHT21_MailboxInAContainer(t *testing.T) {
	t.Parallel()
	p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_PUBLIC_URL=http://auth.example.com",
		"DRAGOMAN_DIALECTS=none", "DRAGOMAN_MAILBOX=on")
	form := regexp.MustCompile(`Mailbox +http://auth\.example\.com(/dev/mailbox\?key=[a-z0-9]+) `)
	found := form.FindStringSubmatch(p.Out.String())
	for deadline := time.Now().Add(10 * time.Second); found == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no key: %s", p.Out)
		}
		found = form.FindStringSubmatch(p.Out.String())
	}
	if _, err := harness.Send(p.URL, "", harness.RegisterDoc, harness.InputOf("email", "ada@example.com", "password",
		harness.GoodPass)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, text := harness.Fetched(t, "GET", p.URL+found[1], "", ""); strings.Contains(text, "ada@example.com") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the mail is not there")
		}
	}
	if res, _ := harness.Fetched(t, "GET", p.URL+"/dev/mailbox", "", ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("without the key: %d", res.StatusCode)
	}
	for _, env := range []string{"DRAGOMAN_SMTP_URL=none", "DRAGOMAN_SMTP_URL=smtp://127.0.0.1:2525"} {
		got := command(t, t.TempDir(), []string{"DRAGOMAN_LISTEN=127.0.0.1:FREEPORT", "DRAGOMAN_MAILBOX=on", env})
		if got.code != 1 || !strings.HasPrefix(got.stderr, `dragoman: DRAGOMAN_MAILBOX="on" is not usable`) {
			t.Errorf("%s: %+v", env, got)
		}
	}
}
