package docs

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// readFor is the mail of a step, as what it keeps is taken from.
func readFor(t *testing.T, i *harness.Instance, step *rest.MailStep) []byte {
	t.Helper()
	found, err := i.MailReader(t)(t.Context(), step.Kind, step.To)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(harness.JSONOf(t, found))
}

// codeFor is what the authenticator app of a step shows, whose secret an earlier step kept.
func codeFor(t *testing.T, i *harness.Instance, secret string, env []string) []byte {
	t.Helper()
	for _, kept := range env {
		name, value, _ := strings.Cut(kept, "=")
		secret = strings.ReplaceAll(secret, "{"+name+"}", value)
	}
	code, err := i.CodeOf(secret)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(harness.JSONOf(t, map[string]string{"code": code}))
}
