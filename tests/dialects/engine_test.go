package dialects

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

const (
	evil = "https://evil.example"
)

// speak starts a server that speaks a dialect of this text.
func speak(t *testing.T, dsn, text string, env ...string) *harness.Instance {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "own.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return harness.Start(t, dsn, append([]string{"DRAGOMAN_DIALECTS_DIR=" + dir, "DRAGOMAN_DIALECTS=own"}, env...)...)
}

// An answer has the bytes, the order, the headers and the form that the file gives it.
func TestEngine_Answers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn)
		reader := func(email, more string) string {
			return fmt.Sprintf(`{"reader":{"email":%q,"password":%q%s}}`, email, harness.ReaderPass, more)
		}
		requireHeader := func(t *testing.T, r harness.Reply, name, want string) {
			t.Helper()
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", r.Asked, name, got, want)
			}
		}
		t.Run("a body keeps the order of the file and escapes only what JSON must", func(t *testing.T) {
			r := s.Ask(t, "POST /desk/readers", reader(harness.CardHolder, `,"name":"A <b> & \"c\" é"`))
			number := regexp.MustCompile(`"number":([1-9]\d*)`).FindStringSubmatch(r.Body)
			since := regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`).FindString(r.Body)
			if number == nil || since == "" {
				t.Fatalf("no number or no timestamp: %s", r.Body)
			}
			r.WantExactly(t, 201, `{"zip":null,`+
				`"number":`+number[1]+`,`+
				`"email":"reader@example.com",`+
				`"name":"A <b> & \"c\" é",`+
				`"since":`+since+`,`+
				`"a":{"z":1,"b":[true,1.5,"x"]}}`)
			requireHeader(t, r, "X-Reader", number[1])
			requireHeader(t, r, "Content-Length", fmt.Sprint(len(r.Body)))
		})
		t.Run("a value that is absent leaves its name out, on every mount", func(t *testing.T) {
			s.Ask(t, "POST /v2/desk/readers", reader("b@example.com", "")).
				Matched(t, 201,
					`{"zip":null,"number":<number>,"email":"b@example.com","since":"<second>","a":{"z":1,"b":[true,`+
						`1.5,"x"]}}`)
		})
		t.Run("an empty answer has no type", func(t *testing.T) {
			r := s.Ask(t, "POST /desk/readers", reader(harness.CardHolder, ""))
			r.WantExactly(t, 409, "")
			requireHeader(t, r, "Content-Type", "")
		})
		t.Run("a text is plain text", func(t *testing.T) {
			r := s.Ask(t, "POST /desk/cards", `{"email":"`+harness.CardHolder+`","password":"no no no no"}`)
			r.WantExactly(t, 401, "no such reader\n")
			requireHeader(t, r, "Content-Type", "text/plain; charset=utf-8")
			s.Ask(t, "GET /motto", "").WantExactly(t, 200, "Quiet please.\n")
		})
		t.Run("a check has headers", func(t *testing.T) {
			r := s.Ask(t, "POST /desk/readers", reader("x@example.com", ""), "X-Teapot", "yes")
			r.WantExactly(t, 418, "short and stout\n")
			requireHeader(t, r, "X-Kind", "pot")
		})
		t.Run("a row of errors has headers", func(t *testing.T) {
			r := s.Ask(t, "GET /desk/me", "")
			r.WantError(t, 401, "UNAUTHENTICATED")
			r.WantExactly(t, 401, `{"ok":false,"status":401,"code":"UNAUTHENTICATED","why":"missing","text":"Show `+
				`your card."}`)
			requireHeader(t, r, "Www-Authenticate", "Card")
		})
		t.Run("a header cannot be split", func(t *testing.T) {
			r := s.Ask(t, "POST /desk/stamp", "ink=blue%0D%0AX-Evil:1", "Content-Type", harness.FormType)
			r.WantExactly(t, 202, "")
			requireHeader(t, r, "X-Stamp", "blueX-Evil:1")
			requireHeader(t, r, "X-Evil", "")
			requireHeader(t, r, "X-Plain", "1")
		})
		t.Run("a status is computed", func(t *testing.T) {
			s.Ask(t, "GET /desk/status?code=299", "").WantExactly(t, 299, `{"now":299}`)
			s.Ask(t, "GET /desk/status?code=99", "").WantError(t, 500, "INTERNAL_SERVER_ERROR")
			r := s.Ask(t, "GET /desk/status?code=204", "")
			r.WantExactly(t, 204, "")
			requireHeader(t, r, "Content-Length", "")
			requireHeader(t, r, "Content-Type", "")
		})
	})
}

