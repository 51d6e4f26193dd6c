package signin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// failing answers as a system that is down.
func failing(w http.ResponseWriter, _ *http.Request, _ harness.Question) {
	w.WriteHeader(http.StatusBadGateway)
}

// attempts signs in as several people at once, none of whom anybody knows, and wants the usual answer.
func attempts(t *testing.T, s *harness.Instance, prefix string, n int, header ...string) {
	t.Helper()
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			a, err := harness.Send(s.URL, "", harness.LoginDoc,
				harness.InputOf("email", fmt.Sprintf("%s-%d@example.com", prefix, i), "password", oldPass), header...)
			if err != nil || a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("%s: %v, %v", prefix, a, err)
			}
		})
	}
	all.Wait()
}

// MI-13: after five failures in a row the old system is left alone for ten seconds. Then one question goes through: its
// failure begins another pause, its success ends it. Who is not asked about is answered as always.
func TestMI13_Paused(t *testing.T) {
	t.Parallel()
	s, old := asking(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
	old.Says(failing)
	attempts(t, s, "first", 4)
	knows(old, "ada@example.com")
	old.Says(nil)
	harness.Fine(t, s.Login(t, "ada@example.com", oldPass)) // forgets the four
	old.Says(failing)
	attempts(t, s, "second", 5)
	old.Asked()
	for name, c := range map[string]struct {
		pass  time.Duration
		asked int
	}{"at once": {0, 0}, "later": {9 * time.Second, 0}} {
		s.Clock.Add(c.pass)
		attempts(t, s, name[:2], 4)
		if asked := old.Asked(); len(asked) != c.asked {
			t.Errorf("%s: %d questions", name, len(asked))
		}
	}
	s.Clock.Add(time.Second)
	attempts(t, s, "probe", 6)
	if asked := old.Asked(); len(asked) != 1 {
		t.Errorf("after the pause: %d questions", len(asked))
	}
	s.Clock.Add(-time.Hour) // a clock that is set back ends the pause
	attempts(t, s, "back", 1)
	if asked := old.Asked(); len(asked) != 1 {
		t.Errorf("after the clock was set back: %d questions", len(asked))
	}
	s.Clock.Add(time.Hour)
	old.Says(nil)
	attempts(t, s, "up", 1)
	attempts(t, s, "again", 3)
	if asked := old.Asked(); len(asked) != 4 {
		t.Errorf("when it is back: %d questions", len(asked))
	}
	figures, _ := harness.Scrape(t, s.URL, harness.MetricsToken)
	for outcome, want := range map[string]float64{"migrated": 1, "failed": 11, "not_asked": 13, "no": 4} {
		if got := figures[`dragoman_migrations_total{outcome="`+outcome+`"}`]; got != want {
			t.Errorf("%s: %v, want %v", outcome, got, want)
		}
	}
	if lines := linesWith(s.Logged.String(), `"paused":true`); len(lines) != 3 {
		t.Errorf("%d pauses are logged", len(lines))
	}
	if lines := linesWith(s.Logged.String(), "old system: not asked"); len(lines) != 13 {
		t.Errorf("%d lines say that nobody was asked", len(lines))
	}
}

// MI-13: one network asks about so many names in a quarter of an hour. What is over that is answered as always; another
// network asks on, and an account that there is signs in.
func TestMI13_ByNetwork(t *testing.T) {
	t.Parallel()
	clock := harness.NewClock()
	old := harness.NewOldSystem(t, clock)
	s := harness.Limited(t, clock, dbtest.SQLite(t), old.Env("DRAGOMAN_LIMIT_MIGRATION=3/15m")...)
	for n := range 2 {
		attempts(t, s, fmt.Sprint("near-", n), 2, "X-Forwarded-For", fmt.Sprintf("198.51.100.%d", n))
	}
	if asked := old.Asked(); len(asked) != 3 {
		t.Errorf("%d questions of one network", len(asked))
	}
	attempts(t, s, "far", 1, "X-Forwarded-For", harness.Owner)
	if asked := old.Asked(); len(asked) != 1 {
		t.Errorf("%d questions of another network", len(asked))
	}
	knows(old, "ada@example.com")
	harness.Fine(t, s.LoginFrom(t, harness.Owner, "email", "ada@example.com", oldPass))
	harness.Fine(t, s.LoginFrom(t, "198.51.100.1", "email", "ada@example.com", oldPass))
}

// MI-13: failures count before anybody is asked: a name that is locked is not asked about.
func TestMI13_LockedFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		old := harness.NewOldSystem(t, clock)
		s := harness.Limited(t, clock, dsn, old.Env()...)
		knows(old, "ada@example.com")
		for range 5 {
			harness.RefusedWith(t, s.LoginFrom(t, harness.Attacker, "email", "ada@example.com", harness.WrongPass),
				"INVALID_CREDENTIALS")
		}
		harness.RefusedWith(t, s.LoginFrom(t, harness.Owner, "email", "ada@example.com", oldPass), "ACCOUNT_LOCKED")
		if asked := old.Asked(); len(asked) != 5 {
			t.Errorf("%d questions", len(asked))
		}
		clock.Add(3 * time.Second)
		harness.Fine(t, s.LoginFrom(t, harness.Owner, "email", "ada@example.com", oldPass))
	})
}

