package harness

import (
	"context"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// CodeTo is the code of the newest message to a number.
func (i *Instance) CodeTo(t testing.TB, phone string) string {
	t.Helper()
	master, err := secret.New([]byte(Secret))
	if err != nil {
		t.Fatal(err)
	}
	codec := token.NewCodec(master, i.Clock.Now)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		list, err := i.App.DB.SMSList(context.Background(), phone, db.SMSID{}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			return codec.PhoneCode(list[0].ID.UUID, list[0].UserID.UUID, phone).Reveal()
		}
	}
	t.Fatalf("there is no message to %s", phone)
	return ""
}
