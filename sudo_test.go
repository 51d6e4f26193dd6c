package main

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
		{"changePassword", changePasswordDoc, func() map[string]any {
			return map[string]any{"newPassword": goodPass, "revokeOtherSessions": false}
		}},
		{"changeEmail", changeEmailDoc, always("email", "ada@example.com")},
		{"updateMe email", updateMeDoc, func() map[string]any { // the address in use would be no change
			email := []byte("ada@example.com")
			spelling++
			for bit := range 7 {
				email[4+bit] -= byte('a'-'A') * byte(spelling>>bit&1)
			}
			return map[string]any{"email": string(email)}
		}},
		{"updateMe password", updateMeDoc, always("password", goodPass)},
	}
}

// with gives the variables that prove it by this password, nil for none.
func (p proof) with(current any) map[string]any {
	input := p.input()
	input["currentPassword"] = current
	return map[string]any{"input": input}
}

// PW-09: a change of what one signs in with needs the password, or a proof of the last ten minutes; a wrong one is wrong
// also then.
func TestPW09_CurrentPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		conn := openSide(t, dsn)
		all := proofs()
		for _, window := range []string{"open", "closed"} {
			for _, p := range all {
				a := s.graphql(t, ada.Access, p.document, p.with(nil))
				want := map[string]string{"open": "", "closed": "SUDO_REQUIRED"}[window]
				if a.code() != want || want != "" && len(a.Errors) != 1 {
					t.Errorf("%s, window %s, no password: %s", p.name, window, a.Raw)
				}
				for _, wrong := range []string{wrongPass, "", strings.ToUpper(goodPass), goodPass + " "} {
					before := conn.count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'failed'`)
					a := s.graphql(t, ada.Access, p.document, p.with(wrong))
					if a.code() != "INVALID_CURRENT_PASSWORD" || !strings.Contains(a.Raw, `["input","currentPassword"]`) {
						t.Errorf("%s, window %s, %q: %s", p.name, window, wrong, a.Raw)
					}
					if n := conn.count(t, `SELECT count(*) FROM audit_events WHERE outcome = 'failed'`); n != before+1 {
						t.Errorf("%s: %d events of a failure", p.name, n-before)
					}
				}
				if a := s.graphql(t, ada.Access, p.document, p.with(goodPass)); a.code() != "" {
					t.Errorf("%s, window %s, right: %s", p.name, window, a.Raw)
				}
			}
			s.clock.add(10 * time.Minute)
			next := s.refresh(t, ada.Refresh)
			ada.Access, ada.Refresh = next.text("refresh", "tokens", "accessToken"), next.text("refresh", "tokens", "refreshToken")
		}
		// What is no secret needs none.
		ada.Access = s.refresh(t, ada.Refresh).text("refresh", "tokens", "accessToken")
		if a := s.graphql(t, ada.Access, updateMeDoc, inputOf("name", "Ada", "metadata", map[string]any{}, "username", "ada")); a.code() != "" {
			t.Errorf("%s", a.Raw)
		}
	})
}

// PW-09, LG-06, LG-11: failures count for the account, wherever the password is asked for, and the lock arms itself again.
func TestPW09_LG11_WrongPasswordsLock(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		ada := s.register(t, "ada@example.com")
		ways := proofs()
		wrong := func() []*answer {
			all := []*answer{
				s.graphql(t, ada.Access, sudoDoc, inputOf("password", wrongPass)),
				s.login(t, ada.Email, wrongPass),
			}
			for _, p := range ways[:3] {
				all = append(all, s.graphql(t, ada.Access, p.document, p.with(wrongPass)))
			}
			return all
		}
		everywhere := func(code string) {
			t.Helper()
			all := []*answer{s.graphql(t, ada.Access, sudoDoc, inputOf("password", goodPass)), s.login(t, ada.Email, goodPass)}
			for _, p := range ways {
				all = append(all, s.graphql(t, ada.Access, p.document, p.with(goodPass)))
			}
			for n, a := range all {
				if a.code() != code || code != "" && !strings.Contains(a.Raw, `"retryAfterSeconds":2`) {
					t.Errorf("%d: %s, want %q", n, a.Raw, code)
				}
			}
		}
		for range 2 {
			for n, a := range wrong() {
				if code := a.code(); code != "INVALID_CURRENT_PASSWORD" && code != "INVALID_CREDENTIALS" {
					t.Errorf("%d: %s", n, a.Raw)
				}
			}
			everywhere("ACCOUNT_LOCKED")
			// Without the password the window is what counts, and it is open.
			if a := s.graphql(t, ada.Access, changeEmailDoc, inputOf("email", ada.Email)); a.code() != "" {
				t.Errorf("by the window: %s", a.Raw)
			}
			s.clock.add(2 * time.Second)
			everywhere("")
		}
		if n := openSide(t, dsn).count(t, `SELECT count(*) FROM audit_events WHERE reason = 'throttled'`); n != 2 {
			t.Errorf("%d events of locks", n)
		}
	})
}

// LG-10: a volley of guesses at the password of a session meets the delay that its first ones earned.
func TestLG10_SudoVolley(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		ada := s.register(t, "ada@example.com")
		for _, a := range together(amount(40, 55), func(n int) (*answer, error) {
			return send(s.URL, ada.Access, sudoDoc, inputOf("password", fmt.Sprint(wrongPass, n)))
		}) {
			if a == nil || a.code() == "" {
				t.Errorf("%+v", a)
			}
		}
		if n := openSide(t, dsn).count(t, `SELECT count(*) FROM audit_events WHERE action = 'sudo' AND reason = 'wrong_password'`); n != 5 {
			t.Errorf("%d passwords were checked", n)
		}
	})
}

// LG-19: who shows the password clears the failures of their own bucket, and of no other; what needs no password clears none.
func TestLG19_SuccessClearsItsOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		ada := s.register(t, "ada@example.com")
		conn := openSide(t, dsn)
		failures := func() string {
			return strings.Join(conn.texts(t, `SELECT CASE address WHEN '' THEN 'strangers' ELSE 'own' END || failures FROM throttles WHERE address <> '*' ORDER BY 1`), " ")
		}
		for range 3 {
			s.loginFrom(t, attacker, "email", ada.Email, wrongPass)
		}
		for _, success := range []struct {
			name, credential, document string
			variables                  map[string]any
			clears                     bool
		}{
			{"me", ada.Access, meDoc, nil, false},
			{"a change by the window", ada.Access, changeEmailDoc, inputOf("email", ada.Email), false},
			{"a change of the password by the window", ada.Access, changePasswordDoc, inputOf("newPassword", goodPass), false},
			{"a name", ada.Access, updateMeDoc, inputOf("name", "Ada", "currentPassword", goodPass), false},
			{"sudo", ada.Access, sudoDoc, inputOf("password", goodPass), true},
			{"a change by the password", ada.Access, changeEmailDoc, inputOf("email", ada.Email, "currentPassword", goodPass), true},
			{"a change of the password", ada.Access, changePasswordDoc, inputOf("newPassword", goodPass, "currentPassword", goodPass), true},
			{"login", "", loginDoc, inputOf("email", ada.Email, "password", goodPass), true},
		} {
			conn.exec(t, `DELETE FROM throttles WHERE address <> ''`)
			s.graphql(t, ada.Access, sudoDoc, inputOf("password", wrongPass))
			s.graphql(t, ada.Access, changeEmailDoc, inputOf("email", ada.Email, "currentPassword", wrongPass))
			if got := failures(); got != "own2 strangers3" {
				t.Fatalf("failures %s", got)
			}
			if a := s.graphql(t, success.credential, success.document, success.variables); a.code() != "" {
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
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		_, key := s.newKey(t, ada.Access, nil)
		other := s.loginAs(t, ada, "BODY")
		const ends = `{ sessions { id sudoExpiresAt } currentCredential { session { sudoExpiresAt } } }`
		open := func(who *account) bool {
			t.Helper()
			who.Access = s.refresh(t, who.Refresh).text("refresh", "tokens", "accessToken") // a refresh is no proof
			a := s.graphql(t, who.Access, changeEmailDoc, inputOf("email", ada.Email))
			if code := a.code(); code != "" && code != "SUDO_REQUIRED" {
				t.Fatalf("%s", a.Raw)
			}
			shown := s.graphql(t, who.Access, ends, nil).at("currentCredential", "session", "sudoExpiresAt") != nil
			if shown != (a.code() == "") {
				t.Errorf("sudoExpiresAt is shown: %v, and the answer is %s", shown, a.Raw)
			}
			next := s.refresh(t, who.Refresh)
			who.Refresh = next.text("refresh", "tokens", "refreshToken")
			return shown
		}
		s.clock.add(10*time.Minute - time.Microsecond)
		if !open(&ada) {
			t.Error("closed before its time")
		}
		s.clock.add(time.Microsecond)
		if open(&ada) || open(&other) {
			t.Error("open for longer than ten minutes")
		}
		if a := s.graphql(t, ada.Access, deleteAccountDoc, nil); a.code() != "SUDO_REQUIRED" || len(a.Errors) != 1 || a.at("deleteAccount") != nil {
			t.Errorf("delete: %s", a.Raw)
		}
		for _, document := range []string{deleteAccountDoc, sudoDoc, changeEmailDoc, changePasswordDoc, updateMeDoc, rotateKeyDoc, updateKeyDoc} {
			input := map[string]any{
				sudoDoc: inputOf("password", goodPass), changeEmailDoc: inputOf("email", ada.Email, "currentPassword", goodPass),
				changePasswordDoc: inputOf("newPassword", newPass, "currentPassword", goodPass), updateMeDoc: inputOf("name", "x"),
				rotateKeyDoc: inputOf("id", "key_x"), updateKeyDoc: inputOf("id", "key_x"),
			}[document]
			variables, _ := input.(map[string]any)
			if a := s.graphql(t, key, document, variables); a.code() != "FORBIDDEN" { // AK-05
				t.Errorf("by a key: %s", a.Raw)
			}
			if a := s.graphql(t, ada.Refresh, document, variables); a.code() != "UNAUTHENTICATED" { // SE-14
				t.Errorf("by a refresh token: %s", a.Raw)
			}
		}
		if a := s.graphql(t, ada.Access, sudoDoc, inputOf("password", wrongPass)); a.code() != "INVALID_CURRENT_PASSWORD" || open(&ada) {
			t.Errorf("sudo by a wrong password: %s", a.Raw)
		}
		a := s.graphql(t, ada.Access, sudoDoc, inputOf("password", goodPass))
		if end := instant(t, a.text("sudo", "sudoExpiresAt")); end.Sub(s.clock.now().Add(10*time.Minute)).Abs() > time.Millisecond {
			t.Errorf("sudo: %s", a.Raw)
		}
		if !open(&ada) || open(&other) {
			t.Error("sudo opens its own session, and no other")
		}
		s.clock.add(10 * time.Minute)
		if open(&ada) {
			t.Error("open for longer than ten minutes after sudo")
		}
		s.graphql(t, ada.Access, sudoDoc, inputOf("password", goodPass))
		if a := s.graphql(t, ada.Access, deleteAccountDoc, nil); a.code() != "" {
			t.Errorf("delete after sudo: %s", a.Raw)
		}
	})
}

// SE-23 in a dialect: its profile has a window of its own, over the same session.
func TestSE23_WindowOfAProfile(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		d := s.speaks(t, map[string]*profile.Profile{"long": {Sudo: 30 * time.Minute}, "short": {Sudo: time.Minute}})
		ada := s.register(t, "ada@example.com")
		token := s.loginAs(t, ada, "SESSION_TOKEN").Refresh
		for _, step := range []struct {
			after time.Duration
			open  map[string]bool
		}{
			{0, map[string]bool{"long": true, "short": true, "graphql": true}},
			{time.Minute, map[string]bool{"long": true, "short": false, "graphql": true}},
			{9 * time.Minute, map[string]bool{"long": true, "short": false, "graphql": false}},
			{20 * time.Minute, map[string]bool{"long": false, "short": false, "graphql": false}},
		} {
			s.clock.add(step.after)
			for dialect, open := range step.open {
				_, err := d.say(dialect, token, changeEmailDoc, inputOf("email", ada.Email))
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
		s := start(t, dsn, realHashes)
		ada := s.register(t, "ada@example.com")
		bob := s.register(t, "bob@example.com")
		var all sync.WaitGroup
		for n := range amount(100, 10_000) {
			all.Go(func() {
				document, variables := loginDoc, inputOf("email", ada.Email, "password", wrongPass)
				if n%2 == 0 {
					document, variables = sudoDoc, inputOf("password", wrongPass)
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
				if res, err := client.Do(r); err == nil {
					_ = res.Body.Close()
				}
			})
		}
		all.Wait()
		began := time.Now()
		for {
			a := s.graphql(t, bob.Access, sudoDoc, inputOf("password", goodPass))
			if a.code() == "" {
				break
			}
			if a.Status != http.StatusServiceUnavailable || time.Since(began) > 2*time.Second {
				t.Fatalf("after %v: %d %s", time.Since(began), a.Status, a.Raw)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the queue was empty after %v", took)
		}
	})
}

// LG-13: what asks for the password of who is signed in has one limit by address together, before anything runs.
func TestLG13_AccountLimit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := limited(t, newClock(), dsn)
		calls := []struct {
			document  string
			variables map[string]any
		}{
			{sudoDoc, inputOf("password", "x")},
			{changePasswordDoc, inputOf("newPassword", "x")},
			{changeEmailDoc, inputOf("email", "x")},
			{updateMeDoc, inputOf("name", "x")},
		}
		for n := range 60 {
			call := calls[n%len(calls)]
			a := s.graphql(t, "", call.document, call.variables) // nobody costs no hash, and is counted all the same
			if a.code() != "UNAUTHENTICATED" || !strings.HasPrefix(a.Header.Get("RateLimit"), fmt.Sprintf(`"account";r=%d;`, 59-n)) {
				t.Fatalf("%d: %s %v", n, a.Raw, a.Header)
			}
		}
		for _, call := range calls {
			if a := s.graphql(t, "", call.document, call.variables); a.Status != http.StatusTooManyRequests || a.code() != "RATE_LIMITED" || a.Data != nil {
				t.Errorf("%d %s", a.Status, a.Raw)
			}
		}
		s.register(t, "ada@example.com") // has a limit of its own
	})
}

// What the operations on the account cost: the session, the account with its failures, and the step itself; where the step
// looks at several rows it is a transaction that waits for its turn.
func TestStatements_Account(t *testing.T) {
	t.Parallel()
	s, dsn := budgetServer(t)
	for round := range 2 {
		ada := s.register(t, fmt.Sprintf("ada%d@example.com", round))
		keyID, _ := s.newKey(t, ada.Access, nil)
		for _, op := range []struct {
			name, document string
			variables      map[string]any
			want           int
		}{
			{"node", nodeDoc, map[string]any{"id": ada.ID}, 1},
			{"nodes", nodesDoc, map[string]any{"ids": []string{ada.ID, ada.Session, keyID, ada.Session, keyID}}, 3},
			{"sudo", sudoDoc, inputOf("password", goodPass), 3},
			{"updateMe", updateMeDoc, inputOf("name", "Ada"), 5},
			{"changeEmail by the window", changeEmailDoc, inputOf("email", ada.Email), 5},
			{"changePassword", changePasswordDoc, inputOf("newPassword", goodPass, "currentPassword", goodPass), 8}, // two more for the mail
			{"updateApiKey", updateKeyDoc, inputOf("id", keyID, "name", "x"), 2},
			{"rotateApiKey", rotateKeyDoc, inputOf("id", keyID), 2},
			{"deleteAccount", deleteAccountDoc, nil, 5},
		} {
			var a *answer
			n, lines := statements(t, dsn, func() { a = s.graphql(t, ada.Access, op.document, op.variables) })
			if a.code() != "" || round > 0 && n != op.want {
				t.Errorf("%s: %d statements, not %d: %s\n  %s", op.name, n, op.want, a.Raw, strings.Join(lines, "\n  "))
			}
		}
	}
}