// Checks with when and with all, outcomes, what is computed from them, and rows of a route.
func TestEngine_Refusals(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn)
		c := s.NewCard(t)
		me := harness.Bearer(c.Token)
		for _, x := range []struct{ body, want string }{
			{`{"reader":{}}`, `{"ok":false,"errors":{"email":["is empty","is no address"],"password":["is empty"]}}`},
			{`{}`, `{"ok":false,"errors":{"email":["is empty","is no address"],"password":["is empty"]}}`},
			{`{"reader":{"email":"x"}}`, `{"ok":false,"errors":{"email":["is no address"],"password":["is empty"]}}`},
			{`{"reader":{"email":"x@example.com","password":" "}}`, `{"ok":false,"errors":{"password":["is empty"]}}`},
		} {
			s.Ask(t, "POST /desk/readers", x.body).WantExactly(t, 400, x.want)
		}
		s.Ask(t, "POST /desk/readers", `{"reader":{"age":4}}`).WantExactly(t, 403,
			`{"ok":false,"status":403,"code":"FORBIDDEN","why":"check","text":"Come back in 2 years."}`)
		s.Ask(t, "POST /desk/readers", `{"reader":{"email":7}}`).
			WantExactly(t, 422, `{"ok":false,"status":422,"code":"BAD_USER_INPUT","why":"type","text":"reader.email `+
				`must be of type string, and is a number.","name":"email"}`)
		s.Ask(t, "POST /desk/cards", `{"email":"x@example.com"}`).
			WantExactly(t, 422, `{"ok":false,"status":422,"code":"BAD_USER_INPUT","why":"missing","text":"password `+
				`is required.","name":"password"}`)
		for _, body := range []string{
			`{"reader":7}`, `{"reader":"x"}`, `{"reader":[]}`, `{"reader":[{"email":"x"}]}`,
			`{"reader":true}`,
		} {
			s.Ask(t, "POST /desk/readers", body).WantError(t, 422, "BAD_USER_INPUT")
		}
		login := func(days string) string {
			return `{"email":"` + harness.CardHolder + `","password":"` + harness.ReaderPass + `","days":` + days + `}`
		}
		s.Ask(t, "POST /desk/cards", login("0")).WantExactly(t, 202, "the card of no day")
		s.Ask(t, "POST /desk/cards", login("13")).WantError(t, 403, "FORBIDDEN") // has a text, though nobody wrote one
		s.Ask(t, "GET /desk/loans/99", "", me...).WantExactly(t, 410, `{"gone":99}`)
		s.Ask(t, "DELETE /desk/loans/99", "", me...).WantError(t, 404, "NOT_FOUND")
		for _, number := range []string{"x", "-1", "01", "1.0", "99999999999999999999", "%31x", "1%20", "+1"} {
			if r := s.Ask(t, "DELETE /desk/loans/"+number, "", me...); r.Status != 404 || r.Header.Get("Allow") != "" {
				t.Errorf("%s: %d %s", number, r.Status, r.Body)
			}
		}
		lost := s.Ask(t, "GET /desk/nowhere", "")
		lost.WantExactly(t, 404, `{"ok":false,"status":404,"code":"UNKNOWN_ROUTE","text":"No such desk."}`)
		for _, path := range []string{
			"/desk", "/desk/", "/v2/desk/x/y", "/desk/me/", "/desk//me", "/desk/./me",
			"/desk/%6de",
		} {
			s.Ask(t, "GET "+path, "").WantExactly(t, 404, lost.Body)
		}
		if r := s.Ask(t, "GET /v2/deskx", ""); r.Status != 404 || strings.Contains(r.Body, "ok") {
			t.Errorf("outside: %d %s", r.Status, r.Body)
		}
		for route, allow := range map[string]string{
			"POST /desk/me": "GET, HEAD", "PUT /desk/cards": "POST", "GET /desk/cards": "POST",
			"HEAD /desk/cards": "POST", "POST /desk/loans/1": "DELETE, GET, HEAD",
			"GET /desk/echo/1/x": "PATCH, PUT", "OPTIONS /desk/me": "GET, HEAD", "HEAD /desk/leave": "GET",
			"POST /desk/leave": "GET", "DELETE /motto": "GET, HEAD", "PROPFIND /desk/me": "GET, HEAD",
		} {
			if r := s.Ask(t, route, ""); r.Status != 405 || r.Header.Get("Allow") != allow {
				t.Errorf("%s: %d %q, want 405 %q", route, r.Status, r.Header.Get("Allow"), allow)
			} else if !strings.HasPrefix(route, "HEAD") {
				r.WantError(t, 405, "METHOD_NOT_ALLOWED")
			}
		}
	})
}

// HEAD of what is only read has the headers of GET and no body.
func TestEngine_Head(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn)
		c := s.NewCard(t)
		for _, path := range []string{
			"/desk/me", "/desk/loans", "/desk/loans/1", "/desk/loans/77", "/motto",
			"/desk/go?to=/x", "/desk/go", "/desk/nowhere", "/desk/status?code=404",
		} {
			for _, header := range [][]string{harness.Bearer(c.Token), nil} {
				get, head := s.Ask(t, "GET "+path, "", header...), s.Ask(t, "HEAD "+path, "", header...)
				if get.Header.Get("Content-Length") == "0" {
					get.Header.Del("Content-Length") // net/http leaves it out where there is no body anyway
				}
				for _, name := range []string{"X-Request-Id", "Date"} {
					get.Header.Del(name)
					head.Header.Del(name)
				}
				if head.Status != get.Status || head.Body != "" || fmt.Sprint(head.Header) != fmt.Sprint(get.Header) {
					t.Errorf("%s: HEAD %d %v, GET %d %v", path, head.Status, head.Header, get.Status, get.Header)
				}
			}
		}
	})
}

// echoed are the parameters that a route saw.
func echoed(t testing.TB, i *harness.Instance, route, body string, header ...string) string {
	t.Helper()
	r := i.Ask(t, route, body, header...)
	var v struct{ Params json.RawMessage }
	if r.Status != 200 {
		return fmt.Sprintf("%d %s", r.Status, r.Body)
	}
	if err := json.Unmarshal([]byte(r.Body), &v); err != nil {
		t.Fatalf("%s: %v: %s", r.Asked, err, r.Body)
	}
	return string(v.Params)
}

