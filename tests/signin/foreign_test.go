package signin

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/password"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// own is the form of a hash that the servers of tests make.
var own = regexp.MustCompile(`^\$argon2id\$v=19\$m=8,t=1,p=1\$`)

// oldHash is the hash of a password in another system.
func oldHash(t testing.TB, typed string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(typed[:min(len(typed), 72)]), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// plant gives an account a password hash, and hash reads it.
func plant(t testing.TB, side *harness.Side, email, hash string) {
	t.Helper()
	side.MustExec(t, fmt.Sprintf(`UPDATE users SET password_hash = '%s' WHERE email_canonical = '%s'`, hash, email))
}

func hash(t testing.TB, side *harness.Side, email string) string {
	t.Helper()
	return side.Texts(t, `SELECT password_hash FROM users WHERE email_canonical = '`+email+`'`)[0]
}

// PW-12 and PW-13: the first sign-in with a hash of another system, or with one of ours of other parameters, makes it
// anew. From then on the password counts in any spelling of Unicode.
func TestPW12_FirstSignIn(t *testing.T) {
	t.Parallel()
	const decomposed = "cafe\u0301 au lait"
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		const email = "ada@example.com"
		ada := s.Register(t, email)
		otherOwn, err := password.NewHasher(1).Hash(t.Context(), harness.GoodPass)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct{ stored, password, also, not string }{
			"bcrypt":             {oldHash(t, harness.GoodPass), harness.GoodPass, "", ""},
			"bcrypt, decomposed": {oldHash(t, decomposed), decomposed, "caf\u00e9 au lait", ""},
			"SSHA":               {"{SSHA}46BnfOtjjVkV2IM1YrlQPStNxk5zYWx0c2FsdA==", harness.GoodPass, "", ""},
			"argon2id, others":   {otherOwn, harness.GoodPass, "", ""},
		} {
			plant(t, side, email, c.stored)
			if code := s.Login(t, email, harness.WrongPass).Code(); code != "INVALID_CREDENTIALS" ||
				hash(t, side, email) != c.stored {
				t.Errorf("%s, wrong password: %q, and the hash is %s", name, code, hash(t, side, email))
			}
			if a := s.GraphQL(t, ada.Access, harness.SudoDoc,
				harness.InputOf("password", c.password)); a.Code() != "" ||
				hash(t, side, email) != c.stored {
				t.Errorf("%s, sudo: %s, and the hash is %s", name, a.Raw, hash(t, side, email))
			}
			if a := s.Login(t, email, c.password); a.Code() != "" || !own.MatchString(hash(t, side, email)) {
				t.Errorf("%s: %s, and the hash is %s", name, a.Raw, hash(t, side, email))
			}
			anew := hash(t, side, email)
			for _, again := range []string{c.password, c.also} {
				if a := s.Login(t, email, again); again != "" && a.Code() != "" {
					t.Errorf("%s, again: %s", name, a.Raw)
				}
			}
			if a := s.Login(t, email, c.not); c.not != "" && a.Code() != "INVALID_CREDENTIALS" {
				t.Errorf("%s, another password: %s", name, a.Raw)
			}
			if hash(t, side, email) != anew {
				t.Errorf("%s: the hash was made anew twice", name)
			}
		}
	})
}

// PW-13: what an old hash does not cover never becomes the password by a slip of the finger: bcrypt ignores what is
// behind byte 72. Such a hash stays until its owner chooses another password. Nor is the hash of nothing a password.
func TestPW13_Uncovered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		const email, long = "ada@example.com", "a password of more than 72 bytes, as one that a manager of passwords " +
			"makes, and more"
		s.Register(t, email)
		stored := oldHash(t, long)
		plant(t, side, email, stored)
		for _, typed := range []string{long[:72] + "slip", long} {
			harness.Fine(t, s.Login(t, email, typed))
		}
		if got := hash(t, side, email); got != stored {
			t.Errorf("the hash became %s", got)
		}
		plant(t, side, email, oldHash(t, ""))
		if code := s.Login(t, email, "").Code(); code == "" {
			t.Error("nobody's password signs in")
		}
	})
}

// PW-12: a sign-in with the right password that fails for another reason leaves the hash as it is.
func TestPW12_NoSignIn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		s, side := harness.StartWithClock(t, clock, dsn), harness.OpenSide(t, dsn)
		strict := harness.StartWithClock(t, clock, dsn, "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on")
		const email = "ada@example.com"
		s.Register(t, email)
		old := oldHash(t, harness.GoodPass)
		plant(t, side, email, old)
		for _, c := range []struct {
			before, after, code string
			at                  *harness.Instance
		}{
			{`status = 'SUSPENDED'`, `status = 'ACTIVE'`, "INVALID_CREDENTIALS", s},
			{`password_disabled_at = created_at`, `password_disabled_at = NULL`, "INVALID_CREDENTIALS", s},
			{`name = 'Ada'`, `name = NULL`, "EMAIL_NOT_VERIFIED", strict},
			{`name = 'Ada'`, `name = NULL`, "", s},
		} {
			side.MustExec(t, `UPDATE users SET `+c.before)
			a := c.at.Login(t, email, harness.GoodPass)
			if a.Code() != c.code || (hash(t, side, email) == old) != (c.code != "") {
				t.Errorf("%s: %s, and the hash is %s", c.before, a.Raw, hash(t, side, email))
			}
			side.MustExec(t, `UPDATE users SET `+c.after)
		}
	})
}

