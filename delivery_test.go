package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/internal/token"
)

const (
	deliveriesDoc = `query Deliveries($first: Int! = 50, $after: String, $state: MailState) {
  mailDeliveries(first: $first, after: $after, state: $state) {
    edges { cursor node { id } } nodes { id kind address user { id email } state attempts lastError createdAt sentAt nextAttemptAt }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`
	retryMailDoc = `mutation Retry($input: RetryMailDeliveryInput!) { retryMailDelivery(input: $input) {
  delivery { id state attempts lastError nextAttemptAt } userErrors { code message field } } }`
)

// deliveries lists mails as an administrator sees them.
func (i *instance) deliveries(t testing.TB, admin account, variables map[string]any) (all []map[string]any) {
	t.Helper()
	a := i.graphql(t, admin.Access, deliveriesDoc, variables)
	nodes, ok := a.at("mailDeliveries", "nodes").([]any)
	if !ok {
		t.Fatal(a.Raw)
	}
	for _, n := range nodes {
		all = append(all, n.(map[string]any))
	}
	return all
}

// queued makes a mail to an account that is queued in the transaction of its own.
func (i *instance) queued(t testing.TB, who account, kind db.MailKind) *db.Mail {
	t.Helper()
	id, err := token.ParseID("user", who.ID)
	if err != nil {
		t.Fatal(err)
	}
	var user db.UserID
	user.UUID = id
	m := &db.Mail{
		ID: db.NewMailID(), Kind: kind, UserID: user, Address: who.Email, AddressCanonical: who.Email, TTLSeconds: 900,
		State: db.MailQueued, CreatedAt: db.Clock(i.clock.now()),
	}
	if err := i.app.DB.QueueMails(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMail_BySMTP is a mail as a mail server gets it.
func TestMail_BySMTP(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sink := newSink(t, nil)
		s := start(t, dsn, "DRAGOMAN_SMTP_URL="+sink.URL, "DRAGOMAN_MAIL_FROM=Zoë & Co <Auth@Bücher.example>")
		ada := s.register(t, "ada@example.com")
		if a := s.graphql(t, "", askResetDoc, inputOf("email", ada.Email)); a.code() != "" {
			t.Fatal(a.Raw)
		}
		var got received
		eventually(t, "the mail", func() bool {
			for _, m := range sink.to(ada.Email) {
				if strings.Contains(m.Text, "/account/reset-password#token=ot1.") {
					got = m
					return true
				}
			}
			return false
		})
		l := s.letter(t, ada.Email, db.MailResetPassword)
		from, err := got.Header.AddressList("From")
		if err != nil || from[0].Name != "Zoë & Co" || from[0].Address != "Auth@xn--bcher-kva.example" || got.From != from[0].Address {
			t.Errorf("from %v, %s, %v", from, got.From, err)
		}
		if want := "<" + l.Mail.ID.String() + "@xn--bcher-kva.example>"; got.ID() != want {
			t.Errorf("%s, want %s", got.ID(), want)
		}
		date, err := got.Header.Date()
		if err != nil || date.Unix() != l.Mail.CreatedAt.Unix() {
			t.Errorf("%v %v", date, err)
		}
		for name, want := range map[string]string{"Auto-Submitted": "auto-generated", "To": "<" + ada.Email + ">", "Mime-Version": "1.0", "User-Agent": "", "X-Mailer": ""} {
			if v := got.Header.Get(name); v != want {
				t.Errorf("%s: %q", name, v)
			}
		}
		if kind := got.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
			t.Error(kind)
		}
		if !strings.Contains(got.Text, s.URL+"/account/reset-password#token="+l.Token) || !strings.Contains(got.Text, l.Code) || !strings.Contains(got.HTML, l.Token) {
			t.Errorf("text %s, html %s", got.Text, got.HTML)
		}
		eventually(t, "it is marked", func() bool { return s.letter(t, ada.Email, db.MailResetPassword).Mail.State == db.MailSent })
		for _, secret := range []string{l.Token, l.Code} { // AU-02
			if strings.Contains(s.log.String(), secret) {
				t.Error("the log holds what the mail says")
			}
		}
		res, _ := fetched(t, "GET", s.URL+"/dev/mailbox", "", "")
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("there is a local mailbox beside a mail server: %d", res.StatusCode)
		}
	})
}

