package db

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/uptrace/bun"
)

// ForeignHash is a kind of the password hashes that were imported. A row stays when no account has such a hash any
// more.
type ForeignHash struct {
	bun.BaseModel `bun:"table:foreign_hashes"`

	Kind     string `bun:"kind,pk"`
	Sample   string `bun:"sample"`   // a hash of this kind that no password has
	Imported int64  `bun:"imported"` // how many there were
}

const putForeignHash = `INSERT INTO foreign_hashes (kind, sample, imported) VALUES (:kind, :sample, :imported)
ON CONFLICT (kind) DO UPDATE SET imported = foreign_hashes.imported + :imported`

var addForeignHash = writes("addForeignHash",
	`WITH f AS (`+putForeignHash+` RETURNING 1) SELECT count(*) AS n FROM f`,
	putForeignHash,
	`SELECT changes() AS n`,
)

// addForeignHashes counts the hashes of imported accounts in the transaction that imports them, so that unknown names
// imitate such accounts (LG-03).
func (d *DB) addForeignHashes(ctx context.Context, tx *sql.Tx, batch []*ImportedUser) error {
	counts := map[string]ForeignHash{}
	for _, u := range batch {
		if u.Hash.Kind != "" {
			f := counts[u.Hash.Kind]
			f.Kind, f.Sample, f.Imported = u.Hash.Kind, u.Hash.Sample, f.Imported+1
			counts[u.Hash.Kind] = f
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) { // concurrent imports lock the rows in one order
		var answer struct {
			N int `bun:"n"`
		}
		f := counts[kind]
		p := params{{"kind", f.Kind}, {"sample", f.Sample}, {"imported", f.Imported}}
		if _, err := d.queryRowIn(ctx, tx, addForeignHash, p, &answer); err != nil {
			return wrap(err, addForeignHash.name)
		}
	}
	return nil
}

// The conditions of the partial indexes that count them. The first 31 bytes of a hash of ours say that its parameters
// are those of today.
const (
	hasForeignHash = `substr(password_hash, 1, 31) <> '$argon2id$v=19$m=19456,t=2,p=1$'`
	hasNoHash      = `password_hash IS NULL`
)

// HashMix says how the hashes of accounts are made.
type HashMix struct {
	Foreign  int           // the accounts whose hash is none of ours
	Password int           // the accounts with a password; 0 while Foreign is
	Kinds    []ForeignHash // the commonest first
}

const maxForeignKinds = 64

// HashMix counts the hashes of other systems. Where none was ever imported it costs one statement of an empty table,
// and once they are gone, two.
func (d *DB) HashMix(ctx context.Context) (m HashMix, err error) {
	err = d.r.NewSelect().Model(&m.Kinds).Order("imported DESC", "kind").Limit(maxForeignKinds).Scan(ctx)
	if err != nil || len(m.Kinds) == 0 {
		return m, wrap(err, "hash mix")
	}
	count := func(where string) int {
		if err != nil {
			return 0
		}
		q, n := d.r.NewSelect().Table("users"), int64(0)
		if where != "" {
			q.Where(where)
		}
		n, err = q.Count(ctx)
		return int(n)
	}
	if m.Foreign = count(hasForeignHash); m.Foreign > 0 {
		m.Password = count("") - count(hasNoHash)
	}
	return m, wrap(err, "hash mix")
}
