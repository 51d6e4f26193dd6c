package sessions

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// everyScope are the scopes of a key that may what an administrator may.
var everyScope = []string{"PROFILE_READ", "USERS_READ", "USERS_WRITE", "SESSIONS_WRITE"}

// TestAK10_Proof wants a recent proof from who makes a key that may more than read the own account, lets a key do more,
// or gives such a key another secret; and none from who takes something away.
func TestAK10_Proof(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=2h")
		root := s.Admin(t, dsn, "root@example.com")
		wide, secret := s.NewKey(t, root.Access, map[string]any{"scopes": everyScope})
		plain, _ := s.NewKey(t, root.Access, nil)
		s.Clock.Add(11 * time.Minute)
		for _, refused := range []struct {
			document string
			input    map[string]any
		}{
			{harness.CreateKey, harness.InputOf("scopes", []string{"USERS_READ"})},
			{harness.CreateKey, harness.InputOf("scopes", everyScope)},
			{harness.UpdateKeyDoc, harness.InputOf("id", plain, "scopes", []string{"PROFILE_READ", "USERS_READ"})},
			{harness.RotateKeyDoc, harness.InputOf("id", wide)},
		} {
			if a := s.GraphQL(t, root.Access, refused.document, refused.input); a.Code() != "SUDO_REQUIRED" ||
				strings.Contains(a.Raw, "sk_live_") {
				t.Errorf("%.40s: %s", refused.document, a.Raw)
			}
		}
		if !s.Is(t, secret, root) || len(s.GraphQL(t, root.Access, harness.KeysDoc, nil).Listed("keys")) != 2 {
			t.Error("what was refused was done")
		}
		s.Expect(t, "", root.Access, harness.UpdateKeyDoc, harness.InputOf("id", plain, "name", "plain"))
		s.Expect(t, "", root.Access, harness.UpdateKeyDoc, harness.InputOf("id", wide, "scopes", everyScope[:2]))
		s.Expect(t, "SUDO_REQUIRED", root.Access, harness.UpdateKeyDoc,
			harness.InputOf("id", wide, "scopes", everyScope))
		s.Expect(t, "", root.Access, harness.RotateKeyDoc, harness.InputOf("id", plain))
		s.Expect(t, "", root.Access, harness.CreateKey, harness.InputOf("scopes", []string{}))
		s.Expect(t, "", root.Access, harness.DropKeyDoc, harness.InputOf("id", plain))

		harness.Fine(t, s.GraphQL(t, root.Access, harness.SudoDoc, harness.InputOf("password", harness.GoodPass)))
		s.Expect(t, "", root.Access, harness.UpdateKeyDoc, harness.InputOf("id", wide, "scopes", everyScope))
		s.Expect(t, "", root.Access, harness.RotateKeyDoc, harness.InputOf("id", wide))
	})
}

// TestAK10_Generic wants the same of POST /keys, in the words of that API.
func TestAK10_Generic(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_ACCESS_TTL=2h")
		root := s.Admin(t, dsn, "root@example.com")
		s.Clock.Add(11 * time.Minute)
		r := s.REST(t, "POST /api/v1/auth/keys", `{"scopes":["USERS_WRITE"]}`, harness.Bearer(root.Access)...)
		r.WantExactly(t, 403, `{"error":"Recent sign-in required"}`)
		if r := s.REST(t, "POST /api/v1/auth/keys", `{}`, harness.Bearer(root.Access)...); r.Status != 201 {
			t.Errorf("a key that reads alone: %d %s", r.Status, r.Body)
		}
	})
}

// TestAK10_Raced wants that a key which is narrowed does not come back wide by a change that was allowed while it was:
// after all of them it may what it was narrowed to, or the proof was recent.
func TestAK10_Raced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, side := instances[0], harness.OpenSide(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		for round := range harness.Amount(6, 60) {
			wide, _ := s.NewKey(t, s.LoginAs(t, root, "BODY").Access, map[string]any{"scopes": everyScope})
			aged := s.CheapSession(t, root)
			old := side.Exec
			if _, err := old(`UPDATE sessions SET authenticated_at = '2020-01-01 00:00:00+00:00'`); err != nil {
				t.Fatal(err)
			}
			answers := harness.Together(8, func(n int) (*harness.Answer, error) {
				scopes := everyScope
				if n%2 == 0 {
					scopes = []string{}
				}
				return harness.Send(instances[n%len(instances)].URL, aged.Access, harness.UpdateKeyDoc,
					harness.InputOf("id", wide, "scopes", scopes))
			})
			narrowed := slices.ContainsFunc(answers, func(a *harness.Answer) bool {
				return a != nil && a.Code() == "" && fmt.Sprint(a.At("updateApiKey", "apiKey", "scopes")) == "[]"
			})
			row := keyNamed(t, s, aged.Access, wide)
			if !narrowed || fmt.Sprint(row["scopes"]) != "[]" {
				t.Fatalf("round %d: narrowed %t, the key may %v", round, narrowed, row["scopes"])
			}
		}
	})
}

