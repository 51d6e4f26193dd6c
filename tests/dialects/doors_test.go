package dialects

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// A door is one of the ways into the server: GraphQL with one of its deliveries of tokens, or one of the five
// documented APIs. The tables below say in data what a door documents of itself. TestGQ12 drives all of them against
// one model, and whatever two doors do differently has to stand here.

// What can come of a request. How a door words it stands in its table; two may be worded alike.
const (
	accepted        = "ok"
	weak            = "weak"            // the new password is too short
	tooCommon       = "tooCommon"       // the new password is a common one
	same            = "same"            // the new password is the old one
	takenEmail      = "taken email"     // somebody has the address
	takenUsername   = "taken username"  // somebody has the username
	badCredentials  = "bad credentials" // no such account, or not its password
	locked          = "locked"          // too many failures at this account
	rateLimited     = "rate limited"    // too many attempts from this address
	unauthenticated = "unauthenticated" // nobody is known to ask
	badToken        = "bad token"       // the refresh token is none, or its session is over
	reusedToken     = "reused token"    // the refresh token was used before, and that ended its session
	wrongPassword   = "wrong password"  // the current password is not the one that was given
	needsSudo       = "needs sudo"      // the sign-in is too long ago
	absent          = "absent"          // there is no such session or key of this person
	forbidden       = "forbidden"       // an API key may not do that
)

// door is what one door documents.
type door struct {
	name   string
	access time.Duration // how long its access tokens are valid
	idle   time.Duration // how long sessions that begin here live without being used
	sudo   time.Duration // for how long a proof by password holds here
	alg    string        // of its access tokens
	// what a sign-in gives beside the access token: refresh, session (a session token), jwt (a refresh token as one)
	session string

	least      int  // characters of a new password
	flags      bool // a common password passes
	early      bool // what is wrong with a new password is said before it is asked who is there
	conflict   bool // a new password that is the given old one is refused, also before that
	username   bool // a username is part of a registration
	noSignIn   bool // a registration makes no session
	singleUse  bool // the predecessor of a refresh token is refused within the grace too
	noSudo     bool // sensitive changes need the session alone
	atOnce     bool // a new address counts at once, but for one that somebody else has without a proof
	keepsEmail bool // the address in use is no change, and needs no proof
	readWrites bool // a read is a change of nothing, which no API key may do
	numbers    bool // sessions are told by their numbers
	allowEnded bool // a sign-out by the refresh token of a session that was ended is a success

	ways []way
	// what comes of a request, as STATUS and a piece of the body; for all routes that say nothing else
	tells map[string]string
	does  map[string]saying // by operation
}

// way is a place where a credential may stand.
type way struct {
	header, value string
	sessionOnly   bool // a session token alone counts here
	keyOnly       bool // an API key alone counts here
}

// saying is how a door says one operation. Places like <email> are filled in.
type saying struct {
	call, body string
	form       bool
	header     []string
	tells      map[string]string
	gives      map[string]string // access, refresh, session, key, id: "body data.token", "header X", "cookie name"
}

var (
	bearerWay = way{header: "Authorization", value: "Bearer <token>"}
	keyWay    = way{header: "X-API-Key", value: "<token>", keyOnly: true}
)

// fill puts values into the places of a template, each escaped by the function.
func fill(template string, values map[string]string, escape func(string) string) string {
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "<"+name+">", escape(value))
	}
	return strings.NewReplacer(pairs...).Replace(template)
}

func asIs(s string) string { return s }

func inJSON(s string) string {
	b, _ := json.Marshal(s)
	return strings.Trim(string(b), `"`)
}

// request sends an operation.
func (d *door) request(i *harness.Instance, operation string, values map[string]string,
	header ...string,
) (harness.Reply, error) {
	s := d.does[operation]
	escape := inJSON
	if s.form {
		escape = url.QueryEscape
		header = append(header, "Content-Type", harness.FormType)
	}
	for _, h := range s.header {
		header = append(header, fill(h, values, asIs))
	}
	return i.Call(fill(s.call, values, url.PathEscape), fill(s.body, values, escape), header...)
}

// told holds an answer against what the door has to say when this comes of it.
func (d *door) told(r harness.Reply, operation, decision string, values map[string]string) error {
	text, ok := d.does[operation].tells[decision]
	if !ok {
		if text, ok = d.tells[decision]; !ok {
			return fmt.Errorf("%s: %s is answered %d %s, and its table has no word for %q", d.name, operation, r.Status,
				r.Body, decision)
		}
	}
	status, piece, _ := strings.Cut(fill(text, values, asIs), " ")
	if fmt.Sprint(r.Status) != status || !strings.Contains(r.Body, piece) {
		return fmt.Errorf("%s: %s is answered %d %.400s, want %q: %s %s", d.name, operation, r.Status, r.Body, decision,
			status, piece)
	}
	return nil
}

// pick reads a token out of an answer, "" where it is not.
func pick(r harness.Reply, place string) string {
	where, name, _ := strings.Cut(place, " ")
	switch where {
	case "header":
		return r.Header.Get(name)
	case "cookie":
		for _, c := range (&http.Response{Header: r.Header}).Cookies() {
			if c.Name == name {
				return c.Value
			}
		}
	case "body":
		var v any
		_ = json.Unmarshal([]byte(r.Body), &v)
		for part := range strings.SplitSeq(name, ".") {
			m, _ := v.(map[string]any)
			v = m[part]
		}
		s, _ := v.(string)
		return s
	}
	return ""
}

