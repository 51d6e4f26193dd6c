// Package secret holds the server secret, the keys that come from it, and strings that must not be seen.
//
// The rules of this package:
//   - One server secret. Every purpose gets keys of its own from it, so what one purpose made no other accepts.
//   - A secret redacts itself in fmt, slog and JSON. Reading one takes a call that says so (Reveal).
//   - No error and no panic of this package holds a byte of a secret.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret string: a token, a password, a one-time code. Every verb of fmt that takes a string, slog and both
// JSON packages write "[redacted]" instead. Three places cannot be covered by a string type: an unexported field, where
// fmt does not call methods (a struct that keeps one there redacts itself); %p, which go vet refuses; and the key of a
// map, which encoding/json reads as a plain string.
type Text string

// Reveal is the secret itself, for the one place that hands it out or checks it.
func (t Text) Reveal() string { return string(t) }

// String hides the secret.
func (Text) String() string { return redacted }

// GoString hides the secret.
func (Text) GoString() string { return redacted }

// Format hides the secret from every verb and flag; without it %x and %q would read the bytes.
func (Text) Format(s fmt.State, _ rune) { redact(s) }

// LogValue hides the secret from slog.
func (Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from encoders. The other direction stays plain: a secret can be read from JSON, not
// written to it.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func redact(w io.Writer) {
	// fmt.State collects what is written and has no failure to report.
	_, _ = io.WriteString(w, redacted)
}
