// Package config holds the settings of an operator. One table lists every setting with its default, its meaning and the
// form of its value: `--help` prints it, and Load reads the environment by it. Secrets may also come from a file that
// NAME_FILE names. Settings have no flags, because flags show in the process list.
package config

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/mail"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

// Settings is the validated configuration of a server.
type Settings struct {
	Listen    []string // addresses host:port; the banner and the default public URL show the first
	PublicURL string   // without a trailing slash; "" for the default, made from the first listener

	DatabaseURL secret.Text // postgres://…; "" for SQLite in DataDir
	DataDir     string
	Secret      secret.Text // "" for the one in DataDir
	Migrate     bool

	PreviousSecrets []secret.Text // accepted besides Secret
	JWTAlg          string        // the algorithm of new signing keys: ES256, EdDSA or RS256
	HS256Secret     secret.Text   // "" for a key derived from the server secret

	Issuer       string // "" for the public URL
	Audience     string // "" for the public URL
	AccessTTL    time.Duration
	SessionTTL   time.Duration
	SessionIdle  time.Duration
	SessionLimit int
	RefreshGrace time.Duration

	PasswordMinLength int
	BreachedPasswords string // the URL of a list of breached passwords; "" for none
	RateLimits        bool
	Limits            map[string]limit.Rule // by name, every rule of limit.Table
	TrustedProxies    []netip.Prefix
	CORSOrigins       []string // as browsers write them; nil for auto, empty for none
	ReturnURLs        []string // as returnurl.Parse gives them; nil for auto, empty for none
	RevealAccounts    bool
	Registration      bool

	RequireVerifiedEmail bool // before the first sign-in with a password

	MfaOff      bool     // nobody gets a second factor
	MfaRequired bool     // everybody must have one
	MfaRoles    []string // whoever has one of these must have one

	Dialects        []string // names; nil for all, empty for none
	DialectsAuto    bool     // nobody said which: see RequireDialects
	DialectsDir     string   // "" for none
	LegacyTokens    string   // a file, "" for none: see app.LegacyTokens
	StrictPasswords bool     // whether dialects have the password rules of GraphQL

	MigrateURL    secret.Text // "" for none: the old system that is asked about names that no account has
	MigrateSecret secret.Text // of its questions, whsec_…

	SMTP          *SMTP         // nil for none: see LocalMailbox
	MailOff       bool          // no mails at all
	Mailbox       Switch        // see LocalMailbox
	MailFrom      *mail.Address // nil for the default: see Sender
	MailTemplates string        // a directory; "" for the templates of the program

	SMS SMS // messages to phones: see SMSOn

	MailPages map[string]string // by kind, as profile.ParsePage gives them; nil for the pages of the server

	StartPage     Switch
	Playground    Switch
	Introspection Switch
	Docs          bool
	LogLevel      slog.Level

	SlowStatement time.Duration // 0 for no log of slow statements
	MetricsListen string        // host:port; "" for no separate listener
	MetricsToken  secret.Text   // "" for none
	Traces        *Traces       // nil for none
}

// Switch is a setting that is on, off or automatic.
type Switch string

// The values of a Switch. Auto is on if this machine alone can reach the server: see Loopback.
const (
	Auto Switch = "auto"
	On   Switch = "on"
	Off  Switch = "off"
)

// Is tells whether the switch is on. auto is the meaning of Auto.
func (s Switch) Is(auto bool) bool { return s == On || (s == Auto && auto) }

// Error is a setting with an invalid value.
type Error struct {
	Name  string
	Value string // "" for a secret
	Want  string // the form of a valid value
}

func (e *Error) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s: the value is not usable; expected %s", e.Name, e.Want)
	}
	return fmt.Sprintf("%s=%q is not usable; expected %s", e.Name, e.Value, e.Want)
}

// Load reads every setting through getenv. An empty value means the default. The error is an *Error.
func Load(getenv func(string) string) (*Settings, error) {
	s := &Settings{}
	for _, k := range keys {
		value, err := k.value(getenv)
		if err != nil {
			return nil, err
		}
		if !k.parse(s, value) {
			e := &Error{Name: k.name, Value: value, Want: k.want}
			if k.secret {
				e.Value = ""
			}
			return nil, e
		}
	}
	if err := s.checkSecrets(); err != nil {
		return nil, err
	}
	if s.RequireVerifiedEmail && s.MailOff {
		return nil, &Error{
			Name:  "DRAGOMAN_REQUIRE_VERIFIED_EMAIL",
			Value: "on",
			Want:  "off, since DRAGOMAN_SMTP_URL is none and nobody could confirm an address",
		}
	}
	if err := cmp.Or(s.checkMailbox(), s.checkSMS()); err != nil {
		return nil, err
	}
	var err error
	if s.Traces, err = loadTraces(getenv); err != nil {
		return nil, err
	}
	// A default is lowered to a shorter session; a value of the operator is refused instead.
	if getenv("DRAGOMAN_SESSION_IDLE") == "" {
		s.SessionIdle = min(s.SessionIdle, s.SessionTTL)
	}
	if getenv("DRAGOMAN_ACCESS_TTL") == "" {
		s.AccessTTL = min(s.AccessTTL, s.SessionTTL)
	}
	if s.SessionIdle > s.SessionTTL {
		return nil, &Error{
			Name:  "DRAGOMAN_SESSION_IDLE",
			Value: s.SessionIdle.String(),
			Want:  "at most DRAGOMAN_SESSION_TTL",
		}
	}
	if s.AccessTTL > s.SessionTTL {
		return nil, &Error{
			Name:  "DRAGOMAN_ACCESS_TTL",
			Value: s.AccessTTL.String(),
			Want:  "at most DRAGOMAN_SESSION_TTL",
		}
	}
	return s, nil
}

// value gives the value from the environment, or from the file of a secret, or else the default.
func (k key) value(getenv func(string) string) (string, error) {
	value := getenv(k.name)
	if k.secret {
		if path := getenv(k.name + "_FILE"); path != "" {
			if value != "" {
				return "", &Error{Name: k.name + "_FILE", Value: path, Want: "either this or " + k.name + ", not both"}
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return "", &Error{Name: k.name + "_FILE", Value: path, Want: "a file that can be read"}
			}
			if value = strings.TrimRight(string(b), "\r\n"); value == "" {
				return "", &Error{Name: k.name + "_FILE", Value: path, Want: "a file that is not empty"}
			}
		}
	}
	if value == "" && k.name == "DRAGOMAN_LISTEN" {
		return listenOnPort(getenv("PORT"))
	}
	if value == "" {
		return k.defaultValue, nil
	}
	return value, nil
}
