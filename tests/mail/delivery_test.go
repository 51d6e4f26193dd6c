package mail

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	deliveriesDoc = `query Deliveries($first: Int! = 50, $after: String, $state: MailState) {
  mailDeliveries(first: $first, after: $after, state: $state) {
    edges { cursor node { id } } nodes { id kind address user { id email } state attempts lastError createdAt sentAt ` +
		`nextAttemptAt }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`
	retryMailDoc = `mutation Retry($input: RetryMailDeliveryInput!) { retryMailDelivery(input: $input) {
  delivery { id state attempts lastError nextAttemptAt } userErrors { code message field } } }`
)

// deliveries lists mails as an administrator sees them.
func deliveries(t testing.TB, i *harness.Instance, admin harness.Account,
	variables map[string]any,
) (all []map[string]any) {
	t.Helper()
	a := i.GraphQL(t, admin.Access, deliveriesDoc, variables)
	nodes, ok := a.At("mailDeliveries", "nodes").([]any)
	if !ok {
		t.Fatal(a.Raw)
	}
	for _, n := range nodes {
		all = append(all, n.(map[string]any))
	}
	return all
}

// queued makes a mail to an account that is queued in the transaction of its own.
func queued(t testing.TB, i *harness.Instance, who harness.Account, kind db.MailKind) *db.Mail {
	t.Helper()
	id, err := token.ParseID("user", who.ID)
	if err != nil {
		t.Fatal(err)
	}
	var user db.UserID
	user.UUID = id
	m := &db.Mail{
		ID: db.NewMailID(), Kind: kind, UserID: user, Address: who.Email, AddressCanonical: who.Email, TTLSeconds: 900,
		State: db.MailQueued, CreatedAt: db.Clock(i.Clock.Now()),
	}
	if err := i.App.DB.QueueMails(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMail_BySMTP is a mail as a mail server gets it.
func TestMail_BySMTP(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sink := harness.NewSink(t, nil)
		s := harness.Start(t, dsn, "DRAGOMAN_SMTP_URL="+sink.URL, "DRAGOMAN_MAIL_FROM=Zoë & Co <Auth@Bücher.example>")
		ada := s.Register(t, "ada@example.com")
		if a := s.GraphQL(t, "", harness.AskResetDoc, harness.InputOf("email", ada.Email)); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		var got harness.Received
		harness.Eventually(t, "the mail", func() bool {
			for _, m := range sink.To(ada.Email) {
				if strings.Contains(m.Text, "/account/reset-password#token=ot1.") {
					got = m
					return true
				}
			}
			return false
		})
		l := s.Letter(t, ada.Email, db.MailResetPassword)
		from, err := got.Header.AddressList("From")
		if err != nil || from[0].Name != "Zoë & Co" || from[0].Address != "Auth@xn--bcher-kva.example" ||
			got.From != from[0].Address {
			t.Errorf("from %v, %s, %v", from, got.From, err)
		}
		if want := "<" + l.Mail.ID.String() + "@xn--bcher-kva.example>"; got.ID() != want {
			t.Errorf("%s, want %s", got.ID(), want)
		}
		date, err := got.Header.Date()
		if err != nil || date.Unix() != l.Mail.CreatedAt.Unix() {
			t.Errorf("%v %v", date, err)
		}
		for name, want := range map[string]string{
			"Auto-Submitted": "auto-generated", "To": "<" + ada.Email + ">",
			"Mime-Version": "1.0", "User-Agent": "", "X-Mailer": "",
		} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("%s: %q", name, v)
			}
		}
		if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
			t.Error(kind)
		}
		if !strings.Contains(got.Text, s.URL+"/account/reset-password#token="+l.Token) ||
			!strings.Contains(got.Text, l.Code) || !strings.Contains(got.HTML, l.Token) {
			t.Errorf("text %s, html %s", got.Text, got.HTML)
		}
		harness.Eventually(t, "it is marked",
			func() bool { return s.Letter(t, ada.Email, db.MailResetPassword).Mail.State == db.MailSent })
		for _, secret := range []string{l.Token, l.Code} { // AU-02
			if strings.Contains(s.Logged.String(), secret) {
				t.Error("the log holds what the mail says")
			}
		}
		res, _ := harness.Fetched(t, "GET", s.URL+"/dev/mailbox", "", "")
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("there is a local mailbox beside a mail server: %d", res.StatusCode)
		}
	})
}

