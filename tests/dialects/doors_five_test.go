package dialects

import (
	"time"
)

// companionDoor is document 000.
func companionDoor() *door {
	attributes := func(call, list string) saying {
		return saying{
			call: call, body: `{"data":{"type":"users","attributes":{` + list + `}}}`,
			gives: map[string]string{"access": "body data.attributes.access_token", "refresh": "cookie refreshToken"},
		}
	}
	cookie := []string{"Cookie", "refreshToken=<refresh>"}
	register := attributes("POST /v1/auth/register", `"name":"Somebody","email":"<email>","password":"<password>"`)
	register.tells = map[string]string{accepted: "201 access_token", takenEmail: "400 Registration Failed"}
	change := func(list string) saying {
		s := attributes("POST /v1/auth/users/me", list)
		s.tells = map[string]string{accepted: `200 "id":"<user>"`}
		return s
	}
	return &door{
		name: "authcompanion", access: time.Hour, idle: 168 * time.Hour, sudo: 10 * time.Minute, alg: "HS256",
		session: "refresh",
		least:   1, flags: true, noSudo: true, atOnce: true, keepsEmail: true, readWrites: true, allowEnded: true,
		ways: []way{bearerWay},
		tells: map[string]string{
			accepted: "200 access_token", badCredentials: "400 Login Failed", locked: "429 Too Many Requests",
			rateLimited: "429 Too Many Requests", unauthenticated: `401 "Unauthorized"`,
			badToken: "400 Refresh Token Failed", reusedToken: "400 Refresh Token Failed",
			wrongPassword: "403 The current password is wrong", forbidden: `401 "Unauthorized"`,
			takenEmail: "400 Email Already In Use",
		},
		does: map[string]saying{
			"register":          register,
			"login by email":    attributes("POST /v1/auth/login", `"email":"<email>","password":"<password>"`),
			"login by username": attributes("POST /v1/auth/login", `"username":"<username>","password":"<password>"`),
			"refresh": {
				call: "POST /v1/auth/refresh", body: "{}", header: cookie,
				gives: map[string]string{
					"access":  "body data.attributes.access_token",
					"refresh": "cookie userRefreshToken",
				},
			},
			"logout by refresh": {
				call: "DELETE /v1/auth/refresh", body: "{}", header: cookie,
				tells: map[string]string{accepted: "204 ", reusedToken: "204 "},
			},
			"read":               change(""),
			"password":           change(`"password":"<password>","currentPassword":"<current>"`),
			"password, no proof": change(`"password":"<password>"`),
			"email":              change(`"email":"<email>","currentPassword":"<current>"`),
			"email, no proof":    change(`"email":"<email>"`),
		},
	}
}

