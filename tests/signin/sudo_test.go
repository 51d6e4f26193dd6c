package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// proof is an operation that asks for the password of who is signed in.
type proof struct {
	name, document string
	input          func() map[string]any
}

// proofs are all of them; each changes nothing that the next one needs.
func proofs() []proof {
	always := func(name string, value any) func() map[string]any {
		return func() map[string]any { return map[string]any{name: value} }
	}
	spelling := 0
	return []proof{
		{"changePassword", harness.ChangePasswordDoc, func() map[string]any {
			return map[string]any{"newPassword": harness.GoodPass, "revokeOtherSessions": false}
		}},
		{"changeEmail", harness.ChangeEmailDoc, always("email", "ada@example.com")},
		{"updateMe email", harness.UpdateMeDoc, func() map[string]any { // the address in use would be no change
			email := []byte("ada@example.com")
			spelling++
			for bit := range 7 {
				email[4+bit] -= byte('a'-'A') * byte(spelling>>bit&1)
			}
			return map[string]any{"email": string(email)}
		}},
		{"updateMe password", harness.UpdateMeDoc, always("password", harness.GoodPass)},
	}
}

// with gives the variables that prove it by this password, nil for none.
func (p proof) with(current any) map[string]any {
	input := p.input()
	input["currentPassword"] = current
	return map[string]any{"input": input}
}

// PW-09: a change of what one signs in with needs the password, or a proof of the last ten minutes; a wrong one is
// wrong also then.
func TestPW09_CurrentPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		conn := harness.OpenSide(t, dsn)
		all := proofs()
		for _, window := range []string{"open", "closed"} {
			for _, p := range all {
				a := s.GraphQL(t, ada.Access, p.document, p.with(nil))
				want := map[string]string{"open": "", "closed": "SUDO_REQUIRED"}[window]
				if a.Code() != want || want != "" && len(a.Errors) != 1 {
					t.Errorf("%s, window %s, no password: %s", p.name, window, a.Raw)
				}
				for _, wrong := range []string{
					harness.WrongPass, "", strings.ToUpper(harness.GoodPass),
					harness.GoodPass + " ",
				} {
					before := conn.Count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'failed'`)
					a := s.GraphQL(t, ada.Access, p.document, p.with(wrong))
					if a.Code() != "INVALID_CURRENT_PASSWORD" ||
						!strings.Contains(a.Raw, `["input","currentPassword"]`) {
						t.Errorf("%s, window %s, %q: %s", p.name, window, wrong, a.Raw)
					}
					if n := conn.Count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'failed'`); n != before+1 {
						t.Errorf("%s: %d events of a failure", p.name, n-before)
					}
				}
				if a := s.GraphQL(t, ada.Access, p.document, p.with(harness.GoodPass)); a.Code() != "" {
					t.Errorf("%s, window %s, right: %s", p.name, window, a.Raw)
				}
			}
			s.Clock.Add(10 * time.Minute)
			next := s.Refresh(t, ada.Refresh)
			ada.Access, ada.Refresh = next.Text("refresh", "tokens", "accessToken"),
				next.Text("refresh", "tokens", "refreshToken")
		}
		// What is no secret needs none.
		ada.Access = s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "accessToken")
		if a := s.GraphQL(t, ada.Access, harness.UpdateMeDoc,
			harness.InputOf("name", "Ada", "metadata", map[string]any{}, "username", "ada")); a.Code() != "" {
			t.Errorf("%s", a.Raw)
		}
	})
}

