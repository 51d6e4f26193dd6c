package origin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An origin has one form: that in which browsers send it.
func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://app.example.com":      "https://app.example.com",
		"HTTPS://App.Example.COM":      "https://app.example.com",
		"https://app.example.com:443":  "https://app.example.com",
		"http://app.example.com:80":    "http://app.example.com",
		"http://app.example.com:443":   "http://app.example.com:443",
		"http://localhost:5173":        "http://localhost:5173",
		"http://[::1]:5173":            "http://[::1]:5173",
		"capacitor://localhost":        "capacitor://localhost",
		"https://xn--bcher-kva.ch":     "https://xn--bcher-kva.ch",
		"https://app.example.com/":     "",
		"https://app.example.com/path": "",
		"https://app.example.com?":     "",
		"https://app.example.com#":     "",
		"https://a@app.example.com":    "",
		"https://*.example.com":        "",
		"https://app.example.com:":     "",
		"https://app.example.com:x":    "",
		"https://bücher.ch":            "",
		"https://a b":                  "",
		"https://a,https://b":          "",
		"https://":                     "",
		"//app.example.com":            "",
		"app.example.com":              "",
		"localhost:5173":               "",
		"file://":                      "",
		"null":                         "",
		"*":                            "",
		"":                             "",
	} {
		got, ok := Parse(text)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %t, want %q", text, got, ok, want)
		}
		if again, ok := Parse(want); want != "" && (!ok || again != want) {
			t.Errorf("%q is not its own form: %q", want, again)
		}
	}
}

// HT-06: who is trusted, by the list and by the rule for this machine.
func TestHT06_Allows(t *testing.T) {
	t.Parallel()
	listed := New("https://auth.example.com", []string{"https://app.example.com", "http://localhost:5173"}, false)
	local := New("http://localhost:8080", nil, true)
	nobody := New("http://localhost:8080", nil, false)
	for origin, want := range map[string][2]bool{ // listed, local
		"https://app.example.com":              {true, false},
		"http://localhost:5173":                {true, true},
		"http://localhost":                     {false, true},
		"https://localhost:3000":               {false, true},
		"http://127.0.0.1:9":                   {false, true},
		"http://127.8.8.8:9":                   {false, true},
		"http://[::1]:9":                       {false, true},
		"http://app.example.com":               {},
		"https://app.example.com:8443":         {},
		"https://app.example.com.evil.example": {},
		"https://evil.example/app.example.com": {},
		"https://APP.example.com":              {}, // no browser writes it so
		"https://app.example.com/":             {},
		"https://app.example.com ":             {},
		"https://xapp.example.com":             {},
		"https://auth.example.com":             {}, // its own pages need no CORS
		"http://localhost.evil.example":        {},
		"http://localhost.":                    {},
		"http://localhost:80":                  {},
		"http://LOCALHOST:9":                   {},
		"http://localhost@evil.example":        {},
		"http://127.0.0.1.evil.example":        {},
		"http://2130706433":                    {},
		"http://0.0.0.0:9":                     {},
		"http://192.168.0.1:9":                 {},
		"ftp://localhost":                      {},
		"chrome-extension://localhost":         {},
		"null":                                 {},
		"*":                                    {},
		"":                                     {},
	} {
		if got := [2]bool{listed.Allows(origin), local.Allows(origin)}; got != want || nobody.Allows(origin) {
			t.Errorf("%q: %v and %t, want %v", origin, got, nobody.Allows(origin), want)
		}
	}
}