// graphqlDoors are GraphQL, once for each delivery of tokens.
func graphqlDoors() []*door {
	ask := func(document, variables string) saying {
		return saying{call: "POST /graphql", body: `{"query":` + string(mustJSON(document)) + `,"variables":` +
			variables + `}`}
	}
	mutation := func(name, of, variables string) saying {
		return ask("mutation M($input: "+of+"!) { "+name+"(input: $input) { userErrors { code field } } }", `{"input":`+
			variables+`}`)
	}
	var doors []*door
	for _, delivery := range []string{"BODY", "SESSION_TOKEN", "COOKIE"} {
		start := func(name, of, variables string) saying {
			s := ask("mutation M($input: "+of+"!) { "+name+"(input: $input) { tokens { accessToken refreshToken "+
				"sessionToken } userErrors { code field } } }",
				`{"input":{`+variables+`,"tokenDelivery":"`+delivery+`"}}`)
			s.gives = map[string]string{"access": "body data." + name + ".tokens.accessToken"}
			s.gives[map[string]string{"BODY": "refresh"}[delivery]] = "body data." + name + ".tokens.refreshToken"
			s.gives[map[string]string{"SESSION_TOKEN": "session"}[delivery]] = "body data." + name +
				".tokens.sessionToken"
			s.gives[map[string]string{"COOKIE": "session"}[delivery]] = "cookie " + harness.LocalCookie
			delete(s.gives, "")
			return s
		}
		refresh := ask("mutation R($token: String!) { refresh(input: {refreshToken: $token}) { tokens { accessToken "+
			"refreshToken } userErrors { code } } }", `{"token":"<refresh>"}`)
		refresh.gives = map[string]string{
			"access":  "body data.refresh.tokens.accessToken",
			"refresh": "body data.refresh.tokens.refreshToken",
		}
		read := ask(`{ me { id email } }`, `{}`)
		read.tells = map[string]string{accepted: `200 "id":"<user>"`, unauthenticated: `200 UNAUTHENTICATED`}
		makeKey := ask("mutation { createApiKey { apiKey { id } secret userErrors { code } } }", `{}`)
		makeKey.gives = map[string]string{
			"key": "body data.createApiKey.secret", "id": "body data.createApiKey.apiKey.id",
		}
		keys := ask(`{ keys { id } }`, `{}`)
		keys.tells = map[string]string{accepted: "200 "}
		list := ask(`{ sessions { id } }`, `{}`)
		list.tells = map[string]string{accepted: "200 "}
		d := &door{
			name: "graphql " + delivery, access: 10 * time.Minute, idle: 336 * time.Hour, sudo: 10 * time.Minute,
			alg: "ES256", least: 8,
			session: map[string]string{"BODY": "refresh"}[delivery], username: true, ways: []way{bearerWay, keyWay},
			tells: map[string]string{
				accepted: `200 "userErrors":[]`, weak: "200 PASSWORD_TOO_WEAK", tooCommon: "200 PASSWORD_BREACHED",
				takenEmail:     `200 "ALREADY_EXISTS","field":["input","email"]`,
				takenUsername:  `200 "ALREADY_EXISTS","field":["input","username"]`,
				badCredentials: "200 INVALID_CREDENTIALS",
				locked:         "200 ACCOUNT_LOCKED", rateLimited: "429 RATE_LIMITED",
				unauthenticated: "200 UNAUTHENTICATED", badToken: "200 INVALID_TOKEN", reusedToken: "200 TOKEN_REUSED",
				wrongPassword: "200 INVALID_CURRENT_PASSWORD", needsSudo: "200 SUDO_REQUIRED", absent: "200 NOT_FOUND",
				forbidden: "200 FORBIDDEN",
			},
			does: map[string]saying{
				"register": start("register", "RegisterInput",
					`"email":"<email>","username":"<username>","password":"<password>"`),
				"login by email":    start("login", "LoginInput", `"email":"<email>","password":"<password>"`),
				"login by username": start("login", "LoginInput", `"username":"<username>","password":"<password>"`),
				"refresh":           refresh, "read": read, "list": list, "keys": keys, "make key": makeKey,
				"delete key":        mutation("deleteApiKey", "DeleteApiKeyInput", `{"id":"<key>"}`),
				"logout":            ask("mutation { logout { userErrors { code } } }", `{}`),
				"logout by refresh": mutation("logout", "LogoutInput", `{"refreshToken":"<refresh>"}`),
				"logout everywhere": mutation("logout", "LogoutInput", `{"everywhere":true}`),
				"revoke one":        mutation("revokeSession", "RevokeSessionInput", `{"id":"<session>"}`),
				"revoke others":     ask("mutation { revokeOtherSessions { userErrors { code } } }", `{}`),
				"password": mutation("changePassword", "ChangePasswordInput",
					`{"currentPassword":"<current>","newPassword":"<password>"}`),
				"password, no proof": mutation("updateMe", "UpdateMeInput", `{"password":"<password>"}`),
				"email": mutation("changeEmail", "ChangeEmailInput",
					`{"currentPassword":"<current>","email":"<email>"}`),
				"email, no proof": mutation("changeEmail", "ChangeEmailInput", `{"email":"<email>"}`),
				"username":        mutation("updateMe", "UpdateMeInput", `{"username":"<username>"}`),
				"sudo":            mutation("sudo", "SudoInput", `{"password":"<current>"}`),
			},
		}
		if delivery != "BODY" {
			d.session = "session"
		}
		if delivery == "COOKIE" {
			d.ways = []way{{header: "Cookie", value: harness.LocalCookie + "=<token>", sessionOnly: true}}
		}
		doors = append(doors, d)
	}
	return doors
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// doors are all of them.
func doors() []*door {
	return append(graphqlDoors(), companionDoor(), wolfDoor(), serviceDoor(), genericDoor(), zeroDoor())
}
