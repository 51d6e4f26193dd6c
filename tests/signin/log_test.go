package signin

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// loggedLine is a line of the log about a sign-in.
type loggedLine struct {
	Level, Msg, Reason, Block, Dialect, Account string
	RequestID                                   string `json:"request_id"`
	Failures                                    int
	Seconds                                     float64
}

// loggedFor gives the lines about sign-ins that the server wrote for the request of an answer.
func loggedFor(s *harness.Instance, a *harness.Answer) (lines []loggedLine) {
	for text := range strings.Lines(s.Logged.String()) {
		var line loggedLine
		if json.Unmarshal([]byte(text), &line) == nil && line.RequestID == a.Header.Get("X-Request-Id") &&
			(strings.HasPrefix(line.Msg, "sign-in ") || strings.HasPrefix(line.Msg, "password disabled") ||
				strings.HasPrefix(line.Msg, "current password")) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestLG25_Logged: a failed sign-in is one line of the log at the level info, with its reason, the address block and
// the id of the request, and a lock is one with the account. What was typed is in none.
func TestLG25_Logged(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		code := s.Mailed(t, harness.AskMagicDoc, ada.Email, db.MailMagicLink).Code
		sudo := func() *harness.Answer {
			return s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", harness.WrongPass))
		}
		failed := func(reason string) string { return "sign-in failed " + reason }
		login := func(email, password string) *harness.Answer {
			return s.LoginFrom(t, harness.Attacker, "email", email, password)
		}
		check := func(name string, a *harness.Answer, want ...string) {
			t.Helper()
			var got []string
			for _, line := range loggedFor(s, a) {
				text := line.Msg
				if line.Reason != "" {
					text += " " + line.Reason
				}
				if line.Account != "" {
					text += " " + line.Account
				}
				if line.Seconds != 0 {
					text += fmt.Sprintf(" %d %vs", line.Failures, line.Seconds)
				}
				got = append(got, text)
				if line.Level != "INFO" || line.Block == "" || line.Dialect != "graphql" {
					t.Errorf("%s: %+v", name, line)
				}
			}
			if strings.Join(got, "; ") != strings.Join(want, "; ") {
				t.Errorf("%s: the log says %q, want %q", name, got, want)
			}
		}
		for range 4 {
			check("wrong", login(ada.Email, harness.WrongPass), failed("wrong_password"))
			check("unknown", login("nobody@example.com", harness.WrongPass), failed("unknown_account"))
			check("current", sudo(), "current password refused wrong_password")
		}
		check("fifth", login(ada.Email, harness.WrongPass), failed("wrong_password"), "sign-in locked "+ada.ID+" 5 2s")
		check("fifth of nobody", login("nobody@example.com", harness.WrongPass), failed("unknown_account"),
			"sign-in locked 5 2s")
		check("fifth current", sudo(), "current password refused wrong_password", "sign-in locked "+ada.ID+" 5 2s")
		check("refused unseen", login(ada.Email, harness.GoodPass), failed("throttled"))
		check("refused unseen again", login(ada.Email, harness.GoodPass))
		harness.OpenSide(t, dsn).MustExec(t, `UPDATE throttles SET failures = 99 WHERE scope = '*'`)
		s.Clock.Add(3 * time.Second)
		check("hundredth", login(ada.Email, harness.WrongPass), failed("wrong_password"),
			"sign-in locked "+ada.ID+" 6 4s", "password disabled "+ada.ID)
		s.Clock.Add(5 * time.Second)
		check("disabled", login(ada.Email, harness.GoodPass), failed("password_disabled"),
			"sign-in locked "+ada.ID+" 7 8s")
		wrong := strings.Map(func(r rune) rune { return '0' + (r-'0'+1)%10 }, code)
		check("by mail", s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", wrong, "email", ada.Email)),
			failed("wrong_code"))
		in := harness.Fine(t, s.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", code, "email", ada.Email)))
		check("success", in)
		for _, typed := range []string{"ada@", "nobody", wrong, "horse battery"} {
			for line := range strings.Lines(s.Logged.String()) {
				if strings.Contains(line, typed) {
					t.Errorf("the log has %q: %s", typed, line)
				}
			}
		}
	})
}
