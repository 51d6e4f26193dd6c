package mail

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// visitPage fetches a path with header fields, given as name, value …; a body is sent as a form by POST. The field Host
// is the name of the server that the request is for.
func visitPage(t testing.TB, i *harness.Instance, method, path, body string, header ...string) (*http.Response,
	string,
) {
	t.Helper()
	r, err := http.NewRequest(method, i.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for n := 0; n+1 < len(header); n += 2 {
		if header[n] == "Host" {
			r.Host = header[n+1]
		}
		r.Header.Set(header[n], header[n+1])
	}
	res, err := harness.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

// TestMailbox_JSON is the mailbox as the tests of an application read it.
func TestMailbox_JSON(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		s.Register(t, "ada@example.com")
		s.Register(t, "grada@example.com")
		l := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
		res, text := visitPage(t, s, "GET", "/dev/mailbox?to=ADA@example.com", "", "Accept", "application/json")
		var all []struct {
			ID, To, Subject, Text, HTML, Code, CreatedAt string
			Links                                        []string
		}
		if err := json.Unmarshal([]byte(text), &all); err != nil || res.StatusCode != 200 ||
			res.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", res.StatusCode, err, text)
		}
		if len(all) == 0 || all[0].ID != l.Mail.ID.String() || all[0].Code != l.Code || len(all[0].Links) != 1 ||
			all[0].Links[0] != s.URL+"/account/sign-in#token="+l.Token ||
			!strings.Contains(all[0].Text, all[0].Links[0]) ||
			!strings.Contains(all[0].HTML, all[0].Links[0]) || !strings.HasPrefix(all[0].Subject, "Sign in to ") {
			t.Fatalf("%s", text)
		}
		for _, m := range all {
			if m.To != "ada@example.com" {
				t.Errorf("a mail to %s", m.To)
			}
		}
		if _, text := visitPage(t, s, "GET", "/dev/mailbox?to=no-address", "", "Accept",
			"application/json"); text != "[]\n" {
			t.Errorf("to nobody: %s", text)
		}
		if _, text := visitPage(t, s, "GET", "/dev/mailbox/"+all[0].ID, "", "Accept",
			"application/json"); !strings.HasPrefix(text, `{"id":"`+all[0].ID) {
			t.Errorf("one mail: %s", text)
		}
		for _, path := range []string{"/dev/", "/dev/mailbox/", "/dev/mailbox/mail_x", "/dev/mailbox/" + all[0].ID +
			"/txt", "/dev/mailbox/html", "/dev/mailboxes"} {
			if res, text := visitPage(t, s, "GET", path, ""); res.StatusCode != 404 {
				t.Errorf("%s: %d %s", path, res.StatusCode, text)
			}
		}
		if res, _ := visitPage(t, s, "POST", "/dev/mailbox", "a=b"); res.StatusCode != 405 {
			t.Errorf("POST: %d", res.StatusCode)
		}
	})
}

// TestMailbox_Guards: whoever reads it takes accounts over, so no page of elsewhere does, not even one that is trusted
// otherwise.
func TestMailbox_Guards(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"a program":                         {nil, 200},
		"by another name of this machine":   {[]string{"Host", "localhost:" + port}, 200},
		"by its address of IPv6":            {[]string{"Host", "[::1]:" + port}, 200},
		"a name that was made to lead here": {[]string{"Host", "evil.example:" + port}, 403},
		"a name like ours":                  {[]string{"Host", "localhost.evil.example"}, 403},
		"typed into the address bar":        {[]string{"Sec-Fetch-Site", "none"}, 200},
		"its own page":                      {[]string{"Sec-Fetch-Site", "same-origin"}, 200},
		"a link of another page": {[]string{
			"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Dest", "document",
		}, 200},
		"a frame of another page": {[]string{
			"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
			"Sec-Fetch-Dest", "iframe",
		}, 403},
		"a page of another site": {[]string{
			"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin",
			"https://evil.example",
		}, 403},
		"a page of another port": {[]string{
			"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Origin",
			"http://127.0.0.1:1",
		}, 403},
		"a script of another port": {[]string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		"an old browser elsewhere": {[]string{"Origin", "http://127.0.0.1:1"}, 403},
	} {
		res, text := visitPage(t, s, "GET", "/dev/mailbox", "", c.header...)
		if res.StatusCode != c.status || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %s %v", name, res.StatusCode, text, res.Header)
		}
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") ||
			strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", name, csp)
		}
	}
	for name, env := range map[string]string{
		"public": "DRAGOMAN_PUBLIC_URL=https://auth.example.com", "sending": "DRAGOMAN_SMTP_URL=smtp://127.0.0.1:2525",
		"without mail": "DRAGOMAN_SMTP_URL=none",
	} {
		envs := []string{env}
		if name == "public" {
			envs = append(envs, "DRAGOMAN_SMTP_URL=none")
		}
		for _, path := range []string{"/dev/mailbox", "/dev/"} {
			if res, _ := visitPage(t, harness.Start(t, dbtest.SQLite(t), envs...), "GET", path,
				""); res.StatusCode != 404 {
				t.Errorf("a server that is %s: %s: %d", name, path, res.StatusCode)
			}
		}
	}
}

