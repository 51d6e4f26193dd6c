package sessions

import (
	"fmt"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const renameDoc = `mutation { updateMe(input: {name: "Ada"}) { tokens { accessToken refreshToken } ` +
	`userErrors { code message field retryAfterSeconds } } }`

// SE-26: whoever lost the answer of a refresh gets the same successor after the grace too, for the life of an access
// token, as long as nothing that came with it was used.
func TestSE26_AnswerLost(t *testing.T) {
	t.Parallel()
	const us = time.Microsecond
	type world struct {
		s            *harness.Instance
		ada          harness.Account
		access, next string
	}
	used := func(pick func(w *world) string, document string) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			if a := w.s.GraphQL(t, pick(w), document, nil); a.Code() != "" || len(a.Errors) > 0 {
				t.Fatalf("use: %s", a.Raw)
			}
		}
	}
	refreshed := func(t *testing.T, w *world) { w.s.NextOf(t, w.next) }
	newest := func(w *world) string { return w.access }
	before := func(w *world) string { return w.ada.Access }
	rows := map[string]struct {
		setting string
		use     func(t *testing.T, w *world) // between the rotation and the retry
		after   time.Duration
		code    string
	}{
		"just past the grace":    {"", nil, 10*time.Second + us, ""},
		"a minute":               {"", nil, time.Minute, ""},
		"just before the end":    {"", nil, 10*time.Minute - us, ""},
		"at the end":             {"", nil, 10 * time.Minute, "TOKEN_REUSED"},
		"days":                   {"", nil, 72 * time.Hour, "TOKEN_REUSED"},
		"a short access token":   {"DRAGOMAN_ACCESS_TTL=2m", nil, 2*time.Minute - us, ""},
		"past a short one":       {"DRAGOMAN_ACCESS_TTL=2m", nil, 2 * time.Minute, "TOKEN_REUSED"},
		"no grace, no retry":     {"DRAGOMAN_REFRESH_GRACE=0s", nil, us, "TOKEN_REUSED"},
		"me":                     {"", used(newest, harness.MeDoc), time.Minute, "TOKEN_REUSED"},
		"asked what it is worth": {"", used(newest, harness.CurrentDoc), time.Minute, "TOKEN_REUSED"},
		"changed the account":    {"", used(newest, renameDoc), time.Minute, "TOKEN_REUSED"},
		"its own access token":   {"", used(before, harness.MeDoc), time.Minute, ""},
		"used in a dialect": {"", func(t *testing.T, w *world) {
			if r := w.s.REST(t, "GET "+harness.Generic+"/keys", "", harness.Bearer(w.access)...); r.Status != 200 {
				t.Fatalf("keys: %d %s", r.Status, r.Body)
			}
		}, time.Minute, "TOKEN_REUSED"},
		"its refresh token":       {"", refreshed, time.Minute, "TOKEN_REUSED"},
		"its refresh token, soon": {"", refreshed, 0, "TOKEN_REUSED"},
		"made anew and not used":  {"", used(before, renameDoc), time.Minute, ""},
		"made anew and used": {"", func(t *testing.T, w *world) {
			a := w.s.GraphQL(t, w.ada.Access, renameDoc, nil)
			again := a.Text("updateMe", "tokens", "accessToken")
			if again == "" || a.At("updateMe", "tokens", "refreshToken") != nil || !w.s.Is(t, again, w.ada) {
				t.Fatalf("updateMe: %s", a.Raw)
			}
		}, time.Minute, "TOKEN_REUSED"},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		conn := dbtest.Beside(t, dsn)
		for name, row := range rows {
			s := harness.Start(t, dsn, row.setting)
			w := &world{s: s, ada: s.Register(t, db.NewUserID().String()+"@example.com")}
			w.access, w.next = s.NextOf(t, w.ada.Refresh)
			if row.use != nil {
				row.use(t, w)
			}
			s.Clock.Add(row.after)
			a := s.Refresh(t, w.ada.Refresh)
			got := a.Text("refresh", "tokens", "refreshToken")
			if a.Code() != row.code || row.code == "" && got != w.next || row.code != "" && got != "" {
				t.Errorf("%s: %s, want %q", name, a.Raw, row.code)
				continue
			}
			events := fmt.Sprintf(`SELECT count(*) FROM audit_events WHERE request_id = '%s' AND action = `,
				a.Header.Get("X-Request-Id"))
			if row.code != "" {
				if code := s.Refresh(t, w.next).Code(); code != "INVALID_TOKEN" {
					t.Errorf("%s: the successor then: %q", name, code)
				}
				n := harness.MustCount(t, conn, events+`'session.refresh_failed' AND reason = 'token_reused'`)
				if n != 1 {
					t.Errorf("%s: %d events of the reuse", name, n)
				}
				continue
			}
			if n := harness.MustCount(t, conn, events+`'session.refreshed' AND reason = 'answer_lost' AND outcome = `+
				`'ok' AND user_id IS NOT NULL AND session_id IS NOT NULL`); n != 1 {
				t.Errorf("%s: %d events of the retry", name, n)
			}
			if !s.Is(t, a.Text("refresh", "tokens", "accessToken"), w.ada) || s.Refresh(t, w.next).Code() != "" {
				t.Errorf("%s: what the retry gave does not work", name)
			}
		}
	})
}

