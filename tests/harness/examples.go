package harness

import (
	"context"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/operator"
	"github.com/dragoman-auth/dragoman/rest"
)

// What the tests share that run every example of every dialect: of those that come with the server, and of the tutorial.

// TutorialFiles is where the dialect file of the tutorial lies.
var TutorialFiles = Path("docs/examples")

// AllDialects reads the shipped dialects and that of the tutorial.
func AllDialects(t *testing.T) []*rest.Dialect {
	t.Helper()
	all, err := rest.Load(TutorialFiles, nil)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ExampleServer is a server for one example of a dialect, with a clock that it moves. It serves nothing else, and asks one thing at
// a time, over two connections: to make one takes longer than most examples. That dialects go together is seen by every other test.
func ExampleServer(t *testing.T, dsn, dialect string, settings map[string]string) *Instance {
	t.Helper()
	if !strings.HasPrefix(dsn, "sqlite:") {
		dsn += "&pool_max_conns=2"
	}
	env := []string{"DRAGOMAN_DIALECTS_DIR=" + TutorialFiles, "DRAGOMAN_DIALECTS=" + dialect}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	return StartWithClock(t, NewClock(), dsn, env...)
}

// Promoter makes administrators beside the server, as the operator does.
func Promoter(t *testing.T, conn *Side) func(context.Context, string) error {
	return func(_ context.Context, who string) error {
		conn.MustExec(t, `UPDATE users SET role = 'admin' WHERE email_canonical = '`+who+`'`)
		return nil
	}
}

// MailReader looks into mailboxes for examples.
func (i *Instance) MailReader(t *testing.T) func(ctx context.Context, kind, to string) (rest.Mailed, error) {
	return func(ctx context.Context, kind, to string) (rest.Mailed, error) {
		master, err := secret.New([]byte(Secret))
		if err != nil {
			t.Fatal(err)
		}
		return operator.ReadMail(ctx, i.App.DB, token.NewCodec(master, i.Clock.Now), i.Clock.Now(), kind, to)
	}
}
