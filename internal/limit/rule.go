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

// Rule allows Burst tries within Window. The tries come back one by one, evenly over the window, so a caller without a
// try left does not wait for the whole window.
type Rule struct {
	Name   string        // names the bucket, which rules of the same name share; letters, digits, "-" and "_"
	Burst  int           // how many tries a full bucket holds, at least 1
	Window time.Duration // how long an empty bucket takes to fill
}

// Defaults are the rules of a server without settings, by their names. The tries are those of one address block. Which
// fields of the schema count against which rule is said by @credential(limit:).
func Defaults() map[string]Rule {
	const quarter = 15 * time.Minute
	rules := map[string]Rule{}
	for _, r := range []Rule{
		{Name: "login", Burst: 60, Window: quarter},
		{Name: "register", Burst: 60, Window: quarter},
		{Name: "refresh", Burst: 150, Window: 5 * time.Minute},
		{Name: "cancelEmailChange", Burst: 60, Window: quarter},
		{Name: "account", Burst: 60, Window: quarter}, // whatever asks a signed-in person for the password
		// what goes through a mailbox; resolvers limit the mails of an address
		{Name: "recovery", Burst: 60, Window: quarter},
		{Name: "verification", Burst: 60, Window: quarter}, // likewise
		{Name: "createUser", Burst: 600, Window: quarter},  // an administrator may have a list of people to enter
	} {
		rules[r.Name] = r
	}
	return rules
}

// interval is the time in which one try comes back, in whole microseconds. Postgres timestamps have no finer step, so
// all stores count alike.
func (r Rule) interval() time.Duration {
	return (r.Window / time.Duration(r.Burst)).Truncate(time.Microsecond)
}

// capacity is the time that a full bucket holds: Window, except for the rounding of interval.
func (r Rule) capacity() time.Duration {
	return r.interval() * time.Duration(r.Burst)
}

func (r Rule) validate() error {
	switch {
	case !plain(r.Name):
		return fmt.Errorf("%q is not a valid name; use letters, digits, - and _", r.Name)
	case r.Burst < 1:
		return errors.New("the burst is below 1; allow at least one try")
	case r.interval() < time.Microsecond:
		return errors.New("the window is too short for the burst; allow a microsecond for each try")
	}
	return nil
}

// plain tells whether name needs no quoting in a header field or a key.
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
