// Package limit says how often something may be tried.
//
// Three mechanisms stand side by side: a Limiter counts calls by what a rule says (an address block, a network, an
// account, a key), Delay slows the guessing at one account down, and Turns lets the attempts at one account be judged
// one after the other. None of them knows what a request or an account is: they get keys.
package limit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rule allows Burst tries within Window. The tries come back one by one, evenly over the window, so a caller without a
// try left does not wait for the whole window.
type Rule struct {
	Name   string        // names the bucket, which rules of the same name share; letters, digits, "-" and "_"
	Burst  int           // how many tries a full bucket holds, at least 1
	Window time.Duration // how long an empty bucket takes to fill
}

// By is what a rule counts by.
type By string

// The things that rules count by.
const (
	ByBlock   By = "address block" // an IPv4 address, a /64 of IPv6
	ByNetwork By = "network"       // a /24 of IPv4, a /48 of IPv6
	ByAccount By = "account"
	BySession By = "session"
	ByKey     By = "API key"
)

// Entry is a row of the table of rules.
type Entry struct {
	Rule
	Setting string // the environment variable that replaces the figures
	By      By
	Shared  bool   // whether the instances over one Postgres count together; else each counts for itself
	Counts  string // what is counted, for people
}

// The rules that are not named by a field of the schema with @credential(limit:).
const (
	Mutation        = "mutation"
	Refused         = "refused"
	Network         = "network"
	Migration       = "migration"
	SessionRefresh  = "sessionRefresh"
	AccountMutation = "accountMutation"
	KeyMutation     = "keyMutation"
	AccountQuery    = "accountQuery"
	AccountExport   = "accountExport"
	KeyQuery        = "keyQuery"
)

// Table is every rule with its default. The settings, their documentation and the limiters are made of it. Which fields
// of the schema count against a rule of Shared entries is said by @credential(limit:).
func Table() []Entry {
	const quarter, five = 15 * time.Minute, 5 * time.Minute
	return append([]Entry{
		{Rule{"login", 60, quarter}, "DRAGOMAN_LIMIT_LOGIN", ByBlock, true, "Sign-ins with a password or by a mail."},
		{Rule{"register", 60, quarter}, "DRAGOMAN_LIMIT_REGISTER", ByBlock, true, "Registrations."},
		{Rule{"refresh", 150, five}, "DRAGOMAN_LIMIT_REFRESH", ByBlock, true, "Refreshes with a genuine token."},
		{
			Rule{"recovery", 60, quarter},
			"DRAGOMAN_LIMIT_RECOVERY", ByBlock, true,
			"Requests for a mail to sign in or to choose a password, and passwords that are chosen by one.",
		},
		{
			Rule{"verification", 60, quarter},
			"DRAGOMAN_LIMIT_VERIFICATION", ByBlock, true,
			"Requests for a mail to confirm an address, confirmations, and questions whether a token is good.",
		},
		{
			Rule{"cancelEmailChange", 60, quarter},
			"DRAGOMAN_LIMIT_CANCEL_EMAIL_CHANGE", ByBlock, true,
			"Changes of an address that are taken back.",
		},
		{
			Rule{"account", 60, quarter},
			"DRAGOMAN_LIMIT_ACCOUNT", ByBlock, true,
			"What asks a signed-in person for the password, and exports of their data.",
		},
		{
			Rule{"createUser", 600, quarter},
			"DRAGOMAN_LIMIT_CREATE_USER", ByBlock, true,
			"Accounts that an administrator makes.",
		},
		{Rule{Mutation, 1200, quarter}, "DRAGOMAN_LIMIT_MUTATION", ByBlock, false, "All other mutations."},
		{
			Rule{Refused, 600, quarter},
			"DRAGOMAN_LIMIT_REFUSED", ByBlock, false,
			"Calls that are refused before they count elsewhere: for their input, or for a credential that is none.",
		},
		{
			Rule{Network, 1200, quarter},
			"DRAGOMAN_LIMIT_NETWORK", ByNetwork, false,
			"Sign-ins, registrations and what goes through a mailbox, of all addresses of a network together.",
		},
		{
			Rule{Migration, 300, quarter},
			"DRAGOMAN_LIMIT_MIGRATION", ByNetwork, false,
			"Names that the old system is asked about; over it a sign-in is answered as if it said no.",
		},
	}, ofCredentials()...)
}

// ofCredentials are the rules by who calls, from wherever.
func ofCredentials() []Entry {
	const quarter, five = 15 * time.Minute, 5 * time.Minute
	return []Entry{
		{
			Rule{SessionRefresh, 60, five},
			"DRAGOMAN_LIMIT_SESSION_REFRESH", BySession, false,
			"Refreshes and sign-outs by a refresh token, from everywhere.",
		},
		{
			Rule{AccountMutation, 600, quarter},
			"DRAGOMAN_LIMIT_ACCOUNT_MUTATION", ByAccount, false,
			"Mutations of a signed-in person, from everywhere.",
		},
		{
			Rule{AccountExport, 5, time.Hour},
			"DRAGOMAN_LIMIT_ACCOUNT_EXPORT", ByAccount, false,
			"Exports of a person's own data, from everywhere.",
		},
		{
			Rule{KeyMutation, 3000, quarter},
			"DRAGOMAN_LIMIT_KEY_MUTATION", ByKey, false,
			"Mutations with an API key, from everywhere.",
		},
		{
			Rule{AccountQuery, 6000, five},
			"DRAGOMAN_LIMIT_ACCOUNT_QUERY", ByAccount, false,
			"Queries of a signed-in person, from everywhere; one for each hundred of what a query costs.",
		},
		{Rule{KeyQuery, 30_000, five}, "DRAGOMAN_LIMIT_KEY_QUERY", ByKey, false, "Queries with an API key, likewise."},
	}
}

// OfStrangers tells whether the calls that a rule counts come from callers who have shown nothing yet. Those of a
// network are counted together too (LG-32). A refresh token, and the credential of who is signed in, are shown before.
func OfStrangers(name string) bool {
	return name == "login" || name == "register" || name == "recovery" || name == "verification"
}

// Defaults are the rules of a server without settings, by their names.
func Defaults() map[string]Rule {
	rules := map[string]Rule{}
	for _, e := range Table() {
		rules[e.Name] = e.Rule
	}
	return rules
}

// The bounds of a rule that an operator sets. A window above a day is a mistake, since a bucket that is empty would be
// half full only after half a day.
const (
	MaxBurst  = 1_000_000
	MaxWindow = 24 * time.Hour
)

// String is the rule as settings write it: 60/15m.
func (r Rule) String() string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if r.Window%unit.length == 0 {
			return fmt.Sprintf("%d/%d%s", r.Burst, r.Window/unit.length, unit.name)
		}
	}
	return fmt.Sprintf("%d/%s", r.Burst, r.Window)
}

// Parse reads a rule of this name as settings write it: tries, a slash and a window.
func Parse(name, text string) (r Rule, ok bool) {
	tries, window, found := strings.Cut(text, "/")
	burst, err := strconv.Atoi(tries)
	length, bad := time.ParseDuration(window)
	if !found || err != nil || bad != nil || burst > MaxBurst || length < time.Second || length > MaxWindow {
		return r, false
	}
	r = Rule{Name: name, Burst: burst, Window: length}
	return r, r.validate() == nil
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
