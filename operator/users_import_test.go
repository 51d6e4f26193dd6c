package operator_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/operator"
)

// hooked calls first before it writes for the first time.
type hooked struct {
	bytes.Buffer
	first func()
}

func (h *hooked) Write(p []byte) (int, error) {
	if h.first != nil {
		h.first()
		h.first = nil
	}
	return h.Buffer.Write(p)
}

// MI-05: an import that was to refuse is an error where somebody took what a record needs after the check, though the
// others came in.
func TestMI05_TakenAfterCheck(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		settings, d := settingsFor(t, dsn), dbtest.Open(t, dsn)
		// Its note is written when the first batch is, and the last record is of the second one.
		text := `{"id": "0", "identities": [{"provider": "github", "subject": "1"}]}` + "\n"
		for n := range 500 {
			text += fmt.Sprintf(`{"id": "%d", "email": "user%d@example.com"}`+"\n", n+1, n+1)
		}
		file := filepath.Join(t.TempDir(), "users.ndjson")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := &hooked{first: func() {
			u := db.NewUser(db.Clock(time.Now()))
			email := "user500@example.com"
			u.Email, u.EmailCanonical, u.EmailVerifiedAt = &email, email, &u.CreatedAt
			if taken, err := d.Register(t.Context(), u, nil, nil); taken != nil || err != nil {
				t.Errorf("%+v %v", taken, err)
			}
		}}
		err := operator.ImportUsers(t.Context(), settings, out,
			operator.ImportArgs{File: file, OnError: "refuse", Verbose: true})
		if err == nil || err.Error() != "1 record was left out: somebody took a name of theirs after the check" ||
			!strings.Contains(out.String(), "\nline 501: email: the account user_") ||
			!strings.Contains(out.String(), "\n501 records: 500 imported, 1 left out.\n") {
			t.Errorf("%v %s", err, out)
		}
	})
}
