package contracts

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// Bad input is answered word for word as the contract has it, on every route, and nothing comes of it (HT-09, HT-11).
func TestHT09_CompanionWords(t *testing.T) {
	t.Parallel()
	const (
		whole     = `{"data":{"type":"users","attributes":{"name":"N","email":"new@example.com","password":"x"}}}`
		malformed = `{"statusCode":400,"error":"Bad Request","message":"Unexpected end of JSON input"}`
		noJSON    = `{"statusCode":400,"code":"FST_ERR_CTP_EMPTY_JSON_BODY","error":"Bad Request","message":"Body ` +
			`cannot be empty when content-type is set to 'application/json'"}`
		tooLarge = `{"statusCode":413,"code":"FST_ERR_CTP_BODY_TOO_LARGE","error":"Payload Too ` +
			`Large","message":"Request body is too large"}`
	)
	media := func(kind string) string {
		return `{"statusCode":415,"code":"FST_ERR_CTP_INVALID_MEDIA_TYPE","error":"Unsupported Media Type","message":` +
			jsonText("Unsupported Media Type: "+kind) + `}`
	}
	lacks := func(where, name string) string {
		return companionInvalid(where + " must have required property '" + name + "'")
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := companionServer(t, dsn)
		u := companionJoins(t, s, companionEmail)
		conn := harness.OpenSide(t, dsn)
		before := conn.Census(t)
		for _, route := range []string{"/register", "/login", "/users/me", "/refresh"} {
			header := append(harness.Bearer(u.Access), companionCookie(u.Refresh)...)
			says := func(status int, want, body string, more ...string) {
				t.Helper()
				s.CompanionAsks(t, "POST "+harness.Companion+route, body, append(more, header...)...).Says(t, status,
					want)
			}
			says(400, companionInvalid("body must be object"), "")
			says(400, noJSON, "", "Content-Type", harness.JSONType)
			says(400, noJSON, "", "Content-Type", "application/json; charset=utf-8")
			for _, body := range []string{`[]`, `null`, `"x"`, `1`, `[` + whole + `]`} {
				says(400, companionInvalid("body must be object"), body)
			}
			for _, body := range []string{`{"data":`, `{`, whole[:40], whole + whole, `{"data":{},}`, `'{}'`} {
				says(400, malformed, body)
			}
			for _, kind := range []string{
				harness.FormType, "text/plain", "application/xml",
				"application/json; charset=latin1",
			} {
				says(415, media(kind), whole, "Content-Type", kind)
			}
			says(415, media("undefined"), whole, "Content-Type", "")
			says(413, tooLarge, whole+strings.Repeat(" ", 70_000))
			if route == "/refresh" {
				says(400, companionInvalid("body must NOT have more than 0 properties"), `{"a":1}`)
				continue
			}
			says(400, lacks("body", "data"), `{}`)
			says(400, lacks("body", "data"), `{"data":null}`)
			says(400, companionInvalid("body/data must be object"), `{"data":[1]}`)
			says(400, lacks("body/data", "type"), `{"data":{}}`)
			says(400, lacks("body/data", "type"),
				`{"data":{"attributes":{"name":"N","email":"new@example.com","password":"x"}}}`)
			says(400, lacks("body/data", "attributes"), `{"data":{"type":"users"}}`)
			says(400, lacks("body/data", "attributes"), `{"data":{"type":"user"}}`)
			says(400, companionInvalid("body/data/attributes must be object"),
				`{"data":{"type":"users","attributes":"x"}}`)
			says(400, companionInvalid("body/data/type must be string"), `{"data":{"type":["users"],"attributes":{}}}`)
			says(400, companionInvalid("body/data/attributes/email must be string"),
				strings.Replace(whole, `"new@example.com"`, `{"$ne":""}`, 1))
			says(400, companionInvalid("body/data/attributes/password must be string"),
				strings.Replace(whole, `"x"`, `["x"]`, 1))
			for _, kind := range []string{"user", "Users", "admin", "users "} {
				says(400, companionWrongType, strings.Replace(whole, `"users"`, jsonText(kind), 1))
			}
			says(400, `{"statusCode":400,"error":"Bad Request","message":"A field is spelled in the wrong case: it `+
				`must be data.attributes.email."}`,
				strings.Replace(whole, `"email"`, `"Email"`, 1))
		}
		for route, names := range map[string][]string{
			"/register": {"name", "email", "password"},
			"/login":    {"email", "password"},
		} {
			for _, name := range names { // missing, null, or empty as the document's forms would send it
				for _, body := range []string{
					regexp.MustCompile(`"`+name+`":"[^"]*",?`).ReplaceAllString(whole, ""),
					regexp.MustCompile(`"`+name+`":"[^"]*"`).ReplaceAllString(whole, `"`+name+`":null`),
				} {
					body = strings.Replace(body, `",}`, `"}`, 1)
					s.CompanionAsks(t, "POST "+harness.Companion+route, body).Says(t, 400,
						lacks("body/data/attributes", name))
				}
			}
			s.CompanionAsks(t, "POST "+harness.Companion+route, `{"data":{"type":"user","attributes":{}}}`).Says(t, 400,
				lacks("body/data/attributes", names[0]))
		}
		if after := conn.Census(t); after != before {
			t.Errorf("%s became %s", before, after)
		}
	})
}

