// Package limit says how often something may be tried.
//
// Three mechanisms stand side by side: a Limiter counts requests by address block, Delay slows the guessing at one
// account down, and Turns lets the attempts at one account be judged one after the other. None of them knows what a
// request or an account is: they get keys.
package limit

import (
	"errors"
	"fmt"
	"time"
)

// Rule allows Burst tries within Window. The tries come back one by one, evenly over the window, so that a caller who
// used them all up need not wait for the whole window to try once more.
type Rule struct {
	Name   string        // names the bucket; rules of one name share it. Letters, digits, "-" and "_"
	Burst  int           // how many tries a full bucket holds, at least 1
	Window time.Duration // how long an empty bucket takes to fill
}

// Defaults are the rules of a server without settings, by the name of the GraphQL mutation that they apply to. The
// tries are those of one address block.
func Defaults() map[string]Rule {
	const quarter = 15 * time.Minute
	account := Rule{Name: "account", Burst: 60, Window: quarter}
	recovery := Rule{Name: "recovery", Burst: 60, Window: quarter}
	verification := Rule{Name: "verification", Burst: 60, Window: quarter}
	return map[string]Rule{
		"login":    {Name: "login", Burst: 60, Window: quarter},
		"register": {Name: "register", Burst: 60, Window: quarter},
		"refresh":  {Name: "refresh", Burst: 150, Window: 5 * time.Minute},

		"cancelEmailChange": {Name: "cancelEmailChange", Burst: 60, Window: quarter},

		// One bucket for all that ask for the password of who is signed in already.
		"sudo": account, "changePassword": account, "changeEmail": account, "updateMe": account,

		// What goes through a mailbox. How many mails an address gets is another limit, that of resolvers.
		"requestPasswordReset": recovery, "resetPassword": recovery, "requestMagicLink": recovery,
		"sendVerificationEmail": verification, "verifyEmail": verification, "tokenIsValid": verification,
		"loginWithMagicLink": {Name: "login", Burst: 60, Window: quarter},

		// What costs a hash counts before it is known who asks. Administrators may have a list of people to enter.
		"createUser": {Name: "createUser", Burst: 600, Window: quarter},
	}
}

// interval is the time in which one try comes back. It is cut to microseconds, the step of a Postgres timestamp, so
// that all stores count alike.
func (r Rule) interval() time.Duration {
	return (r.Window / time.Duration(r.Burst)).Truncate(time.Microsecond)
}

// capacity is what a full bucket is worth in time: Window, but for the rounding of interval.
func (r Rule) capacity() time.Duration {
	return r.interval() * time.Duration(r.Burst)
}

func (r Rule) validate() error {
	switch {
	case !plain(r.Name):
		return fmt.Errorf("the name %q of a limit is not made of letters, digits, - and _", r.Name)
	case r.Burst < 1:
		return errors.New("a limit must allow at least one try")
	case r.interval() < time.Microsecond:
		return errors.New("the window of a limit is too short for its number of tries")
	}
	return nil
}

// plain tells whether name can stand in a header field and in a key without quoting.
func plain(name string) bool {
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return name != ""
}
