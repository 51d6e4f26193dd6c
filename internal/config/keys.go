package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

// key is one row of the table of settings.
type key struct {
	name         string
	defaultValue string // "" for none
	meaning      string
	want         string                               // the form of a valid value
	secret       bool                                 // never printed; may come from a file named by NAME_FILE
	parse        func(s *Settings, value string) bool // sets the field, and reports false for an invalid value
}

const defaultListen = "localhost:8080"

// keys is the table of settings.
var keys = slices.Concat(settingsBeforeLimits, limitKeys(), settingsAfterLimits, migrateKeys, smsKeys, pageKeys)

var settingsBeforeLimits = []key{
	{
		"DRAGOMAN_LISTEN", defaultListen,
		"Addresses to listen on, comma-separated. Wins over PORT, which means that port on all interfaces.",
		"host:port, for example localhost:8080 or :8080", false, parseListen,
	},
	{
		"DRAGOMAN_PUBLIC_URL", "",
		"The URL under which callers reach the server, with the path where a proxy serves it below one. " +
			"Default: made from the listener.",
		"an absolute http or https URL without query and fragment, for example https://auth.example.com or " +
			"https://example.com/accounts; each part of its path has letters, digits, -, ., _ and ~ alone, and " +
			"is not . or ..",
		false, parsePublicURL,
	},
	{
		"DATABASE_URL", "",
		"The Postgres database. Default: an SQLite file in the data directory.",
		"postgres://user:password@host:5432/name", true, parseDatabase,
	},
	{
		"DRAGOMAN_DATA_DIR", "./data",
		"The directory of the SQLite file and the generated secret.",
		"a path", false, func(s *Settings, v string) bool { s.DataDir = v; return true },
	},
	{
		"DRAGOMAN_SECRET", "",
		"The server secret, from which every key is derived. Default: generated once and kept in the data directory.",
		"at least 32 random bytes, for example the output of: openssl rand -base64 32", true, parseSecret,
	},
	{
		"DRAGOMAN_SECRET_PREVIOUS", "",
		"Also accepted: the old server secret after a rotation, or the new one before it. See docs/operations-keys.md.",
		"up to three secrets of at least 32 random bytes, one a line, none of them DRAGOMAN_SECRET",
		true, parsePrevious,
	},
	{
		"DRAGOMAN_JWT_ALG", "ES256",
		"The algorithm of new signing keys. Existing keys keep theirs.",
		"ES256, EdDSA or RS256", false, parseAlg,
	},
	{
		"DRAGOMAN_JWT_HS256_SECRET", "",
		"The key of the HS256 access tokens of dialects, to share with a backend that checks them. Default: " +
			"derived from the server secret.",
		"at least 32 random bytes that are not a server secret, for example the output of: openssl rand -base64 32",
		true, parseHS256,
	},
	{
		"DRAGOMAN_MIGRATE", "on",
		"Whether the schema is migrated at start. With off: run `dragoman migrate`.",
		onOff, false, boolean(func(s *Settings) *bool { return &s.Migrate }),
	},
	{
		"DRAGOMAN_ISSUER", "",
		"The claim iss of access tokens. Default: the public URL.",
		"one word without spaces", false, word(func(s *Settings) *string { return &s.Issuer }),
	},
	{
		"DRAGOMAN_AUDIENCE", "",
		"The claim aud of access tokens. Default: the public URL.",
		"one word without spaces", false, word(func(s *Settings) *string { return &s.Audience }),
	},
	{
		"DRAGOMAN_ACCESS_TTL", "10m",
		"How long an access token is valid.",
		"a duration from 10s to 24h, for example 10m",
		false, between(10*time.Second, 24*time.Hour, func(s *Settings) *time.Duration { return &s.AccessTTL }),
	},
	{
		"DRAGOMAN_SESSION_TTL", "720h",
		"How long a session lives at most.",
		"a duration from 5m to 8760h, for example 720h",
		false, between(5*time.Minute, 8760*time.Hour, func(s *Settings) *time.Duration { return &s.SessionTTL }),
	},
	{
		"DRAGOMAN_SESSION_IDLE", "336h",
		"How long a session lives without being used.",
		"a duration from 5m to 8760h, for example 336h",
		false, between(5*time.Minute, 8760*time.Hour, func(s *Settings) *time.Duration { return &s.SessionIdle }),
	},
	{
		"DRAGOMAN_SESSION_LIMIT", "100",
		"How many sessions an account may have at once. A further sign-in ends the oldest.",
		"a whole number from 1 to 10000", false, whole(1, 10000, func(s *Settings) *int { return &s.SessionLimit }),
	},
	{
		"DRAGOMAN_REFRESH_GRACE", "10s",
		"How long the last refresh token still gets the same successor (two tabs at once). With 0s it never does, " +
			"also not when an answer was lost.",
		"a duration from 0s to 60s, for example 10s",
		false, between(0, time.Minute, func(s *Settings) *time.Duration { return &s.RefreshGrace }),
	},
	{
		"DRAGOMAN_PASSWORD_MIN_LENGTH", "8",
		"The minimum number of characters of a password; 15 is better.",
		"a whole number from 8 to 64", false, whole(8, 64, func(s *Settings) *int { return &s.PasswordMinLength }),
	},
	{
		"DRAGOMAN_BREACHED_PASSWORDS_URL", "",
		"A list of breached passwords. New passwords are looked up in it by the first five characters of their " +
			"SHA-1. They pass if it does not answer within a second.",
		"an absolute http or https URL to which the five characters are appended, for example " +
			"https://api.pwnedpasswords.com/range/",
		false, parseBreached,
	},
	{
		"DRAGOMAN_RATE_LIMITS", "on",
		"Limits by address, the budgets of mailboxes and the throttling of failed sign-ins.",
		onOff, false, boolean(func(s *Settings) *bool { return &s.RateLimits }),
	},
}

