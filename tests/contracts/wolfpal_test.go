package contracts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// These tests hold the server against document 001, whose routes are below /auth and, in its commands, below /api/auth.

const (
	wolfMail    = "user@mrdemonwolf.github.io"
	wolfName    = "usermrdemonwolfgithubio"
	wolfPending = `{"code":"PENDING_CONFIRMATION","error":"Please confirm your email address to complete the ` +
		`registration."}`
	wolfExists = `{"code":"ALREADY_EXISTS","error":"This username or email already exists."}`
	wolfWrong  = `{"code":"INVALID_CREDENTIALS","error":"Either email or password is invalid. "}`
	wolfLost   = `{"code":404,"error":"Whoops, this resource or route could not be found"}`
	wolfOut    = `{"code":"LOGGED_OUT","error":"You are now logged out."}`
	wolfNoRow  = `{"code":"SESSION_NOT_FOUND","error":"Session not found."}`
)

// form posts a form to a route.
func form(t testing.TB, i *harness.Instance, route, body string, header ...string) harness.Reply {
	t.Helper()
	return i.REST(t, route, body, append([]string{"Content-Type", harness.FormType}, header...)...)
}

// wolfCommands are those of the document with the answers that it shows, but for the password of the login and a \ at
// the end of the refresh, see the file of the dialect. <access> and <refresh> stand where its sample tokens are.
var wolfCommands = []struct{ command, answer string }{
	{`curl --location --request POST 'https://www.example.com/api/auth/register' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'username=usermrdemonwolfgithubio' \
--data-urlencode 'email=user@mrdemonwolf.github.io' \
--data-urlencode 'password=user@mrdemonwolf.github.io'`, `{
  "code": "PENDING_CONFIRMATION",
  "error": "Please confirm your email address to complete the registration."
}`},
	{`curl --location --request POST 'https://www.example.com/api/auth/login' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'email=user@mrdemonwolf.github.io' \
--data-urlencode 'password=user@mrdemonwolf.github.io'`, `{
  "access_token": "<access>",
  "refresh_token": "<refresh>",
  "twoFactor": false
}`},
	{`curl --location --request POST 'https://www.example.com/api/auth/refresh' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'refresh_token=<refresh>'`, `{
  "access_token": "<access>",
  "refresh_token": "<refresh>"
}`},
	{`curl --location --request POST 'https://www.example.com/api/auth/logout' \
--header 'Authorization: Bearer <access>'`, `{
  "code": "LOGGED_OUT",
  "error": "You are now logged out."
}`},
}

// The document's own commands, typed one after another, answer what it shows, in its order.
func TestWolfpal_Commands(t *testing.T) {
	t.Parallel()
	harness.NeedCurl(t)
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for prefix, user := range map[string]string{"/api/auth/": "user", "/auth/": "other"} {
			live := map[string]string{}
			for _, row := range wolfCommands {
				command := strings.NewReplacer("https://www.example.com/api/auth/", s.URL+prefix, "<access>",
					live["access"], "<refresh>", live["refresh"],
					"=usermrd", "="+user+"mrd", "=user@", "="+user+"@").Replace(row.command)
				out, err := exec.Command("sh", "-c", command+" --silent --fail").Output()
				if err != nil {
					t.Fatalf("%s: %v %s", command, err, out)
				}
				var want bytes.Buffer
				if err := json.Compact(&want, []byte(row.answer)); err != nil {
					t.Fatal(err)
				}
				pattern := strings.NewReplacer("<access>", `(?P<access>[\w.-]+)`, "<refresh>",
					`(?P<refresh>[\w.-]+)`).Replace(regexp.QuoteMeta(want.String()))
				shape := regexp.MustCompile("^" + pattern + "\n?$")
				found := shape.FindStringSubmatch(string(out))
				if found == nil {
					t.Fatalf("%s\nprinted %s\nand the document has %s", command, out, &want)
				}
				for n, name := range shape.SubexpNames() {
					if name != "" {
						live[name] = found[n]
					}
				}
			}
		}
	})
}

