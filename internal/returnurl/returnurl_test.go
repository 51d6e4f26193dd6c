package returnurl_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/returnurl"
)

// OT-08: a return URL is compared by scheme, host, port and path, and lookalikes of a listed one are refused.
func TestOT08_Allows(t *testing.T) {
	t.Parallel()
	listed := []string{"https://app.example.com/done", "https://app.example.com:8443/", "http://[2001:db8::1]:8080/in"}
	list := returnurl.New(listed, false)
	for text, want := range map[string]string{
		"https://app.example.com/done":            "https://app.example.com/done",
		"https://app.example.com:443/done":        "https://app.example.com/done",
		"HTTPS://APP.example.com/done":            "https://app.example.com/done",
		"https://app.example.com/done?next=%2Fa":  "https://app.example.com/done?next=%2Fa",
		"https://app.example.com:8443":            "https://app.example.com:8443/",
		"http://[2001:db8::1]:8080/in":            "http://[2001:db8::1]:8080/in",
		"https://app.example.com/done?u=//x.test": "https://app.example.com/done?u=//x.test",
	} {
		if got, ok := list.Allows(text); !ok || got != want {
			t.Errorf("%s: %q %t, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "/done", "//app.example.com/done", "app.example.com/done", "http://app.example.com/done",
		"https://app.example.com", "https://app.example.com/done/", "https://app.example.com/done/more",
		"https://app.example.com/Done", "https://app.example.com/doneandmore", "https://app.example.com:8443/done",
		"https://app.example.com.evil.example/done", "https://evil.example/done", "https://app.example.com./done",
		"https://app.example.com@evil.example/done", "https://evil.example\\@app.example.com/done",
		"https://ada@app.example.com/done", "https://app.example.com/done#x", "https://app.example.com/done#",
		"https://app.example.com/x/../done", "https://app.example.com/./done", "https://app.example.com//done",
		"https://app.example.com/%64one", "https://app.example.com/x%2f..%2fdone", "https://app.example.com/%2e/done",
		"https://app.example.com:/done", "https://app.example.com:0443/done", "https:app.example.com/done",
		"https:///app.example.com/done", "javascript:alert(1)//https://app.example.com/done",
		"data:text/html,x", "https://app.example.com/done ", "\thttps://app.example.com/done",
		"https://app.example.com/do\nne", "https://äpp.example.com/done", "https://app.example.com/d\x00one",
		"http://localhost/done", "http://127.0.0.1:1/", "https://app。example.com/done",
		"https://app.example.com/done?" + strings.Repeat("x", 2048),
	} {
		if got, ok := list.Allows(text); ok {
			t.Errorf("%q is allowed as %q", text, got)
		}
	}
	if got, ok := (returnurl.List{}).Allows("http://localhost/"); ok {
		t.Errorf("the zero list allows %q", got)
	}
	local := returnurl.New(nil, true)
	for text, want := range map[string]bool{
		"http://localhost:5173/in?x=1": true, "http://127.0.0.1/": true, "https://[::1]:8443/in": true,
		"http://localhost.evil.example/": false, "http://localhost@evil.example/": false, "http://192.0.2.1/": false,
		"http://127.0.0.1.evil.example/": false,
	} {
		if _, ok := local.Allows(text); ok != want {
			t.Errorf("%s on this machine: %t", text, ok)
		}
	}
}

// What may be listed is one place: a pattern, a query or a fragment is refused at the start of the server.
func TestOT08_Parse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://App.example.com:443": "https://app.example.com/", "http://localhost:5173/in": "http://localhost:5173/in",
	} {
		if got, ok := returnurl.Parse(text); !ok || got != want {
			t.Errorf("%s: %q %t", text, got, ok)
		}
	}
	for _, bad := range []string{
		"", "*", "https://*.example.com/", "https://a%2eb.example/", "https://a,b.example/", "https://app.example.com/done?x=1", "https://app.example.com/done?", "https://app.example.com/#x",
		"app.example.com", "ftp://app.example.com/", "https://app.example.com/a/../b", "https://ada:b@app.example.com/",
	} {
		if got, ok := returnurl.Parse(bad); ok {
			t.Errorf("%q is taken as %q", bad, got)
		}
	}
}

// FuzzAllows: whatever is allowed is read by net/url as the place that is listed.
func FuzzAllows(f *testing.F) {
	for _, seed := range []string{
		"https://app.example.com/done?x", "https://app.example.com\\@evil.example/done", "https://[::1]/done",
		"https://app.example.com:443/done", "//x", "https://app.example.com/%64one", "https://app.example.com/done#x",
	} {
		f.Add(seed)
	}
	list := returnurl.New([]string{"https://app.example.com/done"}, false)
	f.Fuzz(func(t *testing.T, text string) {
		as, ok := list.Allows(text)
		if !ok {
			return
		}
		u, err := url.Parse(as)
		if err != nil || u.Scheme != "https" || u.Host != "app.example.com" || u.EscapedPath() != "/done" ||
			u.Fragment != "" || u.User != nil {
			t.Errorf("%q is allowed as %q", text, as)
		}
		if again, ok := list.Allows(as); !ok || again != as {
			t.Errorf("%q became %q", as, again)
		}
	})
}
