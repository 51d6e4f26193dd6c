package config

import (
	"errors"
	"slices"
	"strings"
)

// parseDialects reads names, or one of the words for all and none.
func parseDialects(s *Settings, v string) bool {
	switch v {
	case "auto", "all":
		s.DialectsAuto = v == "auto"
		return true
	case "none":
		s.Dialects = []string{}
		return true
	}
	for part := range strings.SplitSeq(v, ",") {
		name := strings.TrimSpace(part)
		if name == "" || slices.Contains(s.Dialects, name) {
			return false
		}
		s.Dialects = append(s.Dialects, name)
	}
	return true
}

// RequireDialects refuses to serve APIs that nobody asked for: where others reach the server, and where there are files
// of one's own, it has to be said which dialects are served (HT-22).
func (s *Settings) RequireDialects() error {
	const how = "Set it to their names with commas between, to none for GraphQL alone, or to all"
	switch {
	case !s.DialectsAuto:
		return nil
	case s.DialectsDir != "":
		return errors.New("DRAGOMAN_DIALECTS is not set, and DRAGOMAN_DIALECTS_DIR has dialects beside those that come " +
			"with the server: say which are served. " + how)
	case !s.Loopback() || len(s.TrustedProxies) > 0:
		return errors.New("DRAGOMAN_DIALECTS is not set, and this server is there for others than this machine: say " +
			"which REST APIs it serves. " + how)
	}
	return nil
}
