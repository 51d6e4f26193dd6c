package main

import (
	"slices"
	"testing"
)

func TestChooseAndEncode(t *testing.T) {
	words := choose([]string{"Password1", "short", "password", "passport", "PASSWORD"})
	if want := []string{"passport", "password", "password1"}; !slices.Equal(words, want) {
		t.Fatalf("choose = %q, want %q", words, want)
	}
	encoded, err := encode(words)
	if want := "\x00passport\x04word\x081"; err != nil || string(encoded) != want {
		t.Fatalf("encode = %q, %v, want %q", encoded, err, want)
	}
}

func TestEncodeRefusesWhatTheFormCannotSay(t *testing.T) {
	for _, w := range []string{"new\nline", "pässword", "a-word-of-more-than-thirty-one-bytes"} {
		if _, err := encode([]string{w}); err == nil {
			t.Errorf("encode(%q) gave no error", w)
		}
	}
}
