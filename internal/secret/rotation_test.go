package secret_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

func masters(t *testing.T, raws ...[]byte) *secret.Master {
	t.Helper()
	m, err := secret.New(raws[0], raws[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// KE-02: values sealed under every secret open, new values are sealed under the present secret, and a Master without a
// secret does not open its values.
func TestKE02_FurtherSecrets(t *testing.T) {
	t.Parallel()
	old, fresh, third := secret.Generate(), secret.Generate(), secret.Generate()
	before, after := masters(t, old).Key("store"), masters(t, fresh, old, third).Key("store")
	sealed, err := before.Seal([]byte("plain"), where)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := after.Open(sealed, where)
	if err != nil || string(plain) != "plain" || after.Present(sealed) || !before.Present(sealed) {
		t.Errorf("an older value: %q, %v", plain, err)
	}
	if _, err := after.Open(sealed, where+"x"); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("in another place: %v", err)
	}
	again, err := after.Seal([]byte("plain"), where)
	if err != nil || !after.Present(again) {
		t.Fatal(err)
	}
	if _, err := before.Open(again, where); !errors.Is(err, secret.ErrSealed) {
		t.Error("the old secret alone opens what the new one sealed")
	}
	if plain, err := masters(t, fresh).Key("store").Open(again, where); err != nil || string(plain) != "plain" {
		t.Errorf("the new secret alone: %v", err)
	}
	msg := []byte("message")
	if !bytes.Equal(after.MAC(msg), masters(t, fresh).Key("store").MAC(msg)) ||
		!bytes.Equal(after.Previous()[0].MAC(msg), before.MAC(msg)) ||
		len(after.Previous()) != 2 || len(before.Previous()) != 0 || after.Previous()[0].ID() != before.ID() {
		t.Error("the keys are not those of the secrets in their order")
	}
	all := masters(t, fresh, old, third).HMACKeys("tokens")
	if len(all) != 3 || !bytes.Equal(all[0], masters(t, fresh).HMACKeys("tokens")[0]) ||
		!bytes.Equal(all[2], masters(t, third).HMACKeys("tokens")[0]) {
		t.Error("the HMAC keys are others")
	}
}

func TestKE02_Stable(t *testing.T) {
	t.Parallel()
	old, fresh := secret.Generate(), secret.Generate()
	id := masters(t, old).IDs()[0]
	want := masters(t, old).Stable("x").MAC([]byte("y"))
	for name, m := range map[string]*secret.Master{
		"one":     masters(t, old),
		"after":   masters(t, fresh, old),
		"told":    masters(t, fresh, old).WithOldest(id),
		"before":  masters(t, old, fresh).WithOldest(id),
		"unknown": masters(t, fresh, old).WithOldest("none"),
	} {
		if !bytes.Equal(m.Stable("x").MAC([]byte("y")), want) {
			t.Errorf("%s: another key", name)
		}
	}
	if ids := masters(t, fresh, old).IDs(); !slices.Contains(ids, id) || ids[0] == id || len(ids[0]) != 4 {
		t.Errorf("ids %v", ids)
	}
}

// KE-03: further secrets must be as strong as the present one, and different from it.
func TestKE03_FurtherSecretsRefused(t *testing.T) {
	t.Parallel()
	good := secret.Generate()
	for name, further := range map[string][]byte{
		"weak":        []byte("hunter2"),
		"empty":       nil,
		"the same":    good,
		"placeholder": []byte(strings.Repeat("changeme", 5)),
	} {
		m, err := secret.New(good, further)
		if err == nil || m != nil || !strings.Contains(err.Error(), "previous") ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
