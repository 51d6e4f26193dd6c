package dialects

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// These tests are the rules of the wire (HT-09 to HT-14) on every route of generic-v1 and authentication-zero.

// canary stands in every password and token that a wrong request carries: no answer and no line of the log may hold it.
const canary = "cAnArY-7731"

// wire drives a server with requests that must create nothing and give nothing away.
type wire struct {
	*harness.Instance
	t    *testing.T
	conn *harness.Side
	born string // the census at the beginning
}

// newWire has an account, with a session and a key, before it begins to count.
func newWire(t *testing.T, dsn string) (*wire, harness.RESTPerson, harness.ZeroSession) {
	t.Helper()
	s := harness.Start(t, dsn)
	ada := s.Person(t, "ada@example.com", "ada.l")
	s.NewKey(t, ada.Access, nil)
	z := s.SignIn(t, ada.Email, harness.GoodPass)
	w := &wire{Instance: s, t: t, conn: harness.OpenSide(t, dsn)}
	w.born = w.conn.Census(t)
	return w, ada, z
}

func (w *wire) send(route, body string, header ...string) harness.Reply {
	w.t.Helper()
	r := w.REST(w.t, route, body, header...)
	if strings.Contains(r.Body+fmt.Sprint(r.Header), canary) {
		w.t.Errorf("%s gives a secret back: %s %v", route, r.Body, r.Header)
	}
	return r
}

// done demands that nothing was created or ended, and that the log holds no secret (AU-02).
func (w *wire) done() {
	w.t.Helper()
	if now := w.conn.Census(w.t); now != w.born {
		w.t.Errorf("%s became %s", w.born, now)
	}
	for line := range strings.SplitSeq(w.Logged.String(), "\n") {
		if strings.Contains(line, canary) || strings.Contains(line, `"level":"ERROR"`) {
			w.t.Errorf("the log says %s", line)
		}
	}
}

// posted is a route that takes a body.
type posted struct {
	route  string
	fields []string
	good   string // a body that is right in form, and makes nothing
	forms  bool   // whether forms and queries are taken too
	key    bool   // whether it needs a credential
	typed  []int  // the statuses that a field of a wrong type may have
}

func postedRoutes() []posted {
	pass := fmt.Sprintf(`"password":%q`, canary+" "+canary)
	return []posted{
		{
			"POST " + harness.Generic + "/login",
			[]string{"username", "password"},
			`{"username":"ada.l",` + pass + `}`,
			false, false,
			[]int{400},
		},
		{
			"POST " + harness.Generic + "/refresh",
			[]string{"refreshToken"},
			`{"refreshToken":"rt1.` + canary + `"}`,
			false, false,
			[]int{401, 400},
		},
		{"POST " + harness.Generic + "/keys", []string{"name", "scopes", "expiresAt"}, `{"name":"` +
			strings.Repeat(canary, 20) + `"}`, false, true, []int{400}},
		{
			"POST /sign_up",
			[]string{"email", "password", "password_confirmation"},
			`{"email":"new@example.com",` + pass + `,"password_confirmation":"` + canary + `"}`, true, false,
			[]int{422, 400},
		},
		{
			"POST /sign_in",
			[]string{"email", "password"},
			`{"email":"ada@example.com",` + pass + `}`, true, false,
			[]int{401, 400, 422},
		},
	}
}

// head is the header fields that a posted route needs.
func (p posted) head(token string, more ...string) []string {
	if p.key {
		more = append(more, "Authorization", "Bearer "+token)
	}
	return more
}