// HT-09 to HT-12: where parameters come from.
func TestHT11_EngineParameters(t *testing.T) {
	t.Parallel()
	s := harness.Library(t, dbtest.SQLite(t))
	const echo = "PUT /desk/echo/7/word"
	for _, c := range []struct{ route, body, media, want string }{
		{echo, "", "", `{"number":7,"word":"word"}`},
		{"PATCH /v2/desk/echo/0/a%20b", "", "", `{"number":0,"word":"a b"}`},
		// What cannot be is 0 and "", which nothing has.
		{"PUT /desk/echo/007/x", "", "", `{"number":0,"word":"x"}`},
		{"PUT /desk/echo/2147483648/x", "", "", `{"number":0,"word":"x"}`},
		{"PUT /desk/echo/-1/x", "", "", `{"number":0,"word":"x"}`},
		{"PUT /desk/echo/1/%00", "", "", `{"number":1,"word":""}`},
		{"PUT /desk/echo/1/%FF", "", "", `{"number":1,"word":""}`},
		{
			echo, `{"count":3,"weight":1.50,"on":true,"list":[1],"what":{"a":null}}`, harness.JSONType,
			`{"count":3,"list":[1],"number":7,"on":true,"weight":1.50,"what":{"a":null},"word":"word"}`,
		},
		{
			echo, "count=3&weight=1.5&on=on&what=5", harness.FormType,
			`{"count":3,"number":7,"on":true,"weight":1.5,"what":"5","word":"word"}`,
		},
		{echo + "?count=3&weight=-0.5&on=0", "", "", `{"count":3,"number":7,"on":false,"weight":-0.5,"word":"word"}`},
		{echo + "?count=3", "weight=2", harness.FormType, `{"count":3,"number":7,"weight":2,"word":"word"}`},
		{echo + "?count=3", `{"weight":2}`, harness.JSONType, `{"count":3,"number":7,"weight":2,"word":"word"}`},
		// The path chose the route, so it wins; between the others nobody does.
		{echo + "?number=8", `{"word":"other"}`, harness.JSONType, `{"number":7,"word":"word"}`},
		{echo + "?count=3", `{"count":3}`, harness.JSONType, "400 duplicate"},
		{echo + "?count=3", "count=3", harness.FormType, "400 duplicate"},
		{echo + "?count=3&count=3", "", "", "400 duplicate"},
		{echo, "count=3&count=4", harness.FormType, "400 duplicate"},
		{echo, `{"count":3,"count":4}`, harness.JSONType, "400 syntax"},
		{echo, `{"Count":3}`, harness.JSONType, "400 case"},
		{echo + "?COUNT=3", "", "", "400 case"},
		{echo + "?Count=3", `{"count":3}`, harness.JSONType, "400 case"},
		{echo, `{"wh\u0061t":1,"WHAT":2}`, harness.JSONType, "400 case"},
		// A text of JSON is no number, whatever the query string holds.
		{echo, `{"count":"3"}`, harness.JSONType, "422 type"},
		{echo + "?x=1", `{"count":"3"}`, harness.JSONType, "422 type"},
		{echo + "?x=1", `{"on":"true"}`, harness.JSONType, "422 type"},
		{echo, `{"count":3.0}`, harness.JSONType, "422 type"},
		{echo, `{"count":1e2}`, harness.JSONType, "422 type"},
		{echo, `{"count":99999999999999999999}`, harness.JSONType, "422 type"},
		{echo, `{"weight":"1"}`, harness.JSONType, "422 type"},
		{echo, `{"list":{}}`, harness.JSONType, "422 type"},
		{echo, `{"on":1}`, harness.JSONType, "422 type"},
		{echo + "?count=x", "", "", "422 type"},
		{echo + "?weight=007", "", "", "422 type"},
		{echo + "?weight=1.", "", "", "422 type"},
		{echo + "?list=1", "", "", "422 type"},
		{echo + "?a=%zz", "", "", "400 syntax"},
		{echo + "?a=1;b=2", "", "", "400 syntax"},
		{echo + "?a=%ff", "", "", "400 value"},
		{echo + "?a=%00", "", "", "400 value"},
		{echo, `{"a":"\u0000"}`, harness.JSONType, "400 value"},
		{echo, `[]`, harness.JSONType, "400 not-object"},
		{echo, `null`, harness.JSONType, "400 not-object"},
		{echo, `{"count":null}`, harness.JSONType, `{"count":null,"number":7,"word":"word"}`},
		{echo, `{`, harness.JSONType, "400 syntax"},
		{echo, `{}{}`, harness.JSONType, "400 syntax"},
		{echo, `{"a":` + nested(32) + `}`, harness.JSONType, "400 syntax"},
	} {
		media := []string{}
		if c.body != "" {
			media = []string{"Content-Type", c.media}
		}
		got := echoed(t, s, c.route, c.body, media...)
		status, why, _ := strings.Cut(c.want, " ")
		if got != c.want && (c.want[0] == '{' || !strings.HasPrefix(got, status) || !strings.Contains(got, why)) {
			t.Errorf("%s %.80s: %s, want %s", c.route, c.body, got, c.want)
		}
	}
}

