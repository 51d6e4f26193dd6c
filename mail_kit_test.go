package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// letter is a mail with what its reader finds in it.
type letter struct {
	*db.Letter
	Token, Code string // "" for none
}

// letters are the mails to an address so far, the newest first, and of the given kind unless that is "".
func (i *instance) letters(t testing.TB, address string, kind db.MailKind) []letter {
	t.Helper()
	ctx := context.Background()
	i.deliver(t)
	all, err := i.app.DB.Letters(ctx, 1000)
	if err != nil {
		t.Fatal(err)
	}
	master, err := secret.New([]byte(testSecret))
	if err != nil {
		t.Fatal(err)
	}
	codec := token.NewCodec(master, i.clock.now)
	var found []letter
	for _, l := range all {
		if !strings.EqualFold(l.Mail.Address, address) || kind != "" && l.Mail.Kind != kind {
			continue
		}
		out := letter{Letter: l}
		if l.Token != nil {
			out.Token, out.Code = codec.OneTime(l.Token.ID.UUID).Reveal(), codec.Code(l.Token.ID.UUID).Reveal()
		}
		found = append(found, out)
	}
	return found
}

// letter is the newest mail of a kind to an address.
func (i *instance) letter(t testing.TB, address string, kind db.MailKind) letter {
	t.Helper()
	all := i.letters(t, address, kind)
	if len(all) == 0 {
		t.Fatalf("there is no mail %s to %s", kind, address)
	}
	return all[0]
}

// deliver sees to it that every mail that is queued by now is resolved.
func (i *instance) deliver(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		queued, err := i.app.DB.QueuedMails(context.Background())
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
			if _, err := i.app.DB.Resolve(context.Background(), id, db.Clock(i.clock.now())); err != nil {
				t.Fatal(err)
			}
		}
	}
}
