package docs

import (
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
