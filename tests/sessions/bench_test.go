package sessions

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// BenchmarkSession measures `me` and `refresh`, as the most frequent operations, without the network in front of them.
// cpu-us/op is the time that the process took of all processors, and does not depend on how busy the machine is:
//
//	go test -run '^$' -bench Session -benchtime 2000x -count 5 ./tests/sessions
func BenchmarkSession(b *testing.B) {
	for name, dsn := range map[string]string{"postgres": dbtest.Postgres(b), "sqlite": dbtest.SQLite(b)} {
		s := harness.Start(b, dsn, "DRAGOMAN_LOG_LEVEL=error")
		ada := s.Register(b, "ada@example.com")
		ask := func(b *testing.B, credential, document string) *httptest.ResponseRecorder {
			body, err := json.Marshal(map[string]string{"query": document})
			if err != nil {
				b.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
			r.Header.Set("Content-Type", "application/json")
			if credential != "" {
				r.Header.Set("Authorization", "Bearer "+credential)
			}
			w := httptest.NewRecorder()
			s.App.Handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Fatalf("status %d: %s", w.Code, w.Body)
			}
			return w
		}
		access, refresh := ada.Access, ada.Refresh
		rotate := func(b *testing.B) {
			var a struct {
				Data struct {
					Refresh struct {
						Tokens struct{ AccessToken, RefreshToken string }
					}
				}
			}
			w := ask(b, "", `mutation { refresh(input: {refreshToken: "`+refresh+`"}) `+
				`{ tokens { accessToken refreshToken } } }`)
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Data.Refresh.Tokens.RefreshToken == "" {
				b.Fatalf("refresh: %s %v", w.Body, err)
			}
			access, refresh = a.Data.Refresh.Tokens.AccessToken, a.Data.Refresh.Tokens.RefreshToken
		}
		rotate(b) // what is measured as `me` has a predecessor, as in a session of some age
		measured(b, name+"/me", func(b *testing.B) { ask(b, access, `{ me { id email } }`) })
		measured(b, name+"/refresh", rotate)
	}
}

func measured(b *testing.B, name string, do func(*testing.B)) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		do(b)
		begin := processorTime(b)
		for b.Loop() {
			do(b)
		}
		b.ReportMetric(float64((processorTime(b)-begin).Microseconds())/float64(b.N), "cpu-us/op")
	})
}

// processorTime is what the process has taken so far of all processors.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
