package db

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// statement is one operation as SQL for each database. Its texts name their parameters, :now or :user, and are compiled
// once, when the package is initialised. Both databases use the same names.
//
// Postgres runs an operation as one statement (WITH … INSERT … UPDATE …). SQLite has no writes inside WITH: there an
// operation is a script in one transaction, whose last step gives the answer, and each step carries its own condition.
type statement struct {
	name     string
	postgres query
	sqlite   []query
	reads    bool           // only reads: SQLite runs it on the readers
	names    map[string]int // the place of each parameter among the values
}

// query is one compiled text. The parameter names[n] is $n+1 on Postgres and ?n+1 on SQLite.
type query struct {
	text   string
	names  []string
	places []int // of the parameters among the values of the statement
}

// params are the values of a statement. A list of pairs costs less than a map.
type params []param

type param struct {
	name  string
	value any
}

// with gives these values and those of fragments together. Of two values of one name the later counts.
func (p params) with(more ...params) params { return slices.Concat(append([]params{p}, more...)...) }

// writes makes a statement that changes rows: one text for Postgres, and one for each step of the script of SQLite.
func writes(name, postgres string, sqlite ...string) *statement {
	return must(newStatement(name, false, postgres, sqlite...))
}

// reads makes a statement that only reads, of one text that both databases understand.
func reads(name, text string) *statement { return must(newStatement(name, true, text, text)) }

// readsEach makes a statement that only reads, of a text for each database.
func readsEach(name, postgres, sqlite string) *statement {
	return must(newStatement(name, true, postgres, sqlite))
}

// onPostgres makes a statement that runs on Postgres alone.
func onPostgres(name, text string) *statement { return must(newStatement(name, false, text)) }

// registry lists every statement of the package, for the test of them all.
var registry []*statement

// must registers a statement. A wrong text is a mistake of the code, so the program does not start with it.
func must(st *statement, err error) *statement {
	if err != nil {
		panic(err)
	}
	registry = append(registry, st)
	return st
}

func newStatement(name string, reads bool, postgres string, sqlite ...string) (*statement, error) {
	st := &statement{name: name, reads: reads, sqlite: make([]query, len(sqlite)), names: map[string]int{}}
	var err error
	if st.postgres, err = compile('$', postgres); err != nil {
		return nil, fmt.Errorf("db: statement %s: Postgres: %w", name, err)
	}
	for i, n := range st.postgres.names {
		st.names[n] = i
	}
	st.postgres.place(st.names)
	if len(sqlite) == 0 {
		return st, nil
	}
	used := map[string]bool{}
	for i, text := range sqlite {
		if st.sqlite[i], err = compile('?', text); err != nil {
			return nil, fmt.Errorf("db: statement %s: SQLite, step %d: %w", name, i+1, err)
		}
		for _, n := range st.sqlite[i].names {
			used[n] = true
			if _, ok := st.names[n]; !ok {
				return nil, fmt.Errorf("db: statement %s: only SQLite uses :%s; use it on Postgres too", name, n)
			}
		}
		st.sqlite[i].place(st.names)
	}
	for _, n := range st.postgres.names {
		if !used[n] {
			return nil, fmt.Errorf("db: statement %s: only Postgres uses :%s; use it on SQLite too", name, n)
		}
	}
	return st, nil
}

func (q *query) place(names map[string]int) {
	q.places = make([]int, len(q.names))
	for i, name := range q.names {
		q.places[i] = names[name]
	}
}

// missing stands for the value of a parameter until it is found.
type missing struct{}

// bind brings the values into the order of the parameters. Every parameter needs a value, and every value a parameter.
func (st *statement) bind(p params) (values []any, err error) {
	values = make([]any, len(st.names))
	for i := range values {
		values[i] = missing{}
	}
	for _, given := range p {
		i, ok := st.names[given.name]
		if !ok {
			return nil, fmt.Errorf("statement %s: no text uses the parameter :%s; drop its value", st.name, given.name)
		}
		values[i] = given.value
	}
	if i := slices.Index(values, any(missing{})); i >= 0 {
		name := st.postgres.names[i]
		return nil, fmt.Errorf("statement %s: the parameter :%s has no value; pass one, nil for NULL", st.name, name)
	}
	return values, nil
}

// args gives the values in the order of the placeholders, after those that the driver wants first.
func (q *query) args(values []any, first ...any) []any {
	args := make([]any, len(first), len(first)+len(q.places))
	copy(args, first)
	for _, place := range q.places {
		args = append(args, values[place])
	}
	return args
}

// script is the text of a statement on one of the databases.
func (st *statement) script(postgres bool) string {
	if postgres {
		return st.postgres.text
	}
	texts := make([]string, len(st.sqlite))
	for i, q := range st.sqlite {
		texts[i] = q.text
	}
	return strings.Join(texts, "; ")
}

// compile turns :name into numbered placeholders behind mark. It leaves casts (::type), quoted texts and comments
// alone. The text itself is a constant: nothing is put into it but the numbers (KE-06).
func compile(mark byte, text string) (query, error) {
	var b strings.Builder
	q := query{}
	for i := 0; i < len(text); {
		n, err := verbatim(text[i:])
		switch {
		case err != nil:
			return q, fmt.Errorf("%w: %.40s", err, text[i:])
		case n > 0:
			b.WriteString(text[i : i+n])
			i += n
			continue
		}
		end := i + 1
		for end < len(text) && isNameByte(text[end]) {
			end++
		}
		name := text[i+1 : end]
		switch {
		case text[i] != ':':
			return q, fmt.Errorf("%s is a placeholder without a name; write :name", text[i:end])
		case name == "" || name[0] <= '9':
			return q, fmt.Errorf("a colon without a name; write :name: %.40s", text[i:])
		}
		at := slices.Index(q.names, name)
		if at < 0 {
			at = len(q.names)
			q.names = append(q.names, name)
		}
		b.WriteByte(mark)
		b.WriteString(strconv.Itoa(at + 1))
		i = end
	}
	q.text = b.String()
	return q, nil
}

var (
	errOpenQuote   = errors.New("a quoted text has no end; close it")
	errOpenComment = errors.New("a comment has no end; close it")
)

// verbatim gives how many bytes at the beginning of a text hold no parameter for certain: 0 before a colon, $ or ?.
func verbatim(text string) (int, error) {
	switch {
	case text[0] == '\'' || text[0] == '"': // a doubled quote inside is two quoted texts in a row
		end := strings.IndexByte(text[1:], text[0])
		if end < 0 {
			return 0, errOpenQuote
		}
		return end + 2, nil
	case strings.HasPrefix(text, "--"):
		if end := strings.IndexByte(text, '\n'); end >= 0 {
			return end, nil
		}
		return len(text), nil
	case strings.HasPrefix(text, "/*"):
		end := strings.Index(text, "*/")
		if end < 0 {
			return 0, errOpenComment
		}
		return end + 2, nil
	case strings.HasPrefix(text, "::"):
		return 2, nil
	case text[0] == ':' || text[0] == '$' || text[0] == '?':
		return 0, nil
	}
	return 1, nil
}

func isNameByte(b byte) bool { return b == '_' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9' }