// The tokens of a login and a refresh last as long as the document's samples, and say what those say.
func TestWolfpal_TokenClaims(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_PUBLIC_URL=https://auth.example.com")
		ada := s.Person(t, "ada@example.com", "ada")
		access, refresh := harness.PairIn(t, form(t, s, "POST /auth/login",
			harness.FormOf("email", ada.Email, "password", harness.GoodPass)))
		session := harness.ClaimsOf(t, access)["sid"]
		for round := range 3 {
			now := float64(s.Clock.Now().Unix())
			a, r := harness.ClaimsOf(t, access), harness.ClaimsOf(t, refresh)
			if a["sub"] != ada.ID || a["iss"] != "https://auth.example.com" || a["iat"] != now || a["exp"] != now+
				1800 || a["sid"] != session {
				t.Errorf("access token: %v", a)
			}
			if r["sub"] != ada.ID || r["iat"] != now || r["exp"] != now+86400 || r["sid"] != session ||
				r["gen"] != float64(round) || len(r) != 5 {
				t.Errorf("refresh token: %v", r)
			}
			if fmt.Sprint(harness.Segment(t, access, 0)) != "map[alg:HS256 typ:JWT]" ||
				fmt.Sprint(harness.Segment(t, refresh, 0)) != "map[alg:HS256 typ:rt+jwt]" {
				t.Errorf("headers %v %v", harness.Segment(t, access, 0), harness.Segment(t, refresh, 0))
			}
			s.Clock.Add(30 * time.Minute)
			if !s.Is(t, access, ada.Account) {
				t.Error("the access token ended early")
			}
			s.Clock.Add(6 * time.Second)
			if s.Is(t, access, ada.Account) {
				t.Error("the access token did not end")
			}
			access, refresh = harness.PairIn(t, form(t, s, "POST "+[]string{"/auth", harness.Wolf}[round%2]+"/refresh",
				harness.FormOf("refresh_token", refresh)))
		}
		if !s.Is(t, access, ada.Account) {
			t.Error("the last access token is not good")
		}
	})
}

// LG-04: a taken address is answered like a free one, to the byte and in the headers, and makes nothing; a taken
// username is said, whether the address beside it is taken or not.
func TestLG04_WolfpalRegister(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		conn := harness.OpenSide(t, dsn)
		register := func(username, email string) harness.Reply {
			return form(t, s, "POST "+harness.Wolf+"/register",
				harness.FormOf("username", username, "email", email, "password", harness.GoodPass))
		}
		fresh := register(wolfName, wolfMail)
		fresh.Says(t, http.StatusCreated, wolfPending)
		if got := conn.Census(t); got != "1 users, 0 sessions (0 live), 0 keys (0 live)" {
			t.Errorf("it made %s", got)
		}
		for _, email := range []string{wolfMail, strings.ToUpper(wolfMail), " " + wolfMail} {
			taken := register("someoneelse", email)
			taken.Says(t, http.StatusCreated, wolfPending)
			for _, h := range []http.Header{taken.Header, fresh.Header} {
				h.Del("Date")
				h.Del("X-Request-Id")
			}
			if fmt.Sprint(taken.Header) != fmt.Sprint(fresh.Header) {
				t.Errorf("the headers are %v and %v", taken.Header, fresh.Header)
			}
		}
		for _, email := range []string{wolfMail, "free@mrdemonwolf.github.io"} {
			for _, username := range []string{wolfName, strings.ToUpper(wolfName), "admin", "support", "null"} {
				s.Clock.Add(15 * time.Second) // or a sample of them is on record
				register(username, email).Says(t, http.StatusConflict, wolfExists)
			}
		}
		if got := conn.Census(t); got != "1 users, 0 sessions (0 live), 0 keys (0 live)" {
			t.Errorf("it made %s", got)
		}
		if n := conn.Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.create_failed' AND outcome = `+
			`'failed'`); n != 13 {
			t.Errorf("%d refusals on record", n)
		}
		// which is not confirmed
		harness.PairIn(t, form(t, s, "POST /auth/login",
			harness.FormOf("email", wolfMail, "password", harness.GoodPass)))
		open := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS=on")
		for _, pair := range [][2]string{
			{"someoneelse", wolfMail},
			{wolfName, wolfMail},
			{wolfName, "free@mrdemonwolf.github.io"},
		} {
			form(t, open, "POST /auth/register", harness.FormOf("username", pair[0], "email", pair[1], "password",
				harness.GoodPass)).Says(t, http.StatusConflict, wolfExists)
		}
		closed := harness.Start(t, dsn, "DRAGOMAN_REGISTRATION=off")
		form(t, closed, "POST /auth/register", harness.FormOf("username", "new", "email", "new@example.com", "password",
			harness.GoodPass)).
			Says(t, http.StatusConflict, `{"code":"REGISTRATION_DISABLED","error":"Currently registration are `+
				`disabled."}`)
	})
}

