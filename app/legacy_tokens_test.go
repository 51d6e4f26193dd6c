package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/config"
	"github.com/dragoman-auth/dragoman/rest"
)

// The file of DRAGOMAN_LEGACY_TOKENS is read strictly: a mistake in it refuses the start, and is named.
func TestLegacyTokens_File(t *testing.T) {
	t.Parallel()
	dialects, err := rest.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	const good, own = "wM4zq8Lr2Tn6Vx0Bk5Hd9Yc3Gf7Ps1Ju", "Zb3Xq0mTt8sWk2Rj6VnYc4Lh9Dp1Fg7Ux5Ae"
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("good", good)
	write("own", own+"\n")
	write("weak", strings.Repeat("a", 64))
	for text, want := range map[string]string{
		"wolfpal: {alg: HS256, key: good}":                             "",
		"wolfpal: {alg: HS256, key: good, account: number, claim: id}": "",
		"# nothing":                                        "",
		"nobody: {alg: HS256, key: good}":                  `no dialect "nobody" is served`,
		"graphql: {alg: HS256, key: good}":                 `no dialect "graphql" is served`,
		"wolfpal: {alg: HS256, key: own}":                  "a secret of this server",
		"wolfpal: {alg: HS256, key: weak}":                 "too weak",
		"wolfpal: {alg: HS256, key: missing}":              "can not be read",
		"wolfpal: {alg: HS256}":                            "key is missing",
		"wolfpal: {alg: none, key: good}":                  "algorithm is not known",
		"wolfpal: {alg: HS256, key: good, account: email}": "write externalId or number",
		"wolfpal: {alg: HS256, key: good, write: true}":    "write",
		"wolfpal: [alg]":                                   "DRAGOMAN_LEGACY_TOKENS",
		"wolfpal: {alg: HS256, key: good}\nwolfpal: {}":    "wolfpal",
	} {
		settings := &config.Settings{LegacyTokens: write("tokens.yaml", text), Secret: own}
		got, err := LegacyTokens(settings, dialects, time.Now)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), good) || err != nil && len(got) > 0 {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := LegacyTokens(&config.Settings{LegacyTokens: dir + "/none"}, dialects, time.Now); err == nil {
		t.Error("a missing file")
	}
	for _, d := range dialects {
		want := map[string]string{"authcompanion": "userid", "service-authentication": "id"}[d.Name]
		if want == "" {
			want = "sub"
		}
		if got := d.IDClaim(); got != want {
			t.Errorf("%s: the id is in %s, want %s", d.Name, got, want)
		}
	}
}