// TestAK11_KeyMails wants that the owner hears of a key that was made, that may more, or that has another secret; and
// of nothing else.
func TestAK11_KeyMails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		root := s.Admin(t, dsn, "root@example.com")
		told := func(want ...string) {
			t.Helper()
			var got []string
			for _, l := range s.Letters(t, root.Email, db.MailKeyMade) {
				key := l.Mail.Data.Key
				got = append([]string{fmt.Sprint(key.Change, " ", key.Name, " ", key.Scopes)}, got...)
				if l.Token != "" || l.Mail.Data.IP == "" {
					t.Errorf("%+v", l.Mail)
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		}
		id, _ := s.NewKey(t, root.Access, map[string]any{"name": "Backup"})
		told("made Backup [PROFILE_READ]")
		s.Clock.Add(time.Millisecond)
		s.Expect(t, "", root.Access, harness.UpdateKeyDoc, harness.InputOf("id", id, "name", "Import"))
		s.Expect(t, "", root.Access, harness.UpdateKeyDoc, harness.InputOf("id", id, "scopes", []string{}))
		told("made Backup [PROFILE_READ]")
		s.Clock.Add(time.Millisecond)
		s.Expect(t, "", root.Access, harness.UpdateKeyDoc, harness.InputOf("id", id, "scopes", []string{"USERS_READ"}))
		s.Clock.Add(time.Millisecond)
		s.Expect(t, "", root.Access, harness.RotateKeyDoc, harness.InputOf("id", id))
		told("made Backup [PROFILE_READ]", "widened Import [USERS_READ]", "rotated Import [USERS_READ]")
		s.Expect(t, "", root.Access, harness.DropKeyDoc, harness.InputOf("id", id))
		s.Expect(t, "INVALID_INPUT", root.Access, harness.CreateKey, harness.InputOf("name", ""))
		told("made Backup [PROFILE_READ]", "widened Import [USERS_READ]", "rotated Import [USERS_READ]")
	})
}

const (
	endKeysResetDoc = `mutation R($input: ResetPasswordInput!) { resetPassword(input: $input) {
  user { id } apiKeys { name lastUsedAt } userErrors { code message field } } }`
	aliveKeys = `SELECT count(*) FROM api_keys WHERE revoked_at IS NULL`
)

// TestAK12_EndKeys wants that a sign-out, a change of the password and a reset end the API keys when they are asked to,
// those of nobody else, and only then.
func TestAK12_EndKeys(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, side := harness.Start(t, dsn), harness.OpenSide(t, dsn)
		bob := s.Register(t, "bob@example.com")
		_, others := s.NewKey(t, bob.Access, nil)
		for n, row := range []struct {
			name string
			do   func(who harness.Account, end bool) *harness.Answer
		}{
			{"logout", func(who harness.Account, end bool) *harness.Answer {
				return s.GraphQL(t, who.Access, harness.LogoutDoc, harness.InputOf("revokeApiKeys", end))
			}},
			{"logout everywhere", func(who harness.Account, end bool) *harness.Answer {
				return s.GraphQL(t, who.Access, harness.LogoutDoc,
					harness.InputOf("everywhere", true, "revokeApiKeys", end))
			}},
			{"logout by refresh token", func(who harness.Account, end bool) *harness.Answer {
				return s.GraphQL(t, "", harness.LogoutDoc,
					harness.InputOf("refreshToken", who.Refresh, "everywhere", true, "revokeApiKeys", end))
			}},
			{"changePassword", func(who harness.Account, end bool) *harness.Answer {
				return s.GraphQL(t, who.Access, harness.ChangePasswordDoc,
					harness.InputOf("newPassword", harness.NewPass, "revokeApiKeys", end))
			}},
			{"resetPassword", func(who harness.Account, end bool) *harness.Answer {
				token := s.Mailed(t, harness.AskResetDoc, who.Email, db.MailResetPassword).Token
				return s.GraphQL(t, "", endKeysResetDoc,
					harness.InputOf("token", token, "newPassword", harness.NewPass, "revokeApiKeys", end))
			}},
		} {
			for _, end := range []bool{false, true} {
				who := s.Register(t, fmt.Sprintf("ada%d%t@example.com", n, end))
				token := s.Mailed(t, harness.SendVerifyDoc, who.Email, db.MailVerifyEmail).Token
				harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", token)))
				who = s.LoginAs(t, who, "BODY")
				_, key := s.NewKey(t, who.Access, nil)
				harness.Fine(t, row.do(who, end))
				if s.Is(t, key, who) == end || !s.Is(t, others, bob) {
					t.Errorf("%s, revokeApiKeys %t: the key is alive: %t", row.name, end, !end)
				}
				noted := side.Count(t, `SELECT count(*) FROM audit_events WHERE reason LIKE '%api_keys_ended%' AND `+
					`user_id = (SELECT id FROM users WHERE email = '`+who.Email+`')`)
				if (noted == 1) != end {
					t.Errorf("%s, revokeApiKeys %t: %d events say so", row.name, end, noted)
				}
			}
		}
	})
}

