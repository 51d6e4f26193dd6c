package main

import (
	"regexp"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// TestTour is the whole way of a newcomer, on both databases: acceptance lines 1 and 2 of the first release.
func TestTour(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		ada := s.register(t, "ada@example.com")
		if !s.is(t, ada.Access, ada) {
			t.Fatal("the access token does not answer me")
		}

		sessions, _ := s.graphql(t, ada.Access, sessionsDoc, nil).at("sessions").([]any)
		if len(sessions) != 1 || sessions[0].(map[string]any)["isCurrent"] != true {
			t.Fatalf("sessions: %v", sessions)
		}

		made := s.graphql(t, ada.Access, createKey, nil)
		key := made.text("createApiKey", "secret")
		if !regexp.MustCompile(`^sk_live_[0-9A-Za-z]{44}$`).MatchString(key) || !s.is(t, key, ada) {
			t.Fatalf("API key: %s", made.Raw)
		}

		second := s.refresh(t, ada.Refresh).text("refresh", "tokens", "refreshToken")
		again := s.refresh(t, ada.Refresh).text("refresh", "tokens", "refreshToken")
		if second == "" || second == ada.Refresh || again != second {
			t.Fatalf("refresh: %q, then %q", second, again)
		}
		third := s.refresh(t, second).text("refresh", "tokens", "refreshToken")
		if code := s.refresh(t, ada.Refresh).code(); code != "TOKEN_REUSED" {
			t.Fatalf("an older refresh token: %q", code)
		}
		if code := s.refresh(t, third).code(); code != "INVALID_TOKEN" {
			t.Fatalf("the newest token of an ended session: %q", code)
		}
		if s.is(t, ada.Access, ada) {
			t.Fatal("the access token outlived its session")
		}

		login := s.login(t, ada.Email, goodPass)
		access := login.text("login", "tokens", "accessToken")
		if !s.is(t, access, ada) {
			t.Fatalf("login: %s", login.Raw)
		}
		if out := s.graphql(t, access, logoutDoc, nil); out.code() != "" {
			t.Fatalf("logout: %s", out.Raw)
		}
		if s.is(t, access, ada) {
			t.Fatal("the access token outlived the logout")
		}
		if code := s.graphql(t, access, logoutDoc, nil).code(); code != "UNAUTHENTICATED" {
			t.Fatalf("a second logout: %q", code)
		}
	})
}
