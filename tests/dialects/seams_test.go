package dialects

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// PW-10: with sensitiveChanges: session the token of a live session opens the door to address and password, whichever
// API gave it out and however long ago, and whether it came as a cookie; the cookie itself does not, nor does an API
// key.
func TestPW10_SessionDoor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		session := s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("email", ada.Email, "password", harness.GoodPass,
			"tokenDelivery", "SESSION_TOKEN")).Text("login", "tokens", "sessionToken")
		_, key := s.NewKey(t, ada.Access, nil)
		s.Clock.Add(11 * time.Minute)
		for _, row := range []struct {
			status int
			header []string
		}{
			{http.StatusUnauthorized, harness.Bearer(key)},
			{http.StatusUnauthorized, []string{"X-API-Key", key}},
			{http.StatusUnauthorized, []string{"Cookie", "dragoman_session=" + session}},
			{http.StatusUnauthorized, []string{"Cookie", "session=" + session}},
			{http.StatusUnauthorized, harness.Bearer(ada.Refresh)},
			{http.StatusOK, harness.Bearer(session)},
		} {
			r, err := s.Call(harness.CompanionMe, harness.CompanionBody("password", "another secret"), row.header...)
			if err != nil || r.Status != row.status {
				t.Errorf("%.40q: %d %s %v", row.header, r.Status, r.Body, err)
			}
		}
		z := s.Service(t, harness.ServiceMail)
		s.Clock.Add(11 * time.Minute)
		if r, err := s.Call(harness.CompanionMe, harness.CompanionBody("password", "another secret"),
			harness.Bearer(z.Token)...); err != nil || r.Status != http.StatusOK {
			t.Errorf("%d %s %v", r.Status, r.Body, err)
		}
	})
}

// AK-13: an API key is for programs. In a cookie it is refused, by GraphQL and by every dialect that reads cookies.
func TestAK13_NoKeyInACookie(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, key := s.NewKey(t, ada.Access, nil)
		for _, cookie := range []string{"session", "refreshToken"} {
			r, err := s.Call("GET /user", "", "Cookie", cookie+"="+key)
			if err != nil || r.Status != http.StatusUnauthorized {
				t.Errorf("%s: %d %s %v", cookie, r.Status, r.Body, err)
			}
		}
		a := harness.SendWith(t, s.URL, http.Header{"Cookie": {harness.LocalCookie + "=" + key}}, harness.MeDoc, nil)
		if a.Code() != "UNAUTHENTICATED" {
			t.Errorf("GraphQL: %s", a.Raw)
		}
	})
}

// A refresh token is good for a renewal in either form, beside the expired token of its session alone (HT-05).
func TestHT05_RenewByJWT(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		var sessions [2]struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		for n := range sessions {
			r, err := s.Call("POST /auth/login", `{"email":"ada@example.com","password":"`+harness.GoodPass+`"}`)
			if err != nil || json.Unmarshal([]byte(r.Body), &sessions[n]) != nil ||
				!strings.HasPrefix(sessions[n].Refresh, "eyJ") {
				t.Fatalf("%d %s %v", r.Status, r.Body, err)
			}
		}
		one, other := sessions[0], sessions[1]
		s.Clock.Add(31 * time.Minute)
		for name, header := range map[string][]string{
			"Bearer": append(harness.Bearer(other.Access), "Cookie", "refreshToken="+one.Refresh),
			"cookie": {"Cookie", "session=" + other.Access + "; refreshToken=" + one.Refresh},
		} {
			r, set := s.Jar(t, "GET /user", "", header...)
			if r.Says(t, http.StatusUnauthorized, harness.BadSession); len(set) > 0 {
				t.Errorf("%s: cookies %v", name, set)
			}
		}
		token, refresh := renewedToken(t, s, http.StatusOK, "GET /user", "",
			append(harness.Bearer(one.Access), "Cookie", "refreshToken="+one.Refresh)...)
		if token == "" || !strings.HasPrefix(refresh, "rt1.") {
			t.Errorf("%.20s %.20s", token, refresh)
		}
		if token, _ := renewedToken(t, s, http.StatusOK, "GET /user", "", "Cookie", "session="+other.Access+
			"; refreshToken="+other.Refresh); token == "" {
			t.Error("by its cookies: not renewed")
		}
	})
}