// nested is a value of this depth.
func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// broken gives bodies that are no JSON of the strict kind, made from a good one.
func broken(good, field string) map[string]string {
	inner := good[1 : len(good)-1]
	member := fmt.Sprintf("%q:", field)
	return map[string]string{
		"cut":                   good[:len(good)-1],
		"an open string":        good[:len(good)-2],
		"array":                 "[" + good + "]",
		"string":                strconv.Quote(good),
		"number":                "1",
		"null":                  "null",
		"true":                  "true",
		"two bodies":            good + good,
		"text behind":           good + "x",
		"NUL behind":            good + "\x00",
		"a comma behind":        "{" + inner + ",}",
		"a comment":             good + "/* */",
		"single quotes":         strings.ReplaceAll(good, `"`, `'`),
		"a key twice":           "{" + member + `"x",` + inner + "}",
		"a key twice, escaped":  `{"\u00` + strconv.FormatInt(int64(field[0]), 16) + field[1:] + `":"x",` + inner + "}",
		"a key in capitals":     "{" + strings.ToUpper(member) + `"x",` + inner + "}",
		"an unknown key twice":  `{"z":1,"z":2,` + inner + "}",
		"invalid UTF-8":         `{"z":"` + "\xff" + `",` + inner + "}",
		"an overlong slash":     `{"z":"` + "\xc0\xaf" + `",` + inner + "}",
		"invalid UTF-8 as key":  `{"` + "\xfe" + `":1,` + inner + "}",
		"a lone surrogate":      strings.Replace(good, canary, canary+`\ud800`, 1),
		"a line in a string":    `{"z":"` + "\n" + `",` + inner + "}",
		"NaN":                   `{"z":NaN,` + inner + "}",
		"a leading zero":        `{"z":01,` + inner + "}",
		"a wrong escape":        `{"z":"\x41",` + inner + "}",
		"depth 33":              `{"z":` + nested(32) + "," + inner + "}",
		"depth 20000":           `{"z":` + nested(20000) + "," + inner + "}",
		"UTF-16":                "\xff\xfe{\x00}\x00",
		"a form in JSON's name": "username=ada.l&password=" + canary,
	}
}

// HT-11: JSON is read strictly, everywhere alike, and depth 32 is still read.
func TestHT11_DialectJSON(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		w, ada, _ := newWire(t, dsn)
		for _, p := range postedRoutes() {
			for name, body := range broken(p.good, p.fields[0]) {
				r := w.send(p.route, body, p.head(ada.Access)...)
				if r.Status != http.StatusBadRequest {
					t.Errorf("%s with %s: status %d, want 400", p.route, name, r.Status)
				}
				r.Refuses(t, http.StatusBadRequest)
			}
			for _, value := range []string{"1", "-1.5", "true", "false", `{}`, `{"$ne":""}`, `["x"]`, `[[]]`} { // ID-07
				for _, field := range p.fields {
					if field == "scopes" && value[0] == '[' {
						continue
					}
					r := w.send(p.route, fmt.Sprintf(`{"%s":%s,"z":%q}`, field, value, canary), p.head(ada.Access)...)
					if len(p.fields) > 1 && !p.key { // and with the other fields in order
						rest := strings.Replace(p.good, fmt.Sprintf("%q:", field), `"z":`, 1)
						second := w.send(p.route, fmt.Sprintf(`{"%s":%s,`, field, value)+rest[1:],
							p.head(ada.Access)...)
						if !slices.Contains(p.typed, second.Status) {
							t.Errorf("%s with %s: %s: %d %s, want one of %v", p.route, field, value, second.Status,
								second.Body, p.typed)
						}
					}
					if !slices.Contains(p.typed, r.Status) {
						t.Errorf("%s with %s: %s alone: %d %s, want one of %v", p.route, field, value, r.Status, r.Body,
							p.typed)
					}
				}
			}
			for _, field := range p.fields { // ID-06
				r := w.send(p.route, fmt.Sprintf(`{"%s":"a\u0000b"}`, field), p.head(ada.Access)...)
				if r.Status < 400 {
					t.Errorf("%s with a NUL in %s: %d %s", p.route, field, r.Status, r.Body)
				}
			}
			plain := w.send(p.route, p.good, p.head(ada.Access)...)
			deep := w.send(p.route, `{"z":`+nested(31)+","+p.good[1:], p.head(ada.Access)...)
			if plain.Status < 400 || plain.Body != deep.Body || plain.Status != deep.Status {
				t.Errorf("%s: %d %s, at depth 32 %d %s", p.route, plain.Status, plain.Body, deep.Status, deep.Body)
			}
		}
		w.done()
	})
}

