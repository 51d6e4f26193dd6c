package contracts

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// companionChange is users/me for one who may.
func companionChange(t testing.TB, i *harness.Instance, by companionUser, name, email string,
	attributes ...any,
) companionUser {
	t.Helper()
	r := i.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody(attributes...), harness.Bearer(by.Access)...)
	u := companionSays(t, i, r, http.StatusOK, companionChanged, name, email)
	if u.Refresh != by.Refresh || u.Session != by.Session || u.ID != by.ID || u.Created != by.Created {
		t.Errorf("%+v beside %+v", u, by) // the token in force, once more
	}
	if u.Updated != i.Clock.Now().UTC().Format(millis) {
		t.Errorf("updated %s", u.Updated)
	}
	return u
}

// users/me changes what it is given and nothing else; the Bearer token alone is enough, however long ago the login was.
func TestCompanion_UsersMe(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		s.Clock.Add(50 * time.Minute)
		u = companionChange(t, s, u, `"Authy Person"`, companionEmail)
		u = companionChange(t, s, u, `"Authy Person_updated"`, companionEmail, "name", "Authy Person_updated",
			"metadata", map[string]any{"company": "Auth Co"})
		u = companionChange(t, s, u, `"Authy Person_updated"`, "hello_update@authcompanion.com", "email",
			"hello_update@authcompanion.com", "role", "admin", "id", "x")
		if want := map[string]any{"company": "Auth Co"}; !reflect.DeepEqual(u.Claims["metadata"], want) {
			t.Errorf("metadata %v", u.Claims["metadata"])
		}
		// Empty texts and null leave things as they are; an empty object is one.
		u = companionChange(t, s, u, `"Authy Person_updated"`, "hello_update@authcompanion.com", "name", "", "email",
			nil, "password", "", "metdata", map[string]any{})
		if len(u.Claims) == 0 || u.Claims["metadata"] != nil {
			t.Errorf("metadata %v", u.Claims["metadata"])
		}
		s.Clock.Add(24 * time.Hour)
		next := companionSays(t, s, s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}",
			companionCookie(u.Refresh)...), 200, companionRefresh,
			`"Authy Person_updated"`, "hello_update@authcompanion.com")
		next = companionChange(t, s, next, `"A"`, "Hello_Update@AuthCompanion.com", "name", "A", "email",
			"Hello_Update@AuthCompanion.com", "password", "another secret")
		if code := s.Login(t, "hello_update@authcompanion.com",
			harness.CompanionPass).Code(); code != "INVALID_CREDENTIALS" {
			t.Errorf("the old password: %q", code)
		}
		companionSays(t, s, s.CompanionAsks(t, "POST "+harness.Companion+"/login",
			harness.CompanionBody("email", companionEmail[:5]+"_update@authcompanion.com", "password",
				"another secret")),
			200, companionTemplate, `"A"`, "Hello_Update@AuthCompanion.com")
		// The cookie that was repeated is the one in force.
		companionSays(t, s, s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}",
			companionCookie(next.Refresh)...), 200, companionRefresh, `"A"`, "Hello_Update@AuthCompanion.com")
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users WHERE role <> 'user'`); n > 0 {
			t.Error("somebody made themselves more than they are")
		}
	})
}

// SE-08: a new password ends the other sessions, of all doors, and never the one that changed it.
func TestSE08_CompanionPassword(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		tab, door := companionEnters(t, s, companionEmail), s.Login(t, companionEmail, harness.CompanionPass)
		// the document's own: the same one
		changed := companionChange(t, s, u, `"Authy Person"`, companionEmail, "password", harness.CompanionPass)
		for name, refresh := range map[string]string{
			"a session here": tab.Refresh,
			"one of GraphQL": door.Text("login", "tokens", "refreshToken"),
		} {
			s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}", companionCookie(refresh)...).Says(t, 400,
				harness.CompanionNotRefreshed)
			if s.Is(t, tab.Access, tab.Account) || s.Is(t, door.Text("login", "tokens", "accessToken"), tab.Account) {
				t.Errorf("%s goes on", name)
			}
		}
		if !s.Is(t, changed.Access, changed.Account) || !s.Is(t, u.Access, u.Account) {
			t.Error("the session that changed it is over")
		}
	})
}

// A refused change changes nothing of it; who may not ask gets the 401 with a text for a number.
func TestCompanion_UsersMeRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		s.Register(t, "other@example.com")
		_, key := s.NewKey(t, u.Access, nil)
		conn := harness.OpenSide(t, dsn)
		conn.MustExec(t, `UPDATE users SET email_verified_at = created_at WHERE email = 'other@example.com'`)
		row := func() []string {
			t.Helper()
			return conn.Texts(t, `SELECT email || ' ' || name || ' ' || password_hash || ' ' || `+
				`coalesce(CAST(metadata AS text), '-') FROM users ORDER BY id`)
		}
		before := row()
		const email = `{"statusCode":400,"message":"Email Already In Use"}`
		for _, c := range []struct {
			attributes []any
			status     int
			want       string
		}{
			{[]any{"name", "N", "password", "another", "email", "other@example.com"}, 400, email},
			{[]any{"name", "N", "password", "another", "email", "OTHER@Example.com"}, 400, email},
			{
				[]any{"name", "N", "password", "another", "email", "not-an-email"},
				400,
				companionInvalid(`body/data/attributes/email must match format "email"`),
			},
			{[]any{"name", "N", "metadata", []any{1}}, 400, companionInvalid("body/data/attributes/metadata must be " +
				"object")},
			{[]any{"name", "N", "metdata", "x"}, 400, companionInvalid("body/data/attributes/metdata must be object")},
			{
				[]any{"name", 5, "password", "another"},
				400,
				companionInvalid("body/data/attributes/name must be string"),
			},
			{
				[]any{"name", "N", "metadata", map[string]any{"k": strings.Repeat("x", 5000)}},
				400,
				companionInvalid("body/data/attributes/metadata: The metadata is longer than 4 KiB as JSON."),
			},
			{
				[]any{"name", strings.Repeat("x", 201), "password", "another"},
				400,
				companionInvalid(
					"body/data/attributes/name: This text is too long. Please use at most 200 characters."),
			},
			{
				[]any{"name", "N", "password", strings.Repeat("x", 257)},
				400,
				companionInvalid("body/data/attributes/password: The password is too long. Please use at most 256 " +
					"characters."),
			},
			{
				[]any{"name", "N", "password", "another", "currentPassword", "wrong"},
				403,
				`{"statusCode":403,"message":"The current password is wrong"}`,
			},
		} {
			s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody(c.attributes...),
				harness.Bearer(u.Access)...).Says(t, c.status, c.want)
		}
		over := companionEnters(t, s, companionEmail)
		s.CompanionAsks(t, "DELETE "+harness.Companion+"/refresh", "", companionCookie(over.Refresh)...).Empty(t)
		for _, header := range [][]string{
			nil, harness.Bearer(""), harness.Bearer("stale"), harness.Bearer(over.Access), harness.Bearer(u.Refresh),
			harness.Bearer(key),
			{"X-API-Key", key},
			companionCookie(u.Refresh), companionCookie(u.Access),
			{"Authorization", u.Access},
			{"Authorization", "Token " + u.Access},
			append(harness.Bearer(u.Access), harness.Bearer(over.Access)...),
		} {
			s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody("name", "N"), header...).Says(t,
				http.StatusUnauthorized, companionDenied)
		}
		if after := row(); !reflect.DeepEqual(after, before) {
			t.Errorf("%v became %v", before, after)
		}
		// Cookies are no hindrance, whatever they hold.
		s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody("name", "N"),
			append(harness.Bearer(u.Access), "Cookie", "Fgp=0; refreshToken=stale")...)
		if after := row(); reflect.DeepEqual(after, before) {
			t.Error("a stale cookie stands in the way")
		}
	})
}

// PW-10: with sensitiveChanges: fresh the address and the password want a login within ten minutes, or the current
// password.
func TestPW10_CompanionFresh(t *testing.T) {
	t.Parallel()
	dir := harness.CompanionCopy(t, "sensitiveChanges: session", "sensitiveChanges: fresh")
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn, "DRAGOMAN_DIALECTS_DIR="+dir)
		u := companionJoins(t, s, companionEmail)
		asks := func(status int, want string, attributes ...any) {
			t.Helper()
			r := s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody(attributes...),
				harness.Bearer(u.Access)...)
			if r.Status != status || want != "" && r.Line() != want {
				t.Errorf("%v: %d %s, want %d %s", attributes, r.Status, r.Body, status, want)
			}
		}
		const again, wrong = `{"statusCode":403,"message":"Sign in again, or add currentPassword"}`,
			`{"statusCode":403,"message":"The current password is wrong"}`
		s.Clock.Add(10*time.Minute - time.Second)
		asks(200, "", "password", "second secret")
		asks(403, wrong, "password", "third secret", "currentPassword", harness.CompanionPass)
		s.Clock.Add(time.Second)
		asks(403, again, "password", "third secret")
		asks(403, again, "name", "N", "email", "new@example.com")
		asks(403, again, "name", "N", "email", "new@example.com", "currentPassword", "")
		asks(403, wrong, "email", "new@example.com", "currentPassword", harness.CompanionPass)
		asks(200, "", "name", "Authy Person", "email", companionEmail) // what is in use is no change
		asks(200, "", "password", harness.CompanionPass, "currentPassword", "second secret")
		asks(200, "", "email", "new@example.com", "currentPassword", harness.CompanionPass)
		// A refresh is no proof; a login is.
		u = companionSays(t, s, s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}",
			companionCookie(u.Refresh)...), 200, companionRefresh, `"Authy Person"`, "new@example.com")
		asks(403, again, "password", "third secret")
		u = companionEnters(t, s, "new@example.com")
		asks(200, "", "password", "third secret")
		reasons := harness.OpenSide(t, dsn).Texts(t, `SELECT reason FROM audit_events WHERE action = `+
			`'user.update_failed' AND outcome <> 'ok' ORDER BY id`)
		if got := strings.Join(reasons, " "); got != "wrong_password sudo_required sudo_required sudo_required "+
			"wrong_password sudo_required" {
			t.Errorf("the log says %s", got)
		}
	})
}

// The switch is the dialect's: in GraphQL, and for what else is sensitive, a session of this dialect proves nothing by
// itself.
func TestSE23_CompanionElsewhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		s.Clock.Add(11 * time.Minute)
		for document, variables := range map[string]map[string]any{
			`mutation M($input: UpdateMeInput!) { updateMe(input: $input) { userErrors { code message } } }`:           harness.InputOf("password", "another secret"),
			`mutation M($input: ChangeEmailInput!) { changeEmail(input: $input) { userErrors { code message } } }`:     harness.InputOf("email", "new@example.com"),
			`mutation M { deleteAccount { userErrors { code message } } }`:                                             nil,
			`mutation M($input: ChangePasswordInput!) { changePassword(input: $input) { userErrors { code message }}}`: harness.InputOf("newPassword", "another secret"),
		} {
			if code := s.GraphQL(t, u.Access, document, variables).Code(); code != "SUDO_REQUIRED" {
				t.Errorf("%s: %q", document, code)
			}
		}
	})
}

// PW-09: of many changes at once each is whole, and one whose password was replaced meanwhile is refused or came
// before.
func TestPW09_CompanionParallel(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		others := []companionUser{
			u, companionEnters(t, s, companionEmail), companionEnters(t, s, companionEmail),
			companionEnters(t, s, companionEmail),
		}
		replies := make([]harness.Reply, len(others))
		var all sync.WaitGroup
		for n, other := range others {
			all.Go(func() {
				name := string(rune('A' + n))
				replies[n], _ = s.Call(harness.CompanionMe,
					harness.CompanionBody("name", name, "password", "secret of "+name), harness.Bearer(other.Access)...)
			})
		}
		all.Wait()
		winner := ""
		for n, r := range replies {
			switch r.Status {
			case http.StatusOK:
				if winner != "" {
					t.Errorf("%s and %c both changed it, though the first ends the sessions of the others", winner, 'A'+
						n)
				}
				winner = string(rune('A' + n))
			default:
				r.Says(t, http.StatusUnauthorized, companionDenied)
			}
		}
		r := s.CompanionAsks(t, "POST "+harness.Companion+"/login",
			harness.CompanionBody("email", companionEmail, "password", "secret of "+winner))
		companionSays(t, s, r, 200, companionTemplate, `"`+winner+`"`, companionEmail)
	})
}

// SE-31: an access token that came before the refresh token in force gets neither that refresh token nor more time.
func TestSE31_Companion(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		old := companionJoins(t, s, companionEmail)
		s.Clock.Add(time.Minute)
		r := s.CompanionAsks(t, "POST "+harness.Companion+"/refresh", "{}", companionCookie(old.Refresh)...)
		now := companionSays(t, s, r, http.StatusOK, companionRefresh, `"Authy Person"`, companionEmail)
		s.Clock.Add(time.Minute)
		r = s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody("name", "N"), harness.Bearer(old.Access)...)
		var body struct {
			Data struct {
				Attributes struct {
					Expiry float64 `json:"access_token_expiry"`
				} `json:"attributes"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(r.Body), &body); err != nil {
			t.Fatal(err)
		}
		if r.Status != http.StatusOK || r.Header.Get("Set-Cookie") != "" ||
			body.Data.Attributes.Expiry != old.Claims["exp"] {
			t.Errorf("by a token of before: %d %s %v, want the end %v", r.Status, r.Body, r.Header, old.Claims["exp"])
		}
		companionChange(t, s, now, `"M"`, companionEmail, "name", "M")
		// A session that was handed out as a session token has no refresh token here either.
		eve := s.LoginAs(t, s.Register(t, "eve@example.com"), "SESSION_TOKEN")
		r = s.CompanionAsks(t, harness.CompanionMe, harness.CompanionBody("name", "N"), harness.Bearer(eve.Access)...)
		if r.Status != http.StatusOK || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("a session token: %d %s %v", r.Status, r.Body, r.Header)
		}
	})
}
