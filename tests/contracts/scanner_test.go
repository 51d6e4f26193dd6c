package contracts

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// mailedURL finds what a mail program makes a link of, and what a scanner therefore fetches.
var (
	mailedURL = regexp.MustCompile(`https?://[^\s"'<>]+`)
	linkedURL = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
)

// mailedURLs are all URLs of a mail, as text and as HTML.
func mailedURLs(t testing.TB, i *harness.Instance, id string) []string {
	t.Helper()
	r, err := i.Call("GET /dev/mailbox/"+id, "", "Accept", "application/json")
	var mail struct{ Text, HTML string }
	if err != nil || json.Unmarshal([]byte(r.Body), &mail) != nil || mail.Text == "" || mail.HTML == "" {
		t.Fatalf("the mail %s: %d %s %v", id, r.Status, r.Body, err)
	}
	found := mailedURL.FindAllString(mail.Text+" "+html.UnescapeString(mail.HTML), -1)
	for n := range found {
		found[n] = strings.TrimRight(found[n], ".,:)")
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// scanner fetches as link scanners, previews and antivirus gateways do: from another address than the person's, by GET
// and HEAD, as a program and as a browser, following redirects.
type scanner struct {
	http.Client
	t    testing.TB
	seen map[string]bool
}

func newScanner(t testing.TB) *scanner {
	t.Helper()
	elsewhere := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return elsewhere.DialContext(ctx, network, address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &scanner{Client: http.Client{Transport: transport, Timeout: 20 * time.Second}, t: t, seen: map[string]bool{}}
}

// scannerHeaders are what scanners say of themselves.
var scannerHeaders = [][]string{
	{},
	{"Accept", "*/*", "User-Agent", "curl/8.14.1"},
	{
		"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Mode", "navigate",
		"Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Sec-Fetch-User", "?1",
	},
	{"Accept", "text/html", "User-Agent", "Mozilla/5.0 (compatible; MSIE 9.0)"},
	{"Accept", "*/*", "Sec-Fetch-Mode", "navigate"},
	{"Purpose", "prefetch", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"},
}

// scan fetches a URL in every way, twice, and then everything that the page links to.
func (s *scanner) scan(address string, deeper bool) {
	s.t.Helper()
	if s.seen[address] {
		return
	}
	s.seen[address] = true
	for range 2 {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, header := range scannerHeaders {
				for _, next := range s.fetch(method, address, header) {
					if deeper {
						s.scan(next, false)
					}
				}
			}
		}
	}
}

// fetch gives the URLs that an answer links to.
func (s *scanner) fetch(method, address string, header []string) (next []string) {
	s.t.Helper()
	r, err := http.NewRequest(method, address, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	res, err := s.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, found := range linkedURL.FindAllStringSubmatch(string(body), -1) {
		to, err := res.Request.URL.Parse(html.UnescapeString(found[1]))
		if err == nil && to.Host == r.URL.Host {
			next = append(next, to.String())
		}
	}
	return next
}

// state is what a scanner must not change: who has what, which tokens are good, and what the audit log says.
func state(t testing.TB, conn *harness.Side) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(conn.Census(t))
	for _, query := range []string{
		`SELECT email || coalesce(pending_email, '-') || password_hash || status FROM users ORDER BY id`,
		`SELECT CAST(count(*) AS text) FROM users WHERE email_verified_at IS NOT NULL`,
		`SELECT purpose || address FROM one_time_tokens WHERE invalidated_at IS NULL ORDER BY id`,
		`SELECT CAST(count(*) AS text) FROM one_time_tokens`,
		`SELECT CAST(count(*) AS text) FROM mails`,
		`SELECT CAST(count(*) AS text) FROM audit_events`,
		`SELECT CAST(count(*) AS text) FROM known_devices`,
	} {
		fmt.Fprintf(&b, "\n%q", conn.Texts(t, query))
	}
	return b.String()
}

// OT-35: no mail carries a URL that acts by GET. For every dialect and every mail that it causes, a scanner that
// fetches all URLs of the mail changes nothing, and then the person's own click still works.
func TestOT35_ScannersChangeNothing(t *testing.T) {
	t.Parallel()
	for _, c := range harness.MailCauses() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn, c.Settings...)
				c.Ask(t, s, dsn)
				l, conn := s.Letter(t, c.To, c.Kind), harness.OpenSide(t, dsn)
				s.Sent(t, conn)
				before := state(t, conn)
				scanner := newScanner(t)
				for _, mail := range conn.Texts(t, "SELECT address FROM mails GROUP BY address ORDER BY address") {
					for _, one := range s.Letters(t, mail, "") {
						for _, address := range mailedURLs(t, s, one.Mail.ID.String()) {
							sent, _, _ := strings.Cut(address, "#")
							if one.Token != "" && strings.Contains(sent, one.Token) ||
								one.Code != "" && strings.Contains(sent, one.Code) {
								t.Errorf("%s shows its token to a server: %s", one.Mail.Kind, address)
							}
							scanner.scan(address, true)
						}
					}
				}
				if after := state(t, conn); after != before {
					t.Errorf("a scanner changed\n%s\nto\n%s", before, after)
				}
				if want := s.URL + "/account/" + c.Page + "#token=" + l.Token; !slices.Contains(
					mailedURLs(t, s, l.Mail.ID.String()), want) {
					t.Errorf("the mail does not link to %s", want)
				}
				press(t, s, c, l.Token)
			})
		})
	}
}