// HT-09: a body has a type that the route takes, in UTF-8, and is not packed.
func TestHT09_DialectContentTypes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		w, ada, _ := newWire(t, dsn)
		for _, p := range postedRoutes() {
			wrong := []string{
				"", "text/plain", "text/json", "application/xml", "application/jsonx", "text/plain+json",
				"application/graphql", "json", "/", ";",
				"multipart/form-data; boundary=x", "application/json; charset=latin1",
				"application/json; charset=iso-8859-1", "application/json;charset=UTF-16",
				"application/json, text/plain", "*/*", "application/octet-stream",
			}
			if p.forms {
				wrong = append(wrong, harness.FormType+"; charset=iso-8859-1")
			} else {
				wrong = append(wrong, harness.FormType)
			}
			for _, kind := range wrong {
				r := w.send(p.route, p.good, p.head(ada.Access, "Content-Type", kind)...)
				if r.Refuses(t, http.StatusUnsupportedMediaType); r.Status != http.StatusUnsupportedMediaType {
					t.Errorf("that was %q", kind)
				}
			}
			w.send(p.route, p.good, p.head(ada.Access, "Content-Encoding", "gzip")...).Refuses(t,
				http.StatusUnsupportedMediaType)
			plain := w.send(p.route, p.good, p.head(ada.Access)...)
			for _, kind := range []string{"application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""} {
				if r := w.send(p.route, p.good, p.head(ada.Access, "Content-Type", kind)...); r.Status !=
					plain.Status || r.Body != plain.Body {
					t.Errorf("%s as %q: %d %s", p.route, kind, r.Status, r.Body)
				}
			}
			if p.forms {
				continue
			}
			// Where the document says JSON, nothing is read from the URL.
			query := harness.FormOf("username", "ada.l", "password", canary, "refreshToken", canary)
			if r := w.send(p.route+"?"+query, `{}`); r.Status < 400 || r.Status == http.StatusNotFound {
				t.Errorf("%s with a query: %d %s", p.route, r.Status, r.Body)
			}
		}
		w.REST(t, "POST "+harness.Generic+"/login?"+harness.FormOf("username", "ada.l", "password", harness.GoodPass),
			"").Says(t, http.StatusBadRequest, harness.FieldsRequired)
		w.done()
	})
}

// HT-10: 64 KiB and no more, also where the length is not announced.
func TestHT10_DialectSizes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		w, ada, _ := newWire(t, dsn)
		for _, p := range postedRoutes() {
			fill := func(n int) string { return p.good + strings.Repeat(" ", n-len(p.good)) }
			plain := w.send(p.route, p.good, p.head(ada.Access)...)
			if r := w.send(p.route, fill(64<<10), p.head(ada.Access)...); r.Status != plain.Status ||
				r.Body != plain.Body {
				t.Errorf("%s with 64 KiB: %d %s", p.route, r.Status, r.Body)
			}
			for _, n := range []int{64<<10 + 1, 1 << 20} {
				w.send(p.route, fill(n), p.head(ada.Access)...).Refuses(t, http.StatusRequestEntityTooLarge)
			}
			chunk := fill(64<<10 + 1)
			_, path, _ := strings.Cut(p.route, " ")
			if got := harness.Talk(t, w.URL, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: "+
				"application/json\r\nAuthorization: Bearer %s\r\n"+
				"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", path, ada.Access, len(chunk),
				chunk)); got.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, chunked: %d %.200s", p.route, got.Status, got.Body)
			}
			if p.forms {
				form := harness.FormOf("email", "new@example.com", "password", "short "+canary, "password_confirmation",
					"x", "z", "")
				w.send(p.route, form+strings.Repeat("x", 64<<10+1-len(form)), "Content-Type",
					harness.FormType).Refuses(t, http.StatusRequestEntityTooLarge)
			}
		}
		w.done()
	})
}