// TestMail_RolledBack: what was not committed is not mailed.
func TestMail_RolledBack(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, mailWaits)
		sideways := openSide(t, dsn)
		ada := s.register(t, "ada@example.com")
		before := sideways.count(t, "SELECT count(*) FROM mails")
		m := s.queued(t, ada, db.MailPassword)
		if err := s.app.DB.QueueMails(t.Context(), &db.Mail{ID: db.NewMailID(), Kind: db.MailPassword, State: db.MailQueued}, m); err == nil {
			t.Fatal("a mail was queued twice")
		}
		if mails, jobs := sideways.count(t, "SELECT count(*) FROM mails"), sideways.count(t, "SELECT count(*) FROM river_job"); mails != before+1 || jobs != mails {
			t.Errorf("%d mails, %d jobs", mails, jobs)
		}
	})
}

// TestMail_ServerIsDown: nobody waits for a mail server, and mails leave when it is back.
func TestMail_ServerIsDown(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sink := newSink(t, nil)
		sink.stop()
		s := start(t, dsn, "DRAGOMAN_SMTP_URL="+strings.Replace(sink.URL, "smtp://", "smtp://canary-user:"+canarySecret+"@", 1))
		ada := s.register(t, "ada@example.com")
		admin := s.admin(t, dsn, "root@example.com")
		var mails []*db.Mail
		for range 20 {
			mails = append(mails, s.queued(t, ada, db.MailPassword))
		}
		eventually(t, "an attempt", func() bool { return strings.Contains(s.log.String(), "a mail was not sent") })
		began := time.Now()
		for range 10 {
			if a := s.login(t, ada.Email, goodPass); a.code() != "" {
				t.Fatal(a.Raw)
			}
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("ten sign-ins take %v", took)
		}
		delivery := func() map[string]any {
			for _, d := range s.deliveries(t, admin, map[string]any{"first": 40}) {
				if d["id"] == mails[0].ID.String() {
					return d
				}
			}
			return nil
		}
		eventually(t, "the first one was tried", func() bool { d := delivery(); return d != nil && d["attempts"] != 0.0 })
		if d := delivery(); d["state"] != "QUEUED" || d["nextAttemptAt"] == nil || !strings.Contains(fmt.Sprint(d["lastError"]), "connection refused") {
			t.Errorf("%v", d)
		}
		sink.start()
		for _, m := range mails {
			sink.await(t, m.ID)
		}
		if log := s.log.String(); strings.Contains(log, canarySecret) || strings.Contains(log, "canary-user") || strings.Contains(log, ada.Email) {
			t.Error("the log holds a password or an address")
		}
	})
}

// TestMail_DeadLetter: a mail that its recipient's server does not want is given up; an administrator sees it and tries again.
func TestMail_DeadLetter(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sink := newSink(t, nil)
		sink.refuse = func(string) error {
			return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no ada@example.com here, " + canarySecret}
		}
		s := start(t, dsn, "DRAGOMAN_SMTP_URL="+sink.URL)
		ada, admin := s.register(t, "ada@example.com"), s.admin(t, dsn, "root@example.com")
		m := s.queued(t, ada, db.MailPassword)
		var dead map[string]any
		eventually(t, "it is given up", func() bool {
			for _, d := range s.deliveries(t, admin, map[string]any{"state": "FAILED"}) {
				if d["id"] == m.ID.String() {
					dead = d
				}
			}
			return dead != nil
		})
		if dead["lastError"] != "the mail can not be delivered: the mail server refused the recipient: 550 5.1.1" || dead["kind"] != "password-changed" ||
			dead["address"] != ada.Email || dead["nextAttemptAt"] != nil || dead["user"].(map[string]any)["id"] != ada.ID {
			t.Errorf("%v", dead)
		}
		if strings.Contains(s.log.String(), canarySecret) {
			t.Error("the log holds what the mail server said")
		}
		sink.mu.Lock()
		sink.refuse = nil
		sink.mu.Unlock()
		if a := s.graphql(t, admin.Access, retryMailDoc, inputOf("id", m.ID.String())); a.code() != "" || a.text("retryMailDelivery", "delivery", "state") != "QUEUED" {
			t.Fatal(a.Raw)
		}
		sink.await(t, m.ID)
		for _, code := range []string{"CONFLICT", "NOT_FOUND"} {
			id := m.ID.String()
			if code == "NOT_FOUND" {
				id = db.NewMailID().String()
			}
			if a := s.graphql(t, admin.Access, retryMailDoc, inputOf("id", id)); a.code() != code {
				t.Errorf("%s: %s", code, a.Raw)
			}
		}
		for credential, code := range map[string]string{"": "UNAUTHENTICATED", ada.Access: "FORBIDDEN"} {
			if a := s.graphql(t, credential, retryMailDoc, inputOf("id", m.ID.String())); a.code() != code {
				t.Errorf("%s: %s", code, a.Raw)
			}
			if a := s.graphql(t, credential, deliveriesDoc, nil); a.code() != code {
				t.Errorf("%s: %s", code, a.Raw)
			}
		}
	})
}

