package operator

import (
	"crypto/sha256"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/userfile"
)

// claims finds what two records of one file have alike. The first record has it, but one with a better right goes
// before it: for an email address who confirmed it, for a username that others can spare who signs in by it alone.
type claims struct {
	by     map[[16]byte]claim // by the first bytes of a SHA-256: a file may have millions of records
	places []string
	next   int // the record that lost looks at
}

// claim is the number of a record, times two, and one for the better right: a file of millions takes 20 bytes a name.
type claim int32

func newClaim(record int, better bool) claim {
	if better {
		return claim(record<<1 | 1)
	}
	return claim(record << 1)
}

func (c claim) record() int { return int(c >> 1) }

func (c claim) better() bool { return c&1 == 1 }

// claim claims the names of a record, unless another one has any that it needs with better right.
func (c *claims) claim(u *db.ImportedUser, where string) {
	if c.by == nil {
		c.by = map[[16]byte]claim{}
	}
	c.places = append(c.places, where)
	var free []ownName
	for _, n := range own(u) {
		has, claimed := c.by[n.key()]
		switch {
		case !claimed || n.better && !has.better():
			free = append(free, n)
		case !n.spare:
			return
		}
	}
	for _, n := range free {
		c.by[n.key()] = newClaim(len(c.places)-1, n.better)
	}
}

// rewind lets lost begin with the first record again.
func (c *claims) rewind() { c.next = 0 }

// lost gives the problem of a record that needs a name of another one. It takes the records that claim took, in their
// order. A username that it can spare it gives up, and is unnamed.
func (c *claims) lost(u *db.ImportedUser, where string) (unnamed bool, problem *userfile.Problem) {
	if c.next >= len(c.places) || c.places[c.next] != where {
		return false, &userfile.Problem{Reason: "the file changed while it was read"}
	}
	c.next++
	for _, n := range own(u) {
		has, claimed := c.by[n.key()]
		if !claimed || has.record() == c.next-1 { // who lost one name claimed no other
			continue
		}
		if n.spare {
			u.Username, u.UsernameCanonical, unnamed = nil, nil, true
			continue
		}
		reason := "the record at " + c.places[has.record()] + " has it too"
		if n.column == "email" && has.better() && !n.better {
			reason += ", and confirmed it"
		}
		return false, &userfile.Problem{Column: n.column, Reason: reason}
	}
	return unnamed, nil
}

// ownName is what no two accounts may have alike.
type ownName struct {
	column, text string
	better       bool // it goes before a record that has the name without
	spare        bool // the record can do without
}

func (n ownName) key() [16]byte {
	sum := sha256.Sum256([]byte(n.column + "\n" + n.text))
	return [16]byte(sum[:16])
}

func own(u *db.ImportedUser) (names []ownName) {
	add := func(n ownName, text *string) {
		if text != nil && *text != "" {
			n.text = *text
			names = append(names, n)
		}
	}
	if u.KeepsID {
		names = append(names, ownName{column: "id", text: u.ID.String()})
	}
	add(ownName{column: "externalId"}, u.ExternalID)
	if u.HashOnly { // the rest says whose the hash is
		return names
	}
	add(ownName{column: "email", better: u.EmailVerified()}, &u.EmailCanonical)
	add(ownName{column: "username", better: u.EmailCanonical == "", spare: u.SparesName}, u.UsernameCanonical)
	if u.PendingShown {
		add(ownName{column: "pendingEmail"}, u.PendingEmailCanonical)
	}
	for _, i := range u.Identities {
		names = append(names, ownName{column: "identities", text: i.Provider + "\n" + i.Subject})
	}
	return names
}