// HT-09, HT-10: types of content, and how long a body may be, on every route, whether it reads one or not.
func TestHT10_EngineBodies(t *testing.T) {
	t.Parallel()
	s := harness.Library(t, dbtest.SQLite(t))
	const echo = "PUT /desk/echo/7/word"
	for media, status := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "application/json;charset=UTF-8": 200,
		"APPLICATION/JSON": 200, `application/json; charset="utf-8"`: 200,
		"application/json; profile=x": 200, "application/vnd.api+json": 415,
		"application/json; charset=latin1": 415, "text/json": 415, "text/plain": 415, "application/jsonp": 415,
		"application/xml": 415, "multipart/form-data; boundary=x": 415,
		"application/json; charset": 415, "application/json, text/plain": 415, ";": 415, "": 415,
		"application/x-www-form-urlencoded": 200, "application/x-www-form-urlencoded; charset=latin1": 415,
	} {
		if r := s.Ask(t, echo, `{}`, "Content-Type", media); r.Status != status {
			t.Errorf("%q: %d %s, want %d", media, r.Status, r.Body, status)
		} else if status == 415 {
			r.WantError(t, 415, "UNSUPPORTED_MEDIA_TYPE")
		}
	}
	s.Ask(t, echo, `{}`, "Content-Encoding", "gzip").WantError(t, 415, "UNSUPPORTED_MEDIA_TYPE")
	s.Ask(t, "POST /desk/stamp", `{}`).WantError(t, 415, "UNSUPPORTED_MEDIA_TYPE")
	s.Ask(t, "POST /desk/readers", `a=b`, "Content-Type", harness.FormType).WantError(t, 415, "UNSUPPORTED_MEDIA_TYPE")

	const limit = 64 << 10
	full := `{"what":"` + strings.Repeat("x", limit-11) + `"}`
	if r := s.Ask(t, echo, full); r.Status != 200 || len(full) != limit {
		t.Errorf("%d bytes: %d %.200s", len(full), r.Status, r.Body)
	}
	for _, route := range []string{
		echo, "POST /desk/readers", "POST /desk/stamp", "POST /desk/cards/again",
		"DELETE /desk/loans/1", "GET /desk/me", "GET /motto", "GET /desk/leave",
	} {
		for _, chunked := range []bool{false, true} {
			method, path, _ := strings.Cut(route, " ")
			var body io.Reader = strings.NewReader(full + " ")
			if chunked {
				body = io.MultiReader(body) // of a length that is not known
			}
			r, err := http.NewRequest(method, s.URL+path, body)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", harness.JSONType)
			res, err := harness.Client.Do(r)
			if err != nil {
				t.Errorf("%s, chunked %t: %v", route, chunked, err)
				continue
			}
			text, _ := io.ReadAll(res.Body)
			res.Body.Close()
			harness.Reply{
				Asked: fmt.Sprint(route, ", chunked ", chunked), Status: res.StatusCode, Header: res.Header,
				Body: string(text),
			}.WantError(t, 413, "BODY_TOO_LARGE")
		}
	}
}

// HT-01, HT-02: attributes of cookies over http and https, and the same where they are cleared.
func TestHT02_EngineCookies(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		for _, secure := range []bool{false, true} {
			url, mark := "http://localhost:8080", ""
			if secure {
				url, mark = "https://auth.example.com", "; Secure"
			}
			s := harness.Library(t, dsn, "DRAGOMAN_PUBLIC_URL="+url)
			c := s.NewCard(t)
			r := s.Ask(t, "POST /desk/cards", `{"email":"`+harness.CardHolder+`","password":"`+harness.ReaderPass+`"}`)
			want := map[string]string{
				"card":        "; Path=/; Max-Age=2592000; HttpOnly" + mark + "; SameSite=Lax",
				"libraryCard": "; Path=/; Max-Age=2592000; HttpOnly" + mark + "; SameSite=Lax",
				"hint":        "; Path=/desk" + mark + "; SameSite=Strict",
			}
			for name, line := range r.Cookies() {
				value, attributes, _ := strings.Cut(line, ";")
				if ";"+attributes != want[name] || value == "" || name != "hint" && !s.Alive(t, value) ||
					len(line) > 4000 {
					t.Errorf("%s=%s, want %s", name, line, want[name])
				}
			}
			if len(r.Cookies()) != 3 {
				t.Errorf("cookies %v", r.Header["Set-Cookie"])
			}
			left := s.Ask(t, "GET /desk/leave", "", "Cookie", "card="+c.Session)
			for name, line := range left.Cookies() {
				if attributes := strings.Replace(want[name], "Max-Age=2592000", "Max-Age=0", 1); name == "hint" {
					attributes = strings.Replace(want[name], "/desk", "/desk; Max-Age=0", 1)
					if line != attributes {
						t.Errorf("cleared: %s=%s, want %s", name, line, attributes)
					}
				} else if line != attributes {
					t.Errorf("cleared: %s=%s, want %s", name, line, attributes)
				}
			}
			if len(left.Cookies()) != 3 || s.Alive(t, c.Session) {
				t.Errorf("%d %s: cookies %v", left.Status, left.Body, left.Header["Set-Cookie"])
			}
		}
	})
}