// ID-02: of many who register the same address at once one gets it, and nobody learns who.
func TestID02_WolfpalRegisterRace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		got := make([]harness.Reply, 32)
		harness.Race(len(got), func(n int) {
			got[n], _ = s.Call("POST /auth/register", harness.FormOf("username", fmt.Sprintf("user%d", n), "email",
				wolfMail, "password", harness.GoodPass), "Content-Type", harness.FormType)
		})
		for _, r := range got {
			r.Says(t, http.StatusCreated, wolfPending)
		}
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM users`); n != 1 {
			t.Errorf("%d accounts", n)
		}
	})
}

// badInput writes the answer to bad input: for each field its code and its sentence, in this order.
func badInput(head string, rows ...[3]string) string {
	var codes, errs []string
	for _, r := range rows {
		codes, errs = append(codes, fmt.Sprintf("%q:%q", r[0], r[1])), append(errs, fmt.Sprintf("%q:%q", r[0], r[2]))
	}
	return `{` + head + `"codes":{` + strings.Join(codes, ",") + `},"errors":{` + strings.Join(errs, ",") + `}}`
}

var (
	noName    = [3]string{"username", "REQUIRED", "Username is required."}
	shortName = [3]string{"username", "NOT_LONG_ENOUGH", "Username must be between 3 and 28 characters long."}
	badName   = [3]string{
		"username", "INVALID_CHARACTERS",
		"Username is invalid. Must only contain numbers or letters.",
	}
	noPass    = [3]string{"password", "REQUIRED", "Password is required."}
	shortPass = [3]string{"password", "NOT_LONG_ENOUGH", "Password must be between 8 and 56 characters long."}
	noMail    = [3]string{"email", "REQUIRED", "Email is required."}
	badMail   = [3]string{"email", "INVALID", "Email is invalid."}
	noOld     = [3]string{"oldPassword", "REQUIRED", "Old Password is required."}
	noNew     = [3]string{"newPassword", "REQUIRED", "New Password is required."}
	shortNew  = [3]string{"newPassword", "NOT_LONG_ENOUGH", "New Password must be between 8 and 56 characters long"}
)

// Bad input is refused in the words of the contract, all fields at once, in forms and in JSON, and makes nothing.
func TestWolfpal_BadInput(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Person(t, "ada@example.com", "ada")
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		const register, login, password, username = "POST /auth/register", "POST /auth/login",
			"PUT /api/account/change-password", "PUT /api/account/change-username"
		pass57 := strings.Repeat("x", 57)
		for _, row := range []struct {
			route  string
			fields []string
			want   string
		}{
			{register, nil, badInput("", noName, noPass, noMail)},
			{register, []string{"username", "", "email", "", "password", ""}, badInput("", noName, noPass, noMail)},
			{
				register,
				[]string{"username", "  ", "email", " ", "password", harness.GoodPass},
				badInput("", noName, noMail),
			},
			{register, []string{"email", wolfMail, "password", harness.GoodPass}, badInput("", noName)},
			{register, []string{"username", "newone", "password", harness.GoodPass}, badInput("", noMail)},
			{register, []string{"username", "newone", "email", wolfMail}, badInput("", noPass)},
			{
				register,
				[]string{"username", "ab", "email", "ab", "password", "1234567"},
				badInput("", shortName, shortPass, badMail),
			},
			{
				register,
				[]string{"username", strings.Repeat("a", 29), "email", "a@b", "password", pass57},
				badInput("", shortName, shortPass, badMail),
			},
			{
				register,
				[]string{"username", "a-b", "email", "a b@example.com", "password", harness.GoodPass},
				badInput("", badName, badMail),
			},
			{
				register,
				[]string{"username", "-", "email", wolfMail, "password", harness.GoodPass},
				badInput("", shortName),
			},
			{
				register,
				[]string{"username", "ädä", "email", wolfMail, "password", harness.GoodPass},
				badInput("", badName),
			},
			{
				register,
				[]string{"username", "abc\n", "email", wolfMail, "password", harness.GoodPass},
				badInput("", badName),
			},
			{login, nil, badInput(`"code":400,`, noMail, noPass)},
			{login, []string{"email", "ada", "password", harness.GoodPass}, badInput(`"code":400,`, badMail)},
			{login, []string{"email", "ada@example.com"}, badInput(`"code":400,`, noPass)},
			{login, []string{"password", harness.GoodPass}, badInput(`"code":400,`, noMail)},
			{login, []string{"username", "ada", "password", harness.GoodPass}, badInput(`"code":400,`, noMail)},
			{password, nil, badInput("", noOld, noNew)},
			{password, []string{"oldPassword", harness.GoodPass}, badInput("", noNew)},
			{password, []string{"newPassword", harness.GoodPass}, badInput("", noOld)},
			{password, []string{"oldPassword", harness.GoodPass, "newPassword", "1234567"}, badInput("", shortNew)},
			{password, []string{"oldPassword", harness.GoodPass, "newPassword", pass57}, badInput("", shortNew)},
			{username, nil, badInput("", noName)},
			{username, []string{"username", "a.b"}, badInput("", badName)},
			{username, []string{"username", "ab"}, badInput("", shortName)},
			{username, []string{"username", "_"}, badInput("", shortName)},
		} {
			form(t, s, row.route, harness.FormOf(row.fields...), harness.Bearer(ada.Access)...).Says(t,
				http.StatusBadRequest, row.want)
			object := map[string]string{}
			for n := 0; n+1 < len(row.fields); n += 2 {
				object[row.fields[n]] = row.fields[n+1]
			}
			s.REST(t, row.route, harness.JSONOf(t, object), harness.Bearer(ada.Access)...).Says(t,
				http.StatusBadRequest, row.want)
		}
		// ID-07: other types than text.
		for _, route := range []string{register, login, password, username} {
			for _, name := range []string{"email", "password", "username", "oldPassword", "newPassword"} {
				for _, value := range []string{`{"$ne":""}`, `["a"]`, `7`, `true`} {
					r := s.REST(t, route, fmt.Sprintf(`{%q:%s}`, name, value), harness.Bearer(ada.Access)...)
					var body struct{ Codes, Errors map[string]string }
					if json.Unmarshal([]byte(r.Body), &body) != nil || r.Status != http.StatusBadRequest ||
						len(body.Codes) == 0 || len(body.Errors) != len(body.Codes) {
						t.Errorf("%s with %s as %s: %d %s", route, name, value, r.Status, r.Body)
					}
				}
			}
		}
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// LG-01: an unknown address and a wrong password are one, unless accounts are revealed; the space at the end is the
// contract's.
func TestLG01_WolfpalLoginRefused(t *testing.T) {
	t.Parallel()
	for reveal, unknown := range map[string]string{
		"off": wolfWrong,
		"on":  strings.Replace(wolfWrong, "INVALID_CREDENTIALS", "NON_EXISTENT", 1),
	} {
		t.Run("reveal "+reveal, func(t *testing.T) {
			t.Parallel()
			dbtest.Each(t, func(t *testing.T, dsn string) {
				s := harness.Start(t, dsn, "DRAGOMAN_REVEAL_ACCOUNTS="+reveal)
				ada := s.Person(t, "ada@example.com", "ada")
				s.Person(t, "barred@example.com", "barred")
				conn := harness.OpenSide(t, dsn)
				conn.MustExec(t, `UPDATE users SET status = 'SUSPENDED' WHERE username = 'barred'`)
				before := conn.Census(t)
				for _, row := range []struct{ email, password, want string }{
					{ada.Email, harness.WrongPass, wolfWrong},
					{ada.Email, harness.GoodPass + " ", wolfWrong},
					{ada.Email, "        ", wolfWrong},
					{ada.Email, strings.Repeat("x", 300), wolfWrong},
					{"barred@example.com", harness.GoodPass, wolfWrong},
					{"nobody@example.com", harness.GoodPass, unknown},
				} {
					form(t, s, "POST "+harness.Wolf+"/login",
						harness.FormOf("email", row.email, "password", row.password)).Says(t, http.StatusBadRequest,
						row.want)
				}
				if after := conn.Census(t); after != before {
					t.Errorf("%s became %s", before, after)
				}
			})
		})
	}
}

// LG-08: a lock counts over all doors and says when to come back.
func TestLG07_WolfpalLocked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_RATE_LIMITS=on")
		ada := s.Person(t, "ada@example.com", "ada")
		for n := range 6 {
			if n%2 == 0 {
				s.Login(t, ada.Email, harness.WrongPass)
			} else {
				form(t, s, "POST /auth/login", harness.FormOf("email", ada.Email, "password", harness.WrongPass))
			}
		}
		r := form(t, s, "POST /auth/login", harness.FormOf("email", ada.Email, "password", harness.GoodPass))
		if r.Refuses(t, http.StatusTooManyRequests); r.Header.Get("Retry-After") == "" ||
			!strings.HasPrefix(r.Body, `{"code":"ACCOUNT_LOCKED","error":"`) {
			t.Errorf("%v %s", r.Header, r.Body)
		}
	})
}

