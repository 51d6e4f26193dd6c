package config

import (
	"net/url"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/webhook"
)

// migrateKeys are the settings of the old system that is asked about unknown names.
var migrateKeys = []key{
	{
		"DRAGOMAN_MIGRATE_URL", "",
		"Where a sign-in by a name that no account has is asked for in the old system, which makes the account on a " +
			"yes. See docs/moving-in.md.",
		"an absolute https URL, or http to a loopback address, without user and fragment, for example " +
			"https://old.example.com/dragoman, and DRAGOMAN_MIGRATE_SECRET with it",
		true, parseMigrateURL,
	},
	{
		"DRAGOMAN_MIGRATE_SECRET", "",
		"Signs these questions, as Standard Webhooks has it. The old system has it too.",
		"whsec_ and the base64 of 32 to 64 random bytes that are no other secret, for example the output of: " +
			"echo whsec_$(openssl rand -base64 32)",
		true, parseMigrateSecret,
	},
}

// parseMigrateURL wants TLS where others could listen: questions carry passwords.
func parseMigrateURL(s *Settings, v string) bool {
	s.MigrateURL = secret.Text(v)
	if v == "" {
		return true
	}
	u, err := url.Parse(v)
	return err == nil && u.Hostname() != "" && u.User == nil && !strings.ContainsAny(v, "# ") &&
		(u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()))
}

// parseMigrateSecret requires a key as strong as a server secret.
func parseMigrateSecret(s *Settings, v string) bool {
	s.MigrateSecret = secret.Text(v)
	if v == "" {
		return true
	}
	key, err := webhook.Key(s.MigrateSecret)
	if err == nil {
		_, err = secret.New(key)
	}
	return err == nil
}

// checkMigration refuses one of the two settings without the other one, and a secret that is another one of this server
// too: the old system knows it.
func (s *Settings) checkMigration() error {
	if (s.MigrateURL == "") != (s.MigrateSecret == "") {
		lacking, given := "DRAGOMAN_MIGRATE_SECRET", "DRAGOMAN_MIGRATE_URL"
		if s.MigrateURL == "" {
			lacking, given = given, lacking
		}
		return &Error{Name: lacking, Want: "a value, since " + given + " is set; set both or none"}
	}
	key, _ := webhook.Key(s.MigrateSecret) // Load has read it
	whole := s.MigrateSecret.Reveal()
	if slices.ContainsFunc([]string{string(key), whole, strings.TrimPrefix(whole, "whsec_")}, s.IsOwnSecret) {
		return &Error{Name: "DRAGOMAN_MIGRATE_SECRET", Want: "another secret than those of this server"}
	}
	return nil
}