// HT-12: forms and queries with a repeated key, or that can not be read, are refused.
func TestHT12_DialectForms(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		w, ada, z := newWire(t, dsn)
		for _, route := range []string{"POST /sign_up", "POST /sign_in"} {
			for _, form := range []string{
				"email=ada%40example.com&email=new%40example.com&password=" + canary,
				"email=ada%40example.com&password=" + canary + "&password=" + canary,
				"email=ada%40example.com&%65mail=x&password=" + canary, "email=new%40example.com&password=%zz" + canary,
				"email=%ff&password=" + canary,
				"email=new%40example.com&password=%c0%af" + canary, "email=new%40example.com&password=" + canary + "%",
			} {
				w.send(route, form, "Content-Type", harness.FormType).Refuses(t, http.StatusBadRequest)
				w.send(route+"?"+form, "").Refuses(t, http.StatusBadRequest)
			}
			for _, form := range []string{
				"email%5B%5D=ada%40example.com&password%5B%5D=" + canary,
				"user%5Bemail%5D=ada%40example.com&user%5Bpassword%5D=" + canary,
				"email=ada%40example.com%00&password=" + canary + "%00", "email=&password=", "=", "&&", "email",
				strings.Repeat("a=&", 1),
			} {
				if r := w.send(route, form, "Content-Type", harness.FormType); r.Status < 400 {
					t.Errorf("%s %s: %d %s", route, form, r.Status, r.Body)
				}
			}
		}
		// Rails would take a method from a form; here a method is the method.
		for _, header := range []string{"X-Http-Method-Override", "X-Method-Override", "X-Http-Method"} {
			if r := w.send("POST "+z.Path(), "_method=delete",
				append(harness.Bearer(z.Token), "Content-Type", harness.FormType, header, "DELETE")...); r.Status <
				400 {
				t.Errorf("%s: %d %s", header, r.Status, r.Body)
			}
		}
		if !w.Is(t, z.Token, ada.Account) {
			t.Error("the session is over")
		}
		w.done()
	})
}

// A wrong method is 405 with Allow; HEAD shows no body, OPTIONS opens nothing to other origins.
func TestHT09_DialectMethods(t *testing.T) {
	t.Parallel()
	w, ada, z := newWire(t, dbtest.SQLite(t))
	for path, allowed := range map[string][]string{
		harness.Generic + "/login": {"POST"}, harness.Generic + "/refresh": {"POST"}, harness.Generic +
			"/logout": {"POST"}, harness.Generic + "/keys": {"GET", "POST"},
		harness.Generic + "/keys/key_abc123": {"DELETE"}, "/sign_up": {"POST"}, "/sign_in": {"POST"},
		"/sessions": {"GET"}, z.Path(): {"DELETE", "GET"},
	} {
		for _, method := range []string{
			"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE",
			"get",
		} {
			if slices.Contains(allowed, method) {
				continue
			}
			for _, header := range [][]string{nil, append(harness.Bearer(ada.Access), "Origin", "https://evil.example",
				"Access-Control-Request-Method", allowed[0])} {
				r := w.send(method+" "+path, "", header...)
				if method == "HEAD" && slices.Contains(allowed, "GET") {
					if r.Body != "" || r.Status != 405 && (r.Status != 200 || header == nil) &&
						(r.Status != 401 || header != nil) {
						t.Errorf("%s: %d", r.Asked, r.Status)
					}
					continue
				}
				if method == "OPTIONS" && r.Status == http.StatusNoContent && r.Header.Get("Allow") != "" {
					continue
				}
				if r.Status != http.StatusMethodNotAllowed {
					t.Errorf("%s: %d %s, want 405", r.Asked, r.Status, r.Body)
					continue
				}
				if method == "TRACE" {
					continue
				}
				for _, allow := range allowed {
					if !strings.Contains(r.Header.Get("Allow"), allow) {
						t.Errorf("%s: Allow %q", r.Asked, r.Header.Get("Allow"))
					}
				}
				if method != "HEAD" {
					r.Refuses(t, http.StatusMethodNotAllowed)
				}
			}
		}
	}
	w.done()
}

