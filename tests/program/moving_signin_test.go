package program

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestMI25_SignIn imports every sample beside a running server, on both databases. Its people sign in with the password
// that they had in the other system: by GraphQL, and by the API that they knew where it is one of ours. Suspended ones
// do not. Afterwards the hashes of those who did are argon2id, as ours are made.
func TestMI25_SignIn(t *testing.T) {
	t.Parallel()
	const ada, ben, cleo, dora, emil = "ada@example.com", "ben@example.org", "cleo@example.com", "dora@example.com",
		"emil@example.com"
	for _, c := range []struct {
		from, file string
		in         []string // who signs in
		out        []string // who does not
		route      string   // by which ada signs in too
		body       string
		app        bool // whether the account of the route has an authenticator app
	}{
		{from: "auth0", file: "auth0", in: []string{ada}, out: []string{ben, cleo, dora, emil}},
		{from: "devise", file: "devise.csv", in: []string{ada, cleo}, out: []string{ben, dora}},
		{from: "supabase", file: "supabase.csv", in: []string{ada}, out: []string{ben, cleo, dora}},
		{from: "firebase", file: "firebase.json", in: []string{ada}, out: []string{ben, cleo}},
		{from: "keycloak", file: "keycloak", in: []string{ada, cleo, dora}, out: []string{ben}},
		{from: "django", file: "django.json", in: []string{ada, cleo, dora}, out: []string{ben}},
		{from: "laravel", file: "laravel.csv", in: []string{ada, ben}},
		{
			from: "authcompanion", file: "sqlite_authc_database.db", in: []string{ada}, out: []string{ben},
			route: "POST /v1/auth/login",
			body:  `{"data":{"type":"users","attributes":{"email":"EMAIL","password":"PASSWORD"}}}`,
		},
		{
			from: "wolfpal", file: "wolfpal.json", in: []string{ada}, out: []string{ben},
			route: "POST /auth/login", body: `{"email":"EMAIL","password":"PASSWORD"}`,
		},
		{
			from: "authentication-zero", file: "authentication-zero.csv", in: []string{ada, ben},
			route: "POST /sign_in", body: `{"email":"EMAIL","password":"PASSWORD"}`, app: true,
		},
		{ // the API of generic-v1, and service-authentication below, have our own format
			file: "users.csv", in: []string{ada}, out: []string{ben},
			route: "POST /api/v1/auth/login", body: `{"username":"EMAIL","password":"PASSWORD"}`,
		},
		{
			file: "users.csv", in: []string{ada}, out: []string{ben},
			route: "POST /login", body: `{"email":"EMAIL","password":"PASSWORD"}`,
		},
	} {
		t.Run(c.from+" "+c.route, func(t *testing.T) {
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn, "DRAGOMAN_DIALECTS=all")
				args := []string{"users", "import", filepath.Join(sampleFolder(t), c.file), "--from=" + c.from}
				if c.from == "firebase" {
					args = append(args, "--firebase-signer-key="+sampleSigner, "--firebase-salt-separator=Bw==",
						"--firebase-rounds=8", "--firebase-mem-cost=14")
				}
				if got := command(t, t.TempDir(), harness.ProcessEnv(dsn), args...); got.code != 0 || got.stderr != "" {
					t.Fatalf("%+v", got)
				}
				if c.route != "" {
					body := strings.NewReplacer("EMAIL", ada, "PASSWORD", samplePassword).Replace(c.body)
					r, err := s.Call(c.route, body)
					// The app that came along with the account is asked for.
					waits := err == nil && strings.Contains(r.Body, `"code":"mfa_required"`) && c.app
					if err != nil || !waits && r.Status != http.StatusOK && r.Status != http.StatusCreated {
						t.Errorf("%s: %d %s, %v", c.route, r.Status, r.Body, err)
					}
				}
				for _, email := range c.in {
					harness.Fine(t, s.Login(t, email, samplePassword))
					harness.RefusedWith(t, s.Login(t, email, samplePassword+"x"), "INVALID_CREDENTIALS")
				}
				for _, email := range c.out {
					harness.RefusedWith(t, s.Login(t, email, samplePassword), "INVALID_CREDENTIALS")
				}
				n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users
WHERE password_hash LIKE '$argon2id$v=19$m=8,t=1,p=1$%'`) // as the servers of tests make them
				if n != len(c.in) {
					t.Errorf("%d hashes are ours; want those of %v", n, c.in)
				}
			})
		})
	}
}
