package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// BenchmarkDialect holds routes of dialects against the same operation over GraphQL: the same document, the same credential,
// the same server, over loopback. Compare the pairs:
//
//	go test -run '^$' -bench Dialect -count 6 .
func BenchmarkDialect(b *testing.B) {
	for name, dsn := range map[string]string{"postgres": dbtest.Postgres(b), "sqlite": dbtest.SQLite(b)} {
		s := start(b, dsn, "DRAGOMAN_LOG_LEVEL=error")
		ada := s.register(b, "ada@example.com")
		login := s.graphql(b, "", loginDoc, map[string]any{"input": map[string]any{
			"email": ada.Email, "password": goodPass, "tokenDelivery": "SESSION_TOKEN",
		}})
		session := login.text("login", "tokens", "sessionToken")
		for range 3 {
			s.graphql(b, ada.Access, createKey, nil)
		}
		cases := []struct{ name, method, path, body, token string }{
			{"keys/graphql", http.MethodPost, "/graphql", `{"query":"query Keys { keys { id name createdAt lastUsedAt } }"}`, ada.Access},
			{"keys/dialect", http.MethodGet, "/api/v1/auth/keys", "", ada.Access},
			{"sessions/graphql", http.MethodPost, "/graphql", `{"query":"query Sessions { me { number } sessions { number userAgent ipAddress createdAt updatedAt } }"}`, session},
			{"sessions/dialect", http.MethodGet, "/sessions", "", session},
			{"login/graphql", http.MethodPost, "/graphql", `{"query":"mutation Login($input: LoginInput!) { login(input: $input) { tokens { accessToken refreshToken expiresIn } user { id username email } userErrors { code message retryAfterSeconds } } }","variables":{"input":{"email":"ada@example.com","password":"` + goodPass + `"}}}`, ""},
			{"login/dialect", http.MethodPost, "/api/v1/auth/login", `{"username":"ada@example.com","password":"` + goodPass + `"}`, ""},
		}
		for _, c := range cases {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					r, err := http.NewRequest(c.method, s.URL+c.path, strings.NewReader(c.body))
					if err != nil {
						b.Fatal(err)
					}
					r.Header.Set("Content-Type", "application/json")
					if c.token != "" {
						r.Header.Set("Authorization", "Bearer "+c.token)
					}
					res, err := client.Do(r)
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					if res.StatusCode != http.StatusOK {
						b.Fatalf("status %d", res.StatusCode)
					}
				}
			})
		}
	}
}