// PW-09, LG-11, LG-21: failures on a device that shows its token are one count, wherever the password is asked for, and
// the lock arms itself again.
func TestPW09_LG11_WrongPasswordsLock(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		device := harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass)).Text("login", "deviceToken")
		ask := func(credential, document string, variables map[string]any) *harness.Answer {
			return harness.Asked(t, s.URL, credential, document, variables, "X-Device-Token", device)
		}
		login := func(password string) *harness.Answer {
			return ask("", harness.LoginDoc, harness.InputOf("email", ada.Email, "password", password))
		}
		ways := proofs()
		wrong := func() []*harness.Answer {
			all := []*harness.Answer{
				ask(ada.Access, harness.SudoDoc, harness.InputOf("password", harness.WrongPass)),
				login(harness.WrongPass),
			}
			for _, p := range ways[:3] {
				all = append(all, ask(ada.Access, p.document, p.with(harness.WrongPass)))
			}
			return all
		}
		everywhere := func(code string) {
			t.Helper()
			all := []*harness.Answer{ask(ada.Access, harness.SudoDoc,
				harness.InputOf("password", harness.GoodPass)), login(harness.GoodPass)}
			for _, p := range ways {
				all = append(all, ask(ada.Access, p.document, p.with(harness.GoodPass)))
			}
			for n, a := range all {
				if a.Code() != code || code != "" && !strings.Contains(a.Raw, `"retryAfterSeconds":2`) {
					t.Errorf("%d: %s, want %q", n, a.Raw, code)
				}
			}
		}
		for range 2 {
			for n, a := range wrong() {
				if code := a.Code(); code != "INVALID_CURRENT_PASSWORD" && code != "INVALID_CREDENTIALS" {
					t.Errorf("%d: %s", n, a.Raw)
				}
			}
			everywhere("ACCOUNT_LOCKED")
			// Without the password the window is what counts, and it is open.
			if a := ask(ada.Access, harness.ChangeEmailDoc,
				harness.InputOf("email", ada.Email)); a.Code() != "" {
				t.Errorf("by the window: %s", a.Raw)
			}
			s.Clock.Add(2 * time.Second)
			everywhere("")
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM audit_events WHERE reason = 'throttled'`); n !=
			2 {
			t.Errorf("%d events of locks", n)
		}
	})
}

// LG-10: a volley of guesses at the password of a session meets the delay that its first ones earned.
func TestLG10_SudoVolley(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		for _, a := range harness.Together(harness.Amount(40, 55), func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, ada.Access, harness.SudoDoc,
				harness.InputOf("password", fmt.Sprint(harness.WrongPass, n)))
		}) {
			if a == nil || a.Code() == "" {
				t.Errorf("%+v", a)
			}
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM audit_events WHERE action = 'sudo.failed' `+
			`AND reason = 'wrong_password'`); n != 5 {
			t.Errorf("%d passwords were checked", n)
		}
	})
}

// LG-19: who shows the password clears the failures of their own bucket, and of no other; what needs no password clears
// none.
func TestLG19_SuccessClearsItsOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		ada := s.Register(t, "ada@example.com")
		device := harness.Fine(t, s.Login(t, ada.Email, harness.GoodPass)).Text("login", "deviceToken")
		ask := func(credential, document string, variables map[string]any) *harness.Answer {
			return harness.Asked(t, s.URL, credential, document, variables, "X-Device-Token", device)
		}
		conn := harness.OpenSide(t, dsn)
		failures := func() string {
			return strings.Join(conn.Texts(t, `SELECT CASE WHEN scope LIKE 'name %' THEN 'strangers' ELSE 'own' END || failures `+
				`FROM throttles WHERE scope <> '*' ORDER BY 1`), " ")
		}
		for range 3 {
			s.LoginFrom(t, harness.Attacker, "email", ada.Email, harness.WrongPass)
		}
		for _, success := range []struct {
			name, credential, document string
			variables                  map[string]any
			clears                     bool
		}{
			{"me", ada.Access, harness.MeDoc, nil, false},
			{"a change by the window", ada.Access, harness.ChangeEmailDoc, harness.InputOf("email", ada.Email), false},
			{
				"a change of the password by the window", ada.Access, harness.ChangePasswordDoc,
				harness.InputOf("newPassword", harness.GoodPass), false,
			},
			{
				"a name", ada.Access, harness.UpdateMeDoc,
				harness.InputOf("name", "Ada", "currentPassword", harness.GoodPass), false,
			},
			{"sudo", ada.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass), true},
			{
				"a change by the password", ada.Access, harness.ChangeEmailDoc,
				harness.InputOf("email", ada.Email, "currentPassword", harness.GoodPass), true,
			},
			{
				"a change of the password", ada.Access, harness.ChangePasswordDoc,
				harness.InputOf("newPassword", harness.GoodPass, "currentPassword", harness.GoodPass), true,
			},
			{"login", "", harness.LoginDoc, harness.InputOf("email", ada.Email, "password", harness.GoodPass), true},
		} {
			conn.MustExec(t, `DELETE FROM throttles WHERE scope NOT LIKE 'name %'`)
			ask(ada.Access, harness.SudoDoc, harness.InputOf("password", harness.WrongPass))
			ask(ada.Access, harness.ChangeEmailDoc,
				harness.InputOf("email", ada.Email, "currentPassword", harness.WrongPass))
			if got := failures(); got != "own2 strangers3" {
				t.Fatalf("failures %s", got)
			}
			if a := ask(success.credential, success.document, success.variables); a.Code() != "" {
				t.Errorf("%s: %s", success.name, a.Raw)
			}
			want := map[bool]string{true: "strangers3", false: "own2 strangers3"}[success.clears]
			if got := failures(); got != want {
				t.Errorf("after %s: %s, want %s", success.name, got, want)
			}
		}
	})
}

