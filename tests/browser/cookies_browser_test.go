package browser

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// pageServer serves the example application as it stands in the repository, or as Vite built it where
// DRAGOMAN_TEST_COOKIE_APP names the directory, on a port of its own. Its pages talk to the server of toServer. The
// path /blank is an empty page, /frame one that attacks.
func pageServer(t *testing.T, toServer func() string) (port string) {
	t.Helper()
	dir := cmp.Or(os.Getenv("DRAGOMAN_TEST_COOKIE_APP"), "docs/examples/cookie-app")
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			page, err := os.ReadFile(filepath.Join(dir, "index.html"))
			const standard = `content="http://localhost:8080"`
			if err != nil || !bytes.Contains(page, []byte(standard)) {
				t.Errorf("the page does not name its server: %v", err)
			}
			_, _ = w.Write(bytes.Replace(page, []byte(standard), []byte(`content="`+toServer()+`"`), 1))
		case "/blank":
			_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Elsewhere</title><link rel="icon" ` +
				`href="data:,">`))
		case "/frame":
			fmt.Fprintf(w, `<!doctype html><script>(%s)(%q).then((all) => parent.postMessage(all, "*"))</script>`,
				attacks, toServer())
		default:
			files.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// cookieApp is the example application in a browser.
type cookieApp struct{ *webtest.Page }

func (p cookieApp) open(address string) {
	p.Run(chromedp.Navigate(address))
	p.WaitFor(`document.getElementById("status").textContent !== "Looking …"`)
}

// enter fills the form in and presses one of its buttons: login or register.
func (p cookieApp) enter(email, password, button string) {
	p.Run(chromedp.Focus(chromedp.CSS("[name=email]")), chromedp.KeyEvent(email),
		chromedp.Focus(chromedp.CSS("[name=password]")), chromedp.KeyEvent(password),
		chromedp.Click(chromedp.CSS("[name="+button+"]")))
}

func (p cookieApp) waitForAccount(email string) {
	p.WaitFor(`!document.getElementById("account").hidden && document.getElementById("email").textContent === ` +
		strconv.Quote(email))
}

func (p cookieApp) waitForForm() {
	p.WaitFor(`!document.getElementById("sign-in").hidden && document.getElementById("status").textContent === ""`)
}

// TestBrowser_CookieApp is an application of another port in Chromium: a person registers, comes back, signs out and in
// again. No script of the page can see what keeps them signed in.
func TestBrowser_CookieApp(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		port := pageServer(t, func() string { return s.URL })
		home := "http://127.0.0.1:" + port + "/"
		p := cookieApp{webtest.Browser(t)}
		p.open(home)
		p.waitForForm()
		p.enter("ada@example.com", harness.GoodPass, "register")
		p.waitForAccount("ada@example.com")
		p.open(home)
		p.waitForAccount("ada@example.com")
		if seen := webtest.Eval[string](p.Page, `JSON.stringify([document.cookie, {...localStorage}, `+
			`{...sessionStorage}])`); seen != `["",{},{}]` {
			t.Errorf("scripts see %s", seen)
		}
		if sessions := webtest.Eval[string](p.Page,
			`document.getElementById("sessions").innerText`); !strings.Contains(sessions, "on Linux (this one)") {
			t.Errorf("sessions %q", sessions)
		}
		p.Page.Shoot("cookie-app-in")
		// A page of another site is trusted here too, but the browser does not send it the cookie (SameSite=Lax).
		p.open("http://localhost:" + port + "/")
		p.waitForForm()
		p.open(home)
		p.Run(chromedp.Click(chromedp.ID("sign-out")))
		p.waitForForm()
		p.open(home)
		p.waitForForm()
		p.enter("ada@example.com", "not the password", "login")
		p.WaitFor(`document.getElementById("status").textContent === "Email, username or password is wrong."`)
		p.Page.Shoot("cookie-app-wrong")
		p.open(home)
		p.enter("ada@example.com", harness.GoodPass, "login")
		p.waitForAccount("ada@example.com")
		p.RequireClean()
		if live := harness.OpenSide(t, dsn).Count(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"); live !=
			1 {
			t.Errorf("%d sessions are live", live)
		}
	})
}

// attacks are what a page can try. Each is a function of the server's address that tells what the page learnt.
const attacks = `(server) => {
	const read = (url, init) => fetch(url, init).then((r) => r.text().then((text) => r.type + " " + r.status + " " + ` +
	`text), () => "refused");
	const logout = JSON.stringify({ query: "mutation { logout { userErrors { code } } }" });
	const me = JSON.stringify({ query: "{ me { email } }" });
	const enter = JSON.stringify({ query: "mutation { login(input: {email: \"eve@example.com\", password: \"` +
	harness.GoodPass + `\", tokenDelivery: COOKIE}) { user { email } } }" });
	const json = { "Content-Type": "application/json" };
	const query = "?query=" + encodeURIComponent("{ me { email } }");
	const tries = [];
	for (const path of ["/graphql", "/query"]) {
		for (const body of [logout, me, enter]) {
			tries.push(read(server + path, { method: "POST", credentials: "include", headers: json, body }));
			tries.push(read(server + path, { method: "POST", credentials: "include", mode: "no-cors", headers: { ` +
	`"Content-Type": "text/plain" }, body }));
			tries.push(read(server + path, { method: "POST", credentials: "include", mode: "no-cors", body: new ` +
	`URLSearchParams({ query: JSON.parse(body).query }) }));
		}
		tries.push(read(server + path + query, { credentials: "include" }));
		tries.push(read(server + path + query, { credentials: "include", mode: "no-cors" }));
		tries.push(read(server + path + query, { credentials: "include", headers: { "Apollo-Require-Preflight": "1" ` +
	`} }));
	}
	return Promise.all(tries);
}`

// TestBrowser_ForeignPages: the person is signed in at the one page that is listed. A page of another port, which is
// the same site, so that the browser does send the cookie, learns nothing and changes nothing, nor does a sandboxed
// frame.
func TestBrowser_ForeignPages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		var s *harness.Instance
		address := func() string { return s.URL }
		listed, foreign := pageServer(t, address), pageServer(t, address)
		home := "http://127.0.0.1:" + listed + "/"
		s = harness.Start(t, dsn, "DRAGOMAN_CORS_ORIGINS="+strings.TrimSuffix(home, "/"))
		s.Register(t, "ada@example.com")
		s.Register(t, "eve@example.com")
		conn := harness.OpenSide(t, dsn)
		p := cookieApp{webtest.Browser(t)}
		p.open(home)
		p.enter("ada@example.com", harness.GoodPass, "login")
		p.waitForAccount("ada@example.com")
		before := conn.Census(t)

		learnt := func(name string, what []string) {
			t.Helper()
			if len(what) != 24 {
				t.Errorf("%s: %d attacks", name, len(what))
			}
			for _, text := range what {
				// an opaque answer tells nothing, and the server refused the request
				if text != "refused" && text != "opaque 0 " {
					t.Errorf("%s: learnt %q", name, text)
				}
			}
			if after := conn.Census(t); after != before {
				t.Errorf("%s: something was done: %s, before %s", name, after, before)
			}
		}
		for _, host := range []string{"127.0.0.1", "localhost"} {
			p.Run(chromedp.Navigate("http://" + host + ":" + foreign + "/blank"))
			learnt("a page at "+host, webtest.Eval[[]string](p.Page, "("+attacks+`)("`+s.URL+`")`))
		}
		const frame = `new Promise((resolve) => {
			addEventListener("message", (event) => resolve([event.origin, ...event.data]));
			const frame = document.createElement("iframe");
			frame.sandbox = "allow-scripts";
			frame.src = "/frame";
			document.body.append(frame);
		})`
		p.open(home) // even in a page that is trusted, a sandboxed frame is nobody
		what := webtest.Eval[[]string](p.Page, frame)
		if what[0] != "null" {
			t.Errorf("the frame's origin is %s", what[0])
		}
		learnt("a sandboxed frame", what[1:])

		refused := func() int { return strings.Count(s.Logged.String(), `"status":403`) }
		if refused() == 0 {
			t.Error("no request with the cookie came from the foreign pages: this test proves nothing")
		}
		p.open(home)
		p.waitForAccount("ada@example.com")

		// A form needs no fetch. It takes the whole window along, which is why it comes last.
		p.Run(chromedp.Navigate("http://127.0.0.1:" + foreign + "/blank"))
		sent := refused()
		webtest.Eval[chromedp.Void](p.Page, `(() => {
			const form = document.createElement("form");
			Object.assign(form, { method: "post", enctype: "text/plain", action: "`+s.URL+`/graphql" });
			const field = Object.assign(document.createElement("input"), { name: '{"query":"mutation { logout { `+
			`userErrors { code } } }","x":"', value: '"}' });
			form.append(field);
			document.body.append(form);
			form.submit();
		})()`)
		var shown string // while the window goes there, the browser has no answer
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(shown, "FORBIDDEN") &&
			time.Now().Before(deadline); {
			shown, _ = chromedp.Run(p.Context(), chromedp.Evaluate[string](`location.pathname === "/graphql" ? `+
				`document.body.innerText : ""`))
		}
		if refused() != sent+1 {
			t.Errorf("the form was refused %d times, and the window reads %q", refused()-sent, shown)
		}
		if after := conn.Census(t); after != before {
			t.Errorf("a form: something was done: %s, before %s", after, before)
		}
	})
}