// wolfDoor is document 001.
func wolfDoor() *door {
	pair := map[string]string{"access": "body access_token", "refresh": "body refresh_token"}
	return &door{
		name: "wolfpal", access: 30 * time.Minute, idle: 24 * time.Hour, sudo: 10 * time.Minute, alg: "HS256",
		session: "jwt",
		least:   8, flags: true, early: true, conflict: true, username: true, noSignIn: true, singleUse: true,
		ways: []way{bearerWay, {header: "Authorization", value: "<token>"}},
		tells: map[string]string{
			weak: `400 "NOT_LONG_ENOUGH"`, same: "409 PASSWORD_CONFLICT", badCredentials: "400 INVALID_CREDENTIALS",
			locked: "429 ACCOUNT_LOCKED", rateLimited: "429 RATE_LIMITED",
			unauthenticated: "401 Unauthorized", badToken: "401 Unauthorized", reusedToken: "401 Unauthorized",
			forbidden:     "401 Unauthorized",
			wrongPassword: "401 Wrong old password.", takenUsername: "409 USERNAME_CONFLICT",
			absent: "404 SESSION_NOT_FOUND",
		},
		does: map[string]saying{
			"register": {
				call: "POST /api/auth/register", form: true,
				body: "username=<username>&email=<email>&password=<password>",
				tells: map[string]string{
					accepted: "201 PENDING_CONFIRMATION", takenEmail: "201 PENDING_CONFIRMATION",
					takenUsername: "409 ALREADY_EXISTS",
				},
			},
			"login by email": {
				call: "POST /auth/login", form: true, body: "email=<email>&password=<password>", gives: pair,
				tells: map[string]string{accepted: `200 "twoFactor":false`},
			},
			"refresh": {
				call: "POST /auth/refresh", form: true, body: "refresh_token=<refresh>", gives: pair,
				tells: map[string]string{accepted: `200 {"access_token"`},
			},
			"logout": {call: "POST /auth/logout", tells: map[string]string{accepted: "200 LOGGED_OUT"}},
			"read":   {call: "GET /api/account", tells: map[string]string{accepted: `200 "_id":"<user>"`}},
			"list":   {call: "GET /api/sessions", tells: map[string]string{accepted: `200 "sessions"`}},
			"revoke one": {
				call:  "DELETE /api/sessions/<session>",
				tells: map[string]string{accepted: "200 SESSION_REVOKED"},
			},
			"logout everywhere": {
				call:  "DELETE /api/sessions",
				tells: map[string]string{accepted: "200 ALL_SESSIONS_REVOKED"},
			},
			"password": {
				call: "PUT /api/account/change-password", form: true,
				body:  "oldPassword=<current>&newPassword=<password>",
				tells: map[string]string{accepted: "200 PASSWORD_CHANGED"},
			},
			"username": {
				call: "PUT /api/account/change-username", form: true, body: "username=<username>",
				tells: map[string]string{accepted: "200 USERNAME_CHANGED"},
			},
		},
	}
}

// serviceDoor is document 002.
func serviceDoor() *door {
	login := `{"email":"<email>","password":"<password>","options":{"setCookie":true}}`
	cookies := map[string]string{"access": "cookie session", "refresh": "cookie refreshToken"}
	refresh := saying{
		call: "GET /token/refresh", header: []string{"X-Refresh-Token", "<refresh>"},
		gives: map[string]string{"access": "body token", "refresh": "body data.refreshToken"},
	}
	return &door{
		name: "service-authentication", access: 15 * time.Minute, idle: 168 * time.Hour, sudo: 10 * time.Minute,
		alg: "ES256", session: "refresh",
		least: 8, flags: true,
		ways: []way{bearerWay, {header: "Cookie", value: "session=<token>"}},
		tells: map[string]string{
			accepted: `200 "success":true`, weak: "400 Invalid Password", takenEmail: "400 Email already exists",
			badCredentials: "400 Invalid credentials",
			locked:         "429 Too many requests", rateLimited: "429 Too many requests",
			unauthenticated: "401 Session Token is ", forbidden: "403 User does not have required capabilities",
			badToken:    "400 Token is invalid",
			reusedToken: "400 Token is blacklisted",
		},
		does: map[string]saying{
			"register":       {call: "POST /register", body: login, gives: cookies},
			"login by email": {call: "POST /login", body: login, gives: cookies},
			"refresh":        refresh,
			"logout": {
				call:  "GET /token/revoke",
				tells: map[string]string{accepted: "200 Logged out", unauthenticated: "200 Logged out"},
			},
			"read": {call: "GET /user", tells: map[string]string{accepted: `200 "id":"<user>"`}},
			"read, renewed": {
				call: "GET /user/<user>", header: []string{"Cookie", "session=<token>; refreshToken=<refresh>"},
				gives: cookies,
				tells: map[string]string{accepted: `200 "id":"<user>"`},
			},
		},
	}
}

