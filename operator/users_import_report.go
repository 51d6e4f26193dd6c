package operator

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/userfile"
)

// The notes of the importer itself, beside those of the recipes.
const (
	nameTaken = "username: another account has it; this one comes without, and signs in by its email address"
	hashTaken = "there already, and without a password: the account takes the hash of the file"
	hashLeft  = "there already, and without a password, and the hash stays out: the account was changed here since, or " +
		"has another address or another proof of it than the file"
	hashAlone = "a password hash without an account, neither in the files nor here"
)

// importExamples is how many records a line of the report names.
const importExamples = 3

// who is a record as the report names it.
type who struct{ place, id string }

func whoOf(r *userfile.Record) who {
	id := r.ExternalID
	if id == "" {
		id = r.ID
	}
	return who{r.Where, id}
}

// notes are what there is to say of records that can be imported, by sentence, each with the first of its records.
type notes struct {
	out     io.Writer
	all     bool // each record is named at once
	notes   map[string]*tally
	passed  map[string]*tally // rows that are no accounts to take, by reason
	dropped map[string]int    // columns that are of no use here
}

type tally struct {
	count  int
	places []string
}

// of adds the notes of a record.
func (n *notes) of(r *userfile.Record) error {
	for _, column := range r.Dropped {
		if n.dropped == nil {
			n.dropped = map[string]int{}
		}
		n.dropped[column]++
	}
	for _, text := range r.Notes {
		if err := n.add(text, whoOf(r)); err != nil {
			return err
		}
	}
	return nil
}

func (n *notes) add(text string, of who) error { return n.tally(&n.notes, text, of, text) }

func (n *notes) passOver(reason string, of who) error {
	return n.tally(&n.passed, reason, of, "passed over: "+reason)
}

func (n *notes) tally(into *map[string]*tally, key string, of who, said string) error {
	if *into == nil {
		*into = map[string]*tally{}
	}
	t := (*into)[key]
	if t == nil {
		t = &tally{}
		(*into)[key] = t
	}
	if t.count++; len(t.places) < importExamples {
		t.places = append(t.places, of.place)
	}
	if !n.all {
		return nil
	}
	name := of.place
	if of.id != "" {
		name += " (" + of.id + ")"
	}
	_, err := fmt.Fprintln(n.out, userfile.Printable(name+": "+said))
	return err
}

// where names the first records of a line, unless each was named.
func (t *tally) where(all bool) string {
	if all {
		return ""
	}
	text := strings.Join(t.places, "; ")
	if t.count > len(t.places) {
		text += "; …"
	}
	return " (" + userfile.Printable(text) + ")"
}

func (n *notes) lines() (out string) {
	cut := false
	for _, text := range slices.Sorted(maps.Keys(n.notes)) {
		t := n.notes[text]
		cut = cut || t.count > len(t.places)
		out += fmt.Sprintf("%d: %s%s.\n", t.count, userfile.Printable(text), t.where(n.all))
	}
	for _, reason := range slices.Sorted(maps.Keys(n.passed)) {
		t := n.passed[reason]
		cut = cut || t.count > len(t.places)
		out += fmt.Sprintf("%d passed over: %s%s.\n", t.count, userfile.Printable(reason), t.where(n.all))
	}
	var columns []string
	for _, column := range slices.Sorted(maps.Keys(n.dropped)) {
		columns = append(columns, fmt.Sprintf("%s %d", column, n.dropped[column]))
	}
	if len(columns) > 0 {
		out += "Of no use here, and left behind: " + userfile.Printable(strings.Join(columns, ", ")) + ".\n"
	}
	if cut && !n.all {
		out += "--verbose names every record of a line.\n"
	}
	return out
}

// report says what became of the records: done or left.
func (i *userImport) report(done, left string) error {
	out := fmt.Sprintf("%s: %d %s", counted(i.read, "record"), i.written, done)
	if i.there > 0 {
		out += ", " + fmt.Sprint(i.there, verb(i.there), "there already")
	}
	if i.bad > 0 {
		out += fmt.Sprintf(", %d %s", i.bad, left)
	}
	out += ".\n"
	if i.renamed > 0 {
		out += fmt.Sprint(i.renamed, verb(i.renamed), "there with another email address: people changed it, or "+
			"--id-prefix is missing, where ids of two systems meet.\n")
	}
	if i.numbers > 0 {
		out += fmt.Sprintf("%d got another number, since an account has the one of the file.\n", i.numbers)
	}
	out += i.notes.lines()
	if len(i.notRead) > 0 {
		out += "Not read: " + userfile.Printable(strings.Join(i.notRead, ", ")) + ".\n"
	}
	_, err := io.WriteString(i.out, out)
	return err
}

// counted writes a number with what it counts.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func verb(n int) string {
	if n == 1 {
		return " is "
	}
	return " are "
}

// areCounted is counted with a verb in the past.
func areCounted(n int, what string) string {
	return counted(n, what) + map[bool]string{true: " was", false: " were"}[n == 1]
}