// SE-23: what is sensitive needs a proof of the last ten minutes: a sign-in or sudo, of this session, and nothing else.
func TestSE23_Window(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
		other := s.LoginAs(t, ada, "BODY")
		const ends = `{ sessions { id sudoExpiresAt } currentCredential { session { sudoExpiresAt } } }`
		open := func(who *harness.Account) bool {
			t.Helper()
			who.Access = s.Refresh(t, who.Refresh).Text("refresh", "tokens", "accessToken") // a refresh is no proof
			a := s.GraphQL(t, who.Access, harness.ChangeEmailDoc, harness.InputOf("email", ada.Email))
			if code := a.Code(); code != "" && code != "SUDO_REQUIRED" {
				t.Fatalf("%s", a.Raw)
			}
			shown := s.GraphQL(t, who.Access, ends, nil).At("currentCredential", "session", "sudoExpiresAt") != nil
			if shown != (a.Code() == "") {
				t.Errorf("sudoExpiresAt is shown: %v, and the answer is %s", shown, a.Raw)
			}
			next := s.Refresh(t, who.Refresh)
			who.Refresh = next.Text("refresh", "tokens", "refreshToken")
			return shown
		}
		s.Clock.Add(10*time.Minute - time.Microsecond)
		if !open(&ada) {
			t.Error("closed before its time")
		}
		s.Clock.Add(time.Microsecond)
		if open(&ada) || open(&other) {
			t.Error("open for longer than ten minutes")
		}
		if a := s.GraphQL(t, ada.Access, harness.DeleteAccountDoc, nil); a.Code() != "SUDO_REQUIRED" ||
			len(a.Errors) != 1 || a.At("deleteAccount") != nil {
			t.Errorf("delete: %s", a.Raw)
		}
		for _, document := range []string{
			harness.DeleteAccountDoc, harness.SudoDoc, harness.ChangeEmailDoc,
			harness.ChangePasswordDoc, harness.UpdateMeDoc, harness.RotateKeyDoc, harness.UpdateKeyDoc,
		} {
			input := map[string]any{
				harness.SudoDoc:        harness.InputOf("password", harness.GoodPass),
				harness.ChangeEmailDoc: harness.InputOf("email", ada.Email, "currentPassword", harness.GoodPass),
				harness.ChangePasswordDoc: harness.InputOf("newPassword", harness.NewPass, "currentPassword",
					harness.GoodPass), harness.UpdateMeDoc: harness.InputOf("name", "x"),
				harness.RotateKeyDoc: harness.InputOf("id", "key_x"),
				harness.UpdateKeyDoc: harness.InputOf("id", "key_x"),
			}[document]
			variables, _ := input.(map[string]any)
			if a := s.GraphQL(t, key, document, variables); a.Code() != "FORBIDDEN" { // AK-05
				t.Errorf("by a key: %s", a.Raw)
			}
			if a := s.GraphQL(t, ada.Refresh, document, variables); a.Code() != "UNAUTHENTICATED" { // SE-14
				t.Errorf("by a refresh token: %s", a.Raw)
			}
		}
		if a := s.GraphQL(t, ada.Access, harness.SudoDoc,
			harness.InputOf("password", harness.WrongPass)); a.Code() != "INVALID_CURRENT_PASSWORD" || open(&ada) {
			t.Errorf("sudo by a wrong password: %s", a.Raw)
		}
		a := s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass))
		if end := harness.Instant(t, a.Text("sudo", "sudoExpiresAt")); end.Sub(
			s.Clock.Now().Add(10*time.Minute)).Abs() > time.Millisecond {
			t.Errorf("sudo: %s", a.Raw)
		}
		if !open(&ada) || open(&other) {
			t.Error("sudo opens its own session, and no other")
		}
		s.Clock.Add(10 * time.Minute)
		if open(&ada) {
			t.Error("open for longer than ten minutes after sudo")
		}
		s.GraphQL(t, ada.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass))
		if a := s.GraphQL(t, ada.Access, harness.DeleteAccountDoc, nil); a.Code() != "" {
			t.Errorf("delete after sudo: %s", a.Raw)
		}
	})
}

