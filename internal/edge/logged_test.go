package edge

import "testing"

func TestAU02_LoggedPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/login":                             "/login",
		"/password/reset/ot1.01k9.abc":       "/password/reset/…",
		"/password/reset/ot1.01k9.abc/again": "/password/reset/…/again",
		"/password/reset/ OT1.01k9.abc":      "/password/reset/ …",
		"/x/st1.a/rt1.b/eyJhbGciOi.c.d":      "/x/…/…/…",
		"/keys/sk_live_abc":                  "/keys/…",
		"/users/user_01k9":                   "/users/user_01k9",
	} {
		if got := logged(path); got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}