// LG-17: a path has one spelling. What is no path is 404, below a prefix in the form of its dialect.
func TestLG17_DialectPaths(t *testing.T) {
	t.Parallel()
	w, ada, _ := newWire(t, dbtest.SQLite(t))
	for _, path := range []string{
		harness.Generic, harness.Generic + "/", harness.Generic + "/nothing", harness.Generic + "/login/x",
		harness.Generic + "/keys/a/b", harness.Generic + "/register", harness.Generic + "/Login", harness.Generic +
			"/sessions",
		"/api/v1/authx", "/api/v1", "/api", "/authx/login", "/nothing", "/sign_upx", "/Sign_In", "/sessions/1/2",
		"/session", "/logins", "/v1/nothing",
	} {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS"} {
			for _, header := range [][]string{nil, harness.Bearer(ada.Access), harness.Bearer(canary)} {
				w.send(method+" "+path, "", header...).Refuses(t, http.StatusNotFound)
			}
		}
	}
	for _, path := range []string{harness.Generic + "/login", "/sign_in"} {
		body := harness.Credentials("username", "ada.l", canary)
		first, last := path[:len(path)-2], path[len(path)-2:]
		for _, spelling := range []string{
			"/" + path, path + "/", path + "//", "/." + path, "/x/.." + path, path + "/.", first +
				fmt.Sprintf("%%%x", last[0]) + last[1:], path + "%2f", path + "%00",
			path + "%20", path + ";x=1", strings.ToUpper(path), strings.Replace(path, "/", "\\", 1), path + ".json",
			"http://x/" + path,
		} {
			if got := harness.Talk(t, w.URL, harness.RawPost(spelling, body, "Connection", "close")); got.Status !=
				404 && got.Status != 400 || got.Header.Get("Location") != "" {
				t.Errorf("%s: %d %.100s", spelling, got.Status, got.Body)
			}
		}
	}
	w.done()
}

// HT-13, HT-14: what a proxy would say counts only from a trusted one.
func TestHT13_DialectForwarded(t *testing.T) {
	t.Parallel()
	spoof := []string{
		"X-Forwarded-For", "6.6.6.6", "Forwarded", "for=6.6.6.6;host=evil.example;proto=https", "X-Real-Ip", "6.6.6.6",
		"X-Forwarded-Host", "evil.example",
		"X-Forwarded-Proto", "https", "X-Original-Url", "/graphql", "X-Forwarded-Prefix", "/x", "X-Client-Ip",
		"6.6.6.6",
	}
	for trusted, want := range map[string]string{"": "127.0.0.1", "127.0.0.0/8": "6.6.6.6"} {
		s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_TRUSTED_PROXIES="+trusted)
		s.Person(t, "ada@example.com", "ada.l")
		if z := s.SignIn(t, "ada@example.com", harness.GoodPass, spoof...); z.IPAddress != want {
			t.Errorf("trusting %q: ip_address %s, want %s", trusted, z.IPAddress, want)
		}
		r, _ := s.REST(t, "POST "+harness.Generic+"/login", harness.Credentials("username", "ada.l", harness.GoodPass),
			spoof...).Without("refreshToken")
		if r.Status != http.StatusOK || strings.Contains(r.Body+fmt.Sprint(r.Header), "evil") {
			t.Errorf("%d %s %v", r.Status, r.Body, r.Header)
		}
	}
}