// TestHT20_MailboxIsLocal: a proxy before the server, told of or not, hands the mailbox to nobody.
func TestHT20_MailboxIsLocal(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	for _, header := range [][]string{
		{"Forwarded", "for=192.0.2.1"},
		{"X-Forwarded-For", "192.0.2.1"},
		{"X-Forwarded-For", "127.0.0.1"},
		{"X-Forwarded-Host", "auth.example.com"},
		{"X-Forwarded-Proto", "https"},
		{"X-Forwarded-Anything", ""},
		{"X-Real-Ip", "192.0.2.1"},
		{"Via", "1.1 proxy"},
	} {
		for _, path := range []string{"/dev/mailbox", "/dev/mailbox?to=ada@example.com", "/dev/mailbox/x/html"} {
			res, text := visitPage(t, s, "GET", path, "", header...)
			if res.StatusCode != http.StatusForbidden || !strings.Contains(text, "DRAGOMAN_MAILBOX=on") {
				t.Errorf("%s with %s: %d %s", path, header, res.StatusCode, text)
			}
		}
	}
	ask := func(change func(*http.Request)) int {
		r := httptest.NewRequest(http.MethodGet, s.URL+"/dev/mailbox", nil)
		r.RemoteAddr = "127.0.0.1:4711"
		change(r)
		w := httptest.NewRecorder()
		s.App.Handler.ServeHTTP(w, r)
		return w.Code
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"this machine":                      {func(*http.Request) {}, 200},
		"this machine by IPv6":              {func(r *http.Request) { r.RemoteAddr = "[::1]:4711" }, 200},
		"another machine":                   {func(r *http.Request) { r.RemoteAddr = "192.0.2.1:4711" }, 403},
		"no address":                        {func(r *http.Request) { r.RemoteAddr = "@" }, 403},
		"HTTP/1.0, as proxies of old speak": {func(r *http.Request) { r.Proto, r.ProtoMinor = "HTTP/1.0", 0 }, 403},
	} {
		if got := ask(c.change); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	for name, env := range map[string]string{
		"with a trusted proxy": "DRAGOMAN_TRUSTED_PROXIES=10.0.0.0/8", "switched off": "DRAGOMAN_MAILBOX=off",
	} {
		if res, text := visitPage(t, harness.Start(t, dbtest.SQLite(t), env), "GET", "/dev/mailbox",
			""); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
}

// TestHT21_MailboxByKey: DRAGOMAN_MAILBOX=on opens the mailbox to whoever has the key of the banner, from anywhere.
func TestHT21_MailboxByKey(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_MAILBOX=on", "DRAGOMAN_LISTEN=:8080",
		"DRAGOMAN_TRUSTED_PROXIES=127.0.0.0/8", "DRAGOMAN_PUBLIC_URL=http://auth.example.com")
	var banner bytes.Buffer
	s.App.Banner(&banner, "dragoman")
	found := regexp.MustCompile(`http://auth\.example\.com(/dev/mailbox\?key=([a-z0-9]{26,}))\b`).FindStringSubmatch(
		banner.String())
	if found == nil {
		t.Fatalf("the banner says no key: %s", banner.String())
	}
	path, key := found[1], found[2]
	s.Register(t, "ada@example.com")
	l := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
	page := "/dev/mailbox/" + l.Mail.ID.String()
	for _, p := range []string{
		"/dev/mailbox", page, page + "/html", path + "x", path[:len(path)-1],
		"/dev/mailbox?key=",
	} {
		for _, header := range [][]string{{}, {"Cookie", "mailbox_key=" + key[1:]}, {"Accept", "application/json"}} {
			if res, text := visitPage(t, s, "GET", p, "", header...); res.StatusCode != http.StatusForbidden ||
				strings.Contains(text, l.Code) || !strings.Contains(text, "key") {
				t.Errorf("%s %v: %d %s", p, header, res.StatusCode, text)
			}
		}
	}
	// A program shows the key each time. It may come through a proxy.
	if res, text := visitPage(t, s, "GET", path+"&to=ada@example.com", "", "Accept", "application/json",
		"X-Forwarded-For",
		"192.0.2.1"); res.StatusCode != 200 || !strings.Contains(text, l.Token) || len(res.Cookies()) != 0 {
		t.Errorf("a program: %d %s %v", res.StatusCode, text, res.Cookies())
	}
	// A browser is sent on without the key in its address, and keeps it in a cookie for all pages of the mailbox.
	res, _ := visitPage(t, s, "GET", path+"&to=ada@example.com", "", "Accept", "text/html", "Sec-Fetch-Site",
		"cross-site",
		"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/dev/mailbox?to=ada%40example.com" ||
		len(res.Cookies()) != 1 {
		t.Fatalf("a browser: %d %v", res.StatusCode, res.Header)
	}
	c := res.Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/dev/" || c.Domain != "" || c.Value != key {
		t.Errorf("the cookie %+v", c)
	}
	for _, p := range []string{"/dev/mailbox", page, page + "/html"} {
		res, text := visitPage(t, s, "GET", p, "", "Cookie", c.Name+"="+c.Value)
		if res.StatusCode != 200 || strings.Contains(text, key) {
			t.Errorf("%s: %d %s", p, res.StatusCode, text)
		}
	}
	if res, _ := visitPage(t, s, "GET", "/dev/mailbox", "", "Cookie", c.Name+"="+c.Value, "Sec-Fetch-Site",
		"cross-site",
		"Sec-Fetch-Mode", "cors", "Origin", "https://evil.example"); res.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another site, by the cookie: %d", res.StatusCode)
	}
	if strings.Contains(s.Logged.String(), key) {
		t.Error("the key is in the log")
	}
	other := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_MAILBOX=on")
	if res, _ := visitPage(t, other, "GET", path, ""); res.StatusCode != http.StatusForbidden {
		t.Errorf("another start: %d", res.StatusCode)
	}
}

