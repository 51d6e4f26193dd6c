package db

import "context"

// Statements gives the texts of every statement by its name, as one of the databases reads them.
func Statements(postgres bool) map[string][]string {
	all := map[string][]string{}
	for _, st := range registry {
		if postgres {
			all[st.name] = append(all[st.name], st.postgres.text)
			continue
		}
		for _, q := range st.sqlite {
			all[st.name] = append(all[st.name], q.text)
		}
	}
	return all
}

// The conditions of a role, for the tests.
const (
	BeyondUserSQL = beyondUser
	HoldsAllSQL   = holdsAll
)

// AddKey stores a key of anybody, without the session that CreateKey wants.
func (d *DB) AddKey(ctx context.Context, k *ApiKey) error {
	_, err := d.w.NewInsert().Model(k).Exec(ctx)
	return err
}
