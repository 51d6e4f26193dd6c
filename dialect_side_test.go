package main

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const (
	generic   = "/api/v1/auth"
	jsonType  = "application/json"
	formType  = "application/x-www-form-urlencoded"
	deniedRow = "HTTP Token: Access denied.\n"

	invalidCredentials = `{"error":"Invalid credentials"}`
	fieldsRequired     = `{"error":"username and password are required"}`
	invalidRefresh     = `{"error":"Invalid or expired refresh token"}`
	authRequired       = `{"error":"Authentication required"}`
	keyNotFound        = `{"error":"API key not found"}`
	tooMany            = `{"error":"Too many requests"}`
	incorrect          = `{"error":"That email or password is incorrect"}`
	railsNotFound      = `{"status":404,"error":"Not Found"}`
)

// reply is what a dialect route answered.
type reply struct {
	asked  string // method and path, for messages
	Status int
	Header http.Header
	Body   string
}

// rest calls a route, written "POST /path". A body goes as JSON unless the header fields (name, value, name, value …) say
// otherwise. What holds for every answer is checked here: see sound.
func (i *instance) rest(t testing.TB, route, body string, header ...string) reply {
	t.Helper()
	r, err := i.call(route, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	r.sound(t)
	return r
}

// call is rest without a test.
func (i *instance) call(route, body string, header ...string) (reply, error) {
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequest(method, i.URL+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", jsonType)
	}
	for n := 0; n+1 < len(header); n += 2 {
		switch {
		case header[n] == "Content-Type" && header[n+1] == "":
			r.Header.Del("Content-Type")
		case header[n] == "Content-Type":
			r.Header.Set("Content-Type", header[n+1])
		default:
			r.Header.Add(header[n], header[n+1])
		}
	}
	res, err := client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return reply{route, res.StatusCode, res.Header, string(b)}, err
}

func bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// sound demands what every answer has, whatever it says (HT-07 to HT-09, HT-16).
func (r reply) sound(t testing.TB) {
	t.Helper()
	h := r.Header
	if r.Status >= 500 {
		t.Errorf("%s: %d %.300s", r.asked, r.Status, r.Body)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || len(h.Get("X-Request-Id")) < 20 {
		t.Errorf("%s: %d with the headers %v", r.asked, r.Status, h)
	}
	for _, field := range []string{"Location", "Set-Cookie", "Server", "X-Powered-By", "Access-Control-Allow-Origin"} {
		if h.Get(field) != "" {
			t.Errorf("%s: %d with %s: %s", r.asked, r.Status, field, h.Get(field))
		}
	}
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case r.Body == "" && (r.Status == http.StatusNoContent || r.Status == http.StatusNotModified) && h.Get("Content-Type") != "":
		t.Errorf("%s: %d without a body has the type %q", r.asked, r.Status, h.Get("Content-Type"))
	case r.Body == "":
	case kind == jsonType && len(parameters) == 0 && json.Valid([]byte(r.Body)): // JSON has no charset (RFC 8259 section 11)
	case err != nil || !strings.EqualFold(parameters["charset"], "utf-8"):
		t.Errorf("%s: %d with the type %q", r.asked, r.Status, h.Get("Content-Type"))
	case kind == jsonType && !json.Valid([]byte(r.Body)):
		t.Errorf("%s: %d says that this is JSON: %.300s", r.asked, r.Status, r.Body)
	}
	if r.Status >= 400 && leaks.MatchString(r.Body) {
		t.Errorf("%s: %d tells of the inside: %.300s", r.asked, r.Status, r.Body)
	}
}

// says demands a status and a JSON body, byte for byte but for a newline at the end.
func (r reply) says(t testing.TB, status int, body string) {
	t.Helper()
	if r.Status != status || strings.TrimSuffix(r.Body, "\n") != body {
		t.Errorf("%s: %d %.300s, want %d %s", r.asked, r.Status, r.Body, status, body)
	}
	r.isJSON(t)
}

func (r reply) isJSON(t testing.TB) {
	t.Helper()
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != jsonType {
		t.Errorf("%s: %d with the type %q", r.asked, r.Status, r.Header.Get("Content-Type"))
	}
}

// refuses demands one of some statuses with a JSON object that has an error, in words of the dialect's choice.
func (r reply) refuses(t testing.TB, statuses ...int) {
	t.Helper()
	var body struct{ Error string }
	err := json.Unmarshal([]byte(r.Body), &body)
	for _, status := range statuses {
		if r.Status == status && err == nil && body.Error != "" {
			r.isJSON(t)
			return
		}
	}
	t.Errorf("%s: %d %.300s, want one of %v and an error", r.asked, r.Status, r.Body, statuses)
}

// empty demands 204 and nothing else.
func (r reply) empty(t testing.TB) {
	t.Helper()
	if r.Status != http.StatusNoContent || r.Body != "" {
		t.Errorf("%s: %d %.300s, want 204", r.asked, r.Status, r.Body)
	}
}

// denied demands the 401 of authentication-zero, which is text.
func (r reply) denied(t testing.TB) {
	t.Helper()
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Status != http.StatusUnauthorized || r.Body != deniedRow || kind != "text/plain" ||
		r.Header.Get("Www-Authenticate") != `Token realm="Application"` || len(r.Header.Values("Www-Authenticate")) != 1 {
		t.Errorf("%s: %d %q %v, want the 401 in text", r.asked, r.Status, r.Body, r.Header)
	}
}

// forms are the places of a template: see matched. The header of a JWT is the one of the document's sample, byte for byte.
var forms = map[string]string{
	"jwt":    `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.[\w-]+\.[\w-]{43}`,
	"es256":  `eyJ[\w-]+\.[\w-]+\.[\w-]{86}`,
	"about":  `[^"]+`,
	"rt":     `rt1\.[\w.-]+`,
	"user":   `user_[0-7][0-9a-hjkmnp-tv-z]{25}`,
	"key":    `key_[0-7][0-9a-hjkmnp-tv-z]{25}`,
	"secret": `sk_live_[0-9A-Za-z]{44}`,
	"number": `[1-9]\d{0,9}`,
	"second": `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`,
	"milli":  `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`,
}

var place = regexp.MustCompile(`<(\w+)>`)

// matched demands a status and a body of these fields, in this order, and gives what stands in the places of the template.
func (r reply) matched(t testing.TB, status int, template string) []string {
	t.Helper()
	var pattern strings.Builder
	last := 0
	for _, at := range place.FindAllStringSubmatchIndex(template, -1) {
		form, ok := forms[template[at[2]:at[3]]]
		if !ok {
			t.Fatalf("no form %s", template[at[0]:at[1]])
		}
		pattern.WriteString(regexp.QuoteMeta(template[last:at[0]]) + "(" + form + ")")
		last = at[1]
	}
	pattern.WriteString(regexp.QuoteMeta(template[last:]))
	found := regexp.MustCompile("^" + pattern.String() + "\n?$").FindStringSubmatch(r.Body)
	if r.Status != status || found == nil {
		t.Fatalf("%s: %d %.600s\nwant %d %s", r.asked, r.Status, r.Body, status, template)
	}
	r.isJSON(t)
	return found[1:]
}

// without takes a field with a string out of the answer, where the document does not have it, and gives its value.
func (r reply) without(field string) (reply, string) {
	member := regexp.MustCompile(fmt.Sprintf(`,"%[1]s":"([^"]*)"|"%[1]s":"([^"]*)",`, field))
	found := member.FindStringSubmatch(r.Body)
	if found == nil {
		return r, ""
	}
	r.Body = strings.Replace(r.Body, found[0], "", 1)
	return r, found[1] + found[2]
}

// person is an account with its other names.
type person struct {
	account
	Username string
	Number   int
}

// person registers over GraphQL; username may be "".
func (i *instance) person(t testing.TB, email, username string) person {
	t.Helper()
	fields := []any{"email", email, "password", goodPass}
	if username != "" {
		fields = append(fields, "username", username)
	}
	a := i.registers(t, fields...)
	number, _ := a.at("register", "user", "number").(float64)
	p := person{account{
		ID: a.text("register", "user", "id"), Email: a.text("register", "user", "email"), Session: a.text("register", "session", "id"),
		Access: a.text("register", "tokens", "accessToken"), Refresh: a.text("register", "tokens", "refreshToken"),
	}, username, int(number)}
	if a.code() != "" || p.Access == "" {
		t.Fatalf("register %s: %s", email, a.Raw)
	}
	return p
}

func credentials(name, identifier, password string) string {
	b, _ := json.Marshal(map[string]string{name: identifier, "password": password})
	return string(b)
}

// genericLogin signs in as document 003 says and gives the access and the refresh token.
func (i *instance) genericLogin(t testing.TB, username string) (access, refresh string) {
	t.Helper()
	r, refresh := i.rest(t, "POST "+generic+"/login", credentials("username", username, goodPass)).without("refreshToken")
	var body struct{ Token string }
	if json.Unmarshal([]byte(r.Body), &body) != nil || r.Status != http.StatusOK || body.Token == "" || refresh == "" {
		t.Fatalf("login %s: %d %s", username, r.Status, r.Body)
	}
	return body.Token, refresh
}

// zeroSession is a session as document 004 writes it.
type zeroSession struct {
	ID        int    `json:"id"`
	UserID    int    `json:"user_id"`
	IPAddress string `json:"ip_address"`
	Token     string `json:"-"`
}

func (z zeroSession) path() string { return fmt.Sprintf("/sessions/%d", z.ID) }

// signIn signs in as document 004 says.
func (i *instance) signIn(t testing.TB, email, password string, header ...string) (z zeroSession) {
	t.Helper()
	r := i.rest(t, "POST /sign_in", credentials("email", email, password), header...)
	z.Token = r.Header.Get("X-Session-Token")
	if json.Unmarshal([]byte(r.Body), &z) != nil || r.Status != http.StatusCreated || z.ID == 0 || z.Token == "" {
		t.Fatalf("sign_in %s: %d %s %v", email, r.Status, r.Body, r.Header)
	}
	return z
}

// census counts what a request can create.
func (s *side) census(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("%d users, %d sessions (%d live), %d keys (%d live)",
		mustCount(t, s.DB, "SELECT count(*) FROM users"),
		mustCount(t, s.DB, "SELECT count(*) FROM sessions"),
		mustCount(t, s.DB, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"),
		mustCount(t, s.DB, "SELECT count(*) FROM api_keys"),
		mustCount(t, s.DB, "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL"))
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
