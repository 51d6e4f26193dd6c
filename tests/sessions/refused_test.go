package sessions

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// asksWho are the fields that read the caller, each with a request that needs nothing else.
var asksWho = map[string]string{
	"me":                    `{ me { id } }`,
	"currentCredential":     `{ currentCredential { kind } }`,
	"node":                  `{ node(id: "user_01m80kh2dcej5b7d12jtm537w7") { id } }`,
	"nodes":                 `{ nodes(ids: ["user_01m80kh2dcej5b7d12jtm537w7"]) { id } }`,
	"sessions":              `{ sessions { id } }`,
	"keyConnection":         `{ keyConnection(first: 1) { totalCount } }`,
	"users":                 `{ users(first: 1) { totalCount } }`,
	"logout":                `mutation { logout { userErrors { code } } }`,
	"sendVerificationEmail": `mutation { sendVerificationEmail { userErrors { code } } }`,
	"updateMe":              `mutation { updateMe(input: {name: "Ada"}) { userErrors { code } } }`,
}

// JW-17: a credential that was presented and is refused is an error of every field that reads the caller, and says why,
// so that a client refreshes and repeats. Without a credential me and currentCredential are null. What reads no caller
// works beside a stale credential.
func TestJW17_RefusedCredential(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		over := s.LoginAs(t, ada, "SESSION_TOKEN")
		keyID, key := s.NewKey(t, ada.Access, nil)
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.DeleteKeyDoc, map[string]any{"id": keyID}))
		harness.Fine(t, s.GraphQL(t, over.Access, harness.LogoutDoc, nil))
		bob := s.Register(t, "bob@example.com")
		s.Clock.Add(11 * time.Minute)
		live := s.Login(t, "ada@example.com", harness.GoodPass).Text("login", "tokens", "accessToken")
		for name, c := range map[string]struct {
			header http.Header
			says   string
		}{
			"an expired access token": {bearer(bob.Access), "The access token has expired: refresh it, then repeat"},
			"a session that ended":    {bearer(over.Refresh), "has ended: sign in again"},
			"a revoked key":           {http.Header{"X-Api-Key": {key}}, "The API key is unknown, revoked or expired"},
			"a refresh token":         {bearer(bob.Refresh), "send the access token"},
			"another text":            {bearer("nonsense"), "is not a token of this server"},
			"a tampered token":        {bearer(live[:len(live)-4] + "AAAA"), "is not a token of this server"},
			"no scheme":               {http.Header{"Authorization": {live}}, "send `Authorization: Bearer <token>`"},
			"two tokens":              {http.Header{"Authorization": {"Bearer " + live, "Bearer " + bob.Access}}, "send one"},
			"no key":                  {http.Header{"X-Api-Key": {live}}, "holds no API key, which is `sk_live_` and"},
			"half a key":              {http.Header{"X-Api-Key": {key[:20]}}, "no API key, or not a whole one"},
		} {
			for field, document := range asksWho {
				a := harness.SendWith(t, s.URL, c.header, document, nil)
				if a.Status != http.StatusOK || a.At(field) != nil || len(a.Errors) != 1 ||
					a.Code() != "UNAUTHENTICATED" || !strings.Contains(a.Errors[0].Message, c.says) {
					t.Errorf("%s by %s: %d %s", field, name, a.Status, a.Raw)
				}
				if got := a.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
					t.Errorf("%s by %s: WWW-Authenticate %q", field, name, got)
				}
				for _, values := range c.header {
					if _, text, _ := strings.Cut(values[0], " "); text != "" && strings.Contains(a.Raw, text) {
						t.Errorf("%s by %s echoes the credential: %s", field, name, a.Raw)
					}
				}
			}
			for _, document := range []string{
				`{ serverInfo { version } }`,
				`mutation { login(input: {email: "ada@example.com", password: "` + harness.GoodPass + `"}) { user { id } ` +
					`userErrors { code } } }`,
				`mutation { requestPasswordReset(input: {email: "ada@example.com"}) { userErrors { code } } }`,
			} {
				if a := harness.SendWith(t, s.URL, c.header, document, nil); len(a.Errors) > 0 || a.Code() != "" {
					t.Errorf("%s beside %s: %s", document, name, a.Raw)
				}
			}
		}
		for field, document := range asksWho {
			a := harness.SendWith(t, s.URL, http.Header{"Authorization": {" "}}, document, nil)
			open := field == "me" || field == "currentCredential"
			if a.Header.Get("WWW-Authenticate") != "" || open != (len(a.Errors) == 0) ||
				!open && (a.Code() != "UNAUTHENTICATED" || !strings.Contains(a.Errors[0].Message, "Sign in first")) {
				t.Errorf("%s without a credential: %s", field, a.Raw)
			}
		}
	})
}

func bearer(text string) http.Header { return http.Header{"Authorization": {"Bearer " + text}} }
