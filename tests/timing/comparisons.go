package main

import (
	"context"
	"fmt"
	"strings"
)

// comparison is one line of the table: an operation of one door, asked with addresses of two classes.
type comparison struct {
	operation, door string
	request         request
	classes         [2]string
	prepare         [2]account
}

// request is an operation of a door. $email stands for the address.
type request struct {
	route, body string
	answer      string // how the answer to either class begins: the status and the body
}

// account is what is behind an address of a class.
type account int

const (
	nobody   account = iota // no account
	unproved                // an account with an address that was never confirmed
	proved                  // one with a confirmed address
	imported                // one that came from another system with the hash that it had there
)

// afterImport is the operation that is measured on a server of its own, whose accounts are all imported but for the
// administrator's. Unknown names imitate what accounts there are, so other accounts would tell them from imported ones.
const afterImport = "sign-in after import"

// comparisons are all lines.
var comparisons = lines()

func lines() (all []comparison) {
	add := func(operation string, doors map[string]request, classes [2]string, prepare [2]account) {
		for _, door := range []string{
			"GraphQL", "authcompanion", "wolfpal", "service-authentication", "generic-v1", "authentication-zero",
		} {
			if q, ok := doors[door]; ok {
				all = append(all, comparison{operation, door, q, classes, prepare})
			}
		}
	}
	add("sign-in", signIns, [2]string{"unknown", "wrong password"}, [2]account{nobody, proved})
	add(afterImport, signIns, [2]string{"unknown", "wrong password"}, [2]account{nobody, imported})
	add("registration", registrations, [2]string{"free", "taken"}, [2]account{nobody, proved})
	add("forgotten password", recoveries, [2]string{"unknown", "known"}, [2]account{nobody, proved})
	add("forgotten password", recoveries, [2]string{"unproved", "proved"}, [2]account{unproved, proved})
	return all
}

const attributes = `{"data":{"type":"users","attributes":{"name":"Somebody","email":"$email","password":"%s"}}}`

var signIns = map[string]request{
	"GraphQL": {
		"POST /graphql",
		graphql(`login(input: {email: "$email", password: "not the password"}) { userErrors { code } }`),
		`200 {"data":{"login":{"userErrors":[{"code":"INVALID_CREDENTIALS"`,
	},
	"authcompanion": {
		"POST /v1/auth/login",
		`{"data":{"type":"users","attributes":{"email":"$email","password":"not the password"}}}`, "400 ",
	},
	"wolfpal": {"POST /auth/login", `{"email":"$email","password":"not the password"}`, "400 "},
	"service-authentication": {
		"POST /login", `{"email":"$email","password":"not the password"}`, "400 ",
	},
	"generic-v1": {
		"POST /api/v1/auth/login", `{"username":"$email","password":"not the password"}`, "401 ",
	},
	"authentication-zero": {
		"POST /sign_in", `{"email":"$email","password":"not the password"}`, "401 ",
	},
}

const newPassword = "nine red kites over the hill"

var registrations = map[string]request{
	"GraphQL": {
		"POST /graphql", graphql(`register(input: {email: "$email", password: "` + newPassword +
			`"}) { userErrors { code } }`),
		"200 ",
	},
	"authcompanion": {"POST /v1/auth/register", fmt.Sprintf(attributes, newPassword), "202 "},
	"wolfpal": {
		"POST /api/auth/register", `{"username":"$name","email":"$email","password":"` + newPassword + `"}`,
		"201 ",
	},
	"service-authentication": {
		"POST /register", `{"email":"$email","password":"` + newPassword +
			`","options":{"verifyEmail":true,"sendEmail":true}}`,
		"200 ",
	},
	"authentication-zero": {
		"POST /sign_up", `{"email":"$email","password":"` + newPassword + `","password_confirmation":"` + newPassword +
			`"}`,
		"202 ",
	},
}

var recoveries = map[string]request{
	"GraphQL": {
		"POST /graphql", graphql(`requestPasswordReset(input: {email: "$email"}) { userErrors { code } }`), "200 ",
	},
	"authcompanion":          {"POST /v1/auth/recovery", `{"email":"$email"}`, "200 "},
	"wolfpal":                {"POST /api/user/forgot-password", `{"email":"$email"}`, "200 "},
	"service-authentication": {"POST /password/forgot", `{"email":"$email"}`, "200 "},
	"authentication-zero":    {"POST /identity/password_reset", `{"email":"$email"}`, "204 "},
}

// name gives an address that was never asked for, with what is to be behind it.
func (s *server) name(ctx context.Context, what account) (string, error) {
	s.names++
	email := fmt.Sprintf("somebody%d@example.com", s.names)
	if what == nobody || what == imported { // which importAll makes
		return email, nil
	}
	_, text, _, err := s.send(ctx, "POST /graphql", graphql(fmt.Sprintf(
		`createUser(input: {email: %q, password: %q, emailVerified: %t}) { userErrors { code } }`, email, newPassword,
		what == proved)), s.admin)
	if err == nil && !strings.Contains(text, `"userErrors":[]`) {
		err = fmt.Errorf("the account %s can not be made: %s", email, text)
	}
	return email, err
}

func fill(body, email string) string {
	name, _, _ := strings.Cut(email, "@")
	return strings.NewReplacer("$email", email, "$name", name).Replace(body)
}
