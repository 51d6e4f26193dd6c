package repository

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestBackendExamples runs the two programs of docs/examples/backend against a server: they take its access tokens, and
// refuse what is none, what was changed, and what is for somebody else.
func TestBackendExamples(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	ada := s.Register(t, "ada@example.com")
	session := s.GraphQL(t, "", harness.LoginDoc, harness.InputOf("email", ada.Email, "password", harness.GoodPass,
		"tokenDelivery", "SESSION_TOKEN")).
		Text("login", "tokens", "sessionToken")
	elsewhere := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL="+s.URL) // the same names, other keys
	foreign := elsewhere.Register(t, "ada@example.com")
	audience := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PUBLIC_URL="+s.URL, "DRAGOMAN_AUDIENCE=another")
	s.Clock.Add(-2 * time.Hour)
	over := s.Login(t, ada.Email, harness.GoodPass).Text("login", "tokens", "accessToken")
	parts := strings.Split(ada.Access, ".")
	encode := base64.RawURLEncoding.EncodeToString
	_, jwks := harness.Fetched(t, "GET", s.URL+"/.well-known/jwks.json", "", "")
	confused := encode([]byte(`{"alg":"HS256","typ":"at+jwt"}`)) + "." + parts[1]
	mac := hmac.New(sha256.New, []byte(jwks))
	mac.Write([]byte(confused))
	changed := strings.Replace(string(harness.MustDecode(t, parts[1])), "user", "admin", 1)
	want := []struct{ token, answer string }{
		{ada.Access, "ok: " + ada.ID},
		{ada.Refresh, "refused"},
		{session, "refused"},
		{"", "refused"},
		{"a.b.c", "refused"},
		{over, "refused"},
		{foreign.Access, "refused"},
		{audience.Register(t, "b@example.com").Access, "refused"},
		{parts[0] + "." + encode([]byte(changed)) + "." + parts[2], "refused"},
		{parts[0] + "." + parts[1] + ".", "refused"},
		{encode([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + ".", "refused"},
		{confused + "." + encode(mac.Sum(nil)), "refused"},
		{ada.Access, "ok: " + ada.ID},
	}
	var tokens strings.Builder
	for _, w := range want {
		tokens.WriteString(w.token + "\n")
	}
	binary := filepath.Join(t.TempDir(), "backend")
	if out, err := exec.Command("go", "build", "-o", binary, "./docs/examples/backend").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, cmd := range map[string]*exec.Cmd{
		"go": exec.Command(binary, s.URL), "javascript": exec.Command("node", "docs/examples/backend/verify.mjs",
			s.URL),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd.Stdin = strings.NewReader(tokens.String())
			out, err := cmd.CombinedOutput()
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if err != nil || len(lines) != len(want) {
				t.Fatalf("%v: %s", err, out)
			}
			for i, w := range want {
				if !strings.HasPrefix(lines[i], w.answer) {
					t.Errorf("token %d: %s, want %s", i, lines[i], w.answer)
				}
			}
		})
	}
}

// TestBackendExamples_KeysAway holds both programs to what they say of a server whose keys can not be read: they ask
// once in ten seconds, however many tokens come, and take none meanwhile.
func TestBackendExamples_KeysAway(t *testing.T) {
	t.Parallel()
	token := harness.Start(t, dbtest.SQLite(t)).Register(t, "ada@example.com").Access
	binary := filepath.Join(t.TempDir(), "backend")
	if out, err := exec.Command("go", "build", "-o", binary, "./docs/examples/backend").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, args := range map[string][]string{
		"go":         {binary},
		"javascript": {"node", "docs/examples/backend/verify.mjs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int64
			away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
			}))
			t.Cleanup(away.Close)
			cmd := exec.Command(args[0], append(args[1:], away.URL)...)
			cmd.Stdin = strings.NewReader(strings.Repeat(token+"\n", 20))
			out, err := cmd.CombinedOutput()
			if err != nil || strings.Count(string(out), "refused") != 20 || asked.Load() != 1 {
				t.Errorf("asked %d times, %v: %s", asked.Load(), err, out)
			}
		})
	}
}