// A refresh token is used once: many who race with one get one pair, the others the 401, and the session lives (SE-09).
func TestSE09_WolfpalRefreshRace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		instances := harness.Cluster(t, dsn, 3)
		s := instances[0]
		ada := s.Register(t, "ada@example.com")
		access, current := s.PairOf(t, ada.Email, harness.GoodPass)
		for round := range harness.Amount(4, 500) {
			got := make([]harness.Reply, 64)
			harness.Race(len(got), func(n int) {
				got[n], _ = instances[n%len(instances)].Call("POST /auth/refresh",
					harness.FormOf("refresh_token", current), "Content-Type", harness.FormType)
			})
			through := 0
			for _, r := range got {
				if r.Status == http.StatusOK {
					through++
					_, current = harness.PairIn(t, r)
					continue
				}
				r.Unauthorized(t)
			}
			if through != 1 {
				t.Fatalf("round %d: %d got through", round, through)
			}
			if !s.Is(t, access, ada) {
				t.Fatalf("round %d: the session is over", round)
			}
		}
		// Within the grace the predecessor is refused and harms nothing; an older one ends the session.
		first := current
		_, second := harness.PairIn(t, form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", first)))
		form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", first)).Unauthorized(t)
		third, newest := harness.PairIn(t, form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", second)))
		form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", first)).Unauthorized(t)
		form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", newest)).Unauthorized(t)
		form(t, s, "GET /api/account", "", harness.Bearer(third)...).Unauthorized(t)
	})
}

