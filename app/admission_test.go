package app

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
)

// LG-13: a limit in the schema without a rule stops the start, also with limits switched off.
func TestLG13_UnknownLimit(t *testing.T) {
	t.Parallel()
	_, err := (&Server{}).openLimiters([]gqlhttp.Credential{{Field: "ask", Limit: "logins"}})
	if err == nil || !strings.Contains(err.Error(), `ask has @credential(limit: "logins")`) {
		t.Errorf("%v", err)
	}
}
