package mail

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// settled waits until the worker has nothing to do: each mail was sent, dropped or held.
func settled(t testing.TB, s *harness.Side) {
	t.Helper()
	harness.Eventually(t, "all mails", func() bool {
		return s.Count(t, `SELECT count(*) FROM mails WHERE state = 'QUEUED' AND next_attempt_at IS NULL`) == 0
	})
}

// newPasswords changes the password of somebody, again and again.
func newPasswords(t testing.TB, i *harness.Instance, who harness.Account, times int) {
	t.Helper()
	for n := range times {
		harness.Fine(t, i.GraphQL(t, who.Access, harness.ChangePasswordDoc,
			harness.InputOf("newPassword", fmt.Sprint(harness.NewPass, n))))
	}
}

// confirmed makes an account whose address is confirmed.
func confirmed(t testing.TB, i *harness.Instance, email string) harness.Account {
	t.Helper()
	who := i.Register(t, email)
	l := i.Letter(t, email, db.MailVerifyEmail)
	harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)))
	return who
}

// OT-30: who registers with the address of somebody else, deletes the account and begins again sends them no more mails
// than the budget, on the worker's way to a mail server. OT-34: metrics and the audit log say so, once an hour for a
// mailbox, and without the address.
func TestOT30_RegisterAndDelete(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sink := harness.NewSink(t, nil)
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SMTP_URL="+sink.URL,
			"DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
		s := harness.OpenSide(t, dsn)
		for range 24 {
			who := i.Register(t, "victim@example.com")
			settled(t, s)
			harness.Fine(t, i.GraphQL(t, who.Access, harness.DeleteAccountDoc, nil))
			i.Clock.Add(time.Minute)
		}
		if n := len(sink.To("victim@example.com")); n != 12 {
			t.Errorf("%d mails", n)
		}
		events := slices.DeleteFunc(s.Audit(t), func(r harness.AuditRow) bool { return r.Action != "mail.limited" })
		if len(events) != 1 || events[0].Reason != "dropped verify-email" || events[0].Outcome != "ok" ||
			events[0].User == "" {
			t.Errorf("events: %+v", events)
		}
		if _, page := harness.Scrape(t, i.URL, harness.MetricsToken); !strings.Contains(page, `dragoman_mails_limited_total{outcome="dropped"} 12`) {
			t.Error(page)
		}
		if n := s.Count(t, `SELECT count(*) FROM mail_budgets WHERE CAST(mails AS text) LIKE '%victim%' `+
			`OR length(mailbox) <> 32`); n != 0 {
			t.Error("AU-02: a budget names an address")
		}
	})
}

// shown gives the local mailbox as JSON, with the words of the mails to an address.
func shown(t testing.TB, i *harness.Instance, to string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, i.URL+"/dev/mailbox?to="+to, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	res, err := harness.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// OT-30: an account on an address that nobody proved to own sends it no notices over the budget.
func TestOT30_StrangersNotices(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		who := i.Register(t, "victim@example.com")
		for n := range 15 {
			newPasswords(t, i, who, 2)
			a, err := harness.Send(i.URL, "", harness.LoginDoc,
				harness.InputOf("email", who.Email, "password", fmt.Sprint(harness.NewPass, 1)),
				"User-Agent", fmt.Sprintf("Reader%c/1", 'A'+n))
			if err != nil || a.Code() != "" {
				t.Fatal(a, err)
			}
			i.Deliver(t)
		}
		kinds := map[db.MailKind]int{}
		for _, l := range i.Letters(t, who.Email, "") {
			kinds[l.Mail.Kind]++
		}
		if len(kinds) != 3 || kinds[db.MailVerifyEmail] != 1 || kinds[db.MailPassword] != 1 ||
			kinds[db.MailNewSignIn] != 1 {
			t.Errorf("within a minute: %v", kinds)
		}
		for range 3 * 60 {
			i.Clock.Add(time.Minute)
			i.Deliver(t)
		}
		if n := len(i.Letters(t, who.Email, "")); n != 3 {
			t.Errorf("%d mails later", n)
		}
	})
}

// OT-17: addresses that lead to one mailbox have one budget, and stay different addresses.
func TestOT17_Mailbox(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		for address, mails := range map[string]int{
			"target+%d@example.com": 1, "tar.get+%d@gmail.com": 1, "t%d@example.com": 3, "t.%d@example.com": 3,
		} {
			got := 0
			for n := range 3 {
				email := fmt.Sprintf(address, n)
				i.Register(t, email)
				got += len(i.Letters(t, email, ""))
			}
			if got != mails {
				t.Errorf("%s: %d mails", address, got)
			}
		}
		for _, email := range []string{"t.a.r.g.e.t@googlemail.com", "target@gmail.com"} {
			i.Register(t, email)
			if n := len(i.Letters(t, email, "")); n != 0 {
				t.Errorf("%s: %d mails", email, n)
			}
		}
	})
}