var settingsAfterLimits = []key{
	{
		"DRAGOMAN_TRUSTED_PROXIES", "",
		"Networks whose X-Forwarded-For counts, comma-separated.",
		"CIDRs, for example 10.0.0.0/8,fd00::/8", false, parseProxies,
	},
	{
		"DRAGOMAN_CORS_ORIGINS", "auto",
		"Origins whose web pages may use the server, cookies included. auto: the origins of this machine if " +
			"every listener, and the public URL if set, is a loopback address; else none.",
		"auto, none, or exact origins with commas between, for example https://app.example.com,https://www.example.com",
		false, parseOrigins,
	},
	{
		"DRAGOMAN_REVEAL_ACCOUNTS", "off",
		"Whether login says that an account does not exist.",
		onOff, false, boolean(func(s *Settings) *bool { return &s.RevealAccounts }),
	},
	{
		"DRAGOMAN_REGISTRATION", "on",
		"Whether register is open to the public.",
		onOff, false, boolean(func(s *Settings) *bool { return &s.Registration }),
	},
	{
		"DRAGOMAN_REQUIRE_VERIFIED_EMAIL", "off",
		"Whether an address must be confirmed before there is an account. Accounts that never confirmed need a mail " +
			"for their next sign-in; their sessions continue.",
		onOff, false, boolean(func(s *Settings) *bool { return &s.RequireVerifiedEmail }),
	},
	{
		"DRAGOMAN_MFA", "optional",
		"Second factors. off: nobody sets one up. optional: whoever likes to. required: everybody; a sign-in without one " +
			"leads through its set-up. Who has one is asked for it in any case. Sessions and API keys go on.",
		"off, optional or required", false, parseMfa,
	},
	{
		"DRAGOMAN_MFA_ROLES", "",
		"Roles that need a second factor, where it is optional for others.",
		"names of roles with commas between, for example admin", false, parseMfaRoles,
	},
	{
		"DRAGOMAN_DIALECTS", "auto",
		"The REST APIs that are served: `dragoman dialect list` shows them. auto: the five that come with the " +
			"server, for a server that only this machine reaches, without files of your own; every other server has " +
			"to say which.",
		"auto, all, none, or names with commas between, for example my-api,another", false, parseDialects,
	},
	{
		"DRAGOMAN_DIALECTS_DIR", "",
		"A directory with your own dialect files (*.yaml, *.yml). A file replaces the shipped dialect of the " +
			"same name.",
		"a path", false, func(s *Settings, v string) bool { s.DialectsDir = v; return true },
	},
	{
		"DRAGOMAN_DIALECT_PASSWORDS", "documented",
		"The rules for new passwords in dialects: as each API documents them, or strict as in GraphQL.",
		"documented or strict", false, parseDialectPasswords,
	},
	{
		"DRAGOMAN_LEGACY_TOKENS", "",
		"A file that says which access tokens of former systems still read over which REST API, until they expire. " +
			"See docs/operations.md.",
		"a path", false, func(s *Settings, v string) bool { s.LegacyTokens = v; return true },
	},
	{
		"DRAGOMAN_SMTP_URL", "",
		"The mail server. smtp: STARTTLS, or no encryption to a loopback address. smtps: TLS. none: no mails at " +
			"all. Default: mails stay in the database, and the local mailbox shows them; a server that others can " +
			"reach does not start.",
		"none, smtp://user:password@host:587 or smtps://user:password@host:465, without user:password if the " +
			"server asks for none",
		true, parseSMTP,
	},
	{
		"DRAGOMAN_MAILBOX", "auto",
		"The local mailbox at /dev/mailbox, which keeps mails instead of sending them. auto: for this machine alone, " +
			"without DRAGOMAN_SMTP_URL and DRAGOMAN_TRUSTED_PROXIES. on: for whoever has the key that is printed at " +
			"the start, as in a container.",
		autoOnOff, false, position(func(s *Settings) *Switch { return &s.Mailbox }),
	},
	{
		"DRAGOMAN_MAIL_FROM", "",
		"The sender of mails. Default: Dragoman <no-reply@host>, with the host of the public URL.",
		"an address, for example Example <no-reply@example.com>", false, parseMailFrom,
	},
	{
		"DRAGOMAN_MAIL_TEMPLATES", "",
		"A directory with mail templates, which replace those of the program or add a language. See docs/mail.md.",
		"a path", false, func(s *Settings, v string) bool { s.MailTemplates = v; return true },
	},
	{
		"DRAGOMAN_START_PAGE", "auto",
		"The start page at /: what runs here, and links to its pages and APIs. auto: as for the playground.",
		autoOnOff, false, position(func(s *Settings) *Switch { return &s.StartPage }),
	},
	{
		"DRAGOMAN_PLAYGROUND", "auto",
		"The playground at /playground. auto: on if every listener, and the public URL if set, is a loopback address.",
		autoOnOff, false, position(func(s *Settings) *Switch { return &s.Playground }),
	},
	{
		"DRAGOMAN_INTROSPECTION", "auto",
		"Introspection of the schema. auto: as for the playground.",
		autoOnOff, false, position(func(s *Settings) *Switch { return &s.Introspection }),
	},
	{
		"DRAGOMAN_DOCS", "on",
		"The documentation of the APIs at /docs. It holds no secret, and is on for public servers too.",
		onOff, false, boolean(func(s *Settings) *bool { return &s.Docs }),
	},
	{
		"DRAGOMAN_LOG_LEVEL", "info",
		"What is logged, as JSON on standard error.",
		"debug, info, warn or error", false, parseLevel,
	},
	{
		"DRAGOMAN_SLOW_STATEMENT", "500ms",
		"Database statements that take this long are logged, without their arguments; 0 for none.",
		"a duration from 0 to 1h, for example 500ms",
		false, between(0, time.Hour, func(s *Settings) *time.Duration { return &s.SlowStatement }),
	},
	{
		"DRAGOMAN_METRICS_LISTEN", "",
		"A separate address for /metrics, for Prometheus.",
		"host:port, for example localhost:9090", false, parseMetricsListen,
	},
	{
		"DRAGOMAN_METRICS_TOKEN", "",
		"The Bearer token that /metrics asks for. Without DRAGOMAN_METRICS_LISTEN, /metrics is then served on " +
			"the main address.",
		"at least 32 random bytes, for example the output of: openssl rand -base64 32", true, parseMetricsToken,
	},
}