// HT-03: which requests a page could have made a browser send against its user's will.
func TestHT03_Foreign(t *testing.T) {
	t.Parallel()
	p := New("https://auth.example.com", []string{"https://app.example.com"}, false)
	for _, c := range []struct {
		name, site string
		origins    []string
		want       bool
	}{
		{"a program", "", nil, false},
		{"a page of its own", "same-origin", []string{"https://auth.example.com"}, false},
		{"a person who types the address", "none", nil, false},
		{"a link from elsewhere", "cross-site", nil, true},
		{"a link from a sibling", "same-site", nil, true},
		{"a site that is none", "whatever", nil, true},
		{"a listed sibling", "same-site", []string{"https://app.example.com"}, false},
		{"a listed page of another site", "cross-site", []string{"https://app.example.com"}, false},
		{"another sibling", "same-site", []string{"https://blog.example.com"}, true},
		{"another site", "cross-site", []string{"https://evil.example"}, true},
		{"a sandboxed frame", "cross-site", []string{"null"}, true},
		{"an old browser elsewhere", "", []string{"https://evil.example"}, true},
		{"an old browser, sandboxed", "", []string{"null"}, true},
		{"an old browser at a listed page", "", []string{"https://app.example.com"}, false},
		{"an old browser behind a proxy", "", []string{"https://auth.example.com"}, false},
		{"the host that was asked", "", []string{"http://inside:8080"}, false},
		{"two origins", "cross-site", []string{"https://app.example.com", "https://evil.example"}, true},
		{"two origins, swapped", "cross-site", []string{"https://evil.example", "https://app.example.com"}, true},
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
			r := httptest.NewRequest(method, "http://inside:8080/graphql", nil)
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			for _, origin := range c.origins {
				r.Header.Add("Origin", origin)
			}
			if got := p.Foreign(r); got != c.want {
				t.Errorf("%s, %s: %t", c.name, method, got)
			}
		}
	}
}

// HT-06: what a page is told, before its request and with the answer.
func TestHT06_CORS(t *testing.T) {
	t.Parallel()
	p := New("https://auth.example.com", []string{"https://app.example.com"}, false)
	handler := p.CORS([]string{"X-Request-Id", "X-More"},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Add("Vary", "Accept-Encoding")
			w.WriteHeader(http.StatusTeapot)
		}))
	for _, c := range []struct {
		name, method string
		header       map[string]string
		status       int
		origin       string
		preflight    bool
	}{
		{"a program", "POST", nil, 418, "", false},
		{
			"a listed page", "POST",
			map[string]string{"Origin": "https://app.example.com"},
			418,
			"https://app.example.com", false,
		},
		{"another page", "POST", map[string]string{"Origin": "https://evil.example"}, 418, "", false},
		{"a frame", "POST", map[string]string{"Origin": "null"}, 418, "", false},
		{"its own page", "POST", map[string]string{"Origin": "https://auth.example.com"}, 418, "", false},
		{
			"a listed page asks", "OPTIONS",
			map[string]string{
				"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST",
				"Access-Control-Request-Headers": "authorization,content-type",
			},
			204, "https://app.example.com", true,
		},
		{"another page asks", "OPTIONS", map[string]string{
			"Origin":                        "https://evil.example",
			"Access-Control-Request-Method": "POST",
		}, 418, "", false},
		{"nobody asks", "OPTIONS", map[string]string{"Access-Control-Request-Method": "POST"}, 418, "", false},
		{
			"a listed page sends OPTIONS", "OPTIONS",
			map[string]string{"Origin": "https://app.example.com"},
			418,
			"https://app.example.com", false,
		},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		h := w.Header()
		credentials, exposed := "", ""
		if c.origin != "" {
			credentials = "true"
		}
		if c.origin != "" && !c.preflight {
			exposed = "X-Request-Id, X-More"
		}
		if w.Code != c.status || h.Get("Access-Control-Allow-Origin") != c.origin ||
			h.Get("Access-Control-Allow-Credentials") != credentials ||
			h.Get("Access-Control-Expose-Headers") != exposed ||
			!strings.HasPrefix(strings.Join(h.Values("Vary"), ","), "Origin") {
			t.Errorf("%s: %d %v", c.name, w.Code, h)
		}
		asked := h.Get("Access-Control-Allow-Methods") == "GET, HEAD, POST, PUT, PATCH, DELETE" &&
			h.Get("Access-Control-Max-Age") == "3600" &&
			h.Get("Access-Control-Allow-Headers") == "authorization,content-type"
		if asked != c.preflight {
			t.Errorf("%s: %v", c.name, h)
		}
	}
}