// What is no refresh token is the plain 401, whatever it is (the original fails on some of it).
func TestWolfpal_RefreshRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		_, refresh := s.PairOf(t, ada.Email, harness.GoodPass)
		for _, body := range []string{
			"", "refresh_token=", "refresh_token=x",
			harness.FormOf("refresh_token", refresh+" "), harness.FormOf("refreshToken", refresh),
			harness.FormOf("token", refresh),
		} {
			form(t, s, "POST /auth/refresh", body).Unauthorized(t)
		}
		for _, body := range []string{
			"{}", `{"refresh_token":null}`, `{"refresh_token":7}`,
			`{"refresh_token":{"$ne":""}}`, `{"refresh_token":["` + refresh + `"]}`,
		} {
			s.REST(t, "POST /auth/refresh", body).Unauthorized(t)
		}
		s.REST(t, "POST /auth/refresh", "", "Content-Type", "").Unauthorized(t)
		s.Clock.Add(24 * time.Hour)
		form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", refresh)).Unauthorized(t)
	})
}

// Logout takes an empty body without a type and a token without its scheme, ends the session in every door, and says
// 401 to everything else (SE-05).
func TestSE05_WolfpalLogout(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Person(t, "ada@example.com", "ada")
		bystander, _ := s.PairOf(t, ada.Email, harness.GoodPass)
		_, key := s.NewKey(t, ada.Access, nil)
		for n, header := range [][]string{
			{},
			{"Content-Type", harness.FormType},
			{"Content-Type", "text/plain"},
			{"Content-Type", harness.JSONType},
		} {
			for _, scheme := range []string{"Bearer ", "bearer ", ""} {
				access, refresh := s.PairOf(t, ada.Email, harness.GoodPass)
				with := append([]string{"Authorization", scheme + access}, header...)
				s.REST(t, "POST "+[]string{"/auth", harness.Wolf}[n%2]+"/logout", "", with...).Says(t, http.StatusOK,
					wolfOut)
				s.REST(t, "POST /auth/logout", "", with...).Unauthorized(t)
				s.REST(t, "GET /api/account", "", harness.Bearer(access)...).Unauthorized(t)
				form(t, s, "POST /auth/refresh", harness.FormOf("refresh_token", refresh)).Unauthorized(t)
				if s.Is(t, access, ada.Account) {
					t.Error("the session lives in GraphQL")
				}
			}
		}
		hs256, _ := s.GenericLogin(t, "ada")
		s.REST(t, "POST /auth/logout", "", "Authorization", hs256).Says(t, http.StatusOK, wolfOut) // of another dialect
		for name, header := range map[string][]string{
			"none": nil, "empty": {"Authorization", ""}, "garbage": harness.Bearer("garbage"),
			"bare garbage": {"Authorization", "garbage"}, "an API key": harness.Bearer(key),
			"another scheme": {"Authorization", "Basic " + bystander},
			"a cookie":       {"Cookie", "access_token=" + bystander},
			"cut":            harness.Bearer(bystander[:len(bystander)-1]),
			"twice":          append(harness.Bearer(bystander), harness.Bearer(ada.Access)...),
		} {
			if r := s.REST(t, "POST /auth/logout", "", header...); r.Status != http.StatusUnauthorized {
				t.Errorf("%s: %d", name, r.Status)
			} else {
				r.Unauthorized(t)
			}
		}
		if !s.Is(t, bystander, ada.Account) {
			t.Error("another session ended")
		}
	})
}