// TestMail_RolledBack: what was not committed is not mailed.
func TestMail_RolledBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.MailWaits)
		sideways := harness.OpenSide(t, dsn)
		ada := s.Register(t, "ada@example.com")
		before := sideways.Count(t, "SELECT count(*) FROM mails")
		m := queued(t, s, ada, db.MailPassword)
		if err := s.App.DB.QueueMails(t.Context(), &db.Mail{
			ID: db.NewMailID(), Kind: db.MailPassword,
			State: db.MailQueued,
		}, m); err == nil {
			t.Fatal("a mail was queued twice")
		}
		if mails, jobs := sideways.Count(t, "SELECT count(*) FROM mails"),
			sideways.Count(t, "SELECT count(*) FROM river_job"); mails != before+1 || jobs != mails {
			t.Errorf("%d mails, %d jobs", mails, jobs)
		}
	})
}

// TestMail_ServerIsDown: nobody waits for a mail server, and mails leave when it is back.
func TestMail_ServerIsDown(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sink := harness.NewSink(t, nil)
		sink.Stop()
		s := harness.Start(t, dsn, "DRAGOMAN_SMTP_URL="+
			strings.Replace(sink.URL, "smtp://", "smtp://canary-user:"+harness.CanarySecret+"@", 1))
		ada := s.Register(t, "ada@example.com")
		admin := s.Admin(t, dsn, "root@example.com")
		var mails []*db.Mail
		for range 20 {
			mails = append(mails, queued(t, s, ada, db.MailPassword))
		}
		harness.Eventually(t, "an attempt",
			func() bool { return strings.Contains(s.Logged.String(), "a mail was not sent") })
		began := time.Now()
		for range 10 {
			if a := s.Login(t, ada.Email, harness.GoodPass); a.Code() != "" {
				t.Fatal(a.Raw)
			}
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("ten sign-ins take %v", took)
		}
		delivery := func() map[string]any {
			for _, d := range deliveries(t, s, admin, map[string]any{"first": 40}) {
				if d["id"] == mails[0].ID.String() {
					return d
				}
			}
			return nil
		}
		harness.Eventually(t, "the first one was tried",
			func() bool { d := delivery(); return d != nil && d["attempts"] != 0.0 })
		if d := delivery(); d["state"] != "QUEUED" || d["nextAttemptAt"] == nil ||
			!strings.Contains(fmt.Sprint(d["lastError"]), "connection refused") {
			t.Errorf("%v", d)
		}
		sink.Start()
		for _, m := range mails {
			sink.Await(t, m.ID)
		}
		if log := s.Logged.String(); strings.Contains(log, harness.CanarySecret) ||
			strings.Contains(log, "canary-user") || strings.Contains(log, ada.Email) {
			t.Error("the log holds a password or an address")
		}
	})
}

