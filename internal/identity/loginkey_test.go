package identity

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLoginKey(t *testing.T) {
	t.Parallel()
	for _, same := range [][]string{
		{"alice@example.com", " Alice@EXAMPLE.com ", "ALICE@example.COM"},
		{"a@xn--bcher-kva.example", "A@Bücher.example", "a@bu\u0308cher.example"},
		{"alice", " ALICE", "Alice ", "alice\n", "\u2028alice\u00a0"},
		{"a b", "a b\r\n", strings.Repeat(" ", 400) + "A B"},
		{"admin", "Admin", " ADMIN "},
		{"ålice@example.com", "ÅLICE@EXAMPLE.COM", "A\u030alice@example.com"},
		{"", " ", "\xff"},
		{strings.Repeat("x", 320), strings.Repeat("x", 1<<20)},
	} {
		for _, text := range same {
			if got := LoginKey(text); got != same[0] {
				t.Errorf("LoginKey(%.80q) = %.80q, want %.80q", text, got, same[0])
			}
		}
	}
	if LoginKey("a.b@example.com") == LoginKey("ab@example.com") {
		t.Error("ID-01: two accounts share a key")
	}
}

func FuzzLoginKey(f *testing.F) {
	for _, seed := range []string{"alice", "A@Bücher.example", strings.Repeat("İ", 200), "\xff\x00", "a@x\r\nBcc:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key := LoginKey(text)
		if len(key) > maxLoginKey || !utf8.ValidString(key) || key != LoginKey(text) {
			t.Errorf("LoginKey(%q) = %q", text, key)
		}
	})
}