// SE-23 in a dialect: its profile has a window of its own, over the same session.
func TestSE23_WindowOfAProfile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		d := s.Speaks(t, map[string]*profile.Profile{"long": {Sudo: 30 * time.Minute}, "short": {Sudo: time.Minute}})
		ada := s.Register(t, "ada@example.com")
		token := s.LoginAs(t, ada, "SESSION_TOKEN").Refresh
		for _, step := range []struct {
			after time.Duration
			open  map[string]bool
		}{
			{0, map[string]bool{"long": true, "short": true, "graphql": true}},
			{time.Minute, map[string]bool{"long": true, "short": false, "graphql": true}},
			{9 * time.Minute, map[string]bool{"long": true, "short": false, "graphql": false}},
			{20 * time.Minute, map[string]bool{"long": false, "short": false, "graphql": false}},
		} {
			s.Clock.Add(step.after)
			for dialect, open := range step.open {
				_, err := d.Say(dialect, token, harness.ChangeEmailDoc, harness.InputOf("email", ada.Email))
				if fault.Is(err, fault.SudoRequired) == open || err != nil && open {
					t.Errorf("%v later, %s: %v", step.after, dialect, err)
				}
			}
		}
	})
}

// PW-15: what is cheap is checked before a hash is asked for, and who hangs up gives the place in the queue back.
func TestPW15_AbortedProofs(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.RealHashes)
		ada := s.Register(t, "ada@example.com")
		bob := s.Register(t, "bob@example.com")
		prove := func() (*harness.Answer, time.Duration) {
			began := time.Now()
			a := s.GraphQL(t, bob.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass))
			return a, time.Since(began)
		}
		var alone time.Duration // the time of a proof with nobody else in the queue
		for range 3 {
			_, took := prove()
			alone = max(alone, took)
		}
		bound := max(2*time.Second, 20*alone) // less than the hashes of all who hung up take
		var all sync.WaitGroup
		for n := range harness.Amount(100, 10_000) {
			all.Go(func() {
				document, variables := harness.LoginDoc,
					harness.InputOf("email", ada.Email, "password", harness.WrongPass)
				if n%2 == 0 {
					document, variables = harness.SudoDoc, harness.InputOf("password", harness.WrongPass)
				}
				body, _ := json.Marshal(map[string]any{"query": document, "variables": variables})
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+n%20)*time.Millisecond)
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/graphql", bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+ada.Access)
				if res, err := harness.Client.Do(r); err == nil {
					_ = res.Body.Close()
				}
			})
		}
		all.Wait()
		began := time.Now()
		for {
			a, _ := prove()
			if a.Code() == "" {
				break
			}
			if a.Status != http.StatusServiceUnavailable || time.Since(began) > bound {
				t.Fatalf("after %v: %d %s", time.Since(began), a.Status, a.Raw)
			}
		}
		if took := time.Since(began); took > bound {
			t.Errorf("the queue was empty after %v; a proof alone took %v", took, alone)
		}
	})
}

