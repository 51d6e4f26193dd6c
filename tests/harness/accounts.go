package harness

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db"
)

// Registers sends a registration without judging it.
func (i *Instance) Registers(t testing.TB, fields ...any) *Answer {
	t.Helper()
	return i.GraphQL(t, "", RegisterDoc, InputOf(fields...))
}

// Proves follows the newest link that confirms an address, with further fields of the input. It does not judge the
// answer.
func (i *Instance) Proves(t testing.TB, email string, fields ...any) *Answer {
	t.Helper()
	l := i.Letter(t, email, db.MailVerifyEmail)
	return i.GraphQL(t, "", VerifyDoc, InputOf(append([]any{"token", l.Token}, fields...)...))
}

// Waited makes an account where the address must be confirmed first, and signs it in.
func (i *Instance) Waited(t testing.TB, email string, fields ...any) Account {
	t.Helper()
	Fine(t, i.Registers(t, append(fields, "email", email, "password", GoodPass)...))
	Fine(t, i.Proves(t, email, "password", GoodPass))
	a := Fine(t, i.Login(t, email, GoodPass))
	return Account{
		ID: a.Text("login", "user", "id"), Email: email, Session: a.Text("login", "session", "id"),
		Access: a.Text("login", "tokens", "accessToken"), Refresh: a.Text("login", "tokens", "refreshToken"),
	}
}