// The account, its password and its username, below /api.
func TestWolfpal_Account(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Person(t, "ada@example.com", "AdaL")
		s.Person(t, "bob@example.com", "bob")
		access, _ := s.PairOf(t, ada.Email, harness.GoodPass)
		account := func(username, slug string) {
			t.Helper()
			s.REST(t, "GET /api/account", "", harness.Bearer(access)...).Matched(t, http.StatusOK, fmt.Sprintf(
				`{"user":{"_id":%q,"username":%s,"slug":%s,"email":"ada@example.com","twoFactor":false,`+
					`"emailVerified":false,"isBanned":false,`+
					`"streamerMode":false,"role":"user","notifications":{"email":{"goals":{"weekly":false}}},`+
					`"createdAt":"<milli>","updatedAt":"<milli>"}}`,
				ada.ID, username, slug))
		}
		account(`"AdaL"`, `"adal"`)
		rename := func(username string) harness.Reply {
			return form(t, s, "PUT /api/account/change-username", harness.FormOf("username", username),
				harness.Bearer(access)...)
		}
		rename("AdaLovelace").Says(t, http.StatusOK, `{"code":"USERNAME_CHANGED","message":"Your username has been `+
			`changed to AdaLovelace"}`)
		account(`"AdaLovelace"`, `"adalovelace"`)
		for _, username := range []string{"bob", "BOB", "admin", "root", "null"} {
			rename(username).Says(t, http.StatusConflict, fmt.Sprintf(`{"code":"USERNAME_CONFLICT","error":"%s is `+
				`currently not available."}`, username))
		}
		account(`"AdaLovelace"`, `"adalovelace"`)
		nameless := s.Person(t, "nameless@example.com", "")
		if r := s.REST(t, "GET /api/account", "", harness.Bearer(nameless.Access)...); !strings.Contains(r.Body,
			`"username":null,"slug":null,`) {
			t.Errorf("%s", r.Body)
		}
		change := func(old, fresh string) harness.Reply {
			return form(t, s, "PUT /api/account/change-password",
				harness.FormOf("oldPassword", old, "newPassword", fresh), harness.Bearer(access)...)
		}
		const other = "another horse, another staple"
		change(harness.WrongPass, other).Says(t, http.StatusUnauthorized,
			`{"code":"INVALID_CREDENTIALS","error":"Wrong old password."}`)
		change(harness.GoodPass, harness.GoodPass).Says(t, http.StatusConflict,
			`{"code":"PASSWORD_CONFLICT","errors":{"newPassword":"New password can not match old password."}}`)
		s.REST(t, "GET /api/account", "", harness.Bearer(ada.Access)...).Matched(t, http.StatusOK,
			s.REST(t, "GET /api/account", "", harness.Bearer(access)...).Body)
		change(harness.GoodPass, other).Says(t, http.StatusOK, `{"code":"PASSWORD_CHANGED","message":"Your password `+
			`has been changed."}`)
		// SE-08: the other sessions are over
		s.REST(t, "GET /api/account", "", harness.Bearer(ada.Access)...).Unauthorized(t)
		account(`"AdaLovelace"`, `"adalovelace"`)
		form(t, s, "POST /auth/login", harness.FormOf("email", ada.Email, "password", harness.GoodPass)).Says(t,
			http.StatusBadRequest, wolfWrong)
		harness.PairIn(t, form(t, s, "POST /auth/login", harness.FormOf("email", ada.Email, "password", other)))
		// PW-06: a guessable one is taken with a mark, and refused where passwords are strict.
		change(other, "password123").Says(t, http.StatusOK, `{"code":"PASSWORD_CHANGED","message":"Your password has `+
			`been changed."}`)
		strict := harness.Start(t, dsn, "DRAGOMAN_DIALECT_PASSWORDS=strict")
		r := form(t, strict, "PUT /api/account/change-password",
			harness.FormOf("oldPassword", "password123", "newPassword", "qwertyuiop"), harness.Bearer(ada.Access)...)
		r.Unauthorized(t)
		access, _ = strict.PairOf(t, ada.Email, "password123")
		form(t, strict, "PUT /api/account/change-password",
			harness.FormOf("oldPassword", "password123", "newPassword", "qwertyuiop"),
			harness.Bearer(access)...).Says(t, http.StatusBadRequest,
			`{"codes":{"newPassword":"TOO_WEAK"},"errors":{"newPassword":"This password is on a list of commonly `+
				`used passwords. Please choose another."}}`)
	})
}

