// Package secret holds the server secret, the keys derived from it, and strings that must not be shown.
//
// The rules of this package:
//   - All keys are derived from the server secret. Each purpose has its own keys, so no value of one purpose is valid
//     for another.
//   - A secret redacts itself in fmt, slog and JSON. Only Text.Reveal returns a secret string.
//   - No error and no panic contains a byte of a secret.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Text is a secret string: a token, a password, a one-time code. fmt, slog and both JSON packages write "[redacted]"
// instead. Text cannot redact itself in three places: in an unexported field of a struct, where fmt calls no methods,
// so the struct must redact itself; under %p, which go vet rejects; and as the key of a map in encoding/json.
type Text string

// Reveal returns the secret itself.
func (t Text) Reveal() string { return string(t) }

// String hides the secret.
func (Text) String() string { return redacted }

// GoString hides the secret.
func (Text) GoString() string { return redacted }

// Format hides the secret from every verb and flag. Without it, %x and %q would show the bytes.
func (Text) Format(s fmt.State, _ rune) { redact(s) }

// LogValue hides the secret from slog.
func (Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from encoders. There is no UnmarshalText, so a secret can be read from JSON.
func (Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func redact(w io.Writer) {
	_, _ = io.WriteString(w, redacted) // never fails: w is a fmt.State
}
