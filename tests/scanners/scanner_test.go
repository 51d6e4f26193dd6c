package scanners

import (
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

var urlInMail = regexp.MustCompile(`https?://[^\s"'<>]+`)

// looksOnly is how long a scanner that runs the scripts of a page stays on it.
const looksOnly = 300 * time.Millisecond

// TestBrowser_OT35_ScannersWithScripts: a scanner that opens every URL of a mail in a real browser, and runs the
// scripts of its page without a click, changes nothing: no form submits itself. Then the person's own click works.
func TestBrowser_OT35_ScannersWithScripts(t *testing.T) {
	t.Parallel()
	pages := map[string]bool{}
	for _, c := range harness.MailCauses() {
		dialect, _, _ := strings.Cut(c.Name, ":")
		if pages[c.Page] && pages[dialect] && !harness.FullRun {
			continue // every page, and every dialect, once
		}
		pages[c.Page], pages[dialect] = true, true
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			dsn := dbtest.SQLite(t)
			s := harness.Start(t, dsn, c.Settings...)
			c.Ask(t, s, dsn)
			l, conn := s.Letter(t, c.To, c.Kind), harness.OpenSide(t, dsn)
			s.Sent(t, conn)
			r, err := s.Call("GET /dev/mailbox/"+l.Mail.ID.String(), "", "Accept", "application/json")
			var mail struct{ Text, HTML string }
			if err != nil || json.Unmarshal([]byte(r.Body), &mail) != nil {
				t.Fatalf("%s %v", r.Body, err)
			}
			before := mutable(t, conn)
			page := webtest.Browser(t)
			page.Run(chromedp.Navigate(s.URL + "/account/verify-email"))
			seen := map[string]bool{}
			for _, found := range urlInMail.FindAllString(mail.Text+" "+html.UnescapeString(mail.HTML), -1) {
				found = strings.TrimRight(found, ".,:)")
				if seen[found] {
					continue
				}
				seen[found] = true
				for range 2 { // about:blank between, since another fragment alone opens no page
					page.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(found))
					page.WaitFor(`document.readyState === "complete"`)
					time.Sleep(looksOnly)
				}
			}
			if after := mutable(t, conn); after != before {
				t.Fatalf("a browser that clicks on nothing changed\n%s\nto\n%s", before, after)
			}
			link := s.URL + "/account/" + c.Page + "#token=" + l.Token
			if !seen[link] {
				t.Errorf("the mail does not link to %s", link)
			}
			page.Run(chromedp.Navigate("about:blank"), chromedp.Navigate(link))
			page.WaitFor(`document.getElementById("by-hand").hidden`)
			if c.Password {
				page.WaitFor(`!document.getElementById("choose").hidden`)
				page.Run(chromedp.Focus(chromedp.ID("password")), chromedp.KeyEvent("a better horse battery"),
					chromedp.Focus(chromedp.ID("repeat")), chromedp.KeyEvent("a better horse battery"))
			}
			page.Run(chromedp.Click(chromedp.CSS("form button")))
			page.WaitFor(`document.querySelector(".tick")`)
			page.RequireClean()
		})
	}
}

// mutable is what nobody may change without a click.
func mutable(t testing.TB, conn *harness.Side) string {
	t.Helper()
	all := []string{conn.Census(t)}
	for _, query := range []string{
		`SELECT email || password_hash || coalesce(CAST(email_verified_at AS text), '-') FROM users ORDER BY id`,
		`SELECT purpose || address FROM one_time_tokens WHERE invalidated_at IS NULL ORDER BY id`,
		`SELECT action FROM audit_events ORDER BY id`,
		`SELECT kind FROM mails ORDER BY id`,
	} {
		all = append(all, strings.Join(conn.Texts(t, query), " "))
	}
	return strings.Join(all, "\n")
}