// LG-06, LG-07, LG-08: failures at every door, by every name of an account, on every instance, are one count; and the
// lock shuts every door, for an account that there is as for one that there is not.
func TestLG07_OneLockForAllDialects(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		c := harness.NewClock()
		instances := []*harness.Instance{harness.Limited(t, c, dsn)}
		if strings.HasPrefix(dsn, "postgres") {
			instances = append(instances, harness.Limited(t, c, dsn))
		}
		if a := harness.Asked(t, instances[0].URL, "", harness.RegisterDoc,
			harness.InputOf("email", "ada@example.com", "username", "ada.l", "password", harness.GoodPass),
			"X-Forwarded-For", harness.Owner); a.Code() != "" {
			t.Fatal(a.Raw)
		}
		turn := 0
		at := func() (*harness.Instance, string) { // another instance and another address each time
			turn++
			return instances[turn%len(instances)], fmt.Sprintf("198.51.100.%d", turn)
		}
		byGeneric := func(name, password string) harness.Reply {
			s, from := at()
			return s.REST(t, "POST "+harness.Generic+"/login", harness.Credentials("username", name, password),
				"X-Forwarded-For", from)
		}
		byZero := func(name, password string) harness.Reply {
			s, from := at()
			return s.REST(t, "POST /sign_in", harness.Credentials("email", name, password), "X-Forwarded-For", from)
		}
		byGraphQL := func(field, name, password string) string {
			s, from := at()
			return s.LoginFrom(t, from, field, name, password).Code()
		}
		locked := func(name string, seconds int) {
			t.Helper()
			r := byGeneric(name, harness.GoodPass)
			r.Says(t, http.StatusTooManyRequests, harness.TooMany)
			if z := byZero(name, harness.GoodPass); z.Status != http.StatusTooManyRequests ||
				z.Header.Get("Retry-After") != strconv.Itoa(seconds) ||
				r.Header.Get("Retry-After") != strconv.Itoa(seconds) || z.Header.Get("X-Session-Token") != "" {
				t.Errorf("%s: %d %s %v; generic %v", name, z.Status, z.Body, z.Header, r.Header)
			} else {
				z.Refuses(t, http.StatusTooManyRequests)
			}
			if code := byGraphQL("email", name, harness.GoodPass); code != "ACCOUNT_LOCKED" {
				t.Errorf("%s in GraphQL: %q", name, code)
			}
		}
		for _, who := range []struct{ email, username string }{
			{"ada@example.com", "ada@example.com"},
			{"nobody@example.com", "nobody@example.com"},
		} {
			byGeneric(who.username, harness.WrongPass).Says(t, http.StatusUnauthorized, harness.InvalidCredentials)
			byZero(strings.ToUpper(who.email), harness.WrongPass).Says(t, http.StatusUnauthorized, harness.Incorrect)
			if code := byGraphQL("email", who.email, harness.WrongPass); code != "INVALID_CREDENTIALS" {
				t.Errorf("%s in GraphQL: %q", who.email, code)
			}
			byGeneric(strings.ToUpper(who.username), harness.WrongPass).Says(t, http.StatusUnauthorized,
				harness.InvalidCredentials)
			byGeneric(who.email, harness.WrongPass).Says(t, http.StatusUnauthorized, harness.InvalidCredentials)
			locked(who.email, 2)
			c.Add(2 * time.Second)
			byZero(who.email, harness.WrongPass).Says(t, http.StatusUnauthorized, harness.Incorrect) // the sixth
			locked(who.email, 4)
		}
		byGeneric("ADA.L", harness.GoodPass).Sound(t) // LG-22: the username has a count of its own
		for _, n := range harness.OpenSide(t, dsn).Texts(t, "SELECT failures FROM throttles WHERE scope <> '*'") {
			if n != "6" {
				t.Errorf("failures are counted as %s", n)
			}
		}
	})
}

