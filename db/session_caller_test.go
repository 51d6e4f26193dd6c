package db_test

import (
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

// A lookup by key wants the handle and the hash of the same key.
func TestCallerByKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		ctx, d := from(t, ""), dbtest.Open(t, dsn)
		u := join(t, d, "ada@example.com")
		one, two := addKey(t, d, u, "one", noon(), nil), addKey(t, d, u, "two", noon(), nil)
		for name, row := range map[string]struct {
			handle string
			hash   []byte
			found  bool
		}{
			"right": {one.Handle, one.Hash, true}, "hash of another": {one.Handle, two.Hash, false},
			"no hash":    {one.Handle, nil, false},
			"empty hash": {one.Handle, []byte{}, false}, "cut": {one.Handle, one.Hash[:4], false},
			"handle in capitals": {"ONE", one.Hash, false},
			"no handle":          {"", one.Hash, false}, "pattern": {"%", one.Hash, false},
		} {
			if c, err := d.CallerByKey(ctx, row.handle, equals(row.hash), noon()); err != nil ||
				(c != nil) != row.found {
				t.Errorf("%s: %v %v", name, c, err)
			}
		}
	})
}
