package secret_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

func newMaster(t testing.TB) *secret.Master {
	t.Helper()
	m, err := secret.New(secret.Generate())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestKE03_WeakSecretsRefused(t *testing.T) {
	t.Parallel()
	table := []struct{ name, raw string }{
		{"empty", ""},
		{"short word", "secret"},
		{"31 good bytes", "nFz0Q4dV8yLr2WbTgX7kJpS5mHcA1eU"},
		{"one byte", strings.Repeat("x", 64)},
		{"zero bytes", strings.Repeat("\x00", 64)},
		{"two bytes", strings.Repeat("ab", 32)},
		{"nine bytes", strings.Repeat("q7Zp2Lx9B", 8)},
		{"long pattern", strings.Repeat("q7Zp2Lx9Bk4M", 4)},
		{"long pattern cut", strings.Repeat("q7Zp2Lx9Bk4M", 4)[:43]},
		{"long pattern with a tail", strings.Repeat("q7Zp2Lx9Bk4M", 4) + "!?"},
		{"hex digits twice", "0123456789abcdef0123456789abcdef"},
		{"alphabet", "abcdefghijklmnopqrstuvwxyz0123456789"},
		{"padding behind a word", "Tr0ub4dor&3" + strings.Repeat("0", 32)},
		{"changeme repeated", strings.Repeat("changeme", 5)},
		{"changeme repeated with a tail", strings.Repeat("changeme", 5) + "!1"},
		{"placeholder", "please-change-this-secret-before-production"},
		{"placeholder in capitals", "YOUR_SUPER_SECRET_JWT_KEY_AT_LEAST_32_CHARACTERS_LONG"},
		{"placeholder with a number", "dragoman-default-secret-for-development-2024"},
	}
	for _, row := range table {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, err := secret.New([]byte(row.raw))
			if err == nil || m != nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), "openssl rand -base64 32") {
				t.Errorf("%q does not say how to make one", err)
			}
			if len(row.raw) > 8 && strings.Contains(err.Error(), row.raw[:8]) {
				t.Errorf("%q holds the secret", err)
			}
		})
	}
}

func TestKE03_RandomSecretsAccepted(t *testing.T) {
	t.Parallel()
	forms := map[string]func([]byte) []byte{
		"raw":       func(b []byte) []byte { return b },
		"base64":    func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) },
		"base64url": func(b []byte) []byte { return []byte(base64.RawURLEncoding.EncodeToString(b)) },
		"hex":       func(b []byte) []byte { return []byte(hex.EncodeToString(b)) },
		"labelled":  func(b []byte) []byte { return append([]byte("my-secret-key-"), hex.EncodeToString(b)...) },
		"generated": func([]byte) []byte { return secret.Generate() },
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2000 {
				raw := make([]byte, 32)
				_, _ = rand.Read(raw)
				if _, err := secret.New(form(raw)); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestKE03_GeneratedSecretsDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		raw := secret.Generate()
		bits, err := base64.RawURLEncoding.DecodeString(string(raw))
		if err != nil || len(bits) != 32 {
			t.Fatalf("%d bytes, %v", len(bits), err)
		}
		if seen[string(raw)] {
			t.Fatal("drawn twice")
		}
		seen[string(raw)] = true
	}
}

func TestKey_DependsOnSecretAndPurpose(t *testing.T) {
	t.Parallel()
	raw := secret.Generate()
	a, err := secret.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := secret.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	other := newMaster(t)
	msg := []byte("message")
	want := a.Key("refresh").MAC(msg)
	if len(want) != 32 || len(a.Key("refresh").ID()) != 4 {
		t.Error("wrong length of MAC or id")
	}
	if !bytes.Equal(again.Key("refresh").MAC(msg), want) || again.Key("refresh").ID() != a.Key("refresh").ID() {
		t.Error("the same secret and purpose gave another key")
	}
	if bytes.Equal(a.Key("session").MAC(msg), want) || a.Key("session").ID() == a.Key("refresh").ID() {
		t.Error("another purpose gave the same key")
	}
	if bytes.Equal(other.Key("refresh").MAC(msg), want) || other.Key("refresh").ID() == a.Key("refresh").ID() {
		t.Error("another secret gave the same key")
	}
}

func TestHMACKey_DependsOnSecretAndPurpose(t *testing.T) {
	t.Parallel()
	raw := secret.Generate()
	a, err := secret.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := secret.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	key := a.HMACKeys("tokens")[0]
	if len(key) != 32 || !bytes.Equal(again.HMACKeys("tokens")[0], key) {
		t.Error("the same secret and purpose gave another key")
	}
	if bytes.Equal(a.HMACKeys("other")[0], key) || bytes.Equal(newMaster(t).HMACKeys("tokens")[0], key) {
		t.Error("another purpose or secret gave the same key")
	}
	plain := hmac.New(sha256.New, key)
	plain.Write([]byte{0, 0, 0, 0, 0, 0, 0, 1, 'x'}) // the input of the HMAC in MAC: the length, then x
	if bytes.Equal(a.Key("tokens").MAC([]byte("x")), plain.Sum(nil)) {
		t.Error("Key of the same purpose is the same key")
	}
}

func TestMAC_PartsAreFramed(t *testing.T) {
	t.Parallel()
	key := newMaster(t).Key("test")
	lists := [][]string{
		{},
		{""},
		{"", ""},
		{"abc"},
		{"ab", "c"},
		{"a", "bc"},
		{"abc", ""},
		{"", "abc"},
		{"a\x00\x00\x00\x00\x00\x00\x00\x01b"},
		{"a", "b"},
	}
	seen := map[string][]string{}
	for _, list := range lists {
		var parts [][]byte
		for _, part := range list {
			parts = append(parts, []byte(part))
		}
		mac := string(key.MAC(parts...))
		if twin, ok := seen[mac]; ok {
			t.Errorf("%q and %q have one MAC", twin, list)
		}
		seen[mac] = list
	}
}