// LG-13: the limit by address is one for all doors together.
func TestLG13_OneLimitForAllDialects(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Limited(t, harness.NewClock(), dsn)
		document, variables := harness.Counted(t, "login")
		all := func(n int) []int {
			name := fmt.Sprintf("nobody%d", n) // another one each time, or the account is throttled
			return []int{
				harness.Asked(t, s.URL, "", document, variables, "X-Forwarded-For", harness.Attacker).Status,
				s.REST(t, "POST "+harness.Generic+"/login", harness.Credentials("username", name, harness.WrongPass),
					"X-Forwarded-For", harness.Attacker).Status,
				s.REST(t, "POST /sign_in", harness.Credentials("email", name+"@example.com", harness.WrongPass),
					"X-Forwarded-For", harness.Attacker).Status,
			}
		}
		for n := range 20 {
			if got := all(n); slices.Contains(got, http.StatusTooManyRequests) {
				t.Fatalf("round %d: %v", n, got)
			}
		}
		if got := all(20); !slices.Equal(got, []int{429, 429, 429}) {
			t.Errorf("after sixty sign-ins at three doors: %v", got)
		}
		// sign_up counts with register; what its own checks refuse costs nothing and does not count.
		document, variables = harness.Counted(t, "register")
		long := strings.Repeat("x", 300)
		for n := range 60 {
			a := harness.Asked(t, s.URL, "", document, variables, "X-Forwarded-For", harness.Attacker)
			r := s.REST(t, "POST /sign_up", harness.Credentials("email", "new@example.com", long), "X-Forwarded-For",
				harness.Attacker)
			if a.Status != http.StatusOK || r.Status != http.StatusUnprocessableEntity {
				t.Fatalf("round %d: %d, then %d %s", n, a.Status, r.Status, r.Body)
			}
		}
		s.REST(t, "POST /sign_up", harness.Credentials("email", "new@example.com", harness.ZeroPass), "X-Forwarded-For",
			harness.Attacker).Refuses(t, http.StatusTooManyRequests)
	})
}

// One session everywhere: what is made at one door is seen and ended at the others, under one number.
func TestDialects_OneSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		up := s.REST(t, "POST /sign_up", harness.Credentials("email", "ada@example.com", harness.ZeroPass)).Matched(t,
			http.StatusCreated, fmt.Sprintf(harness.UserTemplate, "ada@example.com"))
		z := s.SignIn(t, "ada@example.com", harness.ZeroPass, "User-Agent", "insomnia/2022.1.0")
		if fmt.Sprint(z.UserID) != up[0] {
			t.Errorf("user_id %d, signed up as %s", z.UserID, up[0])
		}
		row := fmt.Sprintf(`"number":%d,"isCurrent":true,"userAgent":"insomnia/2022.1.0","ipAddress":"127.0.0.1"`, z.ID)
		if a := s.GraphQL(t, z.Token, harness.SessionsDoc, nil); strings.Count(a.Raw, `"number"`) != 1 ||
			!strings.Contains(a.Raw, row) {
			t.Errorf("in GraphQL: %s", a.Raw)
		}
		if a := s.GraphQL(t, z.Token, `{ me { number email emailVerified } }`,
			nil); fmt.Sprint(a.At("me", "number")) != fmt.Sprintf("%v", float64(z.UserID)) ||
			a.At("me", "emailVerified") != false {
			t.Errorf("in GraphQL: %s, at sign_in %d", a.Raw, z.UserID)
		}
		// Signed up there, signed in here; ended by GraphQL, dead there.
		r, refresh := s.REST(t, "POST "+harness.Generic+"/login",
			harness.Credentials("username", "ada@example.com", harness.ZeroPass)).Without("refreshToken")
		id := s.GraphQL(t, z.Token, harness.MeDoc, nil).Text("me", "id")
		token := r.Matched(t, http.StatusOK, fmt.Sprintf(harness.LoginTemplate, id, "ada@example.com",
			"ada@example.com"))[0]
		if a := s.GraphQL(t, token, harness.RevokeSessionDoc, harness.InputOf("number", z.ID)); a.Code() != "" {
			t.Errorf("revokeSession: %s", a.Raw)
		}
		s.REST(t, "GET /sessions", "", "X-Session-Token", z.Token).Denied(t)
		// Ended there, dead here and in GraphQL.
		var mine []harness.ZeroSession
		list := s.REST(t, "GET /sessions", "", harness.Bearer(token)...)
		if err := json.Unmarshal([]byte(list.Body), &mine); err != nil || len(mine) != 1 {
			t.Fatalf("%s: %v", list.Body, err)
		}
		s.REST(t, "DELETE "+mine[0].Path(), "", harness.Bearer(token)...).Empty(t)
		s.REST(t, "POST "+harness.Generic+"/logout", "", harness.Bearer(token)...).Says(t, http.StatusUnauthorized,
			harness.AuthRequired)
		s.REST(t, "POST "+harness.Generic+"/refresh", fmt.Sprintf(`{"refreshToken":%q}`, refresh)).Says(t,
			http.StatusUnauthorized, harness.InvalidRefresh)
		if a := s.GraphQL(t, token, harness.MeDoc, nil); a.At("me") != nil || a.Code() != "UNAUTHENTICATED" {
			t.Errorf("me: %s", a.Raw)
		}
	})
}

