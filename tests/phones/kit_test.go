package phones

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	sendCodeDoc = `mutation S($input: SendPhoneCodeInput) { sendPhoneCode(input: $input) { userErrors { code message ` +
		`field } } }`
	verifyDoc = `mutation V($input: VerifyPhoneInput!) { verifyPhone(input: $input) { user { phone phoneVerified } ` +
		`userErrors { code message field } } }`
	removeDoc = `mutation { removePhone { user { phone phoneVerified } userErrors { code } } }`
	askDoc    = `mutation A($input: RequestLoginCodeInput!) { requestLoginCode(input: $input) { userErrors { code ` +
		`message field } } }`
	loginDoc = `mutation L($input: LoginWithCodeInput!) { loginWithCode(input: $input) { user { id phone ` +
		`phoneVerified } ` +
		`session { id authMethods } tokens { accessToken } deviceToken takeOver { passwordMissing } ` +
		`userErrors { code message field } } }`
	meDoc = `{ me { phone phoneVerified } }`

	number, other = "+4915550100101", "+4915550100102"
)

// key is the secret of the provider in tests, and signing its bytes.
const key = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// provider is a service of an operator's, which checks signatures by itself.
type provider struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	messages []message
	ids      []string
	answers  []int // to the next requests; then 204
}

type message struct{ ID, To, Text, Kind string }

func newProvider(t *testing.T, answers ...int) *provider {
	t.Helper()
	p := &provider{t: t, answers: answers}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) env(more ...string) []string {
	return append([]string{
		"DRAGOMAN_SMS_URL=" + p.URL + "/send", "DRAGOMAN_SMS_SECRET=" + key,
		"DRAGOMAN_SMS_COUNTRIES=DE,US",
	}, more...)
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	id, at := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(key, "whsec_"))
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(id + "." + at + "." + string(body)))
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/send" ||
		r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		p.t.Errorf("%s %s with %q is not signed as it should be", r.Method, r.URL, r.Header)
	}
	if seconds, err := strconv.ParseInt(at, 10, 64); err != nil ||
		time.Since(time.Unix(seconds, 0)).Abs() > 24*time.Hour*400 {
		p.t.Errorf("the time is %q", at)
	}
	var event struct {
		Type string
		Data message
	}
	if err := json.Unmarshal(body, &event); err != nil || event.Type != "sms.send" {
		p.t.Errorf("%s: %v", body, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = append(p.ids, id)
	if len(p.answers) > 0 {
		status := p.answers[0]
		p.answers = p.answers[1:]
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		if status/100 != 2 {
			return
		}
	} else {
		w.WriteHeader(http.StatusNoContent)
	}
	event.Data.ID = id
	p.messages = append(p.messages, event.Data)
}

// sent are the messages so far.
func (p *provider) sent() []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]message(nil), p.messages...)
}

// tried are the ids of all requests so far.
func (p *provider) tried() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.ids...)
}

// settle waits until every message is sent, dropped or given up.
func settle(t *testing.T, side *harness.Side) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); side.Count(t, `SELECT count(*) FROM sms WHERE state = 'QUEUED' AND
attempts = 0`) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("messages are still queued")
		}
	}
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// codeTo is the code of the newest message to a number in the local mailbox.
func codeTo(t *testing.T, s *harness.Instance, side *harness.Side, to string) string {
	t.Helper()
	settle(t, side)
	r, err := http.NewRequest(http.MethodGet, s.URL+"/dev/mailbox?to="+strings.Replace(to, "+", "%2B", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	res, err := harness.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var all []struct {
		ID, To, Text, Code string
		SMS                bool
	}
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil || len(all) == 0 || !all[0].SMS || all[0].To != to ||
		!strings.HasPrefix(all[0].ID, "sms_") || sixDigits.FindString(all[0].Text) != all[0].Code {
		t.Fatalf("the mailbox has %+v (%v)", all, err)
	}
	return all[0].Code
}

// wrong is a code that is not this one.
func wrong(code string, n int) string {
	value, _ := strconv.Atoi(code)
	text := strconv.Itoa((value + 1 + n) % 1_000_000)
	return strings.Repeat("0", 6-len(text)) + text
}

// verified gives an account a confirmed number.
func verified(t *testing.T, s *harness.Instance, side *harness.Side, who harness.Account, phone string) {
	t.Helper()
	harness.Fine(t, s.GraphQL(t, who.Access, sendCodeDoc, harness.InputOf("phone", phone)))
	harness.Fine(t, s.GraphQL(t, who.Access, verifyDoc,
		harness.InputOf("phone", phone, "code", codeTo(t, s, side, phone))))
}
