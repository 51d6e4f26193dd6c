package harness

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
	Generic   = "/api/v1/auth"
	JSONType  = "application/json"
	FormType  = "application/x-www-form-urlencoded"
	deniedRow = "HTTP Token: Access denied.\n"

	InvalidCredentials = `{"error":"Invalid credentials"}`
	FieldsRequired     = `{"error":"username and password are required"}`
	InvalidRefresh     = `{"error":"Invalid or expired refresh token"}`
	AuthRequired       = `{"error":"Authentication required"}`
	TooMany            = `{"error":"Too many requests"}`
	Incorrect          = `{"error":"That email or password is incorrect"}`
)

// Reply is what a dialect route answered.
type Reply struct {
	Asked  string // method and path, for messages
	Status int
	Header http.Header
	Body   string
}

// REST calls a route, written "POST /path". A body goes as JSON unless the header fields (name, value, name, value …)
// say otherwise. What holds for every answer is checked here: see sound.
func (i *Instance) REST(t testing.TB, route, body string, header ...string) Reply {
	t.Helper()
	r, err := i.Call(route, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	r.Sound(t)
	return r
}

// Call is rest without a test.
func (i *Instance) Call(route, body string, header ...string) (Reply, error) {
	method, path, _ := strings.Cut(route, " ")
	r, err := http.NewRequest(method, i.URL+path, strings.NewReader(body))
	if err != nil {
		return Reply{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", JSONType)
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
	res, err := Client.Do(r)
	if err != nil {
		return Reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return Reply{route, res.StatusCode, res.Header, string(b)}, err
}

// Bearer is the header field of an access token.
func Bearer(token string) []string { return []string{"Authorization", "Bearer " + token} }

// Sound demands what every answer has, whatever it says (HT-07 to HT-09, HT-16).
func (r Reply) Sound(t testing.TB) {
	t.Helper()
	h := r.Header
	if r.Status >= 500 {
		t.Errorf("%s: %d %.300s", r.Asked, r.Status, r.Body)
	}
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" ||
		len(h.Get("X-Request-Id")) < 20 {
		t.Errorf("%s: %d with the headers %v", r.Asked, r.Status, h)
	}
	for _, field := range []string{"Location", "Set-Cookie", "Server", "X-Powered-By", "Access-Control-Allow-Origin"} {
		if h.Get(field) != "" {
			t.Errorf("%s: %d with %s: %s", r.Asked, r.Status, field, h.Get(field))
		}
	}
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case r.Body == "" && (r.Status == http.StatusNoContent || r.Status == http.StatusNotModified) &&
		h.Get("Content-Type") != "":
		t.Errorf("%s: %d without a body has the type %q", r.Asked, r.Status, h.Get("Content-Type"))
	case r.Body == "":
	case kind == JSONType && len(parameters) == 0 && json.Valid([]byte(r.Body)):
		// JSON has no charset (RFC 8259 section 11)
	case err != nil || !strings.EqualFold(parameters["charset"], "utf-8"):
		t.Errorf("%s: %d with the type %q", r.Asked, r.Status, h.Get("Content-Type"))
	case kind == JSONType && !json.Valid([]byte(r.Body)):
		t.Errorf("%s: %d says that this is JSON: %.300s", r.Asked, r.Status, r.Body)
	}
	if r.Status >= 400 && Leaks.MatchString(r.Body) {
		t.Errorf("%s: %d tells of the inside: %.300s", r.Asked, r.Status, r.Body)
	}
}

// Line is the body without the line feed at its end.
func (r Reply) Line() string { return strings.TrimSuffix(r.Body, "\n") }

// Says demands a status and a JSON body, byte for byte but for a newline at the end.
func (r Reply) Says(t testing.TB, status int, body string) {
	t.Helper()
	if r.Status != status || r.Line() != body {
		t.Errorf("%s: %d %.300s, want %d %s", r.Asked, r.Status, r.Body, status, body)
	}
	r.IsJSON(t)
}

// IsJSON demands a body of JSON that says so.
func (r Reply) IsJSON(t testing.TB) {
	t.Helper()
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != JSONType {
		t.Errorf("%s: %d with the type %q", r.Asked, r.Status, r.Header.Get("Content-Type"))
	}
}

// Refuses demands one of some statuses with a JSON object that has an error, in words of the dialect's choice.
func (r Reply) Refuses(t testing.TB, statuses ...int) {
	t.Helper()
	var body struct{ Error string }
	err := json.Unmarshal([]byte(r.Body), &body)
	for _, status := range statuses {
		if r.Status == status && err == nil && body.Error != "" {
			r.IsJSON(t)
			return
		}
	}
	t.Errorf("%s: %d %.300s, want one of %v and an error", r.Asked, r.Status, r.Body, statuses)
}

// Empty demands 204 and nothing else.
func (r Reply) Empty(t testing.TB) {
	t.Helper()
	if r.Status != http.StatusNoContent || r.Body != "" {
		t.Errorf("%s: %d %.300s, want 204", r.Asked, r.Status, r.Body)
	}
}

// Denied demands the 401 of authentication-zero, which is text.
func (r Reply) Denied(t testing.TB) {
	t.Helper()
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Status != http.StatusUnauthorized || r.Body != deniedRow || kind != "text/plain" ||
		r.Header.Get("Www-Authenticate") != `Token realm="Application"` ||
		len(r.Header.Values("Www-Authenticate")) != 1 {
		t.Errorf("%s: %d %q %v, want the 401 in text", r.Asked, r.Status, r.Body, r.Header)
	}
}

// forms are the places of a template: see matched. The header of a JWT is the one of the document's sample, byte for
// byte.
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

// Matched demands a status and a body of these fields, in this order, and gives what stands in the places of the
// template.
func (r Reply) Matched(t testing.TB, status int, template string) []string {
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
		t.Fatalf("%s: %d %.600s\nwant %d %s", r.Asked, r.Status, r.Body, status, template)
	}
	r.IsJSON(t)
	return found[1:]
}

// Without takes a field with a string out of the answer, where the document does not have it, and gives its value.
func (r Reply) Without(field string) (Reply, string) {
	member := regexp.MustCompile(fmt.Sprintf(`,"%[1]s":"([^"]*)"|"%[1]s":"([^"]*)",`, field))
	found := member.FindStringSubmatch(r.Body)
	if found == nil {
		return r, ""
	}
	r.Body = strings.Replace(r.Body, found[0], "", 1)
	return r, found[1] + found[2]
}
