// Package version says which Dragoman this is, from what the Go toolchain writes into the program.
package version

import (
	"runtime/debug"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// String is "1.2.3" in a program that was built from the tag v1.2.3, as it stands there. Any other is "devel", with the commit
// where that is known: "devel (1a2b3c4)", or "devel (1a2b3c4-dirty)" with changes on top of it.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return of(info)
}

func of(info *debug.BuildInfo) string {
	if v := info.Main.Version; semver.IsValid(v) && semver.Build(v) == "" && !module.IsPseudoVersion(v) {
		return v[len("v"):]
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(7, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "-dirty"
		}
	}
	if revision == "" {
		return "devel"
	}
	return "devel (" + revision + changed + ")"
}
