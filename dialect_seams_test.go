package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// PW-10: with sensitiveChanges: session the token of a live session opens the door to address and password, whichever API
// gave it out and however long ago, and whether it came as a cookie; the cookie itself does not, nor does an API key.
func TestPW10_SessionDoor(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		session := s.graphql(t, "", loginDoc, inputOf("email", ada.Email, "password", goodPass, "tokenDelivery", "SESSION_TOKEN")).text("login", "tokens", "sessionToken")
		_, key := s.newKey(t, ada.Access, nil)
		s.clock.add(11 * time.Minute)
		for _, row := range []struct {
			status int
			header []string
		}{
			{http.StatusUnauthorized, bearer(key)},
			{http.StatusUnauthorized, []string{"X-API-Key", key}},
			{http.StatusUnauthorized, []string{"Cookie", "dragoman_session=" + session}},
			{http.StatusUnauthorized, []string{"Cookie", "session=" + session}},
			{http.StatusUnauthorized, bearer(ada.Refresh)},
			{http.StatusOK, bearer(session)},
		} {
			r, err := s.call(companionMe, companionBody("password", "another secret"), row.header...)
			if err != nil || r.Status != row.status {
				t.Errorf("%.40q: %d %s %v", row.header, r.Status, r.Body, err)
			}
		}
		z := s.service(t, serviceMail)
		s.clock.add(11 * time.Minute)
		if r, err := s.call(companionMe, companionBody("password", "another secret"), bearer(z.Token)...); err != nil || r.Status != http.StatusOK {
			t.Errorf("%d %s %v", r.Status, r.Body, err)
		}
	})
}

// A refresh token is good for a renewal in either form, beside the expired token of its session alone (HT-05).
func TestHT05_RenewByJWT(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		s.register(t, "ada@example.com")
		var sessions [2]struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		for n := range sessions {
			r, err := s.call("POST /auth/login", `{"email":"ada@example.com","password":"`+goodPass+`"}`)
			if err != nil || json.Unmarshal([]byte(r.Body), &sessions[n]) != nil || !strings.HasPrefix(sessions[n].Refresh, "eyJ") {
				t.Fatalf("%d %s %v", r.Status, r.Body, err)
			}
		}
		one, other := sessions[0], sessions[1]
		s.clock.add(31 * time.Minute)
		for name, header := range map[string][]string{
			"Bearer": append(bearer(other.Access), "Cookie", "refreshToken="+one.Refresh),
			"cookie": {"Cookie", "session=" + other.Access + "; refreshToken=" + one.Refresh},
		} {
			r, set := s.jar(t, "GET /user", "", header...)
			if r.says(t, http.StatusUnauthorized, badSession); len(set) > 0 {
				t.Errorf("%s: cookies %v", name, set)
			}
		}
		token, refresh := s.renewedToken(t, http.StatusOK, "GET /user", "", append(bearer(one.Access), "Cookie", "refreshToken="+one.Refresh)...)
		if token == "" || !strings.HasPrefix(refresh, "rt1.") {
			t.Errorf("%.20s %.20s", token, refresh)
		}
		if token, _ := s.renewedToken(t, http.StatusOK, "GET /user", "", "Cookie", "session="+other.Access+"; refreshToken="+other.Refresh); token == "" {
			t.Error("by its cookies: not renewed")
		}
	})
}
