// Package version returns the version of the program, from the build information of the Go toolchain.
package version

import (
	"runtime/debug"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// String is "1.2.3" for a build of the unchanged tag v1.2.3. Every other build is "devel", with the commit if it is
// known: "devel (1a2b3c4)", or "devel (1a2b3c4-dirty)" with uncommitted changes.
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