// genericDoor is document 003.
func genericDoor() *door {
	return &door{
		name: "generic-v1", access: time.Hour, idle: 336 * time.Hour, sudo: 10 * time.Minute, alg: "HS256",
		session: "refresh", singleUse: true,
		ways: []way{bearerWay, keyWay},
		tells: map[string]string{
			forbidden: "403 API keys cannot be used for this", absent: "404 API key not found",
			accepted: `200 "token"`, badCredentials: "401 Invalid credentials", locked: "429 Too many requests",
			rateLimited: "429 Too many requests", unauthenticated: "401 Authentication required",
			badToken: "401 Invalid or expired refresh token", reusedToken: "401 Invalid or expired refresh token",
		},
		does: map[string]saying{
			"login by email": {
				call: "POST /api/v1/auth/login", body: `{"username":"<email>","password":"<password>"}`,
				gives: map[string]string{"access": "body token", "refresh": "body refreshToken"},
			},
			"login by username": {
				call: "POST /api/v1/auth/login", body: `{"username":"<username>","password":"<password>"}`,
				gives: map[string]string{"access": "body token", "refresh": "body refreshToken"},
			},
			"refresh": {
				call: "POST /api/v1/auth/refresh", body: `{"refreshToken":"<refresh>"}`,
				gives: map[string]string{"access": "body token", "refresh": "body refreshToken"},
			},
			"logout": {
				call:  "POST /api/v1/auth/logout",
				tells: map[string]string{accepted: "200 Successfully logged out"},
			},
			"read": {call: "GET /api/v1/auth/keys", tells: map[string]string{accepted: "200 ["}},
			"keys": {call: "GET /api/v1/auth/keys", tells: map[string]string{accepted: "200 ["}},
			"make key": {
				call: "POST /api/v1/auth/keys", body: "{}", tells: map[string]string{accepted: `201 "apiKey"`},
				gives: map[string]string{"key": "body apiKey", "id": "body keyId"},
			},
			"delete key": {call: "DELETE /api/v1/auth/keys/<key>", tells: map[string]string{accepted: "204 "}},
		},
	}
}

// zeroDoor is document 004.
func zeroDoor() *door {
	return &door{
		name: "authentication-zero", access: 10 * time.Minute, idle: 336 * time.Hour, sudo: 30 * time.Minute,
		alg: "ES256", session: "session",
		least: 12, flags: true, early: true, noSignIn: true, atOnce: true, numbers: true,
		ways: []way{
			bearerWay,
			{header: "Authorization", value: `Token token="<token>"`},
			{header: "X-Session-Token", value: "<token>"},
		},
		tells: map[string]string{
			weak: "422 is too short", badCredentials: "401 That email or password is incorrect",
			locked: "429 maximum number of attempts", rateLimited: "429 maximum number of attempts",
			unauthenticated: "401 HTTP Token: Access denied.", forbidden: "401 HTTP Token: Access denied.",
			wrongPassword: "400 The current password you entered " +
				"is incorrect",
			needsSudo: "403 Enter your password to continue", absent: `404 {"status":404,"error":"Not Found"}`,
			takenEmail: "422 has already been taken",
		},
		does: map[string]saying{
			"register": {
				call:  "POST /sign_up",
				body:  `{"email":"<email>","password":"<password>","password_confirmation":"<password>"}`,
				tells: map[string]string{accepted: `201 "verified":false`},
			},
			"login by email": {
				call: "POST /sign_in", body: `{"email":"<email>","password":"<password>"}`,
				tells: map[string]string{accepted: `201 "user_id"`},
				gives: map[string]string{"session": "header X-Session-Token"},
			},
			"read":       {call: "GET /sessions", tells: map[string]string{accepted: "200 ["}},
			"list":       {call: "GET /sessions", tells: map[string]string{accepted: "200 ["}},
			"revoke one": {call: "DELETE /sessions/<number of session>", tells: map[string]string{accepted: "204 "}},
			"sudo": {
				call: "POST /sessions/sudo", body: `{"password":"<current>"}`,
				tells: map[string]string{accepted: "204 ", wrongPassword: "400 The password you entered is incorrect"},
			},
			"password": {
				call:  "PUT /password",
				body:  `{"current_password":"<current>","password":"<password>","password_confirmation":"<password>"}`,
				tells: map[string]string{accepted: `200 "id":<number of user>`},
			},
			"email": {
				call: "PUT /identity/email", body: `{"current_password":"<current>","email":"<email>"}`,
				tells: map[string]string{
					accepted:      `200 "id":<number of user>`,
					wrongPassword: "400 The password you entered is incorrect",
				},
			},
			"email, no proof": {
				call: "PATCH /identity/email", body: `{"email":"<email>"}`,
				tells: map[string]string{accepted: `200 "id":<number of user>`},
			},
		},
	}
}
