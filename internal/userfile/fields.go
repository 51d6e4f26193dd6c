package userfile

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dragoman-auth/dragoman/internal/identity"
)

// fields reads the row of another system column by column. It keeps the first problem. A column with a value that
// nobody asked for becomes a note.
type fields struct {
	row     row
	problem *Problem
	asked   map[string]bool
	notes   []string
	dropped []string
	within  string // the column that the row is an item of, "" for a row of its own
	items   []*fields
}

func fieldsOf(r row) *fields { return &fields{row: r, asked: map[string]bool{}} }

// item reads an item of a column that is a list. What it holds and nobody asks for is dropped with the column's name.
func (f *fields) item(column string, r row) *fields {
	i := fieldsOf(r)
	i.within = column
	f.items = append(f.items, i)
	return i
}

// ask marks a column as read, and tells whether it has a value.
func (f *fields) ask(name string) bool {
	f.asked[name] = true
	return hasValue(f.row.fields[name])
}

func hasValue(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// keep keeps the first problem.
func (f *fields) keep(p *Problem) {
	if f.problem == nil {
		f.problem = p
	}
}

func (f *fields) fail(column, reason string, args ...any) { f.keep(bad(column, reason, args...)) }

func (f *fields) note(text string) { f.notes = append(f.notes, text) }

// noteIf adds a note where the column has a value.
func (f *fields) noteIf(column, text string) {
	if f.ask(column) {
		f.note(text)
	}
}

// drop marks columns that are of no use elsewhere: counters, tokens of mails, times of visits. The report names them
// once.
func (f *fields) drop(names ...string) {
	for _, name := range names {
		if !f.asked[name] && f.ask(name) {
			f.lose(name)
		}
	}
}

// lose drops a column that was read.
func (f *fields) lose(column string) { f.dropped = append(f.dropped, column) }

// known marks columns whose meaning is taken over otherwise.
func (f *fields) known(names ...string) {
	for _, name := range names {
		f.ask(name)
	}
}

// unasked are the columns with a value that nobody asked for.
func (f *fields) unasked() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(f.row.fields)), func(name string) bool {
		return f.asked[name] || !hasValue(f.row.fields[name])
	})
}

// drops gives the columns that are dropped, each once.
func (f *fields) drops() []string {
	all := slices.Clone(f.dropped)
	for _, i := range f.items {
		for _, name := range append(i.unasked(), i.dropped...) {
			all = append(all, i.within+"."+name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// text reads a text, a number or the id of a document of MongoDB.
func (f *fields) text(name string) string {
	f.ask(name)
	if wrapped, ok := f.row.fields[name].(map[string]any); ok && len(wrapped) == 1 {
		if id, ok := wrapped["$oid"].(string); ok {
			return id
		}
	}
	text, problem := f.row.text(name)
	f.keep(problem)
	return text
}

// first reads the columns as texts and gives the first that is none of the empty ones.
func (f *fields) first(names ...string) (text string) {
	for _, name := range names {
		if found := f.text(name); text == "" {
			text = strings.TrimSpace(found)
		}
	}
	return text
}

// id reads the id that the other system gave the account. Every account has one.
func (f *fields) id(name string) string {
	id := f.text(name)
	if id == "" {
		f.fail(name, "it is empty; export the id of every account")
	}
	return id
}

func (f *fields) flag(name string) bool {
	f.ask(name)
	v, problem := f.row.flag(name)
	f.keep(problem)
	return v
}

// enabled is flag for columns that say so where they are absent.
func (f *fields) enabled(name string) bool { return !f.ask(name) || f.flag(name) }

func (f *fields) object(name string) map[string]any {
	f.ask(name)
	v, problem := f.row.object(name)
	f.keep(problem)
	return v
}

func (f *fields) list(name string) []row {
	f.ask(name)
	v, problem := f.row.list(name)
	f.keep(problem)
	return v
}

// time reads a time as RFC 3339 in UTC, "" for none. MySQL writes none as 0000-00-00, and MongoDB wraps a time.
func (f *fields) time(name string) string {
	if f.ask(name); f.problem != nil {
		return ""
	}
	r := f.row
	if wrapped, ok := r.fields[name].(map[string]any); ok && len(wrapped) == 1 {
		inner := wrapped["$date"]
		if long, ok := inner.(map[string]any); ok && len(long) == 1 {
			inner = long["$numberLong"]
		}
		if inner != nil {
			r = row{r.where, map[string]any{name: inner}}
		}
	}
	text, problem := r.text(name)
	f.keep(problem)
	if text == "" || strings.HasPrefix(text, "0000-00-00") {
		return ""
	}
	t, err := Time(text)
	if err != nil {
		f.fail(name, "%s", err.Error())
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// later tells whether a time, as time gives it, is after now.
func later(text string, now time.Time) bool {
	t, err := time.Parse(time.RFC3339Nano, text)
	return err == nil && t.After(now)
}

// username reads a username beside an email address. One that breaks the rules here is left out, so that the account
// comes along all the same.
func (f *fields) username(name, email string) string {
	text := strings.TrimSpace(f.text(name))
	if text == "" || strings.EqualFold(text, email) {
		return ""
	}
	if _, _, err := identity.Username(text); err != nil && email != "" {
		f.note(name + ": it is no username here; the account comes without, and signs in by its email address")
		return ""
	}
	return text
}

// language gives a text that the other system keeps as the language of a person, where it is the tag of one.
func (f *fields) language(column, text string) string {
	if _, err := identity.Locale(text); err != nil && text != "" {
		f.note(column + ": it is no tag of a language, and is left out")
		return ""
	}
	return text
}

// phone reads a number that the other system keeps with or without its plus.
func (f *fields) phone(name string) string {
	text := f.text(name)
	if text != "" && strings.Trim(text, "0123456789") == "" {
		return "+" + text
	}
	return text
}

// suspendedIf is a status.
func suspendedIf(yes bool) string {
	if yes {
		return "SUSPENDED"
	}
	return ""
}

// providerName gives the name by which a provider is known here.
func providerName(name string) string {
	switch name {
	case "google-oauth2", "google_oauth2":
		return "google"
	case "windowslive", "azure_activedirectory_v2", "azure":
		return "microsoft"
	}
	return strings.TrimSuffix(name, ".com")
}

// passOver gives a record that is no account to take.
func passOver(reason string) *Record { return &Record{PassedOver: reason} }

// record finishes a record: with the notes, or as a problem.
func (f *fields) record(out *Record) (*Record, *Problem) {
	if f.problem != nil {
		return nil, f.problem
	}
	if out.PassedOver != "" {
		return out, nil
	}
	out.Name = strings.Join(strings.Fields(out.Name), " ")
	if _, err := identity.Name(out.Name); err != nil && out.Name != "" {
		out.Name = ""
		f.note("name: it is too long, or has characters that no name has, and is left out")
	}
	if out.Email == "" && out.Username == "" && out.Phone != "" && len(out.Identities) == 0 {
		return passOver("signed in by a phone number alone, and nothing here does"), nil
	}
	if note := out.wayIn(); note != "" && !out.HashOnly {
		f.note(note)
	}
	for _, name := range f.unasked() {
		f.note(name + ": not taken over")
	}
	out.Notes, out.Dropped = f.notes, f.drops()
	return out, nil
}

// joinNames makes one name of a given name and a family name.
func joinNames(given, family string) string {
	return strings.TrimSpace(strings.TrimSpace(given) + " " + strings.TrimSpace(family))
}
