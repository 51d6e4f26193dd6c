package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	checks              // says what a pass that writes would do
	writes
)

// userImport is one pass over the records.
type userImport struct {
	database *db.DB
	reads    userimport.Terms
	out      io.Writer
	pass     pass
	names    *claims

	batch   []*db.ImportedUser
	records []*userfile.Record // of the batch
	read    int
	bad     int
	written int // made, or free to be made
	there   int
	renamed int // there, with another address than in the file
	numbers int // wanted numbers that others have
	notes   notes
	notRead []string // the files of a directory that no recipe reads
	began   time.Time
	told    time.Time
}

func (i *userImport) all(ctx context.Context, open func() (userfile.Source, error)) (err error) {
	source, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	i.began, i.told, i.notRead = time.Now(), time.Now(), source.NotRead()
	now := db.Clock(time.Now())
	err = userfile.Each(source, func(record *userfile.Record, problem *userfile.Problem) error {
		if problem == nil && record.PassedOver != "" {
			return i.notes.passOver(record.PassedOver, whoOf(record))
		}
		i.read++
		var user *db.ImportedUser
		if problem == nil {
			user, problem = i.user(record, now)
		}
		if problem != nil {
			return i.complain(problem)
		}
		if i.pass == surveys {
			return nil
		}
		i.batch, i.records = append(i.batch, user), append(i.records, record)
		if len(i.batch) < importBatch {
			return nil
		}
		return i.flush(ctx, now)
	})
	if err != nil {
		return err
	}
	return i.flush(ctx, now)
}

// user reads an account, and refuses one that needs what another record of the file has with better right.
func (i *userImport) user(record *userfile.Record, now time.Time) (*db.ImportedUser, *userfile.Problem) {
	user, problem := i.reads.Account(record, now)
	if problem == nil && i.pass == surveys {
		i.names.claim(user, record.Where)
	} else if problem == nil {
		var unnamed bool
		if unnamed, problem = i.names.lost(user, record.Where); unnamed {
			record.Notes = append(record.Notes, nameTaken)
		}
	}
	if problem != nil {
		problem.Where = record.Where
		return nil, problem
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
				Where: i.records[n].Where, Reason: "the database refuses it: " + err.Error(),
			}); err != nil {
				return err
			}
		}
	}
	if err := i.count(results); err != nil {
		return err
	}
	i.batch, i.records = i.batch[:0], i.records[:0]
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
	var errs []error
	note := func(n int, when bool, text string) {
		if when {
			errs = append(errs, i.notes.add(text, whoOf(i.records[n])))
		}
	}
	for n, r := range results {
		if r.Renumbered {
			i.numbers++
		}
		note(n, r.Unnamed, nameTaken)
		note(n, r.HashTaken, hashTaken)
		note(n, r.HashLeft, hashLeft)
		switch r.Outcome {
		case db.Imported:
			i.written++
			errs = append(errs, i.notes.of(i.records[n]))
		case db.There:
			i.there++
			if r.Differs {
				i.renamed++
			}
		case db.NoAccount:
			i.read--
			errs = append(errs, i.notes.passOver(hashAlone, whoOf(i.records[n])))
		case db.ImportTaken:
			reason := "the account " + r.Holder.String() + " has it"
			if r.Unproved {
				reason += " and never confirmed it: delete that account, or give it another address"
			}
			errs = append(errs, i.complain(&userfile.Problem{
				Where: i.records[n].Where, Column: r.Column, Reason: reason,
			}))
		}
	}
	return errors.Join(errs...)
}

// tell prints a line of progress now and then.
func (i *userImport) tell() error {
	if time.Since(i.told) < importProgress {
		return nil
	}
	i.told = time.Now()
	verb := map[pass]string{checks: "checked", writes: "imported"}[i.pass]
	_, err := fmt.Fprintf(i.out, "%s %s, %.0f a second\n", counted(i.read, "record"), verb,
		float64(i.read)/time.Since(i.began).Seconds())
	return err
}
