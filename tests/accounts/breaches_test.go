package accounts

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// breached is on no list in the program, and on that of the test; the other is its SHA-1.
const (
	breached     = "a staple for horses"
	breachedHash = "491F1D46561D2FA6C3BBE7DF219B31A661CA6CBB"
)

// TestPW07_BreachedPasswords: every way to a new password asks the list, which never sees the password; where the list
// is dead all of them go on, and the log says so.
func TestPW07_BreachedPasswords(t *testing.T) {
	t.Parallel()
	list := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.Path) != len("/range/12345") || r.URL.RawQuery != "" || r.ContentLength > 0 {
			t.Errorf("the list is asked for %s", r.URL)
		}
		if r.URL.Path == "/range/"+breachedHash[:5] {
			_, _ = w.Write([]byte(breachedHash[5:] + ":7\r\n"))
		}
	}))
	t.Cleanup(list.Close)
	dead := httptest.NewServer(nil)
	dead.Close()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for name, c := range map[string]struct{ url, code string }{
			"listed": {list.URL + "/range/", "PASSWORD_BREACHED"},
			"dead":   {dead.URL + "/range/", ""},
			"off":    {"", ""},
		} {
			s := harness.Start(t, dsn, "DRAGOMAN_BREACHED_PASSWORDS_URL="+c.url)
			root := s.Admin(t, dsn, name+"-root@example.com")
			for way, a := range map[string]*harness.Answer{
				"register": s.GraphQL(t, "", harness.RegisterDoc,
					harness.InputOf("email", name+"-ada@example.com", "password", breached)),
				"createUser": s.GraphQL(t, root.Access, harness.CreateUserDoc,
					harness.InputOf("email", name+"-bob@example.com", "password", breached)),
				"changePassword": s.GraphQL(t, root.Access, harness.ChangePasswordDoc,
					harness.InputOf("currentPassword", harness.GoodPass, "newPassword", breached)),
				"updateMe": s.GraphQL(t, root.Access, harness.UpdateMeDoc, harness.InputOf("password", breached)),
			} {
				if a.Code() != c.code || len(a.Errors) > 0 {
					t.Errorf("%s, %s: %s", name, way, a.Raw)
				}
			}
			log := s.Logged.String()
			if noted := strings.Contains(log, "not compared with the list"); noted != (name == "dead") {
				t.Errorf("%s: noted %t", name, noted)
			}
			if strings.Contains(log, breached) || strings.Contains(log, breachedHash[:5]) {
				t.Errorf("%s: the log tells of the password", name)
			}
			if name == "listed" {
				res, err := http.Post(s.URL+"/sign_up", "application/json",
					strings.NewReader(`{"email":"eve@example.com","password":"`+breached+`","password_confirmation":"`+
						breached+`"}`))
				if err != nil || res.StatusCode >= 300 {
					t.Fatalf("a dialect that lets common passwords pass: %v %v", res, err)
				}
				_ = res.Body.Close()
				if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM audit_events WHERE action = `+
					`'user.created' AND reason = 'guessable_password'`); n != 1 {
					t.Errorf("%d events with the note", n)
				}
			}
		}
	})
}
