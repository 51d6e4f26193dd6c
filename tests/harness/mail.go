package harness

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/identity"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// Letter is a mail with what its reader finds in it.
type Letter struct {
	*db.ResolvedMail
	Token, Code string // "" for none
}

// failing is a test, or a sequence of a property.
type failing interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Letters are the mails to an address so far, the newest first, and of the given kind unless that is "".
func (i *Instance) Letters(t testing.TB, address string, kind db.MailKind) (found []Letter) {
	t.Helper()
	_, canonical, err := identity.Email(address)
	if err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	for _, l := range i.LettersTo(t, canonical, 1000) { // of others each would cost two statements
		if strings.EqualFold(l.Mail.Address, address) && (kind == "" || l.Mail.Kind == kind) {
			found = append(found, l)
		}
	}
	return found
}

// LettersTo are the newest mails to a canonical address, "" for all.
func (i *Instance) LettersTo(t failing, canonical string, most int) (found []Letter) {
	t.Helper()
	i.Deliver(t)
	all, err := i.App.DB.Mailbox(context.Background(), canonical, db.MailID{}, most)
	if err != nil {
		t.Fatal(err)
	}
	master, err := secret.New([]byte(Secret))
	if err != nil {
		t.Fatal(err)
	}
	codec := token.NewCodec(master, i.Clock.Now)
	for _, l := range all {
		out := Letter{ResolvedMail: l}
		if l.Token != nil {
			out.Token, out.Code = codec.OneTime(l.Token.ID.UUID).Reveal(), codec.Code(l.Token.ID.UUID).Reveal()
		}
		found = append(found, out)
	}
	return found
}

// Letter is the newest mail of a kind to an address.
func (i *Instance) Letter(t testing.TB, address string, kind db.MailKind) Letter {
	t.Helper()
	all := i.Letters(t, address, kind)
	if len(all) == 0 {
		t.Fatalf("there is no mail %s to %s", kind, address)
	}
	return all[0]
}

// Deliver sees to it that every mail that is queued by now is resolved.
func (i *Instance) Deliver(t failing) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		queued, err := i.App.DB.QueuedMails(context.Background(), db.Clock(i.Clock.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if len(queued) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d mails are queued still", len(queued))
		}
		for _, id := range queued {
			if _, err := i.App.DB.Resolve(context.Background(), id, db.Clock(i.Clock.Now())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Told gives the statements that the server logged for the request of an answer, where it logs all of them.
func (i *Instance) Told(a *Answer) (texts []string) {
	for line := range strings.Lines(i.Logged.String()) {
		var entry struct {
			Msg, SQL  string
			RequestID string `json:"request_id"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "slow statement" &&
			entry.RequestID == a.Header.Get("X-Request-Id") {
			texts = append(texts, entry.SQL)
		}
	}
	return texts
}

// Fine demands that a call was not refused.
func Fine(t testing.TB, a *Answer) *Answer {
	t.Helper()
	if a.Code() != "" || len(a.Errors) > 0 || a.Status != 200 {
		t.Fatalf("%s", a.Raw)
	}
	return a
}

// RefusedWith demands a refusal.
func RefusedWith(t testing.TB, a *Answer, code string) {
	t.Helper()
	if a.Code() != code {
		t.Errorf("%s, want %s", a.Raw, code)
	}
}

// Mailed asks for a mail of a kind by an address and gives it.
func (i *Instance) Mailed(t testing.TB, document, address string, kind db.MailKind) Letter {
	t.Helper()
	i.Clock.Add(time.Minute)
	Fine(t, i.GraphQL(t, "", document, InputOf("email", address)))
	return i.Letter(t, address, kind)
}