// What is not there is not found, in the original's form, by its method and path; so are what comes with later
// features, other methods, and other spellings of a path.
func TestHT09_CompanionNotFound(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t))
	for route, shown := range map[string]string{
		"GET /nope": "GET:/v1/auth/nope", "GET /recovery": "GET:/v1/auth/recovery", "GET /login": "GET:/v1/auth/login",
		"GET /users/me": "GET:/v1/auth/users/me",
		"PUT /refresh":  "PUT:/v1/auth/refresh", "POST /login/": "POST:/v1/auth/login/",
		"POST /login/x": "POST:/v1/auth/login/x", "GET ": "GET:/v1/auth",
		"GET /a%22b": `GET:/v1/auth/a"b`, "DELETE /register?x=1": "DELETE:/v1/auth/register",
		"GET /registration-options": "GET:/v1/auth/registration-options",
	} {
		method, path, _ := strings.Cut(route, " ")
		want := `{"message":` + jsonText("Route "+shown+" not found") + `,"error":"Not Found","statusCode":404}`
		s.CompanionAsks(t, method+" "+harness.Companion+path, "").Says(t, http.StatusNotFound, want)
	}
	if r := s.CompanionAsks(t, "GET "+harness.Companion+"/%ff", ""); r.Status != http.StatusNotFound {
		t.Errorf("%d %s", r.Status, r.Body)
	}
}

