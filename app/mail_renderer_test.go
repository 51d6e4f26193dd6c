package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/app"
	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/mail"
	"github.com/dragoman-auth/dragoman/internal/site"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// letter is a mail of a kind to ada.
func letter(kind db.MailKind, link string) *db.ResolvedMail {
	email, name, pending := "ada+auth@example.com", "Ada", "ada@example.org"
	l := &db.ResolvedMail{
		Mail: db.Mail{
			ID: db.NewMailID(), Kind: kind, Address: email, Link: link, TTLSeconds: 900,
			CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		},
		User: db.User{Email: &email, Name: &name, PendingEmail: &pending},
	}
	if kind.Purpose() != "" {
		l.Token = &db.OneTimeToken{ID: db.TokenID{}, Purpose: kind.Purpose()}
	}
	return l
}

// OT-07, OT-35: a link leads to the page of the server, or to the page of an application, with the token behind the #.
func TestMailRenderer_Links(t *testing.T) {
	t.Parallel()
	templates, err := mail.Load("")
	if err != nil {
		t.Fatal(err)
	}
	codec := token.NewCodec(master(t, oneSecret), time.Now)
	letters := app.NewMailRenderer(templates, codec, site.Parse("https://auth.example.com"), "Example")
	text, code := codec.OneTime(db.TokenID{}.UUID).Reveal(), codec.Code(db.TokenID{}.UUID).Reveal()
	const ours = "https://auth.example.com/account/"
	for _, c := range []struct {
		kind       db.MailKind
		link, want string
		code       bool
	}{
		{db.MailVerifyEmail, "", ours + "verify-email#token=" + text, true},
		{db.MailResetPassword, "", ours + "reset-password#token=" + text, true},
		{db.MailSetPassword, "", ours + "reset-password#token=" + text, true},
		{db.MailMagicLink, "", ours + "sign-in#token=" + text, true},
		{db.MailConfirmChange, "", ours + "confirm-email#token=" + text, true},
		{db.MailChangeAsked, "", ours + "cancel-email-change#token=" + text, false},
		{db.MailEmailChanged, "", ours + "cancel-email-change#token=" + text, false},
		{
			db.MailResetPassword, "https://app.example.com/reset?a=1&b=2#token={token}",
			"https://app.example.com/reset?a=1&b=2#token=" + text, true,
		},
		{db.MailVerifyEmail, "https://app.example.com/#/in/{token}", "https://app.example.com/#/in/" + text, true},
		{db.MailWelcome, "", "", false},
	} {
		out, err := letters.Render(letter(c.kind, c.link))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.Text, c.want) || strings.Contains(out.Text, code) != c.code || c.want == "" &&
			strings.Contains(out.Text, "://") {
			t.Errorf("%s, %q:\n%s", c.kind, c.link, out.Text)
		}
		if !strings.Contains(out.HTML, `href="`+strings.ReplaceAll(c.want, "&", "&amp;")+`"`) && c.want != "" {
			t.Errorf("%s, %q:\n%s", c.kind, c.link, out.HTML)
		}
		again, err := letters.Render(letter(c.kind, c.link))
		if err != nil || again != out {
			t.Errorf("%s: a second time it says something else (%v)", c.kind, err)
		}
	}
	// The reader of a mistyped new address does not learn the present one, and its owner recognizes it.
	if out, err := letters.Render(func() *db.ResolvedMail {
		l := letter(db.MailConfirmChange, "")
		l.Mail.Address = "stranger@example.net"
		return l
	}()); err != nil || strings.Contains(out.Text+out.HTML, "ada+auth") ||
		!strings.Contains(out.Text, "a…@ example. com") {
		t.Errorf("%v %s", err, out.Text)
	}
	// A mail without its token, which was swept, still renders.
	l := letter(db.MailVerifyEmail, "")
	l.Token = nil
	if out, err := letters.Render(l); err != nil || strings.Contains(out.Text, "token=") ||
		strings.Contains(out.Text, code) {
		t.Errorf("%v %s", err, out.Text)
	}
}

// A broken template stops the start, not the first mail.
func TestLoadFiles_Templates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := &config.Settings{MailTemplates: dir, Dialects: []string{}}
	if _, _, err := app.LoadFiles(settings); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "layout.txt")
	if err := os.WriteFile(name, []byte("{{.Greeting}}\n{{.Token}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := app.LoadFiles(settings)
	if err == nil || !strings.Contains(err.Error(), "DRAGOMAN_MAIL_TEMPLATES: ") ||
		!strings.Contains(err.Error(), name+":2:") {
		t.Errorf("%v", err)
	}
}
