package operator

import (
	"crypto/sha256"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/internal/userfile"
)

// claims finds what two records of one file have alike. The first record has it, but for an email address: there a
// record that says it is confirmed goes before one that does not.
type claims struct {
	by     map[[16]byte]claim // by the first bytes of a SHA-256: a file may have millions of records
	places []string
	next   int // the record that lost looks at
}

// claim is the number of a record, times two, and one for a record whose address is confirmed: a file of millions takes
// 20 bytes a name.
type claim int32

func newClaim(record int, confirmed bool) claim {
	if confirmed {
		return claim(record<<1 | 1)
	}
	return claim(record << 1)
}

func (c claim) record() int { return int(c >> 1) }

func (c claim) confirmed() bool { return c&1 == 1 }

// claim claims the names of a record. It gives the problem of an earlier record that loses its address by that, or that
// of this one.
func (c *claims) claim(u *db.ImportedUser, where string) (displaced, problem *userfile.Problem) {
	if c.by == nil {
		c.by = map[[16]byte]claim{}
	}
	c.places = append(c.places, where)
	own := own(u)
	for _, n := range own {
		has, claimed := c.by[n.key()]
		switch {
		case claimed && n.column == "email" && u.EmailVerified() && !has.confirmed():
			displaced = &userfile.Problem{
				Where: c.places[has.record()], Column: n.column,
				Reason: "the record at " + where + " has it too, and confirmed it",
			}
		case claimed:
			return nil, &userfile.Problem{
				Column: n.column, Reason: "the record at " + c.places[has.record()] + " has it too",
			}
		}
	}
	for _, n := range own {
		c.by[n.key()] = newClaim(len(c.places)-1, u.EmailVerified())
	}
	return displaced, nil
}

// lost gives the problem of a record whose name another one has. It takes the records that claim took, in their order.
func (c *claims) lost(u *db.ImportedUser, where string) *userfile.Problem {
	if c.next >= len(c.places) || c.places[c.next] != where {
		return &userfile.Problem{Reason: "the file changed while it was read"}
	}
	c.next++
	for _, n := range own(u) {
		has, claimed := c.by[n.key()]
		if !claimed || has.record() == c.next-1 { // who lost one name claimed no other
			continue
		}
		reason := "the record at " + c.places[has.record()] + " has it too"
		if n.column == "email" && has.confirmed() && !u.EmailVerified() {
			reason += ", and confirmed it"
		}
		return &userfile.Problem{Column: n.column, Reason: reason}
	}
	return nil
}

// ownName is what no two accounts may have alike.
type ownName struct{ column, text string }

func (n ownName) key() [16]byte {
	sum := sha256.Sum256([]byte(n.column + "\n" + n.text))
	return [16]byte(sum[:16])
}

func own(u *db.ImportedUser) (names []ownName) {
	add := func(column string, text *string) {
		if text != nil && *text != "" {
			names = append(names, ownName{column, *text})
		}
	}
	if u.KeepsID {
		names = append(names, ownName{"id", u.ID.String()})
	}
	add("externalId", u.ExternalID)
	add("email", &u.EmailCanonical)
	add("username", u.UsernameCanonical)
	if u.PendingShown {
		add("pendingEmail", u.PendingEmailCanonical)
	}
	for _, i := range u.Identities {
		names = append(names, ownName{"identities", i.Provider + "\n" + i.Subject})
	}
	return names
}
