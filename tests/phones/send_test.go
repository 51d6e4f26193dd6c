package phones

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// A message goes to the service of the operator, signed, and is tried again under the same id until it is taken, or
// refused for good. No redirect is followed. The mailbox has none of them.
func TestSMS_SignedProvider(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		p := newProvider(t, 302, 503, 401, 204, 422)
		s, side := harness.Start(t, dsn, p.env()...), harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		harness.Fine(t, s.GraphQL(t, ada.Access, sendCodeDoc, harness.InputOf("phone", number)))
		for end := time.Now().Add(60 * time.Second); len(p.sent()) == 0 && time.Now().Before(end); {
			time.Sleep(50 * time.Millisecond)
			s.Clock.Add(0)
			side.MustExec(t, due(side))
		}
		sent, tried := p.sent(), p.tried()
		if len(sent) != 1 || sent[0].To != number || sent[0].Kind != "verify-phone" || len(tried) != 4 ||
			len(slices.Compact(tried)) != 1 || !strings.HasPrefix(tried[0], "sms_") {
			t.Fatalf("sent %v, tried %v", sent, tried)
		}
		harness.Fine(t, s.GraphQL(t, ada.Access, verifyDoc,
			harness.InputOf("phone", number, "code", sixDigits.FindString(sent[0].Text))))
		harness.Fine(t, s.GraphQL(t, ada.Access, sendCodeDoc, harness.InputOf("phone", other)))
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end) &&
			side.Count(t, `SELECT count(*) FROM sms WHERE state = 'FAILED'`) == 0; time.Sleep(20 * time.Millisecond) {
		}
		if n := side.Count(t,
			`SELECT count(*) FROM audit_events WHERE action = 'sms.failed' AND reason = 'given_up'`); n != 1 {
			t.Errorf("%d events of a message that was given up", n)
		}
		if len(p.sent()) != 1 || len(p.tried()) != 5 {
			t.Errorf("sent %v, tried %v", p.sent(), p.tried())
		}
		for _, secret := range []string{number, other, sixDigits.FindString(sent[0].Text)} {
			if strings.Contains(s.Logged.String(), secret) {
				t.Errorf("the log has %s", secret)
			}
			if side.Count(t, `SELECT count(*) FROM sms WHERE last_error LIKE '%`+secret+`%'`) > 0 {
				t.Errorf("an error has %s", secret)
			}
		}
	})
}

// due makes the jobs that wait for another attempt due.
func due(side *harness.Side) string {
	now := `datetime('now', 'subsec')`
	if side.Postgres {
		now = `now()`
	}
	return `UPDATE river_job SET state = 'available', scheduled_at = ` + now +
		` WHERE state IN ('retryable', 'scheduled') ` +
		`AND queue = 'sms'`
}

// Messages go by Twilio where it is set.
func TestSMS_Twilio(t *testing.T) {
	t.Parallel()
	const account = "AC0123456789abcdef0123456789abcdef"
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		got <- r.PostForm.Get("To") + " " + r.PostForm.Get("From") + " " + sixDigits.FindString(r.PostForm.Get("Body"))
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(server.Close)
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_TWILIO_ACCOUNT_SID="+account,
		"DRAGOMAN_TWILIO_AUTH_TOKEN=a-token",
		"DRAGOMAN_TWILIO_FROM=+15005550006", "DRAGOMAN_TWILIO_URL="+server.URL, "DRAGOMAN_SMS_COUNTRIES=DE")
	ada := s.Register(t, "ada@example.com")
	harness.Fine(t, s.GraphQL(t, ada.Access, sendCodeDoc, harness.InputOf("phone", number)))
	to, code, _ := strings.Cut(<-got, " +15005550006 ")
	if to != number {
		t.Fatalf("to %q", to)
	}
	harness.Fine(t, s.GraphQL(t, ada.Access, verifyDoc, harness.InputOf("phone", number, "code", code)))
}

