package identity

import "strings"

const (
	minUsername = 3  // bytes
	maxUsername = 32 // bytes
)

// Username reads a username (ID-04, ID-05). original has the typed case: show it. canonical is in lower case: compare
// it and keep it unique. A username has 3 to 32 ASCII letters, digits, dots, underscores and hyphens, with at least one
// letter or digit, so it never looks like an email address. Surrounding white space is removed. Names of the server, of
// its staff and of nobody are reserved, and so is the form of an id.
func Username(text string) (original, canonical string, err error) {
	if err := CheckPrintable(text); err != nil {
		return "", "", err
	}
	original = strings.TrimSpace(text)
	if len(original) < minUsername || len(original) > maxUsername {
		return "", "", refuse("Please choose a username of 3 to 32 characters.")
	}
	canonical = strings.ToLower(original)
	switch {
	case strings.ContainsFunc(original, notInUsername):
		return "", "",
			refuse("Please use only the letters a to z, digits, dots, underscores and hyphens in a username.")
	case !strings.ContainsFunc(original, letterOrDigit):
		return "", "", refuse("Please use at least one letter or digit in a username.")
	case reserved(canonical) || looksLikeID(canonical):
		return "", "", refuse("This username is reserved. Please choose another.")
	}
	return original, canonical, nil
}

func notInUsername(r rune) bool {
	return !letterOrDigit(r) && r != '.' && r != '_' && r != '-'
}

// reserved reports whether people could take a canonical username for the server or its staff, programs could take it
// for no value, or it is the name of a route or mailbox (RFC 2142). Dots, underscores and hyphens are ignored.
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

// looksLikeID reports whether a canonical username has the form of a UUID, with or without hyphens, or of a typed id: a
// prefix, "_", and 26 characters of Crockford's base32.
func looksLikeID(canonical string) bool {
	hex := strings.ReplaceAll(canonical, "-", "")
	if len(hex) == 32 && strings.Trim(hex, "0123456789abcdef") == "" {
		return true
	}
	prefix, suffix, found := strings.Cut(canonical, "_")
	return found && prefix != "" && len(suffix) == 26 &&
		strings.Trim(suffix, "0123456789abcdefghjkmnpqrstvwxyz") == ""
}
