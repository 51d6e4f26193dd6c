package harness

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// OldSystem is a system that people come from, on a real socket. It knows names with a password and a record each.
type OldSystem struct {
	URL    string
	People map[string]Person // by the name as it is typed

	// Answer takes the place of what People says; nil for none. Set it before a question.
	Answer func(w http.ResponseWriter, r *http.Request, q Question)

	mu    sync.Mutex
	asked []Question
	ids   map[string]bool
}

// Person is somebody whom the old system knows.
type Person struct{ Password, Record string }

// Question is what the old system is asked.
type Question struct{ Kind, Identifier, Password, RequestID string }

// NewOldSystem starts one. It refuses a question whose signature is not right at the time of the clock.
func NewOldSystem(t testing.TB, c *Clock) *OldSystem {
	t.Helper()
	o := &OldSystem{People: map[string]Person{}, ids: map[string]bool{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var q Question
		if err == nil {
			err = json.Unmarshal(body, &q)
		}
		if err != nil || !o.genuine(r, body, c.Now()) {
			t.Errorf("a question that is none: %s %s %v", r.Method, body, r.Header)
			http.Error(w, "no", http.StatusInternalServerError)
			return
		}
		o.mu.Lock()
		o.asked = append(o.asked, q)
		answer := o.Answer
		o.mu.Unlock()
		if answer != nil {
			answer(w, r, q)
			return
		}
		if p, ok := o.People[q.Identifier]; ok && p.Password == q.Password {
			_, _ = io.WriteString(w, p.Record)
			return
		}
		http.Error(w, `{"error":"nobody"}`, http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	o.URL = server.URL
	return o
}

// Env is the settings by which a server asks the old system.
func (o *OldSystem) Env(more ...string) []string {
	return append(more, "DRAGOMAN_MIGRATE_URL="+o.URL+"/dragoman?token=in-the-query", "DRAGOMAN_MIGRATE_SECRET="+
		MigrateSecret)
}

// Says sets what it answers from now on; nil: what People says.
func (o *OldSystem) Says(answer func(w http.ResponseWriter, r *http.Request, q Question)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Answer = answer
}

// Asked gives the questions since it was last called.
func (o *OldSystem) Asked() []Question {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.asked
	o.asked = nil
	return asked
}

// genuine checks a request as the specification of Standard Webhooks says, by nothing of ours.
func (o *OldSystem) genuine(r *http.Request, body []byte, now time.Time) bool {
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(at, 10, 64)
	age := now.Sub(time.Unix(seconds, 0))
	key, wrong := base64.StdEncoding.DecodeString(strings.TrimPrefix(MigrateSecret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+at+"."+string(body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	o.mu.Lock()
	defer o.mu.Unlock()
	again := o.ids[id]
	o.ids[id] = true
	return err == nil && wrong == nil && age.Abs() < 5*time.Minute && id != "" && !again &&
		r.Header.Get("webhook-signature") == want && r.Method == http.MethodPost &&
		r.Header.Get("Content-Type") == "application/json" && r.URL.RequestURI() == "/dragoman?token=in-the-query"
}