// SE-26: a retry serves those who ask at the same time, through every instance, whoever of them uses what it got first.
// It is counted once.
func TestSE26_RetriesAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 3)
		s := instances[0]
		ada := s.Register(t, "ada@example.com")
		_, next := s.NextOf(t, ada.Refresh)
		s.Clock.Add(time.Minute)
		answers := harness.Together(32, func(n int) (*harness.Answer, error) {
			i := instances[n%len(instances)]
			a, err := harness.Send(i.URL, "", harness.RefreshDoc, map[string]any{"token": ada.Refresh})
			if err == nil {
				_, err = harness.Send(i.URL, a.Text("refresh", "tokens", "accessToken"), harness.MeDoc, nil)
			}
			return a, err
		})
		for _, a := range answers {
			if a == nil || a.Text("refresh", "tokens", "refreshToken") != next {
				t.Fatalf("%+v", a)
			}
		}
		conn := dbtest.Beside(t, dsn)
		for reason, want := range map[string]int{"answer_lost": 1, "within_grace": 31} {
			if n := harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE action = 'session.refreshed' `+
				`AND reason = '`+reason+`'`); n != want {
				t.Errorf("%d events %s, want %d", n, reason, want)
			}
		}
		if a := s.Refresh(t, next); a.Code() != "" {
			t.Errorf("the successor then: %s", a.Raw)
		}
	})
}

// SE-26: the fourth retry ends the session, whichever instance is asked.
func TestSE26_TheFourthRetry(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 3)
		s := instances[0]
		ada := s.Register(t, "ada@example.com")
		_, next := s.NextOf(t, ada.Refresh)
		for round := range 4 {
			s.Clock.Add(time.Minute)
			a := instances[round%len(instances)].Refresh(t, ada.Refresh)
			got := a.Text("refresh", "tokens", "refreshToken")
			if round < 3 && got != next || round == 3 && a.Code() != "TOKEN_REUSED" {
				t.Errorf("round %d: %s", round, a.Raw)
			}
		}
		if code := s.Refresh(t, next).Code(); code != "INVALID_TOKEN" {
			t.Errorf("the successor then: %q", code)
		}
	})
}

// SE-26: how long a retry is possible is a matter of the dialect in which the token was rotated, so nobody gets more
// time at another door. A dialect with reuse: refuse gives nothing again, nor lets another one do so.
func TestSE26_Dialects(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		p := s.Speaks(t, map[string]*profile.Profile{
			"long": {Access: profile.Access{TTL: time.Hour, HS256: true}, Refresh: profile.Refresh{JWT: true}},
			"once": {Access: profile.Access{TTL: time.Hour}, Refresh: profile.Refresh{SingleUse: true}},
		})
		s.Register(t, "ada@example.com")
		for _, row := range []struct {
			rotated, asked string
			after          time.Duration
			code           string
		}{
			{"long", "long", 59 * time.Minute, ""},
			{"long", "graphql", 59 * time.Minute, ""},
			{"long", "long", time.Hour, "TOKEN_REUSED"},
			{"graphql", "long", 9 * time.Minute, ""},
			{"graphql", "long", 11 * time.Minute, "TOKEN_REUSED"},
			{"once", "once", time.Minute, "TOKEN_REUSED"},
			{"once", "graphql", time.Minute, "TOKEN_REUSED"},
			{"graphql", "once", time.Minute, "TOKEN_REUSED"},
		} {
			name := fmt.Sprintf("%s, then %s after %s", row.rotated, row.asked, row.after)
			who := p.Login(t, "graphql", "ada@example.com")
			next := p.Refresh(t, row.rotated, who.Refresh)
			s.Clock.Add(row.after)
			a := p.Refresh(t, row.asked, who.Refresh)
			if a.Code() != row.code || (refreshTokenOf(a) != "") != (row.code == "") {
				t.Errorf("%s: %s", name, a.Raw)
			}
			if row.rotated == row.asked && row.code == "" && refreshTokenOf(a) != refreshTokenOf(next) {
				t.Errorf("%s: another successor: %s, %s", name, a.Raw, next.Raw)
			}
		}
		// An HS256 token carries the generation as well.
		who := p.Login(t, "long", "ada@example.com")
		access := p.Refresh(t, "long", who.Refresh).Text("refresh", "tokens", "accessToken")
		if g := harness.ClaimsOf(t, access)["gen"]; g != 1.0 {
			t.Errorf("the generation of an HS256 token is %v", g)
		}
		if a, err := p.Say("long", access, harness.MeDoc, nil); err != nil || a.At("me") == nil {
			t.Fatalf("me: %+v %v", a, err)
		}
		s.Clock.Add(time.Minute)
		if code := p.Refresh(t, "long", who.Refresh).Code(); code != "TOKEN_REUSED" {
			t.Errorf("after a use in the dialect: %q", code)
		}
	})
}

// SE-26: a retry from another network than the rotation is told to the person; one from a neighbouring address, one
// within the grace and a reuse are not.
func TestSE26_Elsewhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		refresh := func(token, from string) *harness.Answer {
			t.Helper()
			return harness.Asked(t, s.URL, "", harness.RefreshDoc, map[string]any{"token": token},
				"X-Forwarded-For", from, "User-Agent", "Firefox/128.0")
		}
		for _, row := range []struct {
			rotated, retried string
			after            time.Duration
			mails            int
		}{
			{harness.Owner, harness.Owner, time.Minute, 0},
			{harness.Owner, "203.0.113.77", time.Minute, 0},
			{harness.Owner, harness.Attacker, 5 * time.Second, 0},
			{harness.Owner, harness.Attacker, time.Minute, 1},
			{harness.Owner, "2001:db8:1::1", time.Minute, 1},
			{"2001:db8:1:2::1", "2001:db8:1:ffff::9", time.Minute, 0},
			{"2001:db8:1:2::1", "2001:db8:2::1", time.Minute, 1},
			{harness.Owner, harness.Attacker, time.Hour, 0},
		} {
			name := fmt.Sprintf("%s, then %s after %s", row.rotated, row.retried, row.after)
			ada := s.Register(t, db.NewUserID().String()+"@example.com")
			refresh(ada.Refresh, row.rotated)
			s.Clock.Add(row.after)
			a := refresh(ada.Refresh, row.retried)
			if reused := row.after == time.Hour; (a.Code() == "TOKEN_REUSED") != reused {
				t.Errorf("%s: %s", name, a.Raw)
			}
			letters := s.Letters(t, ada.Email, db.MailSessionElsewhere)
			if len(letters) != row.mails {
				t.Errorf("%s: %d mails, want %d", name, len(letters), row.mails)
			}
			for _, l := range letters {
				if l.Mail.Data.IP != row.retried || l.Mail.Data.Device == "" || l.Token != "" {
					t.Errorf("%s: %+v", name, l.Mail)
				}
			}
		}
	})
}

// SE-26: whoever lost the answer of a refresh can sign out by the token that is left. This is a reuse when what came
// with the answer was used.
func TestSE26_Logout(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := dbtest.Beside(t, dsn)
		ada := s.Register(t, "ada@example.com")
		for _, everywhere := range []bool{false, true} {
			for use, want := range map[bool]string{false: "", true: "TOKEN_REUSED"} {
				who := s.LoginAs(t, ada, "BODY")
				access, _ := s.NextOf(t, who.Refresh)
				if use && !s.Is(t, access, ada) {
					t.Fatal("the new access token does not work")
				}
				s.Clock.Add(time.Minute)
				a := s.GraphQL(t, "", harness.LogoutDoc, map[string]any{"input": map[string]any{
					"refreshToken": who.Refresh, "everywhere": everywhere,
				}})
				if a.Code() != want || s.Is(t, access, ada) {
					t.Errorf("used %v, everywhere %v: %s", use, everywhere, a.Raw)
				}
			}
		}
		for query, want := range map[string]int{
			"action = 'session.ended' AND outcome = 'ok'":                     1,
			"action = 'session.all_ended' AND outcome = 'ok'":                 1,
			"action = 'session.refresh_failed' AND reason = 'token_reused'":   2,
			"action = 'session.refreshed' AND reason IN ('answer_lost', 'x')": 0,
		} {
			if n := harness.MustCount(t, conn, `SELECT count(*) FROM audit_events WHERE `+query); n != want {
				t.Errorf("%s: %d, want %d", query, n, want)
			}
		}
	})
}

// SE-27: a use is known at once in the instance that saw it, and in every one with the next flush.
func TestSE27_Instances(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	instances := harness.Cluster(t, dsn, 2)
	here, there := instances[0], instances[1]
	ada := here.Register(t, "ada@example.com")
	for name, row := range map[string]struct {
		at    *harness.Instance
		flush bool
		code  string
	}{
		"where it was used":        {here, false, "TOKEN_REUSED"},
		"elsewhere, not written":   {there, false, ""},
		"elsewhere, written":       {there, true, "TOKEN_REUSED"},
		"where it was, written":    {here, true, "TOKEN_REUSED"},
		"elsewhere, written again": {there, true, "TOKEN_REUSED"},
	} {
		who := here.LoginAs(t, ada, "BODY")
		access, _ := here.NextOf(t, who.Refresh)
		if !here.Is(t, access, ada) {
			t.Fatal("the new access token does not work")
		}
		if row.flush {
			if err := here.App.DB.FlushTouches(t.Context()); err != nil { // what housekeeping does every five seconds
				t.Fatal(err)
			}
		}
		here.Clock.Add(time.Minute)
		if a := row.at.Refresh(t, who.Refresh); a.Code() != row.code {
			t.Errorf("%s: %s", name, a.Raw)
		}
	}
}

// twoHolders is how two use the same session.
type twoHolders struct {
	first  func(round int) int // which of the two refreshes first; the other one asks behind it
	uses   [2]bool             // whether the holder uses its access token here after a refresh
	behind time.Duration       // how long after the first one the second one asks
	rounds int                 // in which they are found out, at the latest

	// onlyAccessTokens keeps the second one from asking until its access token of before has ended.
	onlyAccessTokens bool
}

// SE-28: two who hold one refresh token are found out, whoever refreshes first and whatever they use: at once where an
// access token is used here, and in the fourth generation where none ever is.
func TestSE28_TwoHolders(t *testing.T) {
	t.Parallel()
	owner, thief := func(int) int { return 0 }, func(int) int { return 1 }
	inTurn, thiefInTurn := func(n int) int { return n % 2 }, func(n int) int { return 1 - n%2 }
	both, none, silent := [2]bool{true, true}, [2]bool{}, [2]bool{true, false}
	rows := map[string]twoHolders{
		"the owner first, and uses it":    {owner, both, time.Minute, 1, false},
		"the thief first, and uses it":    {thief, both, time.Minute, 1, false},
		"just behind the grace":           {thief, both, 10*time.Second + time.Microsecond, 1, false},
		"in turn, both use it":            {inTurn, both, time.Minute, 1, false},
		"a silent thief, owner first":     {owner, silent, time.Minute, 1, false},
		"a silent thief, thief first":     {thief, silent, time.Minute, 4, false},
		"a silent thief, in turn":         {thiefInTurn, silent, time.Minute, 2, false},
		"nobody is seen, owner first":     {owner, none, time.Minute, 4, false},
		"nobody is seen, in turn":         {inTurn, none, time.Minute, 4, false},
		"only access tokens, owner first": {owner, both, 9 * time.Minute, 1, true},
		"only access tokens, thief first": {thief, both, 9 * time.Minute, 1, true},
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for name, row := range rows {
			if found := row.play(t, name, s); found != row.rounds {
				t.Errorf("%s: found out in round %d, want %d", name, found, row.rounds)
			}
		}
	})
}

// play gives the round in which the two are found out, 0 for never.
func (row twoHolders) play(t *testing.T, name string, s *harness.Instance) int {
	t.Helper()
	ada := s.Register(t, db.NewUserID().String()+"@example.com")
	type holder struct{ access, refresh string }
	holders := [2]holder{{ada.Access, ada.Refresh}, {ada.Access, ada.Refresh}}
	for round := range row.rounds + 1 {
		for n, who := range []int{row.first(round), 1 - row.first(round)} {
			if n == 1 {
				if row.onlyAccessTokens && !s.Is(t, holders[who].access, ada) {
					t.Fatalf("%s: the access token of before ended early", name)
				}
				s.Clock.Add(row.behind)
			}
			a := s.Refresh(t, holders[who].refresh)
			if a.Code() == "TOKEN_REUSED" {
				for _, h := range holders {
					if s.Is(t, h.access, ada) || s.Refresh(t, h.refresh).Code() != "INVALID_TOKEN" {
						t.Errorf("%s: what a holder has works still", name)
					}
				}
				return round + 1
			}
			holders[who] = holder{a.Text("refresh", "tokens", "accessToken"), refreshTokenOf(a)}
			if holders[who].refresh == "" {
				t.Fatalf("%s: round %d: %s", name, round, a.Raw)
			}
			if row.uses[who] && !s.Is(t, holders[who].access, ada) {
				t.Fatalf("%s: round %d: the access token does not work", name, round)
			}
		}
		s.Clock.Add(5 * time.Minute) // both refresh before an access token ends, and never within the grace
	}
	return 0
}
