package contracts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// typed is a command and what it prints: the status behind the body. In both, {{name}} is a value that an earlier
// answer had, or that this one has and a later command needs; {{}} is any.
type typed struct{ command, prints string }

// typedCommands are the curl commands of the documents, as they stand there but for the host and for samples of tokens:
// those of document 001, all five, and the one of document 004. Documents 000, 002 and 003 have none: what they show is
// typed for them, 000 in TestCompanion_Curl and the others here, with their bodies.
var typedCommands = map[string][]typed{
	"001, with its slips": {
		{`curl --location --request POST 'https://www.example.com/api/auth/register' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'username=usermrdemonwolfgithubio' \
--data-urlencode 'email=user@mrdemonwolf.github.io' \
--data-urlencode 'password=user@mrdemonwolf.github.io'`, `{"code":"PENDING_CONFIRMATION","error":"Please confirm ` +
			`your email address to complete the registration."} 201`},
		// One letter more than what was registered: the document's own slip.
		{`curl --location --request POST 'https://www.example.com/api/auth/login' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'email=user@mrdemonwolf.github.io' \
--data-urlencode 'password=uuser@mrdemonwolf.github.io'`, `{"code":"INVALID_CREDENTIALS","error":"Either email or ` +
			`password is invalid. "} 400`},
		{
			`curl --location --request POST 'https://www.example.com/api/auth/login' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'email=user@mrdemonwolf.github.io' \
--data-urlencode 'password=user@mrdemonwolf.github.io'`,
			`{"access_token":"{{access}}","refresh_token":"{{refresh}}","twoFactor":false} 200`,
		},
		// The document's token is nobody's here: TestDialectExamples answers one that is.
		{`curl --location --request POST 'https://www.example.com/api/auth/two-factor' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'token=qh8C0G8azJRUJmdn9jCiZNJ0pTLmBldoChcRvPgt31GEOD5sShmHzqn7ROCzqwU2' \
--data-urlencode 'code=110450'`, `{"code":"INVALID_TWO_FACTOR_TOKEN","error":"Invalid two factor token."} 400`},
		{`curl --location --request POST 'https://www.example.com/api/auth/refresh' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'refresh_token={{refresh}}' \
`, `{"access_token":"{{access2}}","refresh_token":"{{refresh2}}"} 200`},
		{`curl --location --request POST 'https://www.example.com/api/auth/logout' \
--header 'Authorization: Bearer {{access2}}'`, `{"code":"LOGGED_OUT","error":"You are now logged out."} 200`},
	},
	"004": {
		// An account whose password is as short as the command's, which only an older API gives.
		{`curl -H 'Content-Type: application/json' http://localhost:3000/v1/auth/register -d ` +
			`'{"data":{"type":"users","attributes":{"name":"L","email":"lazaronixon@hotmail.com",` +
			`"password":"secret"}}}'`, `{{}} 201`},
		{`curl -H "Authorization: Bearer $ACCESS_TOKEN" \
  -H 'Content-Type: application/json' \
  -H 'User-Agent: MyApp (yourname@example.com)' \
  -d '{ "email": "lazaronixon@hotmail.com", "password": "secret", "password_confirmation": "secret" }' \
  http://localhost:3000/sign_in`, `{"id":{{id}},"user_id":{{}},"user_agent":"MyApp ` +
			`(yourname@example.com)","ip_address":"127.0.0.1","created_at":"{{}}","updated_at":"{{}}"} 201`},
	},
	"002": {
		{`curl http://localhost:3000/register -H 'Content-Type: application/json' -d '{
  "email": "example@mail.com",
  "password": "password123",
  "options": {
    "sendEmail": true,
    "sendSms": true,
    "setCookie": true,
    "sendResetEmail": true,
    "verifyEmail": true
  }
}'`, `{"success":true,"token":"{{}}","data":{"message":"User created","data":{"id":"{{user}}",{{}}}}} 200`},
		{`curl -c jar http://localhost:3000/login -H 'Content-Type: application/json' -d '{
  "email": "example@mail.com",
  "password": "password123",
  "options": {
    "setCookie": true
  }
}'`, `{"success":true,"token":"{{token}}",{{}}} 200`},
		{
			`curl -b jar -c jar http://localhost:3000/token/refresh`,
			`{"success":true,"token":"{{token2}}","data":{"refreshToken":"{{}}"}} 200`,
		},
		{
			`curl -b jar http://localhost:3000/user`,
			`{"success":true,"data":[{"id":"{{user}}","email":"example@mail.com",{{}}}]} 200`,
		},
		{
			`curl -b jar http://localhost:3000/user/{{user}}`,
			`{"success":true,"data":{"id":"{{user}}","email":"example@mail.com",{{}}}} 200`,
		},
		{
			`curl -b jar -c jar http://localhost:3000/token/revoke`,
			`{"success":true,"data":{"message":"Logged out"}} 200`,
		},
		// required without a cookie, invalid with the old one: of two cookies that are taken away at once, curl 7.88
		// keeps one in a jar that it reads and writes.
		{`curl -b jar http://localhost:3000/user`, `{"error":true,"success":false,"message":"Session Token is {{}}"} ` +
			`401`},
	},
	"003": {
		{`curl http://localhost:3000/auth/register -d username=janedoe -d email=jane.doe@example.com -d ` +
			`'password=correct horse battery staple'`, `{{}} 201`},
		{
			`curl http://localhost:3000/api/v1/auth/login -H 'Content-Type: application/json' -d '{"username": ` +
				`"janedoe", "password": "correct horse battery staple"}'`,
			`{"token":"{{token}}","expires_in":3600,"user":{"id":"user_{{}}","username":"janedoe",` +
				`"email":"jane.doe@example.com"},"refreshToken":"{{refresh}}"} 200`,
		},
		{
			`curl http://localhost:3000/api/v1/auth/refresh -H 'Content-Type: application/json' -d '{"refreshToken": ` +
				`"{{refresh}}"}'`,
			`{"token":"{{token2}}","expires_in":3600,"refreshToken":"{{refresh2}}"} 200`,
		},
		{
			`curl -X POST http://localhost:3000/api/v1/auth/keys -H 'Authorization: Bearer {{token2}}' -H ` +
				`'Content-Type: application/json' -d '{"name": "My Integration Key"}'`,
			`{"keyId":"{{key}}","apiKey":"sk_live_{{}}","name":"My Integration Key","createdAt":"{{}}"} 201`,
		},
		{
			`curl http://localhost:3000/api/v1/auth/keys -H 'Authorization: Bearer {{token2}}'`,
			`[{"keyId":"{{key}}","name":"My Integration Key","createdAt":"{{}}","lastUsed":null}] 200`,
		},
		{`curl -X DELETE http://localhost:3000/api/v1/auth/keys/{{key}} -H 'Authorization: Bearer {{token2}}'`, ` 204`},
		{
			`curl -X DELETE http://localhost:3000/api/v1/auth/keys/{{key}} -H 'Authorization: Bearer {{token2}}'`,
			`{"error":"API key not found"} 404`,
		},
		{
			`curl -X POST http://localhost:3000/api/v1/auth/logout -H 'Authorization: Bearer {{token2}}'`,
			`{"message":"Successfully logged out"} 200`,
		},
		{
			`curl -X POST http://localhost:3000/api/v1/auth/logout -H 'Authorization: Bearer {{token2}}'`,
			`{"error":"Authentication required"} 401`,
		},
	},
}

