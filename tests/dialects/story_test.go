package dialects

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// resident is somebody who lives in all five documented APIs and in GraphQL at once, with one account.
type resident struct {
	*testing.T
	*harness.Instance
	dsn string

	wolfAccess, wolfRefresh string // of the session that began in wolfpal
	zeroSession             string // of the one that began in authentication-zero
	key                     string // for programs
}

// TestDialects_OneAccount tells what it means that dialects are ways of speaking and not places: there is one account,
// one list of sessions, one password, one count of failures. Each chapter goes on where the one before it ended.
func TestDialects_OneAccount(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ada := &resident{T: t, dsn: dsn, Instance: harness.Limited(t, harness.NewClock(), dsn)}
		ada.registersInWolfpal()
		ada.isKnownEverywhere()
		ada.changesHerNameInAuthCompanion()
		ada.opensASecondSessionInAuthenticationZero()
		ada.makesAKeyInGenericV1()
		ada.carriesHerRefreshTokenFromDoorToDoor()
		ada.changesThePasswordInGraphQL()
		ada.isLockedEverywhereAtOnce()
		ada.signsOutEverywhereInWolfpal()
	})
}

// ask sends JSON, or a form where the body is none, and demands a status and pieces of the body. It gives the answer.
func (ada *resident) ask(status int, route, body string, header []string, pieces ...string) harness.Reply {
	ada.Helper()
	if body != "" && !strings.HasPrefix(body, "{") {
		header = append([]string{"Content-Type", harness.FormType}, header...)
	}
	r, err := ada.Call(route, body, header...)
	if err != nil {
		ada.Fatal(err)
	}
	for _, piece := range pieces {
		if !strings.Contains(r.Body, piece) {
			ada.Fatalf("%s: %d %s, want %s", route, r.Status, r.Body, piece)
		}
	}
	if r.Status != status {
		ada.Fatalf("%s: %d %s, want %d", route, r.Status, r.Body, status)
	}
	return r
}

// The account begins in wolfpal, which knows forms, usernames, and a registration that does not sign in.
func (ada *resident) registersInWolfpal() {
	ada.ask(http.StatusCreated, "POST /auth/register",
		harness.FormOf("username", "ada", "email", "ada@example.com", "password", harness.GoodPass), nil,
		"PENDING_CONFIRMATION")
	in := ada.ask(http.StatusOK, "POST /auth/login", harness.FormOf("email", "ada@example.com", "password",
		harness.GoodPass), nil)
	ada.wolfAccess, ada.wolfRefresh = pick(in, "body access_token"), pick(in, "body refresh_token")
}

// The other doors have never seen her, and know her by the token of wolfpal.
func (ada *resident) isKnownEverywhere() {
	token := harness.Bearer(ada.wolfAccess)
	me := ada.GraphQL(ada, ada.wolfAccess, `{ me { id email username } }`, nil)
	if me.Text("me", "email") != "ada@example.com" || me.Text("me", "username") != "ada" {
		ada.Fatalf("in GraphQL: %s", me.Raw)
	}
	id := `"id":"` + me.Text("me", "id") + `"`
	ada.ask(http.StatusOK, "GET /api/account", "", token, `"username":"ada"`)
	ada.ask(http.StatusOK, "GET /user", "", token, id, `"email":"ada@example.com"`)
	ada.ask(http.StatusOK, "GET /sessions", "", token, `"user_id":`)
	ada.ask(http.StatusOK, "GET /api/v1/auth/keys", "", token, `[]`)
	// Nobody can register her a second time, however the address is written. wolfpal does not tell.
	again := `{"email":"Ada@Example.com","password":"another good password"}`
	ada.ask(http.StatusUnprocessableEntity, "POST /sign_up", again, nil, "has already been taken")
	ada.ask(http.StatusBadRequest, "POST /register", again, nil, "Email already exists")
	ada.ask(http.StatusCreated, "POST /auth/register",
		harness.FormOf("username", "other", "email", "ADA@example.com", "password", harness.GoodPass), nil,
		"PENDING_CONFIRMATION")
}

// A change through one door is there at the others with the next request.
func (ada *resident) changesHerNameInAuthCompanion() {
	name := `{"data":{"type":"users","attributes":{"name":"Ada L.","metadata":{"team":"engines"}}}}`
	r := ada.ask(http.StatusOK, "POST /v1/auth/users/me", name, harness.Bearer(ada.wolfAccess), `"name":"Ada L."`)
	if claims := harness.ClaimsOf(ada, pick(r, "body data.attributes.access_token")); claims["name"] != "Ada L." {
		ada.Errorf("the claims are %v", claims)
	}
	if me := ada.GraphQL(ada, ada.wolfAccess, `{ me { name metadata } }`, nil); !strings.Contains(me.Raw,
		`{"name":"Ada L.","metadata":{"team":"engines"}}`) {
		ada.Errorf("in GraphQL: %s", me.Raw)
	}
	ada.ask(http.StatusOK, "PUT /api/account/change-username", harness.FormOf("username", "countess"),
		harness.Bearer(ada.wolfAccess), "USERNAME_CHANGED")
	ada.ask(http.StatusUnauthorized, "POST /api/v1/auth/login", `{"username":"ada","password":"`+harness.GoodPass+`"}`,
		nil)
}

