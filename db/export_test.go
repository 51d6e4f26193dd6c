package db

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

// BeyondUserSQL is beyondUser, for the tests.
const BeyondUserSQL = beyondUser
