package rest

import (
	"net/http"
	"strconv"
	"strings"
)

// spot is a method and path that a dialect serves: a route below one mount, or a landing of a mail.
type spot struct {
	dialect *Dialect
	at      *node
	method  string // GET for a landing
	landing bool
	path    []string // the segments of whole; "{" for a parameter
	whole   string   // the path with its mount
}

// refuseOverlaps reports routes and links that match the same request. Within a file the more exact of two paths wins:
// /users/me before /users/{id}. Between files no overlap is allowed.
func refuseOverlaps(dialects []*Dialect, reserved []string) error {
	var spots []spot
	names := map[string]*Dialect{}
	for _, d := range dialects {
		if other := names[d.Name]; other != nil {
			return &Fault{
				File:   d.File,
				Line:   1,
				Reason: "there is a dialect " + d.Name + " already, in " + other.File,
				Mend:   "Give one of them another name.",
			}
		}
		names[d.Name] = d
		for _, r := range d.routes {
			for _, prefix := range r.mounts {
				whole := strings.TrimSuffix(prefix, "/") + r.path
				spots = append(spots, spot{
					dialect: d, at: r.at.get("route"), method: r.method, path: segments(whole), whole: whole,
				})
			}
		}
		for _, l := range d.landings() {
			spots = append(spots, spot{
				dialect: d, at: l.at, method: http.MethodGet, landing: true, path: segments(l.path), whole: l.path,
			})
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

// covers tells whether a path of the server is this path. A path of the server that ends with a slash includes all
// paths below it.
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
	aWins, bWins := false, false // in some segment the one is exact and the other a parameter
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
	if a.dialect == b.dialect && (a.landing || b.landing) {
		same = false // land tells the landing of a browser from the route of a program
	}
	switch {
	case a.dialect != b.dialect && (aWins || bWins), same:
		return a.at.fault("Take one of them away, or mount one elsewhere.",
			"%s %s overlaps with %s %s in %s", a.method, a.whole, b.method, b.whole, other)
	case aWins && bWins:
		return a.at.fault("Make one of them exact where the other is.",
			"%s and %s in %s overlap, and neither is more exact", a.whole, b.whole, other)
	}
	return nil
}