// TestMail_KillAfterCommit kills the server between the commit of a change and the delivery of its mails, again and again: every
// mail that was committed arrives at least once, always under the same Message-ID, and none that was not.
func TestMail_KillAfterCommit(t *testing.T) {
	t.Parallel()
	rounds := amount(2, 200)
	dbtest.Each(t, func(t *testing.T, dsn string) {
		sideways, sink := openSide(t, dsn), newSink(t, nil)
		sink.pause = 30 * time.Millisecond // so that some die while they are handed over
		env := append(processEnv(dsn), "DRAGOMAN_RATE_LIMITS=off", "DRAGOMAN_SMTP_URL="+sink.URL)
		addresses := make([]string, 4)
		p := spawn(t, env...)
		for i := range addresses {
			addresses[i] = fmt.Sprintf("ada%d@example.com", i)
			if a, err := send(p.URL, "", registerDoc, inputOf("email", addresses[i], "password", goodPass)); err != nil || a.code() != "" {
				t.Fatalf("%v %+v", err, a)
			}
		}
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		committed := map[string]bool{}
		for round := range rounds {
			p := spawn(t, env...)
			var group sync.WaitGroup
			for _, address := range addresses {
				group.Go(func() { // whether or not it is answered
					_, _ = send(p.URL, "", askResetDoc, inputOf("email", address))
					_, _ = send(p.URL, "", askResetDoc, inputOf("email", address))
				})
			}
			time.Sleep(time.Duration(200+round*370%1300) * time.Millisecond) // from before the first commit to after the last delivery
			_ = p.cmd.Process.Signal(syscall.SIGKILL)
			_ = p.cmd.Wait()
			group.Wait()
			for _, id := range sideways.mailIDs(t) {
				committed[id] = true
			}
		}
		began := time.Now()
		spawn(t, env...)
		eventuallyWithin(t, 90*time.Second, "no mail waits", func() bool {
			return sideways.count(t, "SELECT count(*) FROM mails WHERE state = 'QUEUED'") == 0
		})
		t.Logf("%d mails, %d deliveries; after the last start it took %v", len(committed), len(sink.to("")), time.Since(began).Round(time.Millisecond))
		arrived := map[string]string{}
		for _, m := range sink.to("") {
			id := regexp.MustCompile(`^<(mail_[0-9a-z]+)@localhost>$`).FindStringSubmatch(m.ID())
			if id == nil {
				t.Fatalf("the Message-ID %s", m.ID())
			}
			if to, twice := arrived[id[1]]; twice && to != m.To {
				t.Errorf("%s went to %s and to %s", m.ID(), to, m.To)
			}
			arrived[id[1]] = m.To
		}
		for id := range committed {
			if arrived[id] == "" {
				t.Errorf("%s was committed and did not arrive", id)
			}
		}
		known := map[string]bool{}
		for _, id := range sideways.mailIDs(t) {
			known[id] = true
		}
		for id := range arrived {
			if !known[id] {
				t.Errorf("%s arrived and was never committed", id)
			}
		}
		if n := sideways.count(t, "SELECT count(*) FROM mails WHERE state <> 'SENT'"); n > 0 {
			t.Errorf("%d mails are not sent", n)
		}
	})
}