// HT-05: a credential from each place, and nobody where two places disagree.
func TestHT05_EngineCredentials(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn)
		a, b := s.NewCard(t), s.NewCard(t)
		for name, header := range map[string][]string{
			"bearer": harness.Bearer(a.Token), "a session token as bearer": harness.Bearer(a.Session),
			"bare": {"Authorization", a.Token}, "header": {"X-Card", a.Session},
			"cookie": {"Cookie", "card=" + a.Session}, "the other cookie": {"Cookie", "libraryCard=" + a.Session},
			"both":            {"Cookie", "card=" + a.Session + "; libraryCard=" + a.Session},
			"the same twice":  {"Authorization", "Bearer " + a.Session, "Cookie", "card=" + a.Session},
			"another cookie":  {"Cookie", "x=y; card=" + a.Session + "; hint=seen"},
			"an empty header": {"Authorization", "", "X-Card", a.Session},
		} {
			s.Ask(t, "GET /desk/me", "", header...).WantExactly(t, 200, `{"email":"reader@example.com","name":null}`)
			_ = name
		}
		for name, header := range map[string][]string{
			"two cookies that differ":   {"Cookie", "card=" + a.Session + "; libraryCard=" + b.Session},
			"one cookie twice":          {"Cookie", "card=" + a.Session + "; card=" + b.Session},
			"bearer and cookie":         {"Authorization", "Bearer " + a.Session, "Cookie", "card=" + b.Session},
			"bearer and header":         {"Authorization", "Bearer " + a.Token, "X-Card", b.Session},
			"a stale bearer and cookie": {"Authorization", "Bearer nonsense", "Cookie", "card=" + b.Session},
			"another scheme":            {"Authorization", "Basic " + a.Token},
			"the scheme Token":          {"Authorization", "Token " + a.Token},
			"garbage":                   harness.Bearer("garbage"),
			"a cookie of no credential": {"Cookie", "hint=" + a.Session},
			"a cookie in another case":  {"Cookie", "Card=" + a.Session},
		} {
			if r := s.Ask(t, "GET /desk/me", "", header...); r.Status != 401 {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
		// Expressions see a cookie under the name of the file, and nothing where two differ.
		r := s.Ask(t, "PUT /desk/echo/1/x", "", "Cookie", "libraryCard=v; again=w; other=z; hint=a; hint=b",
			"User-Agent", "x")
		if !strings.Contains(r.Body, `"cookies":{"again":"w","card":"v"}`) {
			t.Errorf("the cookies that expressions see: %s", r.Body)
		}
	})
}

// HT-03: a page of another site gets nothing done with the cookies of its visitor.
func TestHT03_EngineCSRF(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn, "DRAGOMAN_PUBLIC_URL=http://desk.example.com:8080")
		conn := harness.OpenSide(t, dsn)
		c := s.NewCard(t)
		before := conn.Census(t)
		cookie := []string{"Cookie", "card=" + c.Session}
		for name, header := range map[string][]string{
			"a foreign origin": {"Origin", evil}, "the origin null": {"Origin", "null"},
			"another port":   {"Origin", "http://127.0.0.1:1"},
			"https for http": {"Origin", "https://desk.example.com:8080"},
			"cross-site":     {"Sec-Fetch-Site", "cross-site"}, "same-site": {"Sec-Fetch-Site", "same-site"},
			"cross-site, with an origin of ours": {"Sec-Fetch-Site", "cross-site", "Origin", s.URL},
		} {
			for _, route := range []string{
				"DELETE /desk/loans/1", "POST /desk/cards", "POST /desk/readers",
				"POST /desk/stamp", "POST /desk/cards/again", "PUT /desk/echo/1/x", "POST /desk/leave?_confirm=1",
			} {
				r := s.Ask(t, route, `{"email":"`+harness.CardHolder+`","password":"`+harness.ReaderPass+`"}`,
					append(header, cookie...)...)
				if r.Status != 403 || len(r.Cookies()) > 0 {
					t.Errorf("%s, %s: %d %s", name, route, r.Status, r.Body)
				}
			}
		}
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		for name, header := range map[string][]string{
			"no browser": nil, "our page": {"Sec-Fetch-Site", "same-origin", "Origin", s.URL},
			"typed": {"Sec-Fetch-Site", "none"}, "our origin": {"Origin", s.URL},
			"the public URL behind a proxy": {"Origin", "http://desk.example.com:8080", "Sec-Fetch-Site", "same-site"},
		} {
			if r := s.Ask(t, "PUT /desk/echo/1/x", `{}`, append(header, cookie...)...); r.Status != 200 {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
	})
}

