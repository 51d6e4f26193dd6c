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

// linkedLetter is the newest mail of a kind to an address. It links to a page of the server (OT-35), and its token
// lives this long.
func linkedLetter(t testing.TB, i *harness.Instance, address string, kind db.MailKind, page string,
	lives time.Duration,
) harness.Letter {
	t.Helper()
	l := i.Letter(t, address, kind)
	r, err := i.Call("GET /dev/mailbox/"+l.Mail.ID.String(), "", "Accept", "application/json")
	if err != nil {
		t.Fatal(err)
	}
	if link := i.App.PublicURL + "/account/" + page + "#token=" + l.Token; l.Token == "" || l.Mail.Link != "" ||
		!strings.Contains(r.Body, `"links":["`+link+`"]`) {
		t.Errorf("%s to %s does not link to %s: %d %s", kind, address, link, r.Status, r.Body)
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

// oneAnswer asks the same about several addresses and demands one answer, in its status, its body and its headers
// (LG-05).
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
		"x", "null", "0", "true", "%5B%5D", "%7B%7D", "%00", "%20", "000000", "123456", good[:len(good)-1], good + "x",
		strings.ToUpper(good), "%20" + good,
		"ot1." + strings.Repeat("0", len(good)-4), strings.Repeat("x", 5000),
	}
}

// lookAtLink requests the link of a mail in every way that must not redeem its token. page is where a browser is sent.
// changes says whether a program's GET redeems the token: a route that only reads does not reject other sites.
func lookAtLink(t testing.TB, i *harness.Instance, path, page string, changes bool) {
	t.Helper()
	type want struct {
		status      int
		location    string
		onlyChanges bool
	}
	toPage := want{status: http.StatusSeeOther, location: i.App.PublicURL + "/account/" + page}
	forbidden := want{status: http.StatusForbidden, onlyChanges: true}
	notAllowed := want{status: http.StatusMethodNotAllowed, onlyChanges: true}
	navigation := []string{"Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate"}
	for _, c := range []struct {
		name, method string
		header       []string
		want         want
	}{
		{"a navigation", "GET", append(navigation, "Sec-Fetch-Site", "none"), toPage},
		{"a navigation from a mail", "GET", append(navigation, "Sec-Fetch-Site", "cross-site"), toPage},
		{"an old browser", "GET", []string{
			"Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "X-Forwarded-Host",
			"evil.example",
		}, toPage},
		{"a prefetch", "GET", []string{
			"Sec-Purpose", "prefetch", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site",
			"same-origin",
		}, toPage},
		{"a prefetch of older browsers", "GET", []string{"Purpose", "prefetch"}, toPage},
		{"HEAD", "HEAD", nil, notAllowed},
		{"HEAD of a browser", "HEAD", []string{"Accept", "text/html"}, notAllowed},
		{"an image", "GET", []string{"Sec-Fetch-Dest", "image", "Sec-Fetch-Site", "cross-site"}, forbidden},
		{"another site", "GET", []string{"Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "cross-site"}, forbidden},
		{"another origin", "GET", []string{"Origin", "https://evil.example"}, forbidden},
	} {
		if c.want.onlyChanges && !changes {
			continue
		}
		r, err := i.Call(c.method+" "+path, "", c.header...)
		if err != nil || r.Status != c.want.status || r.Header.Get("Location") != c.want.location ||
			r.Header.Get("Set-Cookie") != "" ||
			r.Header.Get("Referrer-Policy") != "no-referrer" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s of %s: %d %v %v, want %d %q", c.name, path, r.Status, r.Header, err, c.want.status,
				c.want.location)
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
	if r := i.REST(t, "POST /sign_up", harness.Credentials("email", email, harness.ZeroPass)); r.Status !=
		http.StatusCreated {
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