// PW-08: the document's password is the address; it is taken with a mark, and refused where passwords are strict.
func TestPW08_WolfpalPasswordIsTheAddress(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		body := harness.FormOf("username", wolfName, "email", wolfMail, "password", wolfMail)
		strict := harness.Start(t, dsn, "DRAGOMAN_DIALECT_PASSWORDS=strict")
		form(t, strict, "POST /auth/register", body).Says(t, http.StatusBadRequest,
			`{"codes":{"password":"TOO_WEAK"},"errors":{"password":"`+
				`The password is too close to your name or address, or to the name of this service. Please choose `+
				`another."}}`)
		s := harness.Start(t, dsn)
		form(t, s, "POST /auth/register", body).Says(t, http.StatusCreated, wolfPending)
		if n := harness.OpenSide(t, dsn).Count(t, `SELECT count(*) FROM audit_events WHERE action = 'user.created' `+
			`AND outcome = 'ok' AND reason = 'guessable_password'`); n != 1 {
			t.Errorf("%d marks in the audit log", n)
		}
		harness.PairIn(t, form(t, s, "POST /auth/login", harness.FormOf("email", wolfMail, "password", wolfMail)))
	})
}

// SE-18, SE-20: the own sessions, one by one and all of them; those of others are absent.
func TestSE18_WolfpalSessions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada, bob := s.Person(t, "ada@example.com", "ada"), s.Person(t, "bob@example.com", "bob")
		signIn := func(agent string) string {
			s.Clock.Add(time.Second)
			access, _ := harness.PairIn(t, form(t, s, "POST /auth/login",
				harness.FormOf("email", ada.Email, "password", harness.GoodPass), "User-Agent", agent))
			return access
		}
		one := signIn("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) " +
			"Chrome/85.0.4183.83 Safari/537.36")
		two := signIn("PostmanRuntime/7.26.3")
		three := signIn("")
		row := `{"_id":"%s","device":{%s},"location":"unknown","expireAt":"<milli>","createdAt":"<milli>"}`
		id := func(access string) string { text, _ := harness.ClaimsOf(t, access)["sid"].(string); return text }
		const unknown = `"browser":"unknown","version":"unknown","platform":"unknown","os":"unknown","isDev":false`
		device := func(browser, version, system, dev string) string {
			return fmt.Sprintf(`"browser":%q,"version":%q,"platform":%q,"os":%[3]q,"isDev":%[4]s`, browser, version,
				system, dev)
		}
		at := s.REST(t, "GET /api/sessions", "", harness.Bearer(one)...).Matched(t, http.StatusOK, `{"sessions":[`+
			strings.Join([]string{
				fmt.Sprintf(row, id(three), unknown),
				fmt.Sprintf(row, id(two), device("PostmanRuntime", "7.26.3", "unknown", "true")),
				fmt.Sprintf(row, id(one), device("Chrome", "85.0.4183.83", "Windows", "false")),
				fmt.Sprintf(row, ada.Session, device("Go-http-client", "1.1", "unknown", "false")),
			}, ",")+`],"total":4}`)
		from, err := time.Parse(time.RFC3339, at[1])
		until, failed := time.Parse(time.RFC3339, at[0])
		if err != nil || failed != nil || until.Sub(from) != 24*time.Hour {
			t.Errorf("it lasts from %s to %s", at[1], at[0])
		}
		before := harness.OpenSide(t, dsn).Census(t)
		for _, other := range []string{
			bob.Session, "5f4bff121037e424a17a3ebc", "1", "sess_", strings.ToUpper(id(one)),
			id(one) + "x", ada.ID, "%20" + id(one), id(one) + "%00", "%FF", "null",
		} {
			s.REST(t, "DELETE /api/sessions/"+other, "", harness.Bearer(one)...).Says(t, http.StatusNotFound, wolfNoRow)
		}
		for _, route := range []string{
			"GET /api/sessions", "DELETE /api/sessions", "DELETE /api/sessions/" + id(one),
			"DELETE /api/sessions/1",
		} {
			s.REST(t, route, "").Unauthorized(t)
			s.REST(t, route, "", harness.Bearer("garbage")...).Unauthorized(t)
		}
		if after := harness.OpenSide(t, dsn).Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
		s.REST(t, "DELETE /api/sessions/"+id(two), "", harness.Bearer(one)...).Says(t, http.StatusOK,
			`{"code":"SESSION_REVOKED","error":"Session has been revoked."}`)
		s.REST(t, "DELETE /api/sessions/"+id(two), "", harness.Bearer(one)...).Says(t, http.StatusNotFound, wolfNoRow)
		s.REST(t, "GET /api/sessions", "", harness.Bearer(two)...).Unauthorized(t)
		s.REST(t, "DELETE /api/sessions/"+id(one), "", harness.Bearer(one)...).Says(t, http.StatusOK,
			`{"code":"SESSION_REVOKED","error":"Session has been revoked."}`)
		s.REST(t, "DELETE /api/sessions", "", harness.Bearer(three)...).Says(t, http.StatusOK,
			`{"code":"ALL_SESSIONS_REVOKED","error":"All Sessions has been revoked."}`)
		for _, over := range []string{one, three, ada.Access} {
			if s.Is(t, over, ada.Account) {
				t.Error("a session lives")
			}
		}
		if !s.Is(t, bob.Access, bob.Account) {
			t.Error("the session of somebody else ended")
		}
	})
}

