package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/internal/token"
	"github.com/dragoman-auth/dragoman/resolvers"
	"github.com/dragoman-auth/dragoman/rest"
)

// legacyRules are what the file of DRAGOMAN_LEGACY_TOKENS says of one dialect.
type legacyRules struct {
	Alg      string `yaml:"alg"`      // HS256, RS256 or ES256
	Key      string `yaml:"key"`      // the path of the secret or the public key, from the directory of the file
	Claim    string `yaml:"claim"`    // holds the id of the person; "" for that of the dialect's own tokens
	Account  string `yaml:"account"`  // externalId or number; "" for externalId
	Issuer   string `yaml:"issuer"`   // "" for any
	Audience string `yaml:"audience"` // "" for any
}

// LegacyTokens reads the file of DRAGOMAN_LEGACY_TOKENS: for each dialect, how the access tokens of the former system
// are signed. Nil for none. The error is a *config.Error or names the setting, and holds nothing of a key.
func LegacyTokens(
	settings *config.Settings, dialects []*rest.Dialect, now func() time.Time,
) (map[string]resolvers.LegacyTokens, error) {
	const setting = "DRAGOMAN_LEGACY_TOKENS"
	path := settings.LegacyTokens
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &config.Error{Name: setting, Value: path, Want: "a file that can be read"}
	}
	var rules map[string]legacyRules
	if err := yaml.UnmarshalWithOptions(text, &rules, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s: %s", setting, path, yaml.FormatError(err, false, false))
	}
	all := map[string]resolvers.LegacyTokens{}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		at := slices.IndexFunc(dialects, func(d *rest.Dialect) bool { return d.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("%s: %s: no dialect %q is served; name one of DRAGOMAN_DIALECTS", setting, path, name)
		}
		if all[name], err = rules[name].read(filepath.Dir(path), dialects[at], settings, now); err != nil {
			return nil, fmt.Errorf("%s: %s: %s: %w", setting, path, name, err)
		}
	}
	return all, nil
}

// legacyTokens adds what the last restore says: it is finished while no server runs.
func (s *Server) legacyTokens(ctx context.Context) (map[string]resolvers.LegacyTokens, error) {
	if len(s.legacy) == 0 {
		return nil, nil
	}
	restored, err := s.DB.LastRestore(ctx)
	if err != nil {
		return nil, err
	}
	for name, tokens := range s.legacy {
		tokens.Since = restored
		s.legacy[name] = tokens
	}
	return s.legacy, nil
}

func (l legacyRules) read(
	dir string, d *rest.Dialect, settings *config.Settings, now func() time.Time,
) (tokens resolvers.LegacyTokens, err error) {
	if l.Account != "" && l.Account != "externalId" && l.Account != "number" {
		return tokens, fmt.Errorf("account: %q is not usable; write externalId or number", l.Account)
	}
	if l.Key == "" {
		return tokens, errors.New("key is missing; name the file of the secret or of the public key")
	}
	if !filepath.IsAbs(l.Key) {
		l.Key = filepath.Join(dir, l.Key)
	}
	key, err := os.ReadFile(l.Key)
	if err != nil {
		return tokens, errors.New("key: the file can not be read")
	}
	if settings.IsOwnSecret(string(key)) {
		return tokens, errors.New("key: it is a secret of this server; the former system must have another one")
	}
	tokens.ByNumber = l.Account == "number"
	tokens.Verifier, err = token.NewLegacy(token.LegacyRules{
		Alg: l.Alg, Key: key, Claim: cmp.Or(l.Claim, d.IDClaim()), Issuer: l.Issuer, Audience: l.Audience,
	}, now)
	return tokens, err
}
