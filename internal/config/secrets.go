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

// Master gives the server secret with the previous secrets. The secret is DRAGOMAN_SECRET, or else the generated one in
// the data directory, which Master makes if it is missing (KE-03).
func (s *Settings) Master() (*secret.Master, error) {
	current, err := s.currentSecret()
	if err != nil {
		return nil, err
	}
	var previous [][]byte
	for _, text := range s.PreviousSecrets {
		if text.Reveal() == string(current) {
			return nil, errors.New("DRAGOMAN_SECRET_PREVIOUS: it holds the current secret; leave that out")
		}
		previous = append(previous, []byte(text.Reveal()))
	}
	m, err := secret.New(current, previous...)
	if err != nil && s.Secret == "" { // Load checked the strength of a secret that is set
		return nil, fmt.Errorf("%s: %w", s.SecretFile(), err)
	}
	return m, err
}

// SecretFile gives the path of the generated secret, or "" if DRAGOMAN_SECRET is set.
func (s *Settings) SecretFile() string {
	if s.Secret != "" {
		return ""
	}
	return filepath.Join(s.DataDir, "secret")
}

func (s *Settings) currentSecret() ([]byte, error) {
	if text := s.Secret.Reveal(); text != "" {
		return []byte(text), nil
	}
	if s.DatabaseURL != "" && !s.Loopback() {
		return nil, errors.New("DRAGOMAN_SECRET is not set: others than this machine can reach the server, and all " +
			"servers on one Postgres need the same secret; make one with: openssl rand -base64 32")
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

// maxPrevious bounds the cost of a token check, which tries every secret.
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

// parseHS256 requires a key as strong as a server secret (JW-07).
func parseHS256(s *Settings, v string) bool {
	s.HS256Secret = secret.Text(v)
	if v == "" {
		return true
	}
	_, err := secret.New([]byte(v))
	return err == nil
}

// checkSecrets refuses a secret that two settings share.
func (s *Settings) checkSecrets() error {
	if s.Secret != "" && slices.Contains(s.PreviousSecrets, s.Secret) {
		return &Error{Name: "DRAGOMAN_SECRET_PREVIOUS", Want: "other secrets than DRAGOMAN_SECRET"}
	}
	if s.HS256Secret != "" && (s.HS256Secret == s.Secret || slices.Contains(s.PreviousSecrets, s.HS256Secret)) {
		// The backend that knows this key could derive all other keys, and sign in as anybody.
		return &Error{Name: "DRAGOMAN_JWT_HS256_SECRET", Want: "another secret than the server secret"}
	}
	return s.checkMigration()
}

// IsOwnSecret tells whether a text is a secret of this server, but for white space around it.
func (s *Settings) IsOwnSecret(text string) bool {
	given := secret.Text(strings.TrimSpace(text))
	return given != "" && (given == s.Secret || given == s.HS256Secret || slices.Contains(s.PreviousSecrets, given))
}
