package password

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// KeycloakHash reads one of the credentials of a user in the export of a Keycloak realm, as JSON. Since Keycloak 8 its
// two members secretData and credentialData are JSON in a string.
func KeycloakHash(credential []byte) (Foreign, error) {
	h, err := keycloakHash(credential)
	if err != nil {
		return Foreign{}, fmt.Errorf("password hash: Keycloak: %w", err)
	}
	return foreign(h), nil
}

// keycloakPassword are the members of a credential, of its secretData and of its credentialData.
type keycloakPassword struct {
	Type           string
	SecretData     string
	CredentialData string

	Algorithm      string
	HashIterations int
	Salt           string
	Value          string
	Hashed         string `json:"hashedSaltedValue"` // up to Keycloak 7
	Parameters     struct {
		Type, Version, Memory, Parallelism []string
	} `json:"additionalParameters"`
}

func keycloakHash(credential []byte) (stored, error) {
	var c keycloakPassword
	for _, text := range []func() string{
		func() string { return string(credential) },
		func() string { return c.SecretData },
		func() string { return c.CredentialData },
	} {
		if text() == "" {
			continue
		}
		if err := json.Unmarshal([]byte(text()), &c); err != nil {
			return stored{}, errors.New("the credential is not JSON, or its members are of other types")
		}
	}
	if c.Type != "" && c.Type != "password" {
		return stored{}, fmt.Errorf("a credential of the type %q; want password", c.Type)
	}
	if c.Value == "" {
		c.Value = c.Hashed
	}
	if c.Algorithm == "argon2" {
		return c.argon2()
	}
	name, ok := strings.CutPrefix(c.Algorithm, "pbkdf2")
	if !ok {
		return stored{}, fmt.Errorf("the algorithm %q is not known; want pbkdf2, pbkdf2-sha256, pbkdf2-sha512 or argon2",
			c.Algorithm)
	}
	if name = strings.TrimPrefix(name, "-"); name == "" {
		name = "sha1"
	}
	salt, err := decodeBase64(c.Salt, "salt", 1, maxSalt)
	if err != nil {
		return stored{}, err
	}
	sum, err := decodeSum(c.Value)
	if err != nil {
		return stored{}, err
	}
	return pbkdf2Of(name, strconv.Itoa(c.HashIterations), salt, sum)
}

func (c keycloakPassword) argon2() (stored, error) {
	p := c.Parameters
	for _, one := range [][]string{p.Type, p.Version, p.Memory, p.Parallelism} {
		if len(one) != 1 {
			return stored{}, errors.New("argon2 needs the parameters type, version, memory and parallelism")
		}
	}
	if p.Version[0] != "1.3" {
		return stored{}, errors.New("want argon2 of version 1.3; no other one is verified")
	}
	trim := func(text string) string { return strings.TrimRight(text, "=") }
	return parseArgon2(fmt.Sprintf("$argon2%s$v=19$m=%s,t=%d,p=%s$%s$%s",
		p.Type[0], p.Memory[0], c.HashIterations, p.Parallelism[0], trim(c.Salt), trim(c.Value)))
}
