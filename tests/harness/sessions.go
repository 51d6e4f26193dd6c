package harness

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// Fresh gives an access token that has not ended.
func (i *Instance) Fresh(t testing.TB, who Account) string {
	t.Helper()
	return i.LoginAs(t, who, "BODY").Access
}

const (
	LocalCookie = "dragoman_session"
)

// OwnCookies gives the lines of Set-Cookie but for the cookie of a device token.
func OwnCookies(h http.Header) []string {
	return slices.DeleteFunc(slices.Clone(h.Values("Set-Cookie")), func(line string) bool {
		return strings.HasPrefix(line, "device=") || strings.HasPrefix(line, "__Host-device=")
	})
}

// CookieOf gives the one cookie that an answer sets, nil for none. The cookie of a device token is none.
func CookieOf(t testing.TB, a *Answer) *http.Cookie {
	t.Helper()
	all := (&http.Response{Header: http.Header{"Set-Cookie": OwnCookies(a.Header)}}).Cookies()
	if len(all) > 1 {
		t.Fatalf("the answer sets several cookies: %v", a.Header.Values("Set-Cookie"))
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// Cleared tells whether an answer takes a cookie away, with the attributes that it was set with (HT-02).
func Cleared(t testing.TB, a *Answer, set *http.Cookie) bool {
	t.Helper()
	c := CookieOf(t, a)
	if c == nil {
		return false
	}
	want := *set
	want.Value, want.MaxAge = "", -1
	if c.String() != want.String() {
		t.Errorf("cleared by %q, want %q", c, &want)
	}
	return true
}

// BrowserIn signs in with a password and gives the cookie and the session's id.
func (i *Instance) BrowserIn(t testing.TB, email string, header ...string) (c *http.Cookie, session string) {
	t.Helper()
	a := Asked(t, i.URL, "", LoginDoc, InputOf("email", email, "password", GoodPass, "tokenDelivery", "COOKIE"),
		header...)
	if c = CookieOf(t, a); a.Code() != "" || c == nil || c.Value == "" {
		t.Fatalf("login: %s %v", a.Raw, a.Header)
	}
	return c, a.Text("login", "session", "id")
}

// Carrying is the header of a request with a cookie.
func Carrying(c *http.Cookie) []string { return []string{"Cookie", c.Name + "=" + c.Value} }

// These tests are about refresh tokens that are JWTs: the credential is the same in both forms.

// Wolf is where wolfpal is mounted.
const Wolf = "/api/auth"

// Race lets n calls begin at the same moment and waits for them.
func Race(n int, call func(n int)) {
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-begin
			call(i)
		})
	}
	close(begin)
	wg.Wait()
}

// PairOf signs in over a route whose tokens are JWTs both.
func (i *Instance) PairOf(t testing.TB, email, pass string) (access, refresh string) {
	t.Helper()
	return PairIn(t, i.REST(t, "POST "+Wolf+"/login", Credentials("email", email, pass)))
}

// NextOf refreshes and gives the successor; the test ends when there is none.
func (i *Instance) NextOf(t testing.TB, refreshToken string) (access, next string) {
	t.Helper()
	a := i.Refresh(t, refreshToken)
	access, next = a.Text("refresh", "tokens", "accessToken"), a.Text("refresh", "tokens", "refreshToken")
	if a.Code() != "" || access == "" || next == "" {
		t.Fatalf("refresh: %s", a.Raw)
	}
	return access, next
}

// mustCount runs a query that gives one number.

// LoginAs signs in again and gives the new session's tokens; with SESSION_TOKEN the session token is in Refresh.
func (i *Instance) LoginAs(t testing.TB, who Account, delivery string) Account {
	t.Helper()
	a := i.GraphQL(t, "", LoginDoc, map[string]any{"input": map[string]any{
		"email": who.Email, "password": GoodPass, "tokenDelivery": delivery,
	}})
	if a.Code() != "" || a.Text("login", "tokens", "accessToken") == "" {
		t.Fatalf("login %s: %s", who.Email, a.Raw)
	}
	second := a.Text("login", "tokens", "refreshToken")
	if delivery == "SESSION_TOKEN" {
		if second != "" {
			t.Fatalf("a refresh token beside the session token: %s", a.Raw)
		}
		second = a.Text("login", "tokens", "sessionToken")
	}
	return Account{
		ID: who.ID, Email: who.Email, Session: a.Text("login", "session", "id"),
		Access: a.Text("login", "tokens", "accessToken"), Refresh: second,
	}
}

// CheapSession starts a session without hashing a password, for tests that need hundreds of them.
func (i *Instance) CheapSession(t *testing.T, who Account) Account {
	t.Helper()
	ctx := t.Context()
	a, err := i.App.DB.Attempt(ctx, db.Identifier{Canonical: who.Email})
	if err != nil || a.User.ID.String() != who.ID {
		t.Fatalf("attempt: %v %v", a, err)
	}
	s := db.NewSession(ctx, a.User.ID, 720*time.Hour, 336*time.Hour, db.Clock(i.Clock.Now()), db.AuthPassword)
	if started, err := i.App.DB.Login(ctx, a, s, 100); err != nil || !started {
		t.Fatalf("login: %v %v", started, err)
	}
	master, err := secret.New([]byte(Secret))
	if err != nil {
		t.Fatal(err)
	}
	r := i.Refresh(t, token.NewCodec(master, i.Clock.Now).Refresh(s.ID.UUID, 0).Reveal())
	if r.Code() != "" {
		t.Fatalf("refresh: %s", r.Raw)
	}
	return Account{
		ID: who.ID, Email: who.Email, Session: s.ID.String(),
		Access: r.Text("refresh", "tokens", "accessToken"), Refresh: r.Text("refresh", "tokens", "refreshToken"),
	}
}

// NewKey makes an API key; input may be nil.
func (i *Instance) NewKey(t testing.TB, credential string, input map[string]any) (id, key string) {
	t.Helper()
	if input == nil {
		input = map[string]any{}
	}
	a := i.GraphQL(t, credential, CreateKey, map[string]any{"input": input})
	if a.Code() != "" || a.Text("createApiKey", "secret") == "" {
		t.Fatalf("createApiKey: %s", a.Raw)
	}
	return a.Text("createApiKey", "apiKey", "id"), a.Text("createApiKey", "secret")
}

// SendWith sends a document with headers as they are given.
func SendWith(t testing.TB, url string, header http.Header, document string, variables map[string]any) *Answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(http.MethodPost, url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/json")
	a, err := Receive(r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Listed gives the ids of a list of the data, in order.
func (a *Answer) Listed(field string) (ids []string) {
	rows, _ := a.At(field).([]any)
	for _, row := range rows {
		id, _ := row.(map[string]any)["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

// Instant reads a time of an answer.
func Instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("not a time: %q", text)
	}
	return at
}

// Cluster starts n instances that share a database, an address and a clock; on SQLite one.
func Cluster(t *testing.T, dsn string, n int) []*Instance {
	t.Helper()
	if strings.HasPrefix(dsn, "sqlite:") {
		n = 1
	}
	c := NewClock()
	var all []*Instance
	for range n {
		all = append(all, StartWithClock(t, c, dsn, "DRAGOMAN_PUBLIC_URL=http://auth.example.com"))
	}
	return all
}