// MI-13: at most 32 questions are under way at once, and nobody holds a connection to the database meanwhile: others
// sign in while the old system hangs.
func TestMI13_Hanging(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"sqlite": dbtest.SQLite(t), "postgres": dbtest.Postgres(t) + "&pool_max_conns=1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, old := asking(t, dsn)
			ada := s.Register(t, "ada@example.com")
			var mu sync.Mutex
			hanging, most, release := 0, 0, make(chan struct{})
			old.Says(func(w http.ResponseWriter, r *http.Request, _ harness.Question) {
				mu.Lock()
				hanging++
				most = max(most, hanging)
				mu.Unlock()
				select {
				case <-release:
				case <-r.Context().Done():
				}
				mu.Lock()
				hanging--
				mu.Unlock()
				w.WriteHeader(http.StatusNotFound)
			})
			var all sync.WaitGroup
			all.Go(func() { attempts(t, s, "nobody", 48) })
			for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				mu.Lock()
				n := hanging
				mu.Unlock()
				if n >= 32 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d questions are under way", n)
				}
			}
			if harness.Fine(t, s.Login(t, "ada@example.com", harness.GoodPass)); !s.Is(t, ada.Access, ada) {
				t.Error("the session does not answer")
			}
			close(release)
			all.Wait()
			if most != 32 {
				t.Errorf("%d questions at once", most)
			}
		})
	}
}