// A path that is none is the 404 of this API below its mounts; what is not served yet is such a path, and /api is no
// one's prefix but this API's and that of the API below /api/v1/auth.
func TestWolfpal_Lost(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		ada := s.Register(t, "ada@example.com")
		for _, path := range []string{
			"/auth", "/auth/", "/auth/two-factor/", "/auth/login/", "/auth/nothing", "/api", "/api/auth",
			"/api/auth/register/x", "/api/nothing",
			"/api/account/", "/api/account/change-email/x/y", "/api/account/two-factor", "/api/notifications",
			"/api/user", "/api/user/reset-password", "/api/sessions/a/b", "/api/v1",
		} {
			for _, method := range []string{"GET ", "POST ", "DELETE "} {
				s.REST(t, method+path, "", harness.Bearer(ada.Access)...).Says(t, http.StatusNotFound, wolfLost)
			}
		}
		for _, path := range []string{
			"/account/nothing", "/account/change-password", "/sessions/all/x", "/apix",
			"/user/forgot-password/x",
		} {
			r := s.REST(t, "GET "+path, "", harness.Bearer(ada.Access)...)
			if r.Refuses(t, http.StatusNotFound); strings.Contains(r.Body, "Whoops") {
				t.Errorf("%s: %s", path, r.Body)
			}
		}
		for _, route := range []string{
			"GET /auth/login", "PUT /api/auth/refresh", "POST /api/account",
			"GET /api/account/change-password", "PATCH /api/sessions", "GET /api/sessions/1",
			"GET /api/user/reset-password/x", "PUT /api/user/activate-account/resend",
		} {
			r := s.REST(t, route, "", harness.Bearer(ada.Access)...)
			if r.Refuses(t, http.StatusMethodNotAllowed); r.Header.Get("Allow") == "" {
				t.Errorf("%s: %v", route, r.Header)
			}
		}
		if r := s.REST(t, "GET /api/v1/auth/nothing", ""); strings.Contains(r.Body, "Whoops") {
			t.Errorf("%s", r.Body)
		}
	})
}