// OT-31: a mail over the budget makes no token and leaves the link of before good. Nobody can tell it from one that is
// sent, nor from one to an address that is nobody's: neither by the answer nor by what the server does for it.
func TestOT31_OlderLinkStaysGood(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for document, kind := range askings() {
			i := harness.Start(t, dsn, harness.MailWaits, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SLOW_STATEMENT=1ns")
			s := harness.OpenSide(t, dsn)
			email := string(kind) + "@example.com"
			i.Register(t, email)
			i.Deliver(t)
			i.Clock.Add(time.Minute)
			harness.Fine(t, i.GraphQL(t, "", document, harness.InputOf("email", "warm@example.com")))
			first := harness.Fine(t, i.GraphQL(t, "", document, harness.InputOf("email", email)))
			l := i.Letter(t, email, kind)
			tokens := s.Count(t, `SELECT count(*) FROM one_time_tokens`)
			for _, to := range []string{email, "nobody@example.com", "nobody@example.com"} {
				a := harness.Fine(t, i.GraphQL(t, "", document, harness.InputOf("email", to)))
				if a.Raw != first.Raw || !slices.Equal(i.Told(a), i.Told(first)) {
					t.Errorf("%s to %s: %s %v\nnot %s %v", kind, to, a.Raw, i.Told(a), first.Raw, i.Told(first))
				}
				i.Deliver(t)
			}
			if got := i.Letter(t, email, kind); got.Mail.ID != l.Mail.ID || got.Token != l.Token {
				t.Errorf("%s: another mail was sent", kind)
			}
			if n := s.Count(t, `SELECT count(*) FROM one_time_tokens`); n != tokens {
				t.Errorf("%s: %d tokens, not %d", kind, n, tokens)
			}
			switch kind {
			case db.MailVerifyEmail:
				harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token)))
			case db.MailResetPassword:
				harness.Fine(t, i.GraphQL(t, "", harness.ResetDoc,
					harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
			default:
				harness.Fine(t, i.GraphQL(t, "", harness.MagicDoc, harness.InputOf("token", l.Code, "email", email)))
			}
		}
	})
}

// OT-31: who registers again with an address that waits is mailed nothing over the budget, and any link sent already
// serves.
func TestOT31_RegisteredAgain(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_REQUIRE_VERIFIED_EMAIL=on")
		answers, device := map[string]bool{}, ""
		for range 30 {
			a := i.Registers(t, "email", "ada@example.com", "password", harness.GoodPass)
			device = a.Text("register", "deviceToken")
			answers[strings.Replace(a.Raw, device, "", 1)] = true
			i.Deliver(t)
			i.Clock.Add(time.Minute)
		}
		if len(answers) != 1 {
			t.Errorf("%v", answers)
		}
		all := i.Letters(t, "ada@example.com", "")
		if len(all) != 12 {
			t.Errorf("%d mails", len(all))
		}
		l := i.Letter(t, "ada@example.com", db.MailVerifyEmail)
		harness.Fine(t, i.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", l.Token, "deviceToken", device)))
	})
}

// OT-32: each notice to a confirmed address is told of: over the budget in a digest, a minute later, and once an hour
// where the budget is used up.
func TestOT32_Digest(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		i := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		who := confirmed(t, i, "ada@example.com")
		told := func() (mails, changes int) {
			for _, l := range i.Letters(t, who.Email, "") {
				switch l.Mail.Kind {
				case db.MailPassword:
					mails, changes = mails+1, changes+1
				case db.MailDigest:
					mails++
					for _, r := range l.Mail.Data.Repeats {
						changes += r.Count
					}
				}
			}
			return mails, changes
		}
		began := i.Clock.Now()
		newPasswords(t, i, who, 20)
		if mails, changes := told(); mails != 1 || changes != 1 {
			t.Errorf("at once: %d mails of %d changes", mails, changes)
		}
		i.Clock.Add(time.Minute)
		mails, changes := told()
		if mails != 2 || changes != 20 {
			t.Errorf("a minute later: %d mails of %d changes", mails, changes)
		}
		if words := shown(t, i, who.Email); !strings.Contains(words, "Your password was changed: 19 times, since "+
			began.UTC().Format("2006-01-02 15:04")) {
			t.Error(words)
		}
		// A lone one is told of as itself, a minute later.
		i.Clock.Add(time.Minute)
		newPasswords(t, i, who, 2)
		i.Deliver(t)
		i.Clock.Add(time.Minute)
		if mails, changes := told(); mails != 4 || changes != 22 {
			t.Errorf("one of two: %d mails of %d changes", mails, changes)
		}
	})
}