// PW-12: sign-ins at once on two instances, by both names and by wrong passwords among them, all come in, and the hash
// is made anew once.
func TestPW12_FirstSignInsAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		clock := harness.NewClock()
		instances := []*harness.Instance{harness.StartWithClock(t, clock, dsn), harness.StartWithClock(t, clock, dsn)}
		side := harness.OpenSide(t, dsn)
		const email = "ada@example.com"
		instances[0].Register(t, email)
		side.MustExec(t, `UPDATE users SET username = 'countess', username_canonical = 'countess'`)
		for range harness.Amount(3, 50) {
			plant(t, side, email, oldHash(t, harness.GoodPass))
			var all sync.WaitGroup
			for n := range 8 {
				all.Go(func() {
					name, value := "email", email
					if n/2%2 == 0 {
						name, value = "username", "countess"
					}
					a := instances[n%2].GraphQL(t, "", harness.LoginDoc,
						harness.InputOf(name, value, "password", harness.GoodPass))
					if a.Code() != "" || a.Text("login", "session", "id") == "" {
						t.Errorf("sign-in %d: %s", n, a.Raw)
					}
				})
			}
			all.Wait()
			if h := hash(t, side, email); !own.MatchString(h) {
				t.Errorf("the hash is %s", h)
			}
		}
		if a := instances[1].Login(t, email, harness.GoodPass); a.Code() != "" {
			t.Error(a.Raw)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'login.failed'`); n != 0 {
			t.Errorf("%d failures", n)
		}
	})
}

// The sign-in that makes a hash anew takes the two statements of any other.
func TestPW12_Statements(t *testing.T) {
	t.Parallel()
	s, dsn := harness.BudgetServer(t)
	side := harness.OpenSide(t, dsn)
	const email = "ada@example.com"
	s.Register(t, email)
	s.Login(t, email, harness.GoodPass) // prepares the statements
	plant(t, side, email, oldHash(t, harness.GoodPass))
	var a *harness.Answer
	n, lines := harness.Statements(t, dsn, func() { a = s.Login(t, email, harness.GoodPass) })
	if n != 2 || a.Code() != "" || !own.MatchString(hash(t, side, email)) {
		t.Errorf("%d statements, %s:\n%s", n, a.Raw, strings.Join(lines, "\n"))
	}
}

// LG-03: while all passwords have hashes of another system, a name of nobody and an account without a password take the
// time of such a hash, and no longer once there is none.
func TestLG03_Imitated(t *testing.T) {
	t.Parallel()
	dear, err := password.ReadForeign("$argon2id$v=19$m=65536,t=6,p=1$c2l4dGVlbiBieXRlcyBvaw$" +
		"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI")
	if err != nil {
		t.Fatal(err)
	}
	const between = 150 * time.Millisecond // of one of the servers of tests it takes one, of a dear one 300
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		for _, email := range []string{"ada@example.com", "eve@example.com"} {
			s.Register(t, email)
		}
		side.MustExec(t, `UPDATE users SET password_hash = NULL WHERE email_canonical = 'eve@example.com'`)
		side.MustExec(t, `INSERT INTO foreign_hashes (kind, sample, imported) VALUES ('`+dear.Kind+`', '`+dear.Dummy+
			`', 1)`)
		for _, state := range []struct {
			name, change string
			dear         bool
		}{
			{"imported", `password_hash = '` + dear.Text + `' WHERE email_canonical = 'ada@example.com'`, true},
			{"gone", `password_hash = NULL`, false},
		} {
			side.MustExec(t, `UPDATE users SET `+state.change)
			if err := s.App.RefreshHashMix(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, email := range []string{"ada@example.com", "eve@example.com", "nobody@example.com"} {
				least := time.Hour // whatever else runs makes it longer alone
				for tries := 0; tries < 2 || least > between && !state.dear && tries < 20; tries++ {
					began := time.Now()
					if a := s.Login(t, email, harness.WrongPass); a.Code() != "INVALID_CREDENTIALS" {
						t.Errorf("%s: %s", email, a.Raw)
					}
					least = min(least, time.Since(began))
				}
				if (least > between) != state.dear {
					t.Errorf("%s, %s: %v", state.name, email, least)
				}
			}
		}
	})
}
