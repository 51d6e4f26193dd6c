package rest

import (
	"strconv"
	"strings"
)

// spot is a route at one of its mounts.
type spot struct {
	dialect *Dialect
	route   *route
	path    []string // its segments; "{" for a parameter
	whole   string
}

// refuseOverlaps finds routes that stand in each other's way. Within a file the more exact of two paths wins, as in
// /users/me and /users/{id}; between files nothing is shared.
func refuseOverlaps(dialects []*Dialect, reserved []string) error {
	var spots []spot
	names := map[string]*Dialect{}
	for _, d := range dialects {
		if other := names[d.Name]; other != nil {
			return &Fault{File: d.File, Line: 1, Reason: "there is a dialect " + d.Name + " already, in " + other.File, Mend: "Give one of them another name."}
		}
		names[d.Name] = d
		for _, r := range d.routes {
			for _, prefix := range r.mounts {
				whole := strings.TrimSuffix(prefix, "/") + r.path
				spots = append(spots, spot{d, r, segments(whole), whole})
			}
		}
	}
	for i, a := range spots {
		for _, own := range reserved {
			if covers(own, a.whole) {
				return a.route.at.get("route").fault("Choose another path or mount.", "%s belongs to the server itself", a.whole)
			}
		}
		for _, b := range spots[:i] {
			if err := clash(a, b); err != nil {
				return err
			}
		}
	}
	return nil
}

func segments(path string) []string {
	parts := strings.Split(path[1:], "/")
	for i := range parts {
		if strings.HasPrefix(parts[i], "{") {
			parts[i] = "{"
		}
	}
	return parts
}

// covers tells whether a path of the server is this one; one with a slash at its end means all below it.
func covers(own, path string) bool {
	if strings.HasSuffix(own, "/") {
		return path+"/" == own || strings.HasPrefix(path, own)
	}
	return own == path
}

func clash(a, b spot) error {
	if len(a.path) != len(b.path) {
		return nil
	}
	aWins, bWins := false, false // where one is exact and the other is not
	for i := range a.path {
		switch x, y := a.path[i], b.path[i]; {
		case x == y:
		case x == "{":
			bWins = true
		case y == "{":
			aWins = true
		default:
			return nil
		}
	}
	at := a.route.at.get("route")
	other := "line " + strconv.Itoa(b.route.at.get("route").line)
	if a.dialect != b.dialect {
		other = b.dialect.File + ":" + strconv.Itoa(b.route.at.get("route").line)
	}
	switch {
	case a.dialect != b.dialect && (aWins || bWins), a.route.method == b.route.method && (a.dialect != b.dialect || aWins == bWins):
		return at.fault("Take one of them away, or mount one elsewhere.", "%s %s overlaps with %s %s in %s", a.route.method, a.whole, b.route.method, b.whole, other)
	case aWins && bWins:
		return at.fault("Make one of them exact where the other is.", "%s and %s in %s overlap, and neither is more exact", a.whole, b.whole, other)
	}
	return nil
}
