package secret_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

const where = "signing_keys/7/private"

func TestKE01_SealedValueOpensInItsPlace(t *testing.T) {
	t.Parallel()
	key := newMaster(t).Key("store")
	for _, plain := range []string{"", "x", "a private key"} {
		sealed, err := key.Seal([]byte(plain), where)
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != len(plain)+32 || (len(plain) > 1 && bytes.Contains(sealed, []byte(plain))) {
			t.Errorf("%d bytes became %d", len(plain), len(sealed))
		}
		got, err := key.Open(sealed, where)
		if err != nil || string(got) != plain {
			t.Errorf("opened as %q, %v", got, err)
		}
	}
}

func TestKE01_SealIsRandom(t *testing.T) {
	t.Parallel()
	key := newMaster(t).Key("store")
	seen := map[string]bool{}
	for range 1000 {
		sealed, err := key.Seal([]byte("same"), where)
		if err != nil {
			t.Fatal(err)
		}
		nonce := string(sealed[4:16])
		if seen[nonce] {
			t.Fatal("a nonce was used twice")
		}
		seen[nonce] = true
	}
}

func TestKE01_SealedValueOpensNowhereElse(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	key := m.Key("store")
	sealed, err := key.Seal([]byte("a private key"), where)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(t *testing.T, key secret.Key, sealed []byte, where string) {
		t.Helper()
		if got, err := key.Open(sealed, where); !errors.Is(err, secret.ErrSealed) || got != nil {
			t.Errorf("opened as %q, %v", got, err)
		}
	}
	for _, place := range []string{
		"", "signing_keys/8/private", "signing_keys/7/public", "hooks/7/private", where + " ",
	} {
		opens(t, key, sealed, place)
	}
	opens(t, m.Key("other"), sealed, where)
	opens(t, newMaster(t).Key("store"), sealed, where)
	for i := range sealed {
		opens(t, key, sealed[:i], where)
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1
		opens(t, key, flipped, where)
	}
	opens(t, key, append(bytes.Clone(sealed), 0), where)

	// The key id in front is public. A value with a forged key id must not open under the other key.
	renamed := bytes.Clone(sealed)
	other := m.Key("other")
	foreign, err := other.Seal(nil, where)
	if err != nil {
		t.Fatal(err)
	}
	copy(renamed, foreign[:4])
	opens(t, other, renamed, where)
}
