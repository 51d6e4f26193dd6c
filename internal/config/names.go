package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// prefix begins the names of the server's own settings.
const prefix = "DRAGOMAN_"

// injected matches the variables that Kubernetes sets for a service. They begin with DRAGOMAN_ if the name of the
// service begins with "dragoman".
var injected = regexp.MustCompile(
	`_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// CheckNames refuses an environment, as os.Environ gives it, with a variable DRAGOMAN_… that is no setting: nobody
// would notice a misspelt setting otherwise. Values are neither read nor shown.
func CheckNames(environ []string) error {
	known := settingNames()
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, name) || injected.MatchString(name) {
			continue
		}
		if base, ok := strings.CutSuffix(name, "_FILE"); ok && slices.Contains(known, base) {
			return fmt.Errorf("%s is not a setting: only secrets are read from files; set %s", name, base)
		}
		if near := nearest(name, known); near != "" {
			return fmt.Errorf("%s is not a setting; did you mean %s?", name, near)
		}
		return fmt.Errorf("%s is not a setting; see dragoman --help", name)
	}
	return nil
}

// settingNames gives the names of all settings, with NAME_FILE for secrets.
func settingNames() (all []string) {
	for _, k := range keys {
		all = append(all, k.name)
		if k.secret {
			all = append(all, k.name+"_FILE")
		}
	}
	return all
}

// nearest gives the known name DRAGOMAN_… with the least distance to name, or "" if all are too far for a typing error.
func nearest(name string, known []string) string {
	best, least := "", len(strings.TrimPrefix(name, prefix))/3+1
	for _, candidate := range known {
		if d := distance(name, candidate); d <= least && strings.HasPrefix(candidate, prefix) {
			best, least = candidate, d-1
		}
	}
	return best
}

// distance gives the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