// The commands of the documents, in bash and by the real curl, print what the documents show.
func TestDialects_CurlOfDocuments(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "bash"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("there is no %s, and CI=true wants the whole suite", program)
			}
			t.Skipf("there is no %s", program)
		}
	}
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn)
		for name, commands := range typedCommands {
			dir, known := t.TempDir(), map[string]string{}
			rc := "silent\nshow-error\nwrite-out = \" %{http_code}\"\n" // so that the command itself stays as it is
			if err := os.WriteFile(filepath.Join(dir, ".curlrc"), []byte(rc), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, c := range commands {
				if err := c.play(s.URL, dir, known); err != nil {
					t.Errorf("document %s: %v", name, err)
					break
				}
			}
		}
	})
}

var (
	host     = regexp.MustCompile(`https://www\.example\.com|http://localhost:3000`)
	anyPlace = regexp.MustCompile(`\{\{(\w*)\}\}`)
)

// play types the command and holds what is printed against what should be.
func (c typed) play(url, dir string, known map[string]string) error {
	command := host.ReplaceAllString(c.command, url)
	for name, value := range known {
		command = strings.ReplaceAll(command, "{{"+name+"}}", value)
	}
	run := exec.Command("bash", "-c", command)
	run.Dir, run.Env = dir, append(os.Environ(), "CURL_HOME="+dir, "ACCESS_TOKEN=")
	out, err := run.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, out)
	}
	var pattern strings.Builder
	var names []string
	last := 0
	for _, at := range anyPlace.FindAllStringSubmatchIndex(c.prints, -1) {
		pattern.WriteString(regexp.QuoteMeta(c.prints[last:at[0]]))
		name := c.prints[at[2]:at[3]]
		switch value, ok := known[name]; {
		case ok:
			pattern.WriteString(regexp.QuoteMeta(value))
		case name == "":
			pattern.WriteString(`.*`)
		default:
			names = append(names, name)
			pattern.WriteString(`([\w.-]+)`)
		}
		last = at[1]
	}
	pattern.WriteString(regexp.QuoteMeta(c.prints[last:]))
	found := regexp.MustCompile("(?s)^" + pattern.String() +
		"$").FindStringSubmatch(regexp.MustCompile(`\n( \d{3})$`).ReplaceAllString(string(out), "$1"))
	if found == nil {
		return fmt.Errorf("%s\nprinted %s\nwant %s", command, out, c.prints)
	}
	for n, name := range names {
		known[name] = found[n+1]
	}
	return nil
}
