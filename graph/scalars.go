package graph

import (
	"io"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// MarshalDateTime writes an instant in UTC with milliseconds, whatever zone the driver gave it:
// 2026-01-31T10:00:00.000Z.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		_, _ = io.WriteString(w, t.UTC().Format(`"2006-01-02T15:04:05.000Z"`))
	})
}

// UnmarshalDateTime reads RFC 3339, in any zone. Years of more than four digits do not exist there.
func UnmarshalDateTime(v any) (time.Time, error) {
	text, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, text)
	_, offset := t.Zone()
	if err != nil || strings.Contains(text, ",") ||
		max(offset, -offset) >= 24*60*60 { // which package time lets through
		return t, fault.New(fault.BadUserInput, "This is not a date and time as in 2026-01-31T10:00:00Z (RFC 3339).")
	}
	return t, nil
}
