package repository

import (
	"regexp"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestTour is the whole way of a newcomer, on both databases.
func TestTour(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		if !s.Is(t, ada.Access, ada) {
			t.Fatal("the access token does not answer me")
		}

		sessions, _ := s.GraphQL(t, ada.Access, harness.SessionsDoc, nil).At("sessions").([]any)
		if len(sessions) != 1 || sessions[0].(map[string]any)["isCurrent"] != true {
			t.Fatalf("sessions: %v", sessions)
		}

		made := s.GraphQL(t, ada.Access, harness.CreateKey, nil)
		key := made.Text("createApiKey", "secret")
		if !regexp.MustCompile(`^sk_live_[0-9A-Za-z]{44}$`).MatchString(key) || !s.Is(t, key, ada) {
			t.Fatalf("API key: %s", made.Raw)
		}

		second := s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "refreshToken")
		again := s.Refresh(t, ada.Refresh).Text("refresh", "tokens", "refreshToken")
		if second == "" || second == ada.Refresh || again != second {
			t.Fatalf("refresh: %q, then %q", second, again)
		}
		third := s.Refresh(t, second).Text("refresh", "tokens", "refreshToken")
		if code := s.Refresh(t, ada.Refresh).Code(); code != "TOKEN_REUSED" {
			t.Fatalf("an older refresh token: %q", code)
		}
		if code := s.Refresh(t, third).Code(); code != "INVALID_TOKEN" {
			t.Fatalf("the newest token of an ended session: %q", code)
		}
		if s.Is(t, ada.Access, ada) {
			t.Fatal("the access token outlived its session")
		}

		login := s.Login(t, ada.Email, harness.GoodPass)
		access := login.Text("login", "tokens", "accessToken")
		if !s.Is(t, access, ada) {
			t.Fatalf("login: %s", login.Raw)
		}
		if out := s.GraphQL(t, access, harness.LogoutDoc, nil); out.Code() != "" {
			t.Fatalf("logout: %s", out.Raw)
		}
		if s.Is(t, access, ada) {
			t.Fatal("the access token outlived the logout")
		}
		if code := s.GraphQL(t, access, harness.LogoutDoc, nil).Code(); code != "UNAUTHENTICATED" {
			t.Fatalf("a second logout: %q", code)
		}
	})
}
