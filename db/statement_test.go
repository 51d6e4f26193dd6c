package db

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCompile_Texts: names become numbers by their first use, and casts, quoted texts and comments stay as they are.
func TestCompile_Texts(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		text, want string
		names      []string
	}{
		"none":     {`SELECT 1`, `SELECT 1`, nil},
		"one":      {`SELECT :now`, `SELECT $1`, []string{"now"}},
		"repeated": {`SELECT :b, :a, :b_2, :b`, `SELECT $1, $2, $3, $1`, []string{"b", "a", "b_2"}},
		"cast":     {`SELECT :now::timestamptz, x::text`, `SELECT $1::timestamptz, x::text`, []string{"now"}},
		"quoted":   {`SELECT ':a', "x:b", 'it''s :c', :d`, `SELECT ':a', "x:b", 'it''s :c', $1`, []string{"d"}},
		"comments": {
			"SELECT :a -- :b $1\n, /* :c ?2 */ :d --:e", "SELECT $1 -- :b $1\n, /* :c ?2 */ $2 --:e",
			[]string{"a", "d"},
		},
		"operator": {`SELECT value ->> 'at', a - b / 2`, `SELECT value ->> 'at', a - b / 2`, nil},
		"the end":  {`VALUES (:a)`, `VALUES ($1)`, []string{"a"}},
	} {
		q, err := compile('$', row.text)
		if err != nil || q.text != row.want || !slices.Equal(q.names, row.names) {
			t.Errorf("%s: %q %v, %v", name, q.text, q.names, err)
		}
		lite, err := compile('?', row.text)
		if want := strings.NewReplacer("$1,", "?1,").Replace(row.want); name == "repeated" &&
			(err != nil || lite.text != `SELECT ?1, ?2, ?3, ?1`) {
			t.Errorf("%s on SQLite: %q, not %q, %v", name, lite.text, want, err)
		}
	}
}

// TestCompile_Refused: a text that cannot be compiled is an error that says what to do.
func TestCompile_Refused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`SELECT $1`:          "$1 is a placeholder without a name",
		`SELECT ?12`:         "?12 is a placeholder without a name",
		`SELECT ?`:           "? is a placeholder without a name",
		`SELECT :`:           "a colon without a name",
		`SELECT :1`:          "a colon without a name",
		`SELECT :Now`:        "a colon without a name",
		`SELECT 'open :a`:    "a quoted text has no end",
		`SELECT /* open :a`:  "a comment has no end",
		`SELECT "open, :a, `: "a quoted text has no end",
	} {
		if q, err := compile('$', text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v", text, q.text, err)
		}
	}
}

// TestStatement_Names: the two databases use the same names.
func TestStatement_Names(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		postgres string
		sqlite   []string
		want     string
	}{
		"the same":      {`SELECT :a, :b`, []string{`DELETE FROM x WHERE id = :b`, `SELECT :a`}, ""},
		"one database":  {`SELECT :a`, nil, ""},
		"Postgres only": {`SELECT :a, :b`, []string{`SELECT :a`}, "statement x: only Postgres uses :b"},
		"SQLite only":   {`SELECT :a`, []string{`SELECT :a`, `SELECT :c`}, "statement x: only SQLite uses :c"},
		"not compiled": {
			`SELECT :a`,
			[]string{`SELECT :a`, `SELECT ?1`},
			"statement x: SQLite, step 2: ?1 is a placeholder",
		},
	} {
		_, err := newStatement("x", false, row.postgres, row.sqlite...)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStatement_Values: a value that is missing and a value that nothing uses are errors that name statement and
// parameter.
func TestStatement_Values(t *testing.T) {
	t.Parallel()
	st, err := newStatement("x", true, `SELECT :b, :a, :b`, `SELECT :a, :b`)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		values params
		want   string
	}{
		"whole":   {params{{"a", 1}, {"b", nil}}, ""},
		"missing": {params{{"a", 1}}, "statement x: the parameter :b has no value"},
		"unused":  {params{{"a", 1}, {"b", 2}, {"c", 3}}, "statement x: no text uses the parameter :c"},
		"other":   {params{{"a", 1}, {"c", 3}}, "statement x: no text uses the parameter :c"},
	} {
		_, err := st.bind(row.values)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	values, err := st.bind(params{{"a", 0}, {"b", 2}, {"a", 1}})
	if err != nil {
		t.Fatal(err)
	}
	if got := st.postgres.args(values, "first"); !slices.Equal(got, []any{"first", 2, 1}) {
		t.Errorf("on Postgres %v", got)
	}
	if got := st.sqlite[0].args(values); !slices.Equal(got, []any{1, 2}) {
		t.Errorf("on SQLite %v", got)
	}
}

// BenchmarkBind measures the values of the longest statement, from the row to the arguments of the driver.
func BenchmarkBind(b *testing.B) {
	ctx, now := b.Context(), time.Now()
	u := NewUser(now)
	s := NewSession(ctx, u.ID, time.Hour, time.Hour, now, AuthPassword)
	e := Event{Action: ActionUserCreated, User: u.ID, Sess: s.ID}
	for b.Loop() {
		p := u.params().with(s.params(), params{{"sign_in", true}, {"locale", nil}, {"device", nil}},
			eventParams(ctx, e, now))
		values, err := register.bind(p)
		if err != nil {
			b.Fatal(err)
		}
		register.postgres.args(values, postgresMode)
	}
}
