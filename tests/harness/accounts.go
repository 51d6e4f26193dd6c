package harness

import (
	"testing"
)

// Registers sends a registration without judging it.
func (i *Instance) Registers(t testing.TB, fields ...any) *Answer {
	t.Helper()
	return i.GraphQL(t, "", RegisterDoc, InputOf(fields...))
}