// HT-04: what may end a session by a GET, and what may not.
func TestHT04_EngineChangingGET(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn)
		conn := harness.OpenSide(t, dsn)
		c := s.NewCard(t)
		before := conn.Census(t)
		const page, refused = 200, 403
		for _, x := range []struct {
			name   string
			status int
			header []string
		}{
			{"HEAD", 405, nil},
			{"another site's page by fetch", refused, []string{
				"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest",
				"empty", "Sec-Fetch-Mode", "cors",
			}},
			{"another page of the site", refused, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Dest", "empty"}},
			{"an image", refused, []string{
				"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "image", "Accept",
				"image/*",
			}},
			{"an image of ours", refused, []string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "image"}},
			{"a frame", refused, []string{
				"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Dest", "iframe", "Accept",
				"text/html",
			}},
			{"a script", refused, []string{"Sec-Fetch-Dest", "script"}},
			{"a foreign origin, of an older browser", refused, []string{"Origin", evil}},
			{"a navigation", page, []string{
				"Sec-Fetch-Site", "none", "Sec-Fetch-Dest", "document", "Accept",
				"text/html",
			}},
			{"a link of another site", page, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "document"}},
			{"an older browser", page, []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}},
			{"a prefetch", page, []string{
				"Purpose", "prefetch", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site",
				"same-origin",
			}},
			{"a prerender", page, []string{"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Dest", "document"}},
		} {
			route := "GET /desk/leave?why=a%26b"
			if x.status == 405 {
				route = "HEAD /desk/leave"
			}
			r := s.Ask(t, route, "", append(x.header, "Cookie", "card="+c.Session)...)
			if r.Status != x.status || len(r.Cookies()) > 0 {
				t.Errorf("%s: %d %s", x.name, r.Status, r.Body)
			}
			if x.status != page {
				continue
			}
			h := r.Header
			if !strings.Contains(r.Body, `<form method="post" action="/desk/leave?why=a%26b&amp;_confirm=1">`) ||
				!strings.Contains(r.Body, "&lt;on this device&gt;") ||
				!strings.Contains(r.Body, `<nav class="doors"`) ||
				h.Get("Content-Type") != "text/html; charset=utf-8" ||
				!strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") ||
				!strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
				h.Get("Cache-Control") != "no-store" || strings.Contains(r.Body, c.Session) {
				t.Errorf("%s: %v %s", x.name, h, r.Body)
			}
		}
		for name, header := range map[string][]string{
			"another site's form": {"Origin", evil, "Sec-Fetch-Site", "cross-site"}, "an older one": {"Origin", evil},
			"same-site": {"Sec-Fetch-Site", "same-site"}, "from nowhere": {"Origin", "null"},
		} {
			if r := s.Ask(t, "POST /desk/leave?_confirm=1", "",
				append(header, "Cookie", "card="+c.Session)...); r.Status != 403 {
				t.Errorf("%s: %d %s", name, r.Status, r.Body)
			}
		}
		if after := conn.Census(t); after != before {
			t.Fatalf("%s became %s", before, after)
		}

		// The button, in a browser that tells where the form was.
		r := s.Ask(t, "POST /desk/leave?_confirm=1&why=a", "", "Cookie", "card="+c.Session, "Origin", s.URL,
			"Sec-Fetch-Site", "same-origin", "Content-Type", harness.FormType)
		if r.Status != 200 || !strings.Contains(r.Body, "<h1>Done</h1>") ||
			!strings.Contains(r.Body, `<a href="/account">`) || len(r.Cookies()) != 3 ||
			s.Alive(t, c.Session) {
			t.Errorf("the button: %d %v %s", r.Status, r.Header, r.Body)
		}
		c = s.NewCard(t)
		s.Ask(t, "GET /desk/leave?why=x", "", harness.Bearer(c.Token)...).WantExactly(t, 200,
			`{"left":true,"by":"x","params":{"why":"x"}}`)
		if s.Alive(t, c.Token) {
			t.Error("a program did not get it done")
		}
		c = s.NewCard(t)
		s.Ask(t, "GET /desk/leave", "", append(harness.Bearer(c.Token), "Sec-Fetch-Mode", "cors", "Accept",
			"*/*")...).WantExactly(t, 200, `{"left":true,"by":null,"params":{}}`)
		if r := s.Ask(t, "POST /desk/leave?_confirm=1", "",
			append(harness.Bearer("garbage"), "Sec-Fetch-Site", "same-origin")...); r.Status != 401 ||
			!strings.Contains(r.Body, `<nav class="doors"`) || !strings.Contains(r.Body, "Show your card.") || !strings.Contains(r.Body, "did not work") {
			t.Errorf("a button that does not work: %d %s", r.Status, r.Body)
		}
	})
}

