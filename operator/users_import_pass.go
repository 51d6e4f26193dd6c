package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/dragoman-auth/dragoman/db"
	"github.com/dragoman-auth/dragoman/db/userimport"
	"github.com/dragoman-auth/dragoman/internal/userfile"
)

const (
	importBatch    = 500             // accounts of one transaction; on SQLite the server waits for it
	importProgress = 5 * time.Second // between two lines of progress
	importShown    = 1000            // problems that are printed one by one
)

// pass is what one reading of the file is for.
type pass int

const (
	surveys pass = iota // finds which record has a name with the best right
	checks              // surveys, and says what is wrong
	writes              // after one of the others
)

// userImport is one pass over the records.
type userImport struct {
	database *db.DB
	reads    userimport.Terms
	out      io.Writer
	pass     pass
	names    *claims

	batch   []*db.ImportedUser
	places  []string // of the batch
	read    int
	bad     int
	written int // made, or free to be made
	there   int
	renamed int            // there, with another address than in the file
	numbers int            // wanted numbers that others have
	notes   map[string]int // what stays behind, by sentence
	passed  map[string]int // rows that are no accounts to take, by reason
	began   time.Time
	told    time.Time
}

func (i *userImport) all(ctx context.Context, open func() (userfile.Source, error)) (err error) {
	source, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	i.began, i.told, i.notes = time.Now(), time.Now(), map[string]int{}
	now := db.Clock(time.Now())
	err = userfile.Each(source, func(record *userfile.Record, problem *userfile.Problem) error {
		i.read++
		var user *db.ImportedUser
		if problem == nil {
			user, problem = i.user(record, now)
		}
		if problem != nil {
			return i.complain(problem)
		}
		if user == nil || i.pass == surveys {
			return nil
		}
		i.batch, i.places = append(i.batch, user), append(i.places, record.Where)
		if len(i.batch) < importBatch {
			return nil
		}
		return i.flush(ctx, now)
	})
	if err != nil {
		return err
	}
	i.passed = source.PassedOver()
	return i.flush(ctx, now)
}

// user reads an account, and refuses one that has what another record of the file has with better right.
func (i *userImport) user(record *userfile.Record, now time.Time) (*db.ImportedUser, *userfile.Problem) {
	user, problem := i.reads.Account(record, now)
	if problem == nil && i.pass == writes {
		problem = i.names.lost(user, record.Where)
	} else if problem == nil {
		var displaced *userfile.Problem
		if displaced, problem = i.names.claim(user, record.Where); displaced != nil {
			if err := i.complain(displaced); err != nil {
				return nil, &userfile.Problem{Where: record.Where, Reason: err.Error()}
			}
		}
	}
	if problem != nil {
		problem.Where = record.Where
		return nil, problem
	}
	for _, note := range record.Notes {
		i.notes[note]++
	}
	return user, nil
}

func (i *userImport) complain(problem *userfile.Problem) error {
	if i.pass == surveys {
		return nil
	}
	i.bad++
	switch {
	case i.bad < importShown:
		_, err := fmt.Fprintln(i.out, problem)
		return err
	case i.bad == importShown:
		_, err := fmt.Fprintln(i.out, "… further problems are counted only")
		return err
	}
	return nil
}

// flush writes the batch, or checks it against the database.
func (i *userImport) flush(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil || len(i.batch) == 0 {
		return err
	}
	results, err := i.send(ctx, i.batch, now)
	if err != nil {
		// A record that the database refuses must not keep the others out.
		if failed := i.database.Ready(ctx); failed != nil {
			return err
		}
		results = make([]db.ImportResult, len(i.batch))
		for n, user := range i.batch {
			one, err := i.send(ctx, []*db.ImportedUser{user}, now)
			if err == nil {
				results[n] = one[0]
				continue
			}
			if failed := i.database.Ready(ctx); failed != nil {
				return err
			}
			results[n].Outcome = refused
			if err := i.complain(&userfile.Problem{
				Where: i.places[n], Reason: "the database refuses it: " + err.Error(),
			}); err != nil {
				return err
			}
		}
	}
	if err := i.count(results); err != nil {
		return err
	}
	i.batch, i.places = i.batch[:0], i.places[:0]
	return i.tell()
}

// refused is the outcome of a record that the database refuses.
const refused db.ImportOutcome = -1

func (i *userImport) send(ctx context.Context, batch []*db.ImportedUser, now time.Time) ([]db.ImportResult, error) {
	if i.pass == checks {
		return i.database.CheckImport(ctx, batch)
	}
	return i.database.ImportUsers(ctx, batch, now)
}

func (i *userImport) count(results []db.ImportResult) error {
	for n, r := range results {
		if r.Renumbered {
			i.numbers++
		}
		switch r.Outcome {
		case db.Imported:
			i.written++
		case db.There:
			i.there++
			if r.Differs {
				i.renamed++
			}
		case db.ImportTaken:
			reason := "the account " + r.Holder.String() + " has it"
			if r.Unproved {
				reason += " and never confirmed it: delete that account, or give it another address"
			}
			err := i.complain(&userfile.Problem{Where: i.places[n], Column: r.Column, Reason: reason})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// tell prints a line of progress now and then.
func (i *userImport) tell() error {
	if time.Since(i.told) < importProgress {
		return nil
	}
	i.told = time.Now()
	verb := map[pass]string{checks: "checked", writes: "imported"}[i.pass]
	_, err := fmt.Fprintf(i.out, "%d records %s, %.0f a second\n", i.read, verb,
		float64(i.read)/time.Since(i.began).Seconds())
	return err
}

// report says what became of the records.
func (i *userImport) report(done string) error {
	out := fmt.Sprintf("%d records: %d %s", i.read, i.written, done)
	if i.there > 0 {
		out += fmt.Sprintf(", %d are there already", i.there)
	}
	if i.bad > 0 {
		out += fmt.Sprintf(", %d left out", i.bad)
	}
	out += ".\n"
	if i.renamed > 0 {
		out += fmt.Sprintf("%d are there with another email address: people changed it, or --id-prefix is missing, "+
			"where ids of two systems meet.\n", i.renamed)
	}
	if i.numbers > 0 {
		out += fmt.Sprintf("%d got another number, since an account has the one of the file.\n", i.numbers)
	}
	for _, note := range slices.Sorted(maps.Keys(i.notes)) {
		out += fmt.Sprintf("%d: %s.\n", i.notes[note], userfile.Printable(note))
	}
	for _, reason := range slices.Sorted(maps.Keys(i.passed)) {
		out += fmt.Sprintf("%d passed over: %s.\n", i.passed[reason], userfile.Printable(reason))
	}
	_, err := io.WriteString(i.out, out)
	return err
}
