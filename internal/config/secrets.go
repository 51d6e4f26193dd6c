package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/secret"
	"github.com/dragoman-auth/dragoman/internal/token"
)

// Master is the server secret: the one that is set, else the one in the data directory, which it makes (KE-03); and
// those that are accepted beside it.
func (s *Settings) Master() (*secret.Master, error) {
	present, err := s.present()
	if err != nil {
		return nil, err
	}
	var further [][]byte
	for _, text := range s.PreviousSecrets {
		if text.Reveal() == string(present) {
			return nil, errors.New(
				"DRAGOMAN_SECRET_PREVIOUS holds the present secret: a rotation has two different ones",
			)
		}
		further = append(further, []byte(text.Reveal()))
	}
	m, err := secret.New(present, further...)
	if err != nil && s.Secret == "" { // what is set was checked as it was read
		return nil, fmt.Errorf("%s: %w", s.SecretFile(), err)
	}
	return m, err
}

// SecretFile is where the generated secret lives; "" when the secret is set and comes from elsewhere.
func (s *Settings) SecretFile() string {
	if s.Secret != "" {
		return ""
	}
	return filepath.Join(s.DataDir, "secret")
}

func (s *Settings) present() ([]byte, error) {
	if text := s.Secret.Reveal(); text != "" {
		return []byte(text), nil
	}
	if s.DatabaseURL != "" && !s.Loopback() {
		return nil, errors.New(
			"DRAGOMAN_SECRET is not set: servers that share a Postgres need the same secret, and this one " +
				"listens to others than this machine. Make one with: openssl rand -base64 32",
		)
	}
	if err := s.makeDataDir(); err != nil {
		return nil, err
	}
	b, err := secret.LoadOrCreate(s.SecretFile())
	if err != nil {
		return nil, fmt.Errorf("DRAGOMAN_DATA_DIR: %w", err)
	}
	return b, nil
}

// maxPrevious bounds what each check of a token may cost.
const maxPrevious = 3

func parsePrevious(s *Settings, v string) bool {
	for line := range strings.SplitSeq(v, "\n") {
		if line = strings.Trim(line, "\r"); line == "" {
			continue
		}
		if _, err := secret.New([]byte(line)); err != nil || slices.Contains(s.PreviousSecrets, secret.Text(line)) {
			return false
		}
		s.PreviousSecrets = append(s.PreviousSecrets, secret.Text(line))
	}
	return len(s.PreviousSecrets) <= maxPrevious
}

func parseAlg(s *Settings, v string) bool {
	s.JWTAlg = v
	return v == token.AlgES256 || v == token.AlgEdDSA || v == token.AlgRS256
}

// parseHS256 asks of the key what is asked of a server secret (JW-07).
func parseHS256(s *Settings, v string) bool {
	s.HS256Secret = secret.Text(v)
	if v == "" {
		return true
	}
	_, err := secret.New([]byte(v))
	return err == nil
}

// checkSecrets refuses a secret that stands in two places.
func (s *Settings) checkSecrets() error {
	if s.Secret != "" && slices.Contains(s.PreviousSecrets, s.Secret) {
		return &Error{Name: "DRAGOMAN_SECRET_PREVIOUS", Want: "other secrets than DRAGOMAN_SECRET"}
	}
	if s.HS256Secret != "" && (s.HS256Secret == s.Secret || slices.Contains(s.PreviousSecrets, s.HS256Secret)) {
		// A backend that shares it could sign in as anybody.
		return &Error{Name: "DRAGOMAN_JWT_HS256_SECRET", Want: "another secret than the server secret"}
	}
	return nil
}
