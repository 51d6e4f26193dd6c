package rest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/site"
)

// refusePrefix reports a path prefix of the public URL that cannot be told from a path of the server: a proxy forwards
// the prefix or strips it, so a path that begins like both could mean either. It reports cookies too that browsers
// would refuse below a prefix.
func refusePrefix(at site.Site, dialects []*Dialect, reserved []string) error {
	if !at.Shared() {
		return nil
	}
	prefix := at.Path("")
	for _, own := range reserved {
		own = strings.TrimSuffix(own, "/")
		if beginAlike(prefix, own) {
			return fmt.Errorf("DRAGOMAN_PUBLIC_URL: its path %s and the path %s of the server itself begin alike; "+
				"choose another path for the URL, such as /accounts", prefix, own)
		}
	}
	for _, d := range dialects {
		for _, path := range d.roots() {
			if beginAlike(prefix, path) {
				return fmt.Errorf("DRAGOMAN_PUBLIC_URL: its path %s and the path %s of the dialect %s begin alike; "+
					"choose another path for the URL, or mount the dialect elsewhere", prefix, path, d.Name)
			}
		}
		for _, c := range d.cookies {
			if name := c.hostBound(); name != "" {
				return c.at.fault("Begin it with __Secure-, or serve without a path in DRAGOMAN_PUBLIC_URL.",
					"browsers accept the cookie %s only for the path /, and the server is at %s", name, at.Name())
			}
		}
	}
	return nil
}

// roots are the paths below which the dialect serves something: its mounts, the routes that are mounted at the root,
// and the addresses that its mails show.
func (d *Dialect) roots() []string {
	var all []string
	for _, mount := range d.prefixes() {
		if mount != "/" {
			all = append(all, mount)
		}
	}
	for _, r := range d.routes {
		if slices.Contains(r.mounts, "/") {
			all = append(all, r.path)
		}
	}
	for _, l := range d.landings() {
		all = append(all, l.path)
	}
	return all
}

// beginAlike tells whether one of two paths is the beginning of the other. A parameter of a route can be any segment.
func beginAlike(a, b string) bool {
	x, y := segments(a), segments(b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] && x[i] != "{" && y[i] != "{" {
			return false
		}
	}
	return true
}