// AU-01, LG-07: sessions and events have the dialect on record that they came by.
func TestAU01_DialectsOnRecord(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := harness.OpenSide(t, dsn)
		s.REST(t, "POST /sign_up", harness.Credentials("email", "ada@example.com", harness.ZeroPass))
		z := s.SignIn(t, "ada@example.com", harness.ZeroPass)
		token, refresh := s.GenericLogin(t, s.Person(t, "bob@example.com", "bob").Username)
		s.REST(t, "POST "+harness.Generic+"/refresh", fmt.Sprintf(`{"refreshToken":%q}`, refresh))
		made := s.REST(t, "POST "+harness.Generic+"/keys", "", harness.Bearer(token)...).Matched(t, http.StatusCreated,
			fmt.Sprintf(harness.KeyTemplate, "API key"))
		s.REST(t, "DELETE "+harness.Generic+"/keys/"+made[0], "", harness.Bearer(token)...)
		s.REST(t, "POST /sign_in", harness.Credentials("email", "ada@example.com", harness.WrongPass))
		s.REST(t, "POST "+harness.Generic+"/login", harness.Credentials("username", "bob", harness.WrongPass))
		s.REST(t, "POST "+harness.Generic+"/logout", "", harness.Bearer(token)...)
		s.REST(t, "DELETE "+z.Path(), "", harness.Bearer(z.Token)...)
		s.NextOf(t, s.Register(t, "eve@example.com").Refresh)
		if got := conn.Texts(t, "SELECT dialect FROM sessions ORDER BY dialect"); !slices.Equal(got,
			[]string{"authentication-zero", "generic-v1", "graphql", "graphql"}) {
			t.Errorf("sessions are of %s", got)
		}
		var got []string
		for _, row := range conn.Audit(t) {
			got = append(got, row.Dialect+" "+row.Action+" "+row.Outcome)
		}
		want := []string{
			"authentication-zero user.created ok", "authentication-zero login.succeeded ok", "graphql user.created ok",
			"generic-v1 login.succeeded ok", "generic-v1 session.refreshed ok", "generic-v1 api_key.created ok",
			"generic-v1 api_key.deleted ok", "authentication-zero login.failed failed",
			"generic-v1 login.failed failed", "generic-v1 session.ended ok",
			"authentication-zero session.revoked ok", "graphql user.created ok", "graphql session.refreshed ok",
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("events are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}