// companionCurl are the requests of the document as a person types them: its bodies, with their line breaks, to another
// host. The answers are the document's, with the values of this moment in their places.
var companionCurl = []struct{ command, answer string }{
	{
		`curl -sS -c jar -X POST $HOST/v1/auth/register -H 'Content-Type: application/json' -d '{
  "data": {
    "type": "users",
    "attributes": {
      "name": "Authy Person",
      "email": "hello@authcompanion.com",
      "password": "mysecretpass",
      "metadata": {
        "company": "Auth Co"
      }
    }
  }
}'`, `201 {"data":{"type":"users","id":"<id>","attributes":{"name":"Authy ` +
			`Person","email":"hello@authcompanion.com","created":"<time>","access_token":"<jwt>",` +
			`"access_token_expiry":<seconds>}}}`,
	},
	{
		`curl -sS -c jar -X POST $HOST/v1/auth/login -H 'Content-Type: application/json' -d '{
  "data": {
    "type": "users",
    "attributes": {
      "email": "hello@authcompanion.com",
      "password": "mysecretpass"
    }
  }
}'`, `200 {"data":{"type":"users","id":"<id>","attributes":{"name":"Authy ` +
			`Person","email":"hello@authcompanion.com","created":"<time>","access_token":"<jwt>",` +
			`"access_token_expiry":<seconds>}}}`,
	},
	{
		`curl -sS -b jar -c jar -X POST $HOST/v1/auth/users/me -H "Authorization: Bearer $TOKEN" -H 'Content-Type: ` +
			`application/json' -d '{
  "data": {
    "type": "users",
    "attributes": {
      "name": "Authy Person_updated",
      "email": "hello@authcompanion.com",
      "password": "mysecretpass",
      "metadata": {
        "company": "Auth Co"
      }
    }
  }
}'`, `200 {"data":{"type":"users","id":"<id>","attributes":{"name":"Authy ` +
			`Person_updated","email":"hello@authcompanion.com","created":"<time>","updated":"<time>",` +
			`"access_token":"<jwt>","access_token_expiry":<seconds>}}}`,
	},
	{
		`curl -sS -X POST $HOST/v1/auth/recovery -H 'Content-Type: application/json' -d '{ "email": ` +
			`"hello@authcompanion.com" }'`,
		`200 {"data":{"type":"users","detail":"Recovery email sent"}}`,
	},
	{
		`curl -sS -b jar -c jar -X POST $HOST/v1/auth/refresh -H 'Content-Type: application/json' -d '{}'`,
		`200 {"data":{"id":"<id>","type":"Refresh","attributes":{"name":"Authy ` +
			`Person_updated","email":"hello@authcompanion.com","created":"<time>","access_token":"<jwt>",` +
			`"access_token_expiry":<seconds>}}}`,
	},
	{`curl -sS -b jar -X DELETE $HOST/v1/auth/refresh -H 'Content-Type: application/json' -d '{}'`, `204 `},
	{`curl -sS -b jar -X DELETE $HOST/v1/auth/refresh -H 'Content-Type: application/json' -d '{}'`, `204 `},
	{
		`curl -sS -b jar -X POST $HOST/v1/auth/refresh -H 'Content-Type: application/json' -d '{}'`,
		`400 {"statusCode":400,"message":"Refresh Token Failed"}`,
	},
}

// The whole of the document by curl, with its own jar of cookies.
func TestCompanion_Curl(t *testing.T) {
	t.Parallel()
	harness.NeedCurl(t)
	places := strings.NewReplacer(`"<id>"`, `"user_\w{26}"`, `"<time>"`, `"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`,
		`"<jwt>"`, `"(eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9\.[\w-]+\.[\w-]+)"`, `<seconds>`, `\d{10}`)
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s, dir, token := harness.Start(t, dsn), t.TempDir(), ""
		for _, step := range companionCurl {
			c := exec.Command("sh", "-c", strings.Replace(step.command, "curl", "curl -w '\n%{http_code}'", 1))
			c.Dir, c.Env = dir, append(os.Environ(), "HOST="+s.URL, "TOKEN="+token)
			out, err := c.Output()
			if err != nil {
				t.Fatalf("%s: %v", step.command, err)
			}
			end := strings.LastIndexByte(string(out), '\n')
			got := string(out[end+1:]) + " " + strings.TrimSuffix(string(out[:end]), "\n")
			found := regexp.MustCompile("^" +
				places.Replace(regexp.MustCompile(`[{}.]`).ReplaceAllString(step.answer, `\$0`)) +
				"$").FindStringSubmatch(got)
			if found == nil {
				t.Fatalf("%s\n%s\nwant %s", step.command, got, step.answer)
			}
			if len(found) > 1 {
				token = found[1]
			}
		}
		jar, err := os.ReadFile(dir + "/jar")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"refreshToken", "userRefreshToken"} {
			line := regexp.MustCompile(`(?m)^#HttpOnly_127\.0\.0\.1\tFALSE\t/\tFALSE\t(\d+)\t` + name +
				`\trt1\.`).FindSubmatch(jar)
			if line == nil {
				t.Errorf("the jar has no %s: %s", name, jar)
			}
		}
	})
}