// press is the click of the person, on the page that the mail links to.
func press(t testing.TB, i *harness.Instance, c harness.MailCause, token string) {
	t.Helper()
	form := url.Values{"token": {token}}
	if c.Password {
		form.Set("password", "a better horse battery")
		form.Set("repeat", "a better horse battery")
	}
	r, err := i.Call("POST /account/"+c.Page, form.Encode(), "Content-Type", harness.FormType, "Accept",
		"application/json", "Sec-Fetch-Site", "same-origin", "Origin", i.URL)
	if err != nil || r.Status != http.StatusOK || !strings.Contains(r.Body, `"done":true`) {
		t.Errorf("the person's own click: %d %s %v", r.Status, r.Body, err)
	}
}

// OT-36: the token of a mail is good on the page and at the documented route alike, once in all. A plain program is
// served there as the document shows.
func TestOT36_TokenServesPageAndRoute(t *testing.T) {
	t.Parallel()
	for _, c := range harness.MailCauses() {
		if c.Program == nil {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dsn := dbtest.SQLite(t)
			s := harness.Start(t, dsn, c.Settings...)
			c.Ask(t, s, dsn)
			token := s.Letter(t, c.To, c.Kind).Token
			r := program(t, s, c, token)
			if r.Status >= 300 {
				t.Errorf("%s: %d %s", r.Asked, r.Status, r.Body)
			}
			if c.Page == "verify-email" || c.Page == "confirm-email" {
				return // the page says that the address is confirmed, which is right
			}
			const next = "a better horse battery"
			form := url.Values{"token": {token}, "password": {next}, "repeat": {next}}
			after, err := s.Call("POST /account/"+c.Page, form.Encode(), "Content-Type", harness.FormType, "Accept",
				"application/json", "Sec-Fetch-Site", "same-origin")
			if err != nil || !strings.Contains(after.Body, "not good any more") {
				t.Errorf("the page takes a token that a program redeemed: %s %v", after.Body, err)
			}
		})
	}
}

// program calls the documented route of a mail as the document shows, with no more than that.
func program(t testing.TB, i *harness.Instance, c harness.MailCause, token string) harness.Reply {
	t.Helper()
	filled := func(text string) string { return strings.ReplaceAll(text, "%s", token) }
	var header []string
	for n := 0; n+1 < len(c.Header); n += 2 {
		header = append(header, c.Header[n], filled(c.Header[n+1]))
	}
	r, err := i.Call(filled(c.Program[0]), filled(c.Program[1]), append(header, "Accept", "*/*")...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// OT-36: what opens a documented GET in a browser gets the page, with the token where browsers send it to nobody, and
// HEAD is refused. A cookie of a session makes no program of a browser.
func TestOT36_NavigationsGetThePage(t *testing.T) {
	t.Parallel()
	for _, c := range harness.MailCauses() {
		if c.Program == nil || !strings.HasPrefix(c.Program[0], "GET ") {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dsn := dbtest.SQLite(t)
			s := harness.Start(t, dsn, c.Settings...)
			c.Ask(t, s, dsn)
			token := s.Letter(t, c.To, c.Kind).Token
			path := strings.TrimPrefix(strings.ReplaceAll(c.Program[0], "%s", token), "GET ")
			cookie := "session=" + s.Service(t, "eve@mail.com").Token
			conn := harness.OpenSide(t, dsn)
			s.Sent(t, conn)
			before := state(t, conn)
			for _, header := range [][]string{
				{"Sec-Fetch-Mode", "navigate", "Accept", "*/*"},
				{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"},
				{"Accept", "text/html"},
				{
					"Accept", "text/html,*/*;q=0.1", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty",
					"Sec-Fetch-Site",
					"same-origin",
				},
				{"Accept", "application/xhtml+xml, TEXT/HTML;q=0.9"},
				{"Sec-Purpose", "prefetch"},
			} {
				for _, more := range [][]string{nil, {"Cookie", cookie}} {
					r, err := s.Call("GET "+path, "", append(slices.Clone(header), more...)...)
					if want := s.URL + "/account/" + cmp.Or(c.Landing, c.Page) + "#token=" + token; err != nil ||
						r.Status != http.StatusSeeOther || r.Header.Get("Location") != want ||
						len(r.Header.Values("Set-Cookie")) > 0 {
						t.Errorf("%v %v: %d %v %s %v", header, more, r.Status, r.Header, r.Body, err)
					}
				}
				if r, err := s.Call("HEAD "+path, "", header...); err != nil || r.Status < 300 {
					t.Errorf("HEAD %v: %d %v", header, r.Status, err)
				}
			}
			if after := state(t, conn); after != before {
				t.Errorf("a browser changed\n%s\nto\n%s", before, after)
			}
		})
	}
}