// LG-13: what asks for the password of who is signed in has one limit by address together. Who is not signed in uses
// none of it (LG-26).
func TestLG13_AccountLimit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		calls := []struct {
			document  string
			variables map[string]any
		}{
			{harness.SudoDoc, harness.InputOf("password", harness.GoodPass)},
			{harness.ChangePasswordDoc, harness.InputOf("newPassword", harness.GoodPass)},
			{harness.ChangeEmailDoc, harness.InputOf("email", "ada@example.com")},
			{harness.UpdateMeDoc, harness.InputOf("name", "x")},
		}
		ada := s.Register(t, "ada@example.com")
		for n := range 40 {
			call := calls[n%len(calls)]
			if a := s.GraphQL(t, "", call.document, call.variables); a.Code() != "UNAUTHENTICATED" {
				t.Fatalf("%d: %s", n, a.Raw)
			}
		}
		for n := range 60 {
			call := calls[n%len(calls)]
			a := s.GraphQL(t, ada.Access, call.document, call.variables)
			if a.Code() != "" || !strings.HasPrefix(a.Header.Get("RateLimit"),
				fmt.Sprintf(`"account";r=%d;`, 59-n)) {
				t.Fatalf("%d: %s %v", n, a.Raw, a.Header)
			}
		}
		for _, call := range calls {
			if a := s.GraphQL(t, ada.Access, call.document, call.variables); a.Status != http.StatusTooManyRequests ||
				a.Code() != "RATE_LIMITED" || a.Data != nil {
				t.Errorf("%d %s", a.Status, a.Raw)
			}
		}
		s.Register(t, "bob@example.com") // has a limit of its own
	})
}

// What the operations on the account cost: the session, the account with its failures, and the step itself; where the
// step looks at several rows it is a transaction that waits for its turn.
func TestStatements_Account(t *testing.T) {
	t.Parallel()
	s, dsn := harness.BudgetServer(t)
	for round := range 2 {
		ada := s.Register(t, fmt.Sprintf("ada%d@example.com", round))
		keyID, _ := s.NewKey(t, ada.Access, nil)
		for _, op := range []struct {
			name, document string
			variables      map[string]any
			want           int
		}{
			{"node", harness.NodeDoc, map[string]any{"id": ada.ID}, 1},
			{
				"nodes", harness.NodesDoc,
				map[string]any{"ids": []string{ada.ID, ada.Session, keyID, ada.Session, keyID}},
				3,
			},
			{"sudo", harness.SudoDoc, harness.InputOf("password", harness.GoodPass), 3},
			{"updateMe", harness.UpdateMeDoc, harness.InputOf("name", "Ada"), 5},
			{"changeEmail by the window", harness.ChangeEmailDoc, harness.InputOf("email", ada.Email), 5},
			// two more for the mail
			{
				"changePassword", harness.ChangePasswordDoc,
				harness.InputOf("newPassword", harness.GoodPass, "currentPassword", harness.GoodPass), 8,
			},
			{"updateApiKey", harness.UpdateKeyDoc, harness.InputOf("id", keyID, "name", "x"), 6},
			{"rotateApiKey", harness.RotateKeyDoc, harness.InputOf("id", keyID), 7},
			{"exportMyData", harness.ExportDoc, nil, 15},
			{"deleteAccount", harness.DeleteAccountDoc, nil, 5},
		} {
			var a *harness.Answer
			n, lines := harness.Statements(t, dsn, func() { a = s.GraphQL(t, ada.Access, op.document, op.variables) })
			if a.Code() != "" || round > 0 && n != op.want {
				t.Errorf("%s: %d statements, not %d: %s\n  %s", op.name, n, op.want, a.Raw, strings.Join(lines, "\n  "))
			}
		}
	}
}
