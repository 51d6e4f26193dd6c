package main

import (
	"net/http"
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
