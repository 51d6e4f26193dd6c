package main

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// BenchmarkDialect holds routes of dialects against the same operation over GraphQL: the same document, the same credential,
// the same server, a process of its own, over loopback. cpu-us/op is the time of the server's processors for a request,
// on Linux. Compare the pairs:
//
//	go test -run '^$' -bench 'Dialect/.*/(keys|sessions)' -benchtime 2000x -count 6 .
func BenchmarkDialect(b *testing.B) {
	for name, dsn := range map[string]string{"postgres": dbtest.Postgres(b), "sqlite": dbtest.SQLite(b)} {
		env := []string{"DRAGOMAN_SECRET=" + testSecret, "DRAGOMAN_RATE_LIMITS=off"}
		if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
			env = append(env, "DRAGOMAN_DATA_DIR="+strings.TrimSuffix(path, "/dragoman.db"))
		} else {
			env = append(env, "DATABASE_URL="+dsn)
		}
		p := spawn(b, env...)
		s := &instance{URL: p.URL}
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
				before := cpuTime(p.cmd.Process.Pid)
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
				b.ReportMetric(float64((cpuTime(p.cmd.Process.Pid)-before).Microseconds())/float64(b.N), "cpu-us/op")
			})
		}
	}
}

// cpuTime is what a process has used of the processors so far (proc(5): fields 14 and 15 of stat, in hundredths of a second).
func cpuTime(pid int) time.Duration {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
