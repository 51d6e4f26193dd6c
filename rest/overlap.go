package rest

import (
	"net/http"
	"strconv"
	"strings"
)

// spot is a route at one of its mounts, or where the link of a mail arrives.
type spot struct {
	dialect *Dialect
	at      *node
	method  string // GET of a link
	link    bool
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
			return &Fault{
				File: d.File, Line: 1, Reason: "there is a dialect " + d.Name + " already, in " + other.File,
				Mend: "Give one of them another name.",
			}
		}
		names[d.Name] = d
		for _, r := range d.routes {
			for _, prefix := range r.mounts {
				whole := strings.TrimSuffix(prefix, "/") + r.path
				spots = append(spots, spot{d, r.at.get("route"), r.method, false, segments(whole), whole})
			}
		}
		for _, l := range d.links {
			spots = append(spots, spot{d, l.at, http.MethodGet, true, segments(l.path), l.path})
		}
	}
	for i, a := range spots {
		for _, own := range reserved {
			if covers(own, a.whole) {
				return a.at.fault("Choose another path or mount.", "%s belongs to the server itself", a.whole)
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
	other := "line " + strconv.Itoa(b.at.line)
	if a.dialect != b.dialect {
		other = b.dialect.File + ":" + strconv.Itoa(b.at.line)
	}
	same := a.method == b.method && (a.dialect != b.dialect || aWins == bWins)
	if a.dialect == b.dialect && (a.link || b.link) {
		same = false // a browser takes the link where a program takes the route
	}
	switch {
	case a.dialect != b.dialect && (aWins || bWins), same:
		return a.at.fault("Take one of them away, or mount one elsewhere.", "%s %s overlaps with %s %s in %s", a.method,
			a.whole, b.method, b.whole, other)
	case aWins && bWins:
		return a.at.fault("Make one of them exact where the other is.",
			"%s and %s in %s overlap, and neither is more exact", a.whole, b.whole, other)
	}
	return nil
}