// HT-04: what marks the button is no parameter of the route.
func TestHT04_EngineButtonIsNoParameter(t *testing.T) {
	t.Parallel()
	s := speak(t, dbtest.SQLite(t), `dialect: own
title: Own API
mounts: [/own]
credentials: [bearer]
errors: {body: {error: =.message}, BAD_USER_INPUT: {status: 400}, INVALID_TOKEN: &no {status: 401}, TOKEN_REUSED: `+
		`*no, UNAUTHENTICATED: *no, FORBIDDEN: *no}
routes:
  - route: GET /leave
    changesState: true
    variables: {input: =.params}
    document: 'mutation Leave($input: LogoutInput) { logout(input: $input) { userErrors { code message } } }'
    body: {}
`)
	ada := s.Register(t, "ada@example.com")
	if r := s.Ask(t, "POST /own/leave?everywhere=x&_confirm=1", "", harness.Bearer(ada.Access)...); r.Status != 400 {
		t.Errorf("%d %s", r.Status, r.Body)
	}
	if r := s.Ask(t, "POST /own/leave?_confirm=1", "", harness.Bearer(ada.Access)...); r.Status != 200 ||
		s.Is(t, ada.Access, ada) {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// HT-04: the page of the button may say where its form was; browsers would otherwise send the origin null, which over
// http is all that they send.
func TestHT04_EngineButtonTellsItsOrigin(t *testing.T) {
	t.Parallel()
	s := harness.Library(t, dbtest.SQLite(t))
	r := s.Ask(t, "GET /desk/leave", "", "Accept", "text/html")
	if policy := r.Header.Get("Referrer-Policy"); r.Status != 200 || policy == "no-referrer" || policy == "" {
		t.Errorf("%d, Referrer-Policy: %q", r.Status, policy)
	}
}

// Redirects lead to the server itself and to the origins of the file.
func TestEngine_Redirects(t *testing.T) {
	t.Parallel()
	s := harness.Library(t, dbtest.SQLite(t))
	for target, fine := range map[string]bool{
		"/x": true, "/x?y=z#f": true, "/": true, "/a//b": true, "https://app.example.com": true,
		"https://app.example.com/x?token=1": true,
		"//evil.example":                    false, `/\evil.example`: false, `\\evil.example`: false,
		"///evil.example": false, "https://evil.example": false, "https://app.example.com.evil.example": false,
		"https://app.example.com@evil.example": false, "https://a:b@app.example.com/": false,
		"http://app.example.com": false, "https://app.example.com:444/": false, "javascript:alert(1)": false,
		"data:text/html,x": false, "x": false, "../x": false, "?x": false, "/\t/evil.example": false,
		"/\n/evil.example": false, "https:app.example.com": false, "https:///app.example.com": false,
		" //evil.example":         false,
		"HTTPS://app.example.com": true,
	} {
		r := s.Ask(t, "GET /desk/go?to="+strings.NewReplacer("%", "%25", "&", "%26", "#", "%23", "+", "%2B", " ", "%20",
			"\t", "%09", "\n", "%0A", `\`, "%5C").Replace(target), "")
		switch location := r.Header.Get("Location"); {
		case fine && (r.Status != 302 || !strings.EqualFold(location, target) || r.Body != ""):
			t.Errorf("%s: %d %q %s", target, r.Status, location, r.Body)
		case !fine && location != "":
			t.Errorf("%s: %d %q", target, r.Status, location)
		case !fine:
			r.WantError(t, 500, "INTERNAL_SERVER_ERROR")
		}
	}
	if log := s.Logged.String(); strings.Contains(log, "evil.example") ||
		!strings.Contains(log, "rest/testdata/library-card.yaml:") {
		t.Errorf("the log: %.500s", log)
	}
}

// The tokens that a dialect gives: their form, their claims, and how long they and the session live.
func TestEngine_Tokens(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn)
		c := s.NewCard(t)
		head, claims := harness.Segment(t, c.Token, 0), harness.Segment(t, c.Token, 1)
		if harness.JSONOf(t, head) != `{"alg":"HS256","typ":"JWT"}` {
			t.Errorf("header %v", head)
		}
		if !regexp.MustCompile(`^\{"email":"reader@example.com","number":[1-9]\d*,"verified":false\}$`).MatchString(
			harness.JSONOf(t, claims["reader"])) ||
			claims["library"] != "Central" || claims["loan"] == nil ||
			claims["exp"].(float64)-claims["iat"].(float64) != 900 {
			t.Errorf("claims %v", claims)
		}
		if _, there := claims["nickname"]; there {
			t.Errorf("claims %v", claims)
		}
		login := `{"email":"` + harness.CardHolder + `","password":"` + harness.ReaderPass + `","remember":true}`
		r := s.Ask(t, "POST /desk/cards", login)
		line := r.Cookies()["again"]
		again, attributes, _ := strings.Cut(line, ";")
		if attributes != " Path=/; HttpOnly; Secure; SameSite=None" || r.Cookies()["card"] != "" ||
			strings.Contains(r.Body, "session") {
			t.Fatalf("%s %v", r.Body, r.Header["Set-Cookie"])
		}
		next := s.Ask(t, "POST /desk/cards/again", "", "Cookie", "again="+again)
		if next.Status != 200 || next.Cookies()["again"] == "" ||
			harness.Segment(t, strings.Split(next.Body, `"`)[3], 1)["library"] != "Central" {
			t.Errorf("%d %s %v", next.Status, next.Body, next.Header)
		}
		spent := s.Ask(t, "POST /desk/cards/again", "", "Cookie", "again="+again)
		if spent.Status != 401 || !strings.Contains(spent.Cookies()["again"], "Max-Age=0") {
			t.Errorf("a token that was used: %d %s %v", spent.Status, spent.Body, spent.Header)
		}
		s.Clock.Add(14 * time.Minute)
		if !s.Alive(t, c.Token) {
			t.Error("the token died early")
		}
		s.Clock.Add(2 * time.Minute)
		if s.Alive(t, c.Token) || !s.Alive(t, c.Session) {
			t.Error("the token lives on, or the session does not")
		}
		es := speak(t, dsn, strings.NewReplacer("alg: HS256", "alg: ES256", "dialect: library-card",
			"dialect: own").Replace(harness.ReadFile(t, "rest/testdata/library-card.yaml")))
		c = es.NewCard(t)
		if head, claims := harness.Segment(t, c.Token, 0), harness.Segment(t, c.Token, 1); head["alg"] != "ES256" ||
			head["typ"] != "at+jwt" || claims["library"] != "Central" || !es.Alive(t, c.Token) {
			t.Errorf("%v %v", head, claims)
		}
	})
}

// errorLines are the lines of the log that are errors.
func errorLines(i *harness.Instance) (lines []map[string]any) {
	for line := range strings.SplitSeq(i.Logged.String(), "\n") {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["level"] == "ERROR" {
			lines = append(lines, m)
		}
	}
	return lines
}

// An expression that fails is a 500 in the dialect's form, and one line of the log that says where and holds no secret.
func TestEngine_FailingExpressions(t *testing.T) {
	t.Parallel()
	s := harness.Library(t, dbtest.SQLite(t))
	text := strings.Split(harness.ReadFile(t, "rest/testdata/library-card.yaml"), "\n")
	for how, marked := range map[string]string{
		"check": `"check" and`, "status": `"status" then`,
		"header": `"header" then`, "body": "second: ", "error": "second: ",
	} {
		line := 1 + slices.IndexFunc(text, func(l string) bool { return strings.Contains(l, marked) })
		known := len(errorLines(s))
		r := s.Ask(t, "POST /desk/spoil", `{"how":"`+how+`","secret":"`+canary+`"}`)
		r.WantExactly(t, 500, `{"ok":false,"status":500,"code":"INTERNAL_SERVER_ERROR","text":"Something went wrong `+
			`on our side."}`)
		lines := errorLines(s)[known:]
		if len(lines) != 1 {
			t.Fatalf("%s: %d lines: %v", how, len(lines), lines)
		}
		said := lines[0]
		if said["request_id"] != r.Header.Get("X-Request-Id") || said["route"] != "/spoil" ||
			said["method"] != "POST" || said["dialect"] != "library-card" ||
			!strings.Contains(fmt.Sprint(said["error"]), fmt.Sprintf("rest/testdata/library-card.yaml:%d", line)) {
			t.Errorf("%s, line %d: %v", how, line, said)
		}
	}
	if strings.Contains(s.Logged.String(), canary) {
		t.Errorf("AU-02: the log holds the secret: %s",
			regexp.MustCompile(`.*`+canary+`.*`).FindString(s.Logged.String()))
	}
}

// An expression that does not end is stopped, whatever it does until then. Other requests are served meanwhile.
func TestEngine_EndlessExpressions(t *testing.T) { //nolint:paralleltest // it measures time and memory
	s := harness.Library(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
	inFlight := func() float64 {
		metrics, _ := harness.Scrape(t, s.URL, harness.MetricsToken)
		return metrics["dragoman_http_requests_in_flight"] - 1 // without the scrape
	}
	for _, how := range []string{"forever", "endless", "deep"} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				began := time.Now()
				r, err := s.Call("POST /desk/spoil", `{"how":"`+how+`"}`)
				if took := time.Since(began); err != nil || r.Status != 500 || took > 3*time.Second {
					t.Errorf("%s: %d after %v (%v)", how, r.Status, took, err)
				}
			})
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			all.Wait()
		}()
	started:
		for inFlight() < 1 {
			select {
			case <-ended:
				break started
			default:
			}
		}
		for range 5 {
			began := time.Now()
			if r := s.Ask(t, "GET /motto", ""); r.Status != 200 || time.Since(began) > 2*time.Second {
				t.Errorf("%s: beside it %d after %v", how, r.Status, time.Since(began))
			}
		}
		<-ended
		runtime.ReadMemStats(&after)
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 1500 {
			t.Errorf("%s takes %d MiB", how, used)
		}
		if lines := errorLines(s); len(lines) < 4 ||
			!strings.Contains(fmt.Sprint(lines[len(lines)-1]["error"]), "it exceeded the time limit") {
			t.Errorf("%s: %v", how, lines)
		}
	}
}

