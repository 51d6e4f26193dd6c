package graph

import (
	"io"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// MarshalDateTime writes a time in UTC with milliseconds, as 2026-01-31T10:00:00.000Z.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, t.UTC().Format(`"2006-01-02T15:04:05.000Z"`))
	})
}

// UnmarshalDateTime reads a date and time of RFC 3339, in any zone. The error is a fault.BadUserInput.
func UnmarshalDateTime(v any) (time.Time, error) {
	text, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, text)
	_, offset := t.Zone()
	// Package time accepts a comma before the fraction, and offsets of 24 hours and more: RFC 3339 does not.
	if err != nil || strings.Contains(text, ",") || max(offset, -offset) >= 24*60*60 {
		return t, fault.New(fault.BadUserInput, "It must be a date and time as in 2026-01-31T10:00:00Z (RFC 3339).")
	}
	return t, nil
}