// Sessions are one list. authentication-zero numbers them, wolfpal names them.
func (ada *resident) opensASecondSessionInAuthenticationZero() {
	in := ada.ask(http.StatusCreated, "POST /sign_in", `{"email":"ada@example.com","password":"`+harness.GoodPass+`"}`,
		[]string{"User-Agent", "insomnia/2022.1.0"})
	ada.zeroSession = pick(in, "header X-Session-Token")
	both := ada.ask(http.StatusOK, "GET /sessions", "", []string{"X-Session-Token", ada.zeroSession},
		`"user_agent":"insomnia/2022.1.0"`)
	if n := strings.Count(both.Body, `"user_id":`); n != 2 {
		ada.Errorf("%d sessions: %s", n, both.Body)
	}
	ada.ask(http.StatusOK, "GET /api/sessions", "", harness.Bearer(ada.zeroSession), `"total":2`)
}

// A program gets a key, which opens what it is meant for and nothing more.
func (ada *resident) makesAKeyInGenericV1() {
	r := ada.ask(http.StatusCreated, "POST /api/v1/auth/keys", `{"name":"nightly report"}`,
		harness.Bearer(ada.wolfAccess), `"name":"nightly report"`)
	ada.key = pick(r, "body apiKey")
	if me := ada.GraphQL(ada, ada.key, harness.MeDoc, nil); me.Text("me", "email") != "ada@example.com" {
		ada.Errorf("by the key: %s", me.Raw)
	}
	ada.ask(http.StatusForbidden, "POST /api/v1/auth/keys", `{}`, []string{"X-API-Key", ada.key})
}

// A refresh token is good at each door, and spent at all of them when it was used at one. The form is the door's:
// wolfpal shows a JWT, the others an opaque text.
func (ada *resident) carriesHerRefreshTokenFromDoorToDoor() {
	ada.Clock.Add(20 * time.Minute)
	generic := ada.ask(http.StatusOK, "POST /api/v1/auth/refresh", `{"refreshToken":"`+ada.wolfRefresh+`"}`, nil)
	opaque := pick(generic, "body refreshToken")
	// takes each token once
	ada.ask(http.StatusUnauthorized, "POST /auth/refresh", harness.FormOf("refresh_token", ada.wolfRefresh), nil)
	service := ada.ask(http.StatusOK, "GET /token/refresh", "", []string{"X-Refresh-Token", opaque})
	wolf := ada.ask(http.StatusOK, "POST /auth/refresh",
		harness.FormOf("refresh_token", pick(service, "body data.refreshToken")), nil)
	ada.wolfAccess, ada.wolfRefresh = pick(wolf, "body access_token"), pick(wolf, "body refresh_token")
	if !strings.HasPrefix(opaque, "rt1.") || !strings.HasPrefix(ada.wolfRefresh, "eyJ") {
		ada.Errorf("the forms are %s and %s", opaque, ada.wolfRefresh)
	}
	// still the same session
	ada.ask(http.StatusOK, "GET /api/sessions", "", harness.Bearer(ada.wolfAccess), `"total":2`)
}

const secondPass = "a longer way round the lake"

// A new password ends the other sessions, wherever they began. The one that asked goes on, and the key stays.
func (ada *resident) changesThePasswordInGraphQL() {
	input := harness.InputOf("currentPassword", harness.GoodPass, "newPassword", secondPass)
	if a := ada.GraphQL(ada, ada.zeroSession, `mutation Change($input: ChangePasswordInput!) { changePassword(input: `+
		`$input) { userErrors { code } } }`, input); a.Code() != "" {
		ada.Fatalf("changePassword: %s", a.Raw)
	}
	token := harness.Bearer(ada.wolfAccess)
	if me := ada.GraphQL(ada, ada.wolfAccess, harness.MeDoc, nil); me.At("me") != nil {
		ada.Errorf("in GraphQL: %s", me.Raw)
	}
	ada.ask(http.StatusUnauthorized, "GET /api/account", "", token)
	ada.ask(http.StatusUnauthorized, "GET /user", "", token)
	ada.ask(http.StatusUnauthorized, "GET /sessions", "", token)
	ada.ask(http.StatusUnauthorized, "GET /api/v1/auth/keys", "", token)
	ada.ask(http.StatusUnauthorized, "POST /v1/auth/users/me", `{"data":{"type":"users","attributes":{}}}`, token)
	ada.ask(http.StatusUnauthorized, "POST /auth/refresh", harness.FormOf("refresh_token", ada.wolfRefresh), nil)
	ada.ask(http.StatusBadRequest, "POST /v1/auth/refresh", `{}`, []string{"Cookie", "refreshToken=" + ada.wolfRefresh},
		"Refresh Token Failed")

	ada.ask(http.StatusOK, "GET /api/sessions", "", harness.Bearer(ada.zeroSession), `"total":1`)
	ada.ask(http.StatusOK, "GET /api/v1/auth/keys", "", []string{"X-API-Key", ada.key}, "nightly report")
}

