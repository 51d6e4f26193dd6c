package version

import (
	"runtime/debug"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	const commit = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
	for name, c := range map[string]struct {
		version, revision, modified, want string
	}{
		"a tag":                      {"v1.2.3", commit, "false", "1.2.3"},
		"a tag, built by go install": {"v0.1.0", "", "", "0.1.0"},
		"a tag of a candidate":       {"v1.2.3-rc.1", commit, "false", "1.2.3-rc.1"},
		"a tag with changes on top":  {"v1.2.3+dirty", commit, "true", "devel (1a2b3c4-dirty)"},
		"behind a tag":               {"v1.2.4-0.20261129000000-1a2b3c4d5e6f", commit, "false", "devel (1a2b3c4)"},
		"behind a tag, with changes": {
			"v1.2.4-0.20261129000000-1a2b3c4d5e6f+dirty", commit, "true",
			"devel (1a2b3c4-dirty)",
		},
		"before any tag":                  {"v0.0.0-20261129000000-1a2b3c4d5e6f", commit, "false", "devel (1a2b3c4)"},
		"a commit, built by go install":   {"v0.0.0-20261129000000-1a2b3c4d5e6f", "", "", "devel"},
		"a test, or built without a repo": {"(devel)", "", "", "devel"},
		"nothing known":                   {"", "", "", "devel"},
		"a short revision":                {"(devel)", "1a2", "false", "devel (1a2)"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Path: "example.com/m", Version: c.version}}
		for key, value := range map[string]string{"vcs.revision": c.revision, "vcs.modified": c.modified} {
			if value != "" {
				info.Settings = append(info.Settings, debug.BuildSetting{Key: key, Value: value})
			}
		}
		if got := of(info); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := String(); got != "devel" {
		t.Errorf("a test program is %q", got)
	}
}
