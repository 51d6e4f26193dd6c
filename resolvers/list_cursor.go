package resolvers

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"

	"github.com/google/uuid"

	"github.com/dragoman-auth/dragoman/graph"
	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/secret"
)

const (
	defaultPage = 20
	maxPage     = 100
)

const macBytes = 16 // the length of the MAC of a cursor

// cursor makes the cursor of an entry, in base64url: its id and a MAC of the list with its order, the id and whatever
// selects the entries of the list, under a key of this server (AZ-08).
func (r *resolver) cursor(id uuid.UUID, list string, selection ...string) string {
	return base64.RawURLEncoding.EncodeToString(append(id[:], cursorMAC(r.cursorKey, id, list, selection)...))
}

func cursorMAC(key secret.Key, id uuid.UUID, list string, selection []string) []byte {
	parts := [][]byte{[]byte(list), id[:]}
	for _, s := range selection {
		parts = append(parts, []byte(s))
	}
	return key.MAC(parts...)[:macBytes]
}

// readCursor gives the id in a cursor of the list; ok is false for every other text.
func (r *resolver) readCursor(text, list string, selection ...string) (id uuid.UUID, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(id)+macBytes ||
		base64.RawURLEncoding.EncodeToString(raw) != text { // a cursor has one spelling
		return id, false
	}
	copy(id[:], raw)
	for _, key := range append([]secret.Key{r.cursorKey}, r.cursorKey.Previous()...) {
		ok = ok || hmac.Equal(raw[len(id):], cursorMAC(key, id, list, selection))
	}
	return id, ok
}

// checkPage refuses the length of a page. The limits of documents check it too, but not for stored documents.
func checkPage(length int) error {
	if length < 0 || length > maxPage {
		return fault.New(fault.BadUserInput, fmt.Sprintf("The length of a page is between 0 and %d.", maxPage))
	}
	return nil
}

// ownPage reads which part of a list of the caller's own entries is meant.
func (r *resolver) ownPage(
	c *caller, list string, first *int, after *string,
) (limit int, behind uuid.UUID, err error) {
	limit = defaultPage
	if first != nil {
		limit = *first
	}
	if err := checkPage(limit); err != nil || after == nil {
		return limit, behind, err
	}
	behind, ok := r.readCursor(*after, list, c.User.ID.String())
	if !ok {
		err = fault.New(fault.BadUserInput, "The cursor in \"after\" is none of this list: "+
			"take endCursor of the page before, or leave \"after\" out to begin again.")
	}
	return limit, behind, err
}

// pageInfo describes a page that was read forwards, by the cursors of its entries.
func pageInfo(cursors []string, after *string, more bool) *graph.PageInfo {
	p := &graph.PageInfo{HasNextPage: more, HasPreviousPage: after != nil}
	if n := len(cursors); n > 0 {
		p.StartCursor, p.EndCursor = &cursors[0], &cursors[n-1]
	}
	return p
}