// A 500 whose own body fails is a plain one, logged.
func TestEngine_FailingFailure(t *testing.T) {
	t.Parallel()
	s := speak(t, dbtest.SQLite(t), `dialect: own
title: Own API
mounts: [/own]
errors:
  body: {error: =.message}
  INTERNAL_SERVER_ERROR: {status: 500, body: '=if $request.params.x then ($request.params.x | tonumber) else 1 end'}
  CONFLICT: {status: 409, body: '=if $request.params.x then error else 1 end'}
  BAD_USER_INPUT: {status: 400}
routes:
  - route: GET /a
    fields: {x: string}
    body: {n: =$request.params.x | tonumber}
  - route: GET /b
    fields: {x: string}
    checks: [{when: .params.x, error: CONFLICT}]
    body: 1
`)
	s.Ask(t, "GET /own/a?x=1", "").WantExactly(t, 200, `{"n":1}`)
	for _, path := range []string{"/own/a?x=" + canary, "/own/b?x=" + canary} {
		r := s.Ask(t, "GET "+path, "")
		if r.WantExactly(t, 500, `{"error":"Something went wrong on our side."}`); r.Header.Get("Content-Type") !=
			"application/json; charset=utf-8" {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
	if lines := errorLines(s); len(lines) != 2 {
		t.Errorf("%v", lines)
	}
	for _, line := range errorLines(s) {
		if strings.Contains(fmt.Sprint(line["error"]), canary) {
			t.Errorf("AU-02: the log holds the secret: %v", line)
		}
	}
}

// 429 has Retry-After, and what the dialect makes of the message.
func TestEngine_Limits(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Library(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		for range 200 {
			r := s.Ask(t, "POST /desk/cards", `{"email":"`+harness.CardHolder+`","password":"no no no no"}`)
			if r.Status == 401 {
				continue
			}
			if wait := r.Header.Get("Retry-After"); r.Status != 429 || wait == "" ||
				!strings.Contains(r.Body, `"wait":`+wait) {
				t.Errorf("%d %v %s", r.Status, r.Header, r.Body)
			}
			return
		}
		t.Error("there is no limit")
	})
}
