package clients

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
	"github.com/dragoman-auth/dragoman/web/webtest"
)

// short are the settings of a server whose access tokens last ten seconds, the shortest life that there is.
const short = "DRAGOMAN_ACCESS_TTL=10s"

// over is the time after which such a token is refused. It has five seconds of leeway, for clocks that differ.
const over = 16 * time.Second

const bundler = "docs/examples/fetch/node_modules/.bin/esbuild "

// TestAuthFetch_Size holds the client to what it promises: one short file that needs no other.
func TestAuthFetch_Size(t *testing.T) {
	t.Parallel()
	text := harness.ReadFile(t, "docs/examples/authfetch.ts")
	if lines := strings.Count(text, "\n"); lines > 60 || strings.Contains(text, "import ") {
		t.Errorf("it has %d lines: at most 60, without an import", lines)
	}
}

// TestAuthFetch_Node goes through what can happen to a client: tests/clients/scripts/authfetch.ts says it line by line.
func TestAuthFetch_Node(t *testing.T) {
	t.Parallel()
	root := workspace(t, "docs/examples/fetch")
	run(t, root, bundler+"tests/clients/scripts/authfetch.ts --bundle --platform=node --format=esm --outfile=a.mjs "+
		"--log-level=warning")
	dbtest.Each(t, func(t *testing.T, dsn string) {
		g := newGate(t, harness.Start(t, dsn, short))
		if out := run(t, root, "node a.mjs "+g.URL); out != "done\n" {
			t.Error(out)
		}
	})
}

// tabs are pages of one origin that share storage and locks, as tabs of a browser do.
const tabs = `(() => {
	const ask = async () => {
		const body = JSON.stringify({ query: "{ me { email } }" });
		const answer = await auth.fetch(server + "/graphql", { method: "POST", headers: ` +
	`{ "Content-Type": "application/json" }, body });
		return (await answer.json()).data?.me?.email ?? "nobody";
	};
	window.three = async () => (await Promise.all([ask(), ask(), ask()])).join(" ");
	const channel = new BroadcastChannel("test");
	window.all = (count) => new Promise((done) => { // every other tab asks three times, and so does this one
		const heard = [];
		channel.onmessage = ({ data }) => heard.push(data) === count && done(heard.sort().join(", "));
		channel.postMessage("ask");
		three().then((text) => heard.push(text) === count && done(heard.sort().join(", ")));
	});
	if (location.hash) {
		channel.onmessage = async ({ data }) => data === "ask" && channel.postMessage(await three());
		channel.postMessage("here");
	}
})()`

// TestAuthFetch_Tabs opens two tabs in Chromium. When the access token has ended both ask three times at once: one
// refresh serves them all. Where the session ended elsewhere both are signed out.
func TestAuthFetch_Tabs(t *testing.T) {
	t.Parallel()
	root := workspace(t, "docs/examples/fetch")
	run(t, root, bundler+"docs/examples/authfetch.ts --bundle --format=iife --global-name=client --outfile=client.js "+
		"--log-level=warning")
	s := harness.Start(t, dbtest.SQLite(t), short)
	g := newGate(t, s)
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/client.js" {
			http.ServeFile(w, r, filepath.Join(root, "client.js"))
			return
		}
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Tab</title><link rel="icon" href="data:,">` +
			`<script src="/client.js"></script><script>const server = "` + g.URL + `";
			const auth = client.authFetch({ url: server + "/graphql", storage: localStorage, ` +
			`onSignedOut: () => document.title = "Signed out" });
			` + tabs + `</script>`))
	}))
	t.Cleanup(pages.Close)
	ada := s.Register(t, "ada@example.com")
	page := webtest.Browser(t)
	page.Run(chromedp.Navigate(pages.URL))
	webtest.Eval[chromedp.Void](page, `auth.save({ accessToken: "`+ada.Access+`", refreshToken: "`+ada.Refresh+
		`", expiresIn: 10 })`)
	if heard := webtest.Eval[string](page, `new Promise((done) => {
		new BroadcastChannel("test").onmessage = ({ data }) => done(data);
		window.open("/#second", "_blank", "noopener");
	})`); heard != "here" {
		t.Fatalf("the second tab says %q", heard)
	}
	const mine = "ada@example.com ada@example.com ada@example.com"
	for range harness.Amount(5, 50) {
		s.Clock.Add(over)
		if seen := webtest.Eval[string](page, `all(2)`); seen != mine+", "+mine {
			t.Errorf("the tabs see %s", seen)
		}
		if n := g.refreshes.Swap(0); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	}
	g.cut.Store(true) // no network is no sign-out
	s.Clock.Add(over)
	if seen := webtest.Eval[string](page, `three().catch((error) => error.name)`); seen != "TypeError" {
		t.Errorf("without a network: %s", seen)
	}
	g.cut.Store(false)
	if seen := webtest.Eval[string](page, `all(2)`); seen != mine+", "+mine {
		t.Errorf("with the network back the tabs see %s", seen)
	}
	page.RequireClean("ERR_EMPTY_RESPONSE")
	other := s.Login(t, ada.Email, harness.GoodPass).Text("login", "tokens", "accessToken")
	s.GraphQL(t, other, "mutation { revokeOtherSessions { revokedCount } }", nil)
	const none = "nobody nobody nobody"
	if seen := webtest.Eval[string](page, `all(2)`); seen != none+", "+none {
		t.Errorf("after the end of the session the tabs see %s", seen)
	}
	if kept := webtest.Eval[int](page, `localStorage.length`); kept != 0 {
		t.Errorf("%d tokens are kept after the end", kept)
	}
}