// signIns are the ways to sign in, with the answers to a wrong password, to a locked account and to a right password.
func (ada *resident) signIns(password string) []struct {
	route, body          string
	wrong, locked, right int
	byUsername           bool
} {
	email := `{"email":"ada@example.com","password":"` + password + `"}`
	return []struct {
		route, body          string
		wrong, locked, right int
		byUsername           bool
	}{
		{
			"POST /v1/auth/login", `{"data":{"type":"users","attributes":` + email + `}}`, http.StatusBadRequest,
			http.StatusTooManyRequests, http.StatusOK, false,
		},
		{
			"POST /auth/login", harness.FormOf("email", "ada@example.com", "password", password), http.StatusBadRequest,
			http.StatusTooManyRequests, http.StatusOK, false,
		},
		{"POST /login", email, http.StatusBadRequest, http.StatusTooManyRequests, http.StatusOK, false},
		{
			"POST /api/v1/auth/login", `{"username":"countess","password":"` + password + `"}`, http.StatusUnauthorized,
			http.StatusTooManyRequests, http.StatusOK, true,
		},
		{"POST /sign_in", email, http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusCreated, false},
	}
}

// Five failures by her address close it, whichever doors they went through. Then it is closed at all doors, also to
// whoever knows the password; and two seconds later it is open at all of them. Failures by her username are counted
// apart (LG-22), so there are five of these as well.
func (ada *resident) isLockedEverywhereAtOnce() {
	for _, d := range ada.signIns(harness.GoodPass) { // the old one
		ada.ask(d.wrong, d.route, d.body, nil)
		if d.byUsername {
			for range 4 {
				ada.ask(d.wrong, d.route, d.body, nil)
			}
		}
	}
	if a := ada.Login(ada, "ada@example.com", harness.GoodPass); a.Code() != "INVALID_CREDENTIALS" {
		ada.Errorf("in GraphQL: %s", a.Raw)
	}
	for _, d := range ada.signIns(secondPass) {
		if r := ada.ask(d.locked, d.route, d.body, nil); r.Header.Get("Retry-After") != "2" {
			ada.Errorf("%s: Retry-After %q", d.route, r.Header.Get("Retry-After"))
		}
	}
	if a := ada.Login(ada, "ada@example.com", secondPass); a.Code() != "ACCOUNT_LOCKED" {
		ada.Errorf("in GraphQL: %s", a.Raw)
	}
	ada.Clock.Add(2 * time.Second)
	for _, d := range ada.signIns(secondPass) {
		ada.ask(d.right, d.route, d.body, nil)
	}
	ada.ask(http.StatusOK, "GET /api/sessions", "", harness.Bearer(ada.zeroSession), `"total":6`)
}

// She leaves all doors through one. The key is another thing than a session: it stays until she takes it away.
func (ada *resident) signsOutEverywhereInWolfpal() {
	ada.ask(http.StatusOK, "DELETE /api/sessions", "", harness.Bearer(ada.zeroSession), "ALL_SESSIONS_REVOKED")
	ada.ask(http.StatusUnauthorized, "GET /sessions", "", []string{"X-Session-Token", ada.zeroSession})
	keys := ada.ask(http.StatusOK, "GET /api/v1/auth/keys", "", []string{"X-API-Key", ada.key}, "nightly report")
	_, id, _ := strings.Cut(keys.Body, `"keyId":"`)
	id, _, _ = strings.Cut(id, `"`)

	in := ada.ask(http.StatusOK, "POST /login", `{"email":"ada@example.com","password":"`+secondPass+`"}`, nil)
	ada.ask(http.StatusNoContent, "DELETE /api/v1/auth/keys/"+id, "", harness.Bearer(pick(in, "body token")))
	if a := ada.GraphQL(ada, ada.key, harness.MeDoc, nil); a.At("me") != nil {
		ada.Errorf("the key after its end: %s", a.Raw)
	}
	ada.ask(http.StatusOK, "GET /token/revoke", "", harness.Bearer(pick(in, "body token")), "Logged out")
	if left := harness.OpenSide(ada, ada.dsn); left.Count(ada,
		"SELECT count(*) FROM sessions WHERE revoked_at IS NULL") != 0 {
		ada.Error("a session is left")
	}
}
