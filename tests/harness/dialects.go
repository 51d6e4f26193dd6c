package harness

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Where a comment of a test says "document 000", it means the text that a dialect was made from: 000 authcompanion, 001
// wolfpal, 002 service-authentication, 003 generic-v1, 004 authentication-zero. What they say is in rest/dialects.

// CompanionMe is the route of the own account in authcompanion.
const CompanionMe = "POST " + Companion + "/users/me"

// CompanionCopy is a directory with a copy of the dialect's file, in which one text is another.
func CompanionCopy(t testing.TB, old, replacement string) string {
	t.Helper()
	text, err := os.ReadFile(Path("rest/dialects/authcompanion.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) != 1 {
		t.Fatalf("the file has %q not once", old)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "own.yaml"), []byte(strings.Replace(string(text), old, replacement, 1)),
		0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What the tests of document 000 share, whose register, login, users/me and refresh have the prefix /v1/auth.

const (
	Companion             = "/v1/auth"
	CompanionPass         = "mysecretpass" // the document's own
	CompanionNotRefreshed = `{"statusCode":400,"message":"Refresh Token Failed"}`
)

// CompanionBody wraps attributes as the document does: name, value, name, value …
func CompanionBody(attributes ...any) string {
	in := map[string]any{}
	for i := 0; i+1 < len(attributes); i += 2 {
		in[attributes[i].(string)] = attributes[i+1]
	}
	b, _ := json.Marshal(map[string]any{"data": map[string]any{"type": "users", "attributes": in}})
	return string(b)
}

// CompanionAsks sends a request of document 000, and holds what every answer has against the contract.
func (i *Instance) CompanionAsks(t testing.TB, route, body string, header ...string) Reply {
	t.Helper()
	r, err := i.Call(route, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	if kind := r.Header.Values("Content-Type"); r.Body != "" && (len(kind) != 1 || kind[0] != JSONType) {
		t.Errorf("%s: the types %q", route, kind)
	}
	if r.Status >= 300 || r.Body == "" { // nothing is set, nothing is cleared
		r.Sound(t)
	}
	return r
}

// CompanionToken registers and gives the refresh token, whatever the attributes of its cookies.
func (i *Instance) CompanionToken(t testing.TB, email string) string {
	t.Helper()
	r := i.CompanionAsks(t, "POST "+Companion+"/register",
		CompanionBody("name", "N", "email", email, "password", CompanionPass))
	for _, c := range (&http.Response{Header: r.Header}).Cookies() {
		return c.Value
	}
	t.Fatalf("register: %d %s", r.Status, r.Body)
	return ""
}

const (
	ZeroNew = "NewPassword12$34$56$7"
)

// What the tests of document 004 share: sign_up, sign_in and sessions, at the root.

const (
	ZeroPass     = "Secret1*2*3*4*5*6" // the document's own
	UserTemplate = `{"id":<number>,"email":%q,"verified":false,"created_at":"<milli>","updated_at":"<milli>"}`
)

// FormOf encodes name, value, name, value … as a form or a query.
func FormOf(fields ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Add(fields[i], fields[i+1])
	}
	return v.Encode()
}

// jarred keeps the cookies of one person across the APIs of one server.
type jarred struct {
	*Instance
	cookies http.CookieJar
}

func (i *Instance) jarred(t testing.TB) *jarred {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &jarred{i, jar}
}

// Asks sends a request with the cookies that the browser holds, and keeps those of the answer.
func (b *jarred) Asks(t testing.TB, route, body string, header ...string) Reply {
	t.Helper()
	_, path, _ := strings.Cut(route, " ")
	at, err := url.Parse(b.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	for _, c := range b.cookies.Cookies(at) {
		sent = append(sent, c.Name+"="+c.Value)
	}
	if len(sent) > 0 {
		header = append(header, "Cookie", strings.Join(sent, "; "))
	}
	r, err := b.Call(route, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	b.cookies.SetCookies(at, (&http.Response{Header: r.Header}).Cookies())
	return r
}

// Shared is a browser in which one person is signed in at one API, and another person at another API of the same host.
type Shared struct {
	*jarred
	A, Z string // their addresses
}

// Shared is a browser of two people: a registers at authcompanion, z at service-authentication.
func (i *Instance) Shared(t testing.TB, a, z string) *Shared {
	t.Helper()
	i.CompanionToken(t, a)
	i.Service(t, z)
	return &Shared{i.jarred(t), a, z}
}

// EnterCompanion signs in at authcompanion.
func (b *Shared) EnterCompanion(t testing.TB) {
	t.Helper()
	if r := b.Asks(t, "POST "+Companion+"/login", CompanionBody("email", b.A, "password", CompanionPass)); r.Status !=
		http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// EnterService signs in at service-authentication.
func (b *Shared) EnterService(t testing.TB) {
	t.Helper()
	if r := b.Asks(t, "POST /login", fmt.Sprintf(`{"email":%q,"password":%q}`, b.Z, ServicePass)); r.Status !=
		http.StatusOK {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
}

// What the tests of document 003 share, whose login, refresh, logout and keys have the prefix /api/v1/auth.

const (
	LoginTemplate = `{"token":"<jwt>","expires_in":3600,"user":{"id":%q,"username":%q,"email":%q}}`
	KeyTemplate   = `{"keyId":"<key>","apiKey":"<secret>","name":%q,"createdAt":"<second>"}`
)

// Sent waits until every mail is on its way: one that is still queued when a later one takes its token's place is never
// sent.
func (i *Instance) Sent(t testing.TB, conn *Side) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); conn.Count(t,
		"SELECT count(*) FROM mails WHERE state = 'QUEUED'") > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("mails are queued still")
		}
	}
}

// Verified tells whether the email of whoever has a session is.
func (i *Instance) Verified(t testing.TB, token string) bool {
	t.Helper()
	return i.GraphQL(t, token, `{ me { emailVerified } }`, nil).At("me", "emailVerified") == true
}

// What the tests of document 002 share: register, login, tokens and users, at the root.

const (
	ServicePass = "password123" // the document's own
	ServiceMail = "example@mail.com"
	ServiceUser = `{"id":"<user>","email":"example@mail.com","active":true,"mfa":false,"primaryAuth":"UNPW",` +
		`"roleId":"user","createdAt":"<milli>","updatedAt":"<milli>"}`
	LoggedOut  = `{"success":true,"data":{"message":"Logged out"}}`
	NoSession  = `{"error":true,"success":false,"message":"Session Token is required"}`
	BadSession = `{"error":true,"success":false,"message":"Session Token is invalid"}`
)

// Jar is what an answer sets, by name; Set-Cookie is taken out of the answer, so that sound can judge the rest.
func (i *Instance) Jar(t testing.TB, route, body string, header ...string) (Reply, map[string]*http.Cookie) {
	t.Helper()
	r, err := i.Call(route, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]*http.Cookie{}
	for _, c := range (&http.Response{Header: http.Header{"Set-Cookie": OwnCookies(r.Header)}}).Cookies() {
		if set[c.Name] != nil {
			t.Errorf("%s sets %s twice", route, c.Name)
		}
		set[c.Name] = c
	}
	r.Header.Del("Set-Cookie")
	judged := r
	if set["session"] != nil && set["session"].Value != "" { // in whose random letters anything may stand
		judged.Body = strings.ReplaceAll(r.Body, set["session"].Value, "")
	}
	judged.Sound(t)
	return r, set
}

// Service is a session of the document's person.
type Service struct{ ID, Token, Refresh string }

// Cookies are the header fields of a request with both cookies.
func (z Service) Cookies() []string {
	return []string{"Cookie", "session=" + z.Token + "; refreshToken=" + z.Refresh}
}

// Service registers at service-authentication and signs in.
func (i *Instance) Service(t testing.TB, email string) Service {
	t.Helper()
	r := i.REST(t, "POST /register", fmt.Sprintf(`{"email":%q,"password":"password123"}`, email))
	got := r.Matched(t, http.StatusOK, `{"success":true,"token":"<es256>","data":{"message":"User created","data":`+
		strings.Replace(ServiceUser, ServiceMail, email, 1)+`,"refreshToken":"<rt>"}}`)
	return Service{Token: got[0], ID: got[1], Refresh: got[4]}
}

// Works tells whether a token is good at the moment.
func (i *Instance) Works(t testing.TB, token string) bool {
	t.Helper()
	return i.GraphQL(t, token, MeDoc, nil).Text("me", "id") != ""
}

// RESTPerson is an account with its other names.
type RESTPerson struct {
	Account
	Username string
	Number   int
}

// Person registers over GraphQL; username may be "".
func (i *Instance) Person(t testing.TB, email, username string) RESTPerson {
	t.Helper()
	fields := []any{"email", email, "password", GoodPass}
	if username != "" {
		fields = append(fields, "username", username)
	}
	a := i.Registers(t, fields...)
	number, _ := a.At("register", "user", "number").(float64)
	p := RESTPerson{Account{
		ID: a.Text("register", "user", "id"), Email: a.Text("register", "user", "email"),
		Session: a.Text("register", "session", "id"),
		Access:  a.Text("register", "tokens", "accessToken"), Refresh: a.Text("register", "tokens", "refreshToken"),
	}, username, int(number)}
	if a.Code() != "" || p.Access == "" {
		t.Fatalf("register %s: %s", email, a.Raw)
	}
	return p
}

// Credentials is the body of a sign-in; name is what the field of the identifier is called.
func Credentials(name, identifier, password string) string {
	b, _ := json.Marshal(map[string]string{name: identifier, "password": password})
	return string(b)
}

// GenericLogin signs in as document 003 says and gives the access and the refresh token.
func (i *Instance) GenericLogin(t testing.TB, username string) (access, refresh string) {
	t.Helper()
	r, refresh := i.REST(t, "POST "+Generic+"/login",
		Credentials("username", username, GoodPass)).Without("refreshToken")
	var body struct{ Token string }
	if json.Unmarshal([]byte(r.Body), &body) != nil || r.Status != http.StatusOK || body.Token == "" || refresh == "" {
		t.Fatalf("login %s: %d %s", username, r.Status, r.Body)
	}
	return body.Token, refresh
}

// ZeroSession is a session as document 004 writes it.
type ZeroSession struct {
	ID        int    `json:"id"`
	UserID    int    `json:"user_id"`
	IPAddress string `json:"ip_address"`
	Token     string `json:"-"`
}

// Path is where authentication-zero shows the session.
func (z ZeroSession) Path() string { return fmt.Sprintf("/sessions/%d", z.ID) }

// SignIn signs in as document 004 says.
func (i *Instance) SignIn(t testing.TB, email, password string, header ...string) (z ZeroSession) {
	t.Helper()
	r := i.REST(t, "POST /sign_in", Credentials("email", email, password), header...)
	z.Token = r.Header.Get("X-Session-Token")
	if json.Unmarshal([]byte(r.Body), &z) != nil || r.Status != http.StatusCreated || z.ID == 0 || z.Token == "" {
		t.Fatalf("sign_in %s: %d %s %v", email, r.Status, r.Body, r.Header)
	}
	return z
}

// Census counts what a request can create.
func (s *Side) Census(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("%d users, %d sessions (%d live), %d keys (%d live)",
		MustCount(t, s.DB, "SELECT count(*) FROM users"),
		MustCount(t, s.DB, "SELECT count(*) FROM sessions"),
		MustCount(t, s.DB, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"),
		MustCount(t, s.DB, "SELECT count(*) FROM api_keys"),
		MustCount(t, s.DB, "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL"))
}

// JSONOf is the text of a value.
func JSONOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Unauthorized demands the 401 of this API, which is text.
func (r Reply) Unauthorized(t testing.TB) {
	t.Helper()
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Status != http.StatusUnauthorized || r.Body != "Unauthorized" || kind != "text/plain" {
		t.Errorf("%s: %d %q %v, want the 401 in text", r.Asked, r.Status, r.Body, r.Header)
	}
}

var wolfTokens = regexp.MustCompile(`^\{"access_token":"(eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.[\w-]+\.[\w-]{43})",` +
	`"refresh_token":"(eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9\.[\w-]+\.[\w-]{43})"(,"twoFactor":false)?\}$`)

// PairIn reads the two tokens of a login or a refresh.
func PairIn(t testing.TB, r Reply) (access, refresh string) {
	t.Helper()
	found := wolfTokens.FindStringSubmatch(r.Line())
	if r.Status != http.StatusOK || found == nil || (found[3] == "") != strings.HasSuffix(r.Asked, "/refresh") {
		t.Fatalf("%s: %d %.600s", r.Asked, r.Status, r.Body)
	}
	r.IsJSON(t)
	return found[1], found[2]
}