const (
	onOff     = "on or off"
	autoOnOff = "auto, on or off"
)

// Print writes the table of settings for the terminal.
func Print(w io.Writer) {
	fmt.Fprintln(w, "Settings, read from the environment (secrets also from a file named by NAME_FILE):")
	for _, k := range keys {
		name := k.name
		if k.secret {
			name += ", " + k.name + "_FILE"
		}
		fmt.Fprintf(w, "\n  %s\n      %s\n      Expected: %s.", name, k.meaning, k.want)
		if k.defaultValue != "" {
			fmt.Fprintf(w, " Default: %s.", k.defaultValue)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w,
		"\nTraces follow the standard variables OTEL_EXPORTER_OTLP_ENDPOINT and so on: see docs/operations.md.")
}

func boolean(field func(*Settings) *bool) func(*Settings, string) bool {
	return func(s *Settings, v string) bool {
		*field(s) = v == "on" || v == "true"
		return v == "on" || v == "off" || v == "true" || v == "false"
	}
}

func position(field func(*Settings) *Switch) func(*Settings, string) bool {
	return func(s *Settings, v string) bool {
		*field(s) = Switch(v)
		return v == string(Auto) || v == string(On) || v == string(Off)
	}
}

func between(least, most time.Duration, field func(*Settings) *time.Duration) func(*Settings, string) bool {
	return func(s *Settings, v string) bool {
		d, err := time.ParseDuration(v)
		*field(s) = d
		return err == nil && d >= least && d <= most
	}
}

func word(field func(*Settings) *string) func(*Settings, string) bool {
	return func(s *Settings, v string) bool {
		*field(s) = v
		return !strings.ContainsAny(v, " \t\r\n")
	}
}

func parseBreached(s *Settings, v string) bool {
	s.BreachedPasswords = v
	if v == "" {
		return true
	}
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil &&
		!strings.ContainsAny(v, "?# ")
}

func parseDatabase(s *Settings, v string) bool {
	s.DatabaseURL = secret.Text(v)
	return v == "" || strings.HasPrefix(v, "postgres://") || strings.HasPrefix(v, "postgresql://")
}

func parseSecret(s *Settings, v string) bool {
	s.Secret = secret.Text(v)
	if v == "" {
		return true
	}
	_, err := secret.New([]byte(v))
	return err == nil
}

// whole parses a whole number from least to most.
func whole(least, most int, field func(*Settings) *int) func(*Settings, string) bool {
	return func(s *Settings, v string) bool {
		n, err := strconv.Atoi(v)
		*field(s) = n
		return err == nil && n >= least && n <= most
	}
}

func parseProxies(s *Settings, v string) bool {
	if v == "" {
		return true
	}
	for part := range strings.SplitSeq(v, ",") {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			return false
		}
		s.TrustedProxies = append(s.TrustedProxies, prefix.Masked())
	}
	return true
}

func parseDialectPasswords(s *Settings, v string) bool {
	s.StrictPasswords = v == "strict"
	return v == "strict" || v == "documented"
}

func parseLevel(s *Settings, v string) bool {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	level, ok := levels[v]
	s.LogLevel = level
	return ok
}