// MF-16: who pumps messages gets one a minute, five an hour and ten a day to a number, ten an hour from a network, as
// many as the settings say to a country and in all, and none elsewhere. Instances count together. Deleting the account
// refills nothing.
func TestMF16_Pumping(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		p := newProvider(t)
		c := harness.NewClock()
		env := p.env("DRAGOMAN_SMS_HOURLY=12", "DRAGOMAN_SMS_DAILY=20", "DRAGOMAN_SMS_LOGIN=on", "DRAGOMAN_ISSUER=us",
			"DRAGOMAN_AUDIENCE=us")
		one := harness.Limited(t, c, dsn, env...)
		all := []*harness.Instance{one, one}
		side := harness.OpenSide(t, dsn)
		if side.Postgres {
			all[1] = harness.Limited(t, c, dsn, env...)
		}
		who := harness.Account{}
		ask := func(n int, from, phone string) string {
			a := harness.Asked(t, all[n%2].URL, who.Access, sendCodeDoc, harness.InputOf("phone", phone),
				"X-Forwarded-For", from)
			settle(t, side)
			return a.Code()
		}
		start := func(email string) {
			who = one.Register(t, email)
		}
		start("ada@example.com")
		for phone, want := range map[string]string{
			"+33612345678": "INVALID_INPUT", "+18765550100": "INVALID_INPUT", "+881612345678": "INVALID_INPUT",
			"015550100101": "INVALID_INPUT",
		} {
			if code := ask(0, "203.0.113.1", phone); code != want {
				t.Errorf("%s: %s", phone, code)
			}
		}
		if a, b := ask(0, "203.0.113.1", number), ask(1, "198.51.100.1", number); a != "" || b != "RATE_LIMITED" {
			t.Errorf("two within a minute: %q, %q", a, b)
		}
		for n := range 5 { // with the first, five go out
			c.Add(61 * time.Second)
			want := ""
			if n == 4 {
				want = "RATE_LIMITED"
			}
			if code := ask(n, "203.0.113.1", number); code != want {
				t.Errorf("message %d to a number within an hour: %q", n+2, code)
			}
		}
		harness.Fine(t, one.GraphQL(t, who.Access, harness.DeleteAccountDoc, nil))
		start("eve@example.com")
		c.Add(61 * time.Second)
		if code := ask(0, "198.51.100.1", number); code != "RATE_LIMITED" {
			t.Errorf("from another account: %q", code)
		}
		network := 0
		for n := range 10 {
			if ask(n, "203.0.113."+string(rune('2'+n%8)), "+49155501002"+string(rune('0'+n))+"0") == "" {
				network++
			}
		}
		if network != 5 {
			t.Errorf("a network got %d more within an hour, not 5", network)
		}
		country := 0
		for n := range 5 {
			if ask(n, "198.51.100."+string(rune('1'+n)), "+49155501003"+string(rune('0'+n))+"0") == "" {
				country++
			}
		}
		if country != 2 {
			t.Errorf("a country got %d more within an hour, not 2", country)
		}
		if code := ask(0, "192.0.2.1", "+12125550100"); code != "" {
			t.Errorf("another country: %q", code)
		}
		c.Add(2 * time.Hour)
		who.Access = one.Fresh(t, who)
		daily := 0
		for n := range 10 {
			if ask(n, "2001:db8:"+string(rune('1'+n%8))+"::1", "+12125550"+string(rune('2'+n%8))+string(rune('0'+n))+
				"0") == "" {
				daily++
			}
		}
		if daily != 7 || len(p.sent()) != 20 {
			t.Errorf("the day had %d more, %d in all, not 7 and 20", daily, len(p.sent()))
		}
		// A request that is answered like any other is dropped, and says so once.
		for range 3 {
			harness.Fine(t, harness.Asked(t, one.URL, "", askDoc, harness.InputOf("phone", number), "X-Forwarded-For",
				"192.0.2.9"))
		}
		side.MustExec(t, `UPDATE users SET phone = '`+number+`', phone_verified_at = created_at`)
		for range 3 {
			harness.Fine(t, harness.Asked(t, one.URL, "", askDoc, harness.InputOf("phone", number), "X-Forwarded-For",
				"192.0.2.9"))
		}
		settle(t, side)
		if n := side.Count(t,
			`SELECT count(*) FROM audit_events WHERE action = 'sms.limited' AND reason = 'daily'`); n != 1 {
			t.Errorf("%d events of a day that is used up", n)
		}
		if len(p.sent()) != 20 {
			t.Errorf("%d messages", len(p.sent()))
		}
	})
}

// MF-16: sixty-four requests for one number at once send one message.
func TestMF16_AtOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		p := newProvider(t)
		s := harness.Limited(t, harness.NewClock(), dsn, p.env()...)
		side := harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		harness.Together(32, func(n int) (*harness.Answer, error) {
			return harness.Send(s.URL, ada.Access, sendCodeDoc, harness.InputOf("phone", number))
		})
		settle(t, side)
		if n := len(p.sent()); n != 1 {
			t.Errorf("%d messages", n)
		}
		if n := side.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'phone.code_requested'`); n < 1 {
			t.Error("no request has an event")
		}
	})
}
