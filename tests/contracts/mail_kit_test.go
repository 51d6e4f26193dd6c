package contracts

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// What the tests of several dialects need about mails.

// linkedLetter is the newest mail of a kind to an address. Its link is that of a document (OT-14), and its token lives this long.
func linkedLetter(t testing.TB, i *harness.Instance, address string, kind db.MailKind, link string, lives time.Duration) harness.Letter {
	t.Helper()
	l := i.Letter(t, address, kind)
	if l.Mail.Link != i.App.PublicURL+link || l.Token == "" {
		t.Errorf("%s to %s links to %q, want %s", kind, address, l.Mail.Link, link)
	}
	if got := l.ResolvedMail.Token.ExpiresAt.Sub(l.ResolvedMail.Token.CreatedAt); got != lives {
		t.Errorf("the token of %s lives for %v, want %v", kind, got, lives)
	}
	return l
}

// mailsTo are the kinds of all mails to an address, the oldest first.
func mailsTo(t testing.TB, i *harness.Instance, address string) string {
	t.Helper()
	var kinds []string
	for _, l := range i.Letters(t, address, "") {
		kinds = append([]string{string(l.Mail.Kind)}, kinds...)
	}
	return strings.Join(kinds, " ")
}

// oneAnswer asks the same about several addresses and demands one answer, in its status, its body and its headers (LG-05).
func oneAnswer(t testing.TB, i *harness.Instance, ask func(address string) harness.Reply, addresses ...string) {
	t.Helper()
	first := ""
	for _, address := range addresses {
		r := ask(address)
		for _, name := range []string{"X-Request-Id", "Date", "Traceparent"} {
			r.Header.Del(name)
		}
		if got := fmt.Sprint(r.Status, r.Header, r.Body); first == "" {
			first = got
		} else if got != first {
			t.Errorf("%s for %s: %s, for %s: %s", r.Asked, addresses[0], first, address, got)
		}
	}
}

// notTokens are texts in the path that open nothing (OT-04).
func notTokens(good string) []string {
	return []string{
		"x", "null", "0", "true", "%5B%5D", "%7B%7D", "%00", "%20", "000000", "123456", good[:len(good)-1], good + "x", strings.ToUpper(good), "%20" + good,
		"ot1." + strings.Repeat("0", len(good)-4), strings.Repeat("x", 5000),
	}
}

// looksOnly sends to the link of a mail all that must use nothing up. page is where a browser is led; changes says whether the
// link does anything for a program.
func looksOnly(t testing.TB, i *harness.Instance, path, page string, changes bool) {
	t.Helper()
	for name, header := range map[string][]string{
		"a navigation":                 {"Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"},
		"a navigation from a mail":     {"Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"},
		"an old browser":               {"Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "X-Forwarded-Host", "evil.example"},
		"a prefetch":                   {"Sec-Purpose", "prefetch", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"},
		"a prefetch of older browsers": {"Purpose", "prefetch"},
		"HEAD":                         nil,
		"HEAD of a browser":            {"Accept", "text/html"},
		"an image":                     {"Sec-Fetch-Dest", "image", "Sec-Fetch-Site", "cross-site"},
		"another site":                 {"Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "cross-site"},
		"another origin":               {"Origin", "https://evil.example"},
	} {
		method, location, status := "GET ", i.App.PublicURL+"/account/"+page, http.StatusSeeOther
		switch {
		case strings.HasPrefix(name, "HEAD"):
			method, location, status = "HEAD ", "", http.StatusMethodNotAllowed
		case !strings.Contains(name, "navigation") && !strings.Contains(name, "browser") && !strings.Contains(name, "prefetch"):
			location, status = "", http.StatusForbidden
		}
		if !changes && location == "" {
			continue // a GET that only reads is not refused for what it is
		}
		r, err := i.Call(method+path, "", header...)
		if err != nil || r.Status != status || r.Header.Get("Location") != location || r.Header.Get("Set-Cookie") != "" ||
			r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s of %s: %d %v %v, want %d %q", name, path, r.Status, r.Header, err, status, location)
		}
	}
}

// sameWords compares two lists of words in any order.
func sameWords(a, b string) bool {
	count := map[string]int{}
	for word := range strings.FieldsSeq(a) {
		count[word]++
	}
	for word := range strings.FieldsSeq(b) {
		count[word]--
	}
	for _, n := range count {
		if n != 0 {
			return false
		}
	}
	return true
}

// zero is somebody who signed up as the document shows, with a session.
func zero(t testing.TB, i *harness.Instance, email string) harness.ZeroSession {
	t.Helper()
	if r := i.REST(t, "POST /sign_up", harness.Credentials("email", email, harness.ZeroPass)); r.Status != http.StatusCreated {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	return i.SignIn(t, email, harness.ZeroPass)
}

// verification is the query of the document's link.
func verification(email, token string) string {
	return "?email=" + url.QueryEscape(email) + "&token=" + url.QueryEscape(token)
}

// newPasswordBody is the document's own request, for a token.
func newPasswordBody(token string) string {
	return `{
  "password": "` + harness.ZeroNew + `",
  "password_confirmation": "` + harness.ZeroNew + `",
  "token": "` + token + `"
}`
}
