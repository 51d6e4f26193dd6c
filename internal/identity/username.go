package identity

import (
	"strings"
)

const (
	minUsername = 3
	maxUsername = 32
)

// Username reads a username (security rules ID-04 and ID-05). original keeps the case that was typed, canonical is in
// lower case: the form to compare and to keep unique. Accepted are 3 to 32 ASCII letters, digits, dots, underscores and
// hyphens, at least one of them a letter or digit; surrounding space is dropped. So a username never looks like an
// email address. Names that speak for the server or stand for nobody are reserved, and so is everything that has the
// form of an id.
func Username(text string) (original, canonical string, err error) {
	original = strings.Trim(text, " ")
	if len(original) < minUsername || len(original) > maxUsername {
		return "", "", refuse("Please choose a username of 3 to 32 characters.")
	}
	canonical = strings.ToLower(original)
	switch {
	case strings.ContainsFunc(original, notOfUsername):
		return "", "",
			refuse("Please use only the letters a to z, digits, dots, underscores and hyphens in a username.")
	case !strings.ContainsFunc(original, letterOrDigit):
		return "", "", refuse("Please use at least one letter or digit in a username.")
	case reserved(canonical) || looksLikeID(canonical):
		return "", "", refuse("This username is reserved. Please choose another.")
	}
	return original, canonical, nil
}

func notOfUsername(r rune) bool {
	return !letterOrDigit(r) && r != '.' && r != '_' && r != '-'
}

// reserved tells whether a canonical username is one that others would take for the server or its staff, that a
// program would take for nothing, or that a route or mailbox goes by (RFC 2142). Dots, underscores and hyphens do not
// make another name of it.
func reserved(canonical string) bool {
	switch strings.NewReplacer(".", "", "_", "", "-", "").Replace(canonical) {
	case "admin", "admins", "administrator", "administrators", "root", "superuser", "sysadmin", "sudo", "owner",
		"moderator", "operator", "staff", "official", "team":
	case "system", "daemon", "nobody", "server", "service", "localhost", "bot":
	case "support", "help", "helpdesk", "security", "abuse", "postmaster", "hostmaster", "webmaster", "mailerdaemon",
		"noreply", "donotreply", "info", "contact", "billing", "sales", "legal", "privacy", "trust", "noc", "press":
	case "dragoman", "api", "www", "mail", "smtp", "ftp", "graphql", "graphiql", "rest", "auth", "oauth", "oidc", "sso",
		"account", "accounts", "login", "signin", "signup", "signout", "logout", "register", "recover", "verify",
		"confirm", "session", "sessions", "settings", "password", "token", "tokens", "webhook", "webhooks", "health",
		"metrics", "wellknown", "static", "assets", "docs", "status":
	case "me", "my", "self", "you", "user", "users", "username", "guest", "anonymous", "unknown", "everyone", "all",
		"any", "none", "null", "nil", "undefined", "nan", "true", "false", "deleted", "default", "new", "edit",
		"delete", "test":
	default:
		return false
	}
	return true
}

// looksLikeID tells whether a canonical username has the form of a UUID, with hyphens or without, or of one of our
// typed ids: a prefix, "_", and 26 characters of Crockford's base32.
func looksLikeID(canonical string) bool {
	hex := strings.ReplaceAll(canonical, "-", "")
	if len(hex) == 32 && strings.Trim(hex, "0123456789abcdef") == "" {
		return true
	}
	prefix, suffix, found := strings.Cut(canonical, "_")
	return found && prefix != "" && len(suffix) == 26 &&
		strings.Trim(suffix, "0123456789abcdefghjkmnpqrstvwxyz") == ""
}
