package dialects

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// BenchmarkDialect holds routes of dialects against the same operation over GraphQL: the same document, the same
// credential, the same server. On a machine that is busy with other things, compare the time of the processors rather
// than the clock:
//
//	go test -run '^$' -bench Dialect -benchtime 2000x -count 5 -cpu 1 -cpuprofile cpu.out ./tests/dialects
//	go tool pprof -top -cum cpu.out | grep -E 'rest.*Engine..ServeHTTP|gqlhttp.*Handler..ServeHTTP'
//
// Both sides have then served the same number of requests.
func BenchmarkDialect(b *testing.B) {
	for name, dsn := range map[string]string{"postgres": dbtest.Postgres(b), "sqlite": dbtest.SQLite(b)} {
		s := harness.Start(b, dsn, "DRAGOMAN_LOG_LEVEL=error")
		ada := s.Register(b, "ada@example.com")
		session := s.GraphQL(b, "", harness.LoginDoc, map[string]any{"input": map[string]any{
			"email": ada.Email, "password": harness.GoodPass, "tokenDelivery": "SESSION_TOKEN",
		}}).Text("login", "tokens", "sessionToken")
		for range 3 {
			s.GraphQL(b, ada.Access, harness.CreateKey, nil)
		}
		for _, c := range []struct{ name, method, path, body, token string }{
			{"keys/graphql", http.MethodPost, "/graphql", `{"query":"query Keys { keys { id name createdAt ` +
				`lastUsedAt } }"}`, ada.Access},
			{"keys/dialect", http.MethodGet, "/api/v1/auth/keys", "", ada.Access},
			{"sessions/graphql", http.MethodPost, "/graphql", `{"query":"query Sessions { me { number } sessions { ` +
				`number userAgent ipAddress createdAt updatedAt } }"}`, session},
			{"sessions/dialect", http.MethodGet, "/sessions", "", session},
		} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("Authorization", "Bearer "+c.token)
					w := httptest.NewRecorder()
					s.App.Handler.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						b.Fatalf("status %d: %s", w.Code, w.Body)
					}
				}
			})
		}
	}
}