// TestOT13_PagesUseNothingUp opens every page as browsers and mail programs do, and then uses the token.
func TestOT13_PagesUseNothingUp(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	s.Register(t, "ada@example.com")
	l := s.Mailed(t, harness.AskMagicDoc, "ada@example.com", db.MailMagicLink)
	for _, method := range []string{"GET", "HEAD"} {
		for _, header := range [][]string{
			{"Accept", "text/html"},
			{"Sec-Purpose", "prefetch"},
			{"Purpose", "prefetch"},
			{"Accept", "application/json"},
		} {
			res, text := visitPage(t, s, method, "/account/sign-in?token="+l.Token, "", header...)
			h := res.Header
			// OT-18
			if res.StatusCode != 200 || h.Get("Referrer-Policy") != "same-origin" ||
				h.Get("Cache-Control") != "no-store" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
				strings.Contains(text, l.Token) {
				t.Errorf("%s %v: %d %v", method, header, res.StatusCode, h)
			}
			if len(res.Cookies()) > 0 {
				t.Errorf("%s %v: %v", method, header, res.Cookies())
			}
		}
	}
	token := url.Values{"token": {l.Token}}.Encode()
	if res, _ := visitPage(t, s, "PUT", "/account/sign-in", token); res.StatusCode != 405 {
		t.Errorf("PUT: %d", res.StatusCode)
	}
	for name, header := range map[string][]string{ // whoever could send this signs a visitor in to an account of theirs
		"another site":   {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
		"another port":   {"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:1"},
		"an old browser": {"Origin", "https://evil.example"},
		"a hidden one":   {"Origin", "null"},
	} {
		if res, text := visitPage(t, s, "POST", "/account/sign-in", token, header...); res.StatusCode != 403 ||
			len(res.Cookies()) > 0 {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
	res, text := visitPage(t, s, "POST", "/account/sign-in", token, "Sec-Fetch-Site", "same-origin", "Origin", s.URL,
		"Accept", "application/json")
	if res.StatusCode != 200 || !strings.Contains(text, `"done":true`) || !strings.Contains(text, "ada@example.com") ||
		len(res.Cookies()) != 2 { // of the session and of the device
		t.Errorf("%d %s %v", res.StatusCode, text, res.Cookies())
	}
}

// TestAccountPages_WithoutScripts: the form asks for the code, and the answer is a page.
func TestAccountPages_WithoutScripts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		reset := s.Mailed(t, harness.AskResetDoc, ada.Email, db.MailResetPassword)
		post := func(page string, want string, fields ...string) {
			t.Helper()
			form := url.Values{}
			for n := 0; n+1 < len(fields); n += 2 {
				form.Set(fields[n], fields[n+1])
			}
			res, text := visitPage(t, s, "POST", "/account/"+page, form.Encode(), "Sec-Fetch-Site", "same-origin",
				"Accept", "text/html")
			if res.StatusCode != 200 || !strings.Contains(text, want) || !strings.HasPrefix(text, "<!doctype html>") {
				t.Errorf("%s: %d, without %q: %s", page, res.StatusCode, want, text)
			}
		}
		const next = "a better horse battery"
		wrong := "000000"
		if reset.Code == wrong {
			wrong = "000001"
		}
		post("reset-password", "Please enter your email address, and the code of the mail.", "email", ada.Email)
		post("reset-password", "Please choose a password.", "email", ada.Email, "code", reset.Code)
		post("reset-password", "The two passwords are not the same.", "email", ada.Email, "code", reset.Code,
			"password", next, "repeat", "other")
		post("reset-password", "This code is not right", "email", ada.Email, "code", wrong, "password", next, "repeat",
			next)
		post("reset-password", `value="&#34;&gt;&lt;b&gt;"`, "email", `"><b>`, "code", wrong, "password", next,
			"repeat", next)
		post("reset-password", "problem", "email", ada.Email, "code", reset.Code, "password", "short", "repeat",
			"short")
		post("reset-password", "Your new password counts", "email", " "+ada.Email, "code", reset.Code[:3]+" "+
			reset.Code[3:], "password", next, "repeat", next)
		post("reset-password", "This link is not good any more", "token", reset.Token, "password", next, "repeat", next)
		ada.Access = harness.Fine(t, s.Login(t, ada.Email, next)).Text("login", "tokens", "accessToken")

		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangeEmailDoc,
			harness.InputOf("email", "ada@example.org", "currentPassword", next)))
		asked := s.Letter(t, ada.Email, db.MailChangeAsked)
		post("cancel-email-change", "Please paste the link of the mail.", "token", "")
		post("cancel-email-change", "The change is taken back", "token", s.URL+"/account/cancel-email-change#token="+
			asked.Token)
		harness.Fine(t, s.GraphQL(t, ada.Access, harness.ChangeEmailDoc,
			harness.InputOf("email", "ada@example.net", "currentPassword", next)))
		confirm := s.Letter(t, "ada@example.net", db.MailConfirmChange)
		post("confirm-email", "ada@example.net is the address of your account now.", "token", s.URL+
			"/account/confirm-email#token="+confirm.Token)
	})
}