// mailIDs are those of all mails, as text.
func (s *side) mailIDs(t testing.TB) (all []string) {
	t.Helper()
	rows, err := s.Query("SELECT id FROM mails")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id db.MailID
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		all = append(all, id.String())
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func eventuallyWithin(t testing.TB, most time.Duration, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(most); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", most, what)
		}
	}
}

// TestStart_MailIsDecided: a server that is there for others does not start without a word about its mails, and commands do not ask.
func TestStart_MailIsDecided(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{
		"a public listener": {"DRAGOMAN_LISTEN=:FREEPORT"},
		"a port":            {"PORT=FREEPORT"},
		"a public URL":      {"DRAGOMAN_LISTEN=127.0.0.1:FREEPORT", "DRAGOMAN_PUBLIC_URL=https://auth.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			got := command(t, dir, env)
			if got.code != 1 || !strings.HasPrefix(got.stderr, "dragoman: DRAGOMAN_SMTP_URL is not set") || !strings.Contains(got.stderr, "smtp://user:password@host:587") ||
				!strings.Contains(got.stderr, "none") || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%+v", got)
			}
			if got := command(t, dir, env, "migrate"); got.code != 0 {
				t.Errorf("migrate: %+v", got)
			}
		})
	}
	off := spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_SMTP_URL=none")
	if a, err := send(off.URL, "", askResetDoc, inputOf("email", "ada@example.com")); err != nil || a.code() != "FEATURE_DISABLED" {
		t.Errorf("without mail: %v %+v", err, a)
	}
	if res, _ := fetched(t, "GET", off.URL+"/dev/mailbox", "", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("a mailbox where there are no mails: %d", res.StatusCode)
	}
}

// TestMail_DeliveryList walks through the list page by page, and tries cursors that are not of it (AZ-08).
func TestMail_DeliveryList(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, mailWaits)
		ada, admin := s.register(t, "ada@example.com"), s.admin(t, dsn, "root@example.com")
		var want []string
		for range 7 {
			want = append([]string{s.queued(t, ada, db.MailPassword).ID.String()}, want...)
		}
		var got []string
		variables := map[string]any{"first": 3, "state": "QUEUED"}
		for pages := 0; pages < 10; pages++ {
			a := s.graphql(t, admin.Access, deliveriesDoc, variables)
			nodes, _ := a.at("mailDeliveries", "nodes").([]any)
			for _, n := range nodes {
				if node := n.(map[string]any); node["kind"] == "password-changed" {
					got = append(got, node["id"].(string))
				}
			}
			if a.at("mailDeliveries", "pageInfo", "hasNextPage") != true {
				break
			}
			variables["after"] = a.text("mailDeliveries", "pageInfo", "endCursor")
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s, want %s", got, want)
		}
		cursor := variables["after"]
		for _, wrong := range []map[string]any{
			{"after": cursor}, {"after": cursor, "state": "FAILED"}, {"after": "AAAA"}, {"after": want[0]}, {"first": 101}, {"first": -1},
		} {
			if a := s.graphql(t, admin.Access, deliveriesDoc, wrong); a.code() != "BAD_USER_INPUT" {
				t.Errorf("%v: %s", wrong, a.Raw)
			}
		}
		sideways := openSide(t, dsn)
		if a := s.graphql(t, ada.Access, deleteAccountDoc, nil); a.code() != "" { // AU-07
			t.Error(a.Raw)
		}
		if n := sideways.count(t, "SELECT count(*) FROM mails WHERE address_canonical = 'ada@example.com' AND user_id IS NOT NULL"); n > 0 {
			t.Errorf("%d mails of an account that is gone", n)
		}
		before := len(sideways.audit(t))
		s.graphql(t, admin.Access, retryMailDoc, inputOf("id", db.NewMailID().String()))
		if fresh := sideways.audit(t)[before:]; len(fresh) != 1 || fresh[0].action != "retry_mail_delivery" || fresh[0].outcome != "failed" || fresh[0].reason != "not_found" {
			t.Errorf("audit rows %+v", fresh)
		}
	})
}