// MI-14: many first sign-ins of one person at once, by both names and on two instances, make one account and all come
// in.
func TestMI14_AtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		old := harness.NewOldSystem(t, clock)
		instances := []*harness.Instance{
			harness.StartWithClock(t, clock, dsn, old.Env()...), harness.StartWithClock(t, clock, dsn, old.Env()...),
		}
		side := harness.OpenSide(t, dsn)
		for round := range harness.Amount(3, 30) {
			email, username := fmt.Sprintf("ada-%d@example.com", round), fmt.Sprintf("ada.%d", round)
			knows(old, email, "id", 70+round, "username", username)
			old.People[username] = old.People[email]
			users := map[string]bool{}
			for n, a := range harness.Together(32, func(n int) (*harness.Answer, error) {
				in := harness.InputOf("email", email, "password", oldPass)
				if n/2%2 == 0 {
					in = harness.InputOf("username", username, "password", oldPass)
				}
				return harness.Send(instances[n%2].URL, "", harness.LoginDoc, in)
			}) {
				if a == nil || a.Code() != "" || a.Text("login", "tokens", "accessToken") == "" {
					t.Errorf("sign-in %d: %+v", n, a)
					continue
				}
				users[a.Text("login", "user", "id")] = true
			}
			made := side.Count(t, `SELECT count(*) FROM users`)
			events := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.migrated'`)
			sessions := side.Count(t, `SELECT count(*) FROM sessions`)
			if len(users) != 1 || made != round+1 || events != round+1 || sessions != 32*(round+1) {
				t.Errorf("%v, %d accounts, %d events, %d sessions", users, made, events, sessions)
			}
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'login.failed'`); n != 0 {
			t.Errorf("%d failures", n)
		}
	})
}

// MI-14: whoever registers with the address at the same moment does not make a second account. One of them has the
// address afterwards: by the password of the old system, or by the new one.
func TestMI14_Registered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, old := asking(t, dsn)
		side := harness.OpenSide(t, dsn)
		for round := range harness.Amount(4, 40) {
			email := fmt.Sprintf("ada-%d@example.com", round)
			knows(old, email, "id", 70+round)
			answers := harness.Together(8, func(n int) (*harness.Answer, error) {
				if n%2 == 0 {
					return harness.Send(s.URL, "", harness.RegisterDoc,
						harness.InputOf("email", email, "password", harness.GoodPass))
				}
				return harness.Send(s.URL, "", harness.LoginDoc, harness.InputOf("email", email, "password", oldPass))
			})
			registered, migrated := 0, 0
			for n, a := range answers {
				switch {
				case a == nil:
					t.Errorf("no answer to %d", n)
				case a.Code() == "" && n%2 == 0:
					registered++
				case a.Code() == "":
					migrated++
				case !slices.Contains([]string{"ALREADY_EXISTS", "INVALID_CREDENTIALS"}, a.Code()):
					t.Errorf("%d: %s", n, a.Raw)
				}
			}
			if n := side.Count(t, `SELECT count(*) FROM users WHERE email_canonical = '`+email+`'`); n != 1 ||
				!(registered == 1 && migrated == 0 || registered == 0 && migrated == 4) {
				t.Errorf("%d accounts, registered %d, migrated %d", n, registered, migrated)
			}
		}
	})
}

// MI-15: a failed sign-in takes as long for a name that somebody here has as for one that nobody has, whether the old
// system says no at once or late, is silent, or is not asked. So does the second of two at once for one name.
func TestMI15_Timing(t *testing.T) {
	t.Parallel()
	clock := harness.NewClock()
	old := harness.NewOldSystem(t, clock)
	dsn := dbtest.SQLite(t)
	s := harness.Limited(t, clock, dsn, old.Env("DRAGOMAN_LIMIT_LOGIN=1000/1m")...)
	side := harness.OpenSide(t, dsn)
	old.Says(func(w http.ResponseWriter, r *http.Request, q harness.Question) {
		if !strings.Contains(q.Identifier, "fast") {
			time.Sleep(1500 * time.Millisecond)
		}
		if strings.Contains(q.Identifier, "silent") {
			<-r.Context().Done()
		}
		w.WriteHeader(http.StatusNotFound)
	})
	rounds := harness.Amount(3, 30)
	took := map[string][]time.Duration{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for round := range rounds {
		for _, class := range []string{"known", "suspended", "fast", "late", "silent", "not an address"} {
			email := fmt.Sprintf("%s-%d@example.com", class, round)
			if class == "known" || class == "suspended" {
				s.Register(t, email)
			}
			side.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE email LIKE 'suspended%'`)
			all.Go(func() {
				for n := range 2 {
					all.Go(func() {
						time.Sleep(time.Duration(n) * 100 * time.Millisecond)
						began := time.Now()
						a, err := harness.Send(s.URL, "", harness.LoginDoc,
							harness.InputOf("email", email, "password", harness.WrongPass))
						if err != nil || a.Code() != "INVALID_CREDENTIALS" {
							t.Errorf("%s: %v, %v", class, a, err)
							return
						}
						mu.Lock()
						took[fmt.Sprint(class, " ", n)] = append(took[fmt.Sprint(class, " ", n)], time.Since(began))
						mu.Unlock()
					})
				}
			})
		}
		all.Wait()
	}
	for class, all := range took {
		slices.Sort(all)
		t.Logf("%s: %v", class, all)
		least := 2100 * time.Millisecond
		if strings.HasSuffix(class, "1") { // waited for the first
			least = 4100 * time.Millisecond
		}
		if all[0] < least || all[0] > least+time.Second {
			t.Errorf("%s: %v, wanted a little more than %v", class, all, least)
		}
	}
}
