package config

import (
	"errors"
	"testing"
)

// DRAGOMAN_REQUIRE_VERIFIED_EMAIL is refused for a server without mail.
func TestRequireVerifiedEmail(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		env         map[string]string
		refused, is bool
	}{
		{map[string]string{}, false, false},
		{map[string]string{"DRAGOMAN_REQUIRE_VERIFIED_EMAIL": "on"}, false, true},
		{map[string]string{"DRAGOMAN_REQUIRE_VERIFIED_EMAIL": "yes"}, true, false},
		{map[string]string{"DRAGOMAN_SMTP_URL": "none"}, false, false},
		{map[string]string{"DRAGOMAN_REQUIRE_VERIFIED_EMAIL": "on", "DRAGOMAN_SMTP_URL": "none"}, true, false},
	} {
		s, err := Load(func(name string) string { return row.env[name] })
		refusal, ok := errors.AsType[*Error](err)
		switch {
		case row.refused && (!ok || refusal.Name != "DRAGOMAN_REQUIRE_VERIFIED_EMAIL"):
			t.Errorf("%v: %v", row.env, err)
		case !row.refused && (err != nil || s.RequireVerifiedEmail != row.is):
			t.Errorf("%v: %v", row.env, err)
		}
	}
}