// TestMail_DeadLetter: a mail that its recipient's server does not want is given up; an administrator sees it and tries
// again.
func TestMail_DeadLetter(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sink := harness.NewSink(t, nil)
		sink.Refuse = func(string) error {
			return &smtp.SMTPError{
				Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1},
				Message: "no ada@example.com here, " + harness.CanarySecret,
			}
		}
		s := harness.Start(t, dsn, "DRAGOMAN_SMTP_URL="+sink.URL)
		ada, admin := s.Register(t, "ada@example.com"), s.Admin(t, dsn, "root@example.com")
		m := queued(t, s, ada, db.MailPassword)
		var dead map[string]any
		harness.Eventually(t, "it is given up", func() bool {
			for _, d := range deliveries(t, s, admin, map[string]any{"state": "FAILED"}) {
				if d["id"] == m.ID.String() {
					dead = d
				}
			}
			return dead != nil
		})
		if dead["lastError"] != "the mail can not be delivered: the mail server refused the recipient: 550 5.1.1" ||
			dead["kind"] != "password-changed" ||
			dead["address"] != ada.Email || dead["nextAttemptAt"] != nil ||
			dead["user"].(map[string]any)["id"] != ada.ID {
			t.Errorf("%v", dead)
		}
		if strings.Contains(s.Logged.String(), harness.CanarySecret) {
			t.Error("the log holds what the mail server said")
		}
		sink.Mu.Lock()
		sink.Refuse = nil
		sink.Mu.Unlock()
		if a := s.GraphQL(t, admin.Access, retryMailDoc, harness.InputOf("id", m.ID.String())); a.Code() != "" ||
			a.Text("retryMailDelivery", "delivery", "state") != "QUEUED" {
			t.Fatal(a.Raw)
		}
		sink.Await(t, m.ID)
		for _, code := range []string{"CONFLICT", "NOT_FOUND"} {
			id := m.ID.String()
			if code == "NOT_FOUND" {
				id = db.NewMailID().String()
			}
			if a := s.GraphQL(t, admin.Access, retryMailDoc, harness.InputOf("id", id)); a.Code() != code {
				t.Errorf("%s: %s", code, a.Raw)
			}
		}
		for credential, code := range map[string]string{"": "UNAUTHENTICATED", ada.Access: "FORBIDDEN"} {
			if a := s.GraphQL(t, credential, retryMailDoc, harness.InputOf("id", m.ID.String())); a.Code() != code {
				t.Errorf("%s: %s", code, a.Raw)
			}
			if a := s.GraphQL(t, credential, deliveriesDoc, nil); a.Code() != code {
				t.Errorf("%s: %s", code, a.Raw)
			}
		}
	})
}

// TestMail_DeliveryList walks through the list page by page, and tries cursors that are not of it (AZ-08).
func TestMail_DeliveryList(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, harness.MailWaits)
		ada, admin := s.Register(t, "ada@example.com"), s.Admin(t, dsn, "root@example.com")
		var want []string
		for range 7 {
			want = append([]string{queued(t, s, ada, db.MailPassword).ID.String()}, want...)
		}
		var got []string
		variables := map[string]any{"first": 3, "state": "QUEUED"}
		for pages := 0; pages < 10; pages++ {
			a := s.GraphQL(t, admin.Access, deliveriesDoc, variables)
			nodes, _ := a.At("mailDeliveries", "nodes").([]any)
			for _, n := range nodes {
				if node := n.(map[string]any); node["kind"] == "password-changed" {
					got = append(got, node["id"].(string))
				}
			}
			if a.At("mailDeliveries", "pageInfo", "hasNextPage") != true {
				break
			}
			variables["after"] = a.Text("mailDeliveries", "pageInfo", "endCursor")
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s, want %s", got, want)
		}
		cursor := variables["after"]
		for _, wrong := range []map[string]any{
			{"after": cursor},
			{"after": cursor, "state": "FAILED"},
			{"after": "AAAA"},
			{"after": want[0]},
			{"first": 101},
			{"first": -1},
		} {
			if a := s.GraphQL(t, admin.Access, deliveriesDoc, wrong); a.Code() != "BAD_USER_INPUT" {
				t.Errorf("%v: %s", wrong, a.Raw)
			}
		}
		sideways := harness.OpenSide(t, dsn)
		if a := s.GraphQL(t, ada.Access, harness.DeleteAccountDoc, nil); a.Code() != "" { // AU-07
			t.Error(a.Raw)
		}
		if n := sideways.Count(t, "SELECT count(*) FROM mails WHERE address_canonical = 'ada@example.com' AND "+
			"user_id IS NOT NULL"); n > 0 {
			t.Errorf("%d mails of an account that is gone", n)
		}
		before := len(sideways.Audit(t))
		s.GraphQL(t, admin.Access, retryMailDoc, harness.InputOf("id", db.NewMailID().String()))
		if fresh := sideways.Audit(t)[before:]; len(fresh) != 1 || fresh[0].Action != "mail.retry_failed" ||
			fresh[0].Outcome != "failed" || fresh[0].Reason != "not_found" {
			t.Errorf("audit rows %+v", fresh)
		}
	})
}
