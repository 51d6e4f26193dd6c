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

// Defaults are the rules of a server without settings, by their names. The tries are those of one address block. Which fields
// of the schema count against which rule is said by @credential(limit:).
func Defaults() map[string]Rule {
	const quarter = 15 * time.Minute
	rules := map[string]Rule{}
	for _, r := range []Rule{
		{Name: "login", Burst: 60, Window: quarter},
		{Name: "register", Burst: 60, Window: quarter},
		{Name: "refresh", Burst: 150, Window: 5 * time.Minute},
		{Name: "cancelEmailChange", Burst: 60, Window: quarter},
		{Name: "account", Burst: 60, Window: quarter},      // whatever asks a signed-in person for the password
		{Name: "recovery", Burst: 60, Window: quarter},     // what goes through a mailbox; resolvers limit the mails of an address
		{Name: "verification", Burst: 60, Window: quarter}, // likewise
		{Name: "createUser", Burst: 600, Window: quarter},  // an administrator may have a list of people to enter
	} {
		rules[r.Name] = r
	}
	return rules
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