// TestAccountPages_Forms is what a page does not take.
func TestAccountPages_Forms(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_RATE_LIMITS=on")
	for name, c := range map[string]struct {
		body, media string
		status      int
	}{
		"JSON":            {`{"token": "x"}`, "application/json", 415},
		"plain text":      {`token=x`, "text/plain", 415},
		"a field twice":   {"token=a&token=b", "application/x-www-form-urlencoded", 400},
		"a broken escape": {"token=%zz", "application/x-www-form-urlencoded", 400},
		"too much":        {"token=" + strings.Repeat("a", 9<<10), "application/x-www-form-urlencoded", 413},
	} {
		res, text := visitPage(t, s, "POST", "/account/verify-email", c.body, "Content-Type", c.media, "Accept",
			"application/json")
		if res.StatusCode != c.status || !strings.Contains(text, `"problem":`) {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
	for _, path := range []string{"/account/", "/account/nothing", "/account/_/", "/account/_/nothing.css"} {
		if res, _ := visitPage(t, s, "GET", path, ""); res.StatusCode != 404 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	for n := 0; ; n++ { // what is tried here counts as it does everywhere else
		res, text := visitPage(t, s, "POST", "/account/verify-email", "token=ot1.x", "Accept", "application/json")
		if res.StatusCode == 429 && res.Header.Get("Retry-After") != "" {
			break
		}
		if n > 700 || res.StatusCode != 200 || !strings.Contains(text, "This link is not good any more") {
			t.Fatalf("try %d: %d %s", n, res.StatusCode, text)
		}
	}
}

// TestOT07_LinksAreOurs: no name that a request claims for the server gets into a mail.
func TestOT07_LinksAreOurs(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	s.Register(t, "ada@example.com")
	body, _ := json.Marshal(map[string]any{
		"query":     harness.AskResetDoc,
		"variables": harness.InputOf("email", "ada@example.com"),
	})
	res, text := visitPage(t, s, "POST", "/graphql", string(body), "Content-Type", "application/json", "Host",
		"evil.example", "X-Forwarded-Host", "evil.example",
		"X-Forwarded-Proto", "https", "Forwarded", "host=evil.example", "X-Original-Host", "evil.example")
	if res.StatusCode != 200 || strings.Contains(text, "code") {
		t.Fatalf("%d %s", res.StatusCode, text)
	}
	l := s.Letter(t, "ada@example.com", db.MailResetPassword)
	_, mail := visitPage(t, s, "GET", "/dev/mailbox/"+l.Mail.ID.String(), "", "Accept", "application/json")
	if strings.Contains(mail, "evil") || !strings.Contains(mail, s.URL+"/account/reset-password#token="+l.Token) {
		t.Errorf("%s", mail)
	}
	if logged := s.Logged.String(); strings.Contains(logged, l.Token) ||
		strings.Contains(logged, "token="+l.Token[:10]) {
		t.Error("the token is in the log") // AU-02
	}
}