// TestAK12_EndKeysRaced wants that of many who end the keys by one refresh token or session nobody fails inside, and
// that a key made meanwhile by a session that ended is not alive.
func TestAK12_EndKeysRaced(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 2)
		s, side := instances[0], harness.OpenSide(t, dsn)
		for round := range harness.Amount(5, 50) {
			who := s.Register(t, fmt.Sprintf("ada%d@example.com", round))
			for n, a := range harness.Together(12, func(n int) (*harness.Answer, error) {
				url := instances[n%len(instances)].URL
				if n%3 == 0 {
					return harness.Send(url, who.Access, harness.LogoutDoc,
						harness.InputOf("everywhere", true, "revokeApiKeys", true))
				}
				return harness.Send(url, who.Access, harness.CreateKey, nil)
			}) {
				if a == nil || a.Code() != "" && a.Code() != "UNAUTHENTICATED" {
					t.Errorf("round %d, %d: %+v", round, n, a)
				}
			}
			if n := side.Count(t, aliveKeys); n != 0 {
				t.Fatalf("round %d: %d keys are alive", round, n)
			}
		}
	})
}

// TestAK12_KeysListed wants that whoever resets a password, and whoever hears that it was changed, is told which API
// keys go on, by name and last use; the page asks whether to end them.
func TestAK12_KeysListed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		token := s.Mailed(t, harness.SendVerifyDoc, ada.Email, db.MailVerifyEmail).Token
		harness.Fine(t, s.GraphQL(t, "", harness.VerifyDoc, harness.InputOf("token", token)))
		_, used := s.NewKey(t, ada.Access, map[string]any{"name": "Backup"})
		s.Clock.Add(time.Millisecond)
		s.NewKey(t, ada.Access, map[string]any{"name": "<b>Import</b>"})
		if !s.Is(t, used, ada) {
			t.Fatal("the key does not work")
		}
		l := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		if a := s.GraphQL(t, "", endKeysResetDoc, harness.InputOf("token", l.Token, "newPassword",
			"short")); a.Code() !=
			"PASSWORD_TOO_WEAK" || a.At("resetPassword", "apiKeys") != nil {
			t.Errorf("a reset that was refused: %s", a.Raw)
		}
		a := harness.Fine(t, s.GraphQL(t, "", endKeysResetDoc,
			harness.InputOf("token", l.Token, "newPassword", harness.NewPass)))
		keys := fmt.Sprint(a.At("resetPassword", "apiKeys"))
		if !strings.Contains(keys, "name:<b>Import</b>") || !strings.Contains(keys, "name:Backup") ||
			!strings.Contains(keys, "lastUsedAt:<nil>") {
			t.Error(keys)
		}
		notice := s.Letter(t, ada.Email, db.MailPassword).Mail.Data.Keys
		if len(notice) != 2 || notice[1].Name != "Backup" || notice[1].LastUsedAt == nil ||
			notice[0].LastUsedAt != nil {
			t.Errorf("the notice lists %+v", notice)
		}

		form := func(more ...string) string {
			token := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword).Token
			values := url.Values{"token": {token}, "password": {harness.GoodPass}, "repeat": {harness.GoodPass}}
			for _, name := range more {
				values.Set(name, "1")
			}
			r := s.Ask(t, "POST /account/reset-password", values.Encode(), "Content-Type", harness.FormType)
			return r.Body
		}
		if page := form(); !strings.Contains(page, "Backup, last used 20") ||
			!strings.Contains(page, "&lt;b&gt;Import&lt;/b&gt;, never used") {
			t.Error(page)
		}
		if page := form("revokeKeys"); strings.Contains(page, "Backup") || s.Is(t, used, ada) {
			t.Error("the page did not end the keys, or lists them: ", page)
		}
	})
}
