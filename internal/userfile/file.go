package userfile

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options say what a recipe cannot read from the files.
type Options struct {
	Firebase FirebaseHash // of the recipe firebase
	Now      time.Time    // when bans are judged; time.Now where it is zero
}

// FirebaseHash holds the parameters of a project's password hashes, as the console of Firebase shows them.
type FirebaseHash struct {
	SignerKey     string // base64
	SaltSeparator string // base64
	Rounds        int
	MemoryCost    int
}

// recipe reads the export of one system.
type recipe struct {
	about string
	// open gives the rows of a file, which is alone or of a directory. A recipe without it reads NDJSON, a JSON array
	// and CSV.
	open func(in *bufio.Reader, alone bool) (rows, error)
	// join gives the rows of a directory whose files belong together. A recipe without it reads one after another.
	join func(paths []string) rows
	// marks are sets of columns: a row that has all of one set is of this system.
	marks [][]string
	// sqlite is the statement that reads the accounts of an SQLite file, "" where the system has no such files.
	sqlite string
	// read makes a record of a row. It adds no Where.
	read func(o Options, r row) (*Record, *Problem)
}

// recipes are those of other systems, and "" is the format of our own.
var recipes = map[string]recipe{
	"": {about: "the format of Dragoman", read: own},

	"auth0":               auth0,
	"authcompanion":       authCompanion,
	"authentication-zero": authenticationZero,
	"devise":              devise,
	"django":              django,
	"firebase":            firebase,
	"keycloak":            keycloak,
	"laravel":             laravel,
	"supabase":            supabase,
	"wolfpal":             wolfpal,
}

// Recipes lists the names of the recipes for other systems, sorted, each with a word on what it reads.
func Recipes() (all [][2]string) {
	for name, r := range recipes {
		if name != "" {
			all = append(all, [2]string{name, r.about})
		}
	}
	slices.SortFunc(all, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	return all
}

// endings are the ends of the names of the files of a directory that are read.
var endings = []string{".ndjson", ".jsonl", ".json", ".csv", ".db", ".sqlite", ".sqlite3"}

// Open gives the records of a file, or of the files of a directory in the order of their names. `from` is the name of a
// recipe, "" for the format of Dragoman.
func Open(path, from string, o Options) (Source, error) {
	how, ok := recipes[from]
	if !ok {
		return nil, fmt.Errorf("%q: there is no recipe of this name", from)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	s := &source{recipe: how, name: from, options: o, paths: []string{path}}
	if info.IsDir() {
		err = s.list(path)
	}
	return s, err
}

// list takes up the files of a directory.
func (s *source) list(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	s.named, s.paths = true, nil
	for _, e := range entries {
		switch name := strings.ToLower(e.Name()); {
		case e.IsDir():
			s.notRead = append(s.notRead, e.Name()+"/")
		case slices.Contains(endings, filepath.Ext(name)) || isPacked(name):
			s.paths = append(s.paths, filepath.Join(path, e.Name()))
		case !isPartOfSQLite(name):
			s.notRead = append(s.notRead, e.Name())
		}
	}
	if len(s.paths) == 0 {
		return fmt.Errorf("%s: no file of this directory ends with %s or .gz", path, strings.Join(endings, ", "))
	}
	if s.recipe.join != nil {
		s.rows, s.named, s.paths = s.recipe.join(s.paths), false, nil
	}
	return nil
}

// isPartOfSQLite tells whether a file belongs to an SQLite file beside it, with which it is read.
func isPartOfSQLite(name string) bool {
	return slices.ContainsFunc([]string{"-wal", "-shm", "-journal"}, func(end string) bool {
		rest, found := strings.CutSuffix(name, end)
		return found && slices.Contains(endings, filepath.Ext(rest))
	})
}

// source reads one file after another.
type source struct {
	recipe  recipe
	name    string // of the recipe
	options Options
	paths   []string // of the files that are not open yet
	notRead []string // the names of the others of the directory
	named   bool     // whether places name the file
	file    *os.File
	rows    rows
	fits    bool // whether a row was understood
}

func (s *source) NotRead() []string { return s.notRead }

func (s *source) Next() (*Record, error) {
	for {
		if s.rows == nil {
			if len(s.paths) == 0 {
				return nil, io.EOF
			}
			if err := s.open(s.paths[0]); err != nil {
				return nil, fmt.Errorf("%s: %w", s.paths[0], err)
			}
			s.paths = s.paths[1:]
		}
		r, err := s.rows.next()
		if errors.Is(err, io.EOF) {
			if err := s.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if p, ok := errors.AsType[*Problem](err); ok {
			p.Where = s.place(p.Where)
			return nil, p
		}
		if err != nil && s.file != nil {
			err = fmt.Errorf("%s: %w", s.file.Name(), err)
		}
		if err != nil {
			return nil, err
		}
		return s.record(r)
	}
}

func (s *source) record(r row) (*Record, error) {
	record, problem := s.recipe.read(s.options, r)
	if problem != nil {
		if other := guess(r.fields); !s.fits && other != "" && other != s.name {
			return nil, fmt.Errorf("%s: %w", s.place(r.where), looksLike(other))
		}
		problem.Where = s.place(r.where)
		return nil, problem
	}
	s.fits = true
	record.Where = s.place(r.where)
	return record, nil
}

func (s *source) place(where string) string {
	if s.named {
		return filepath.Base(s.file.Name()) + ", " + where
	}
	return where
}

func (s *source) open(path string) (err error) {
	if s.file, err = os.Open(path); err != nil {
		return err
	}
	s.rows, err = s.recipe.rows(s.file, !s.named)
	if s.name == "" && err == nil {
		err = foreignDocument(s.rows)
	}
	return err
}

// rows reads an open file in the way of the recipe.
func (how recipe) rows(file *os.File, alone bool) (rows, error) {
	in, err := unpacked(file)
	if err != nil {
		return nil, err
	}
	switch start, _ := in.Peek(len(sqliteStart)); {
	case string(start) == sqliteStart && isPacked(strings.ToLower(file.Name())):
		return nil, errors.New("this is a packed SQLite file; unpack it")
	case string(start) == sqliteStart && how.sqlite != "":
		return newSQLiteTable(file.Name(), how.sqlite)
	case string(start) == sqliteStart:
		return nil, errors.New("this is an SQLite file; name its system, " + strings.Join(withSQLite(), ", ") +
			", as in --from=devise, or export the table of accounts as CSV or NDJSON")
	case how.open != nil:
		return how.open(in, alone)
	}
	return plain(in)
}

// plain opens NDJSON, a JSON array or CSV, by the first character of the file.
func plain(in *bufio.Reader) (rows, error) {
	first, err := firstByte(in)
	switch {
	case err != nil:
		return nil, err
	case first == '{':
		return newLines(in), nil
	case first == '[':
		return newArray(in, ""), nil
	}
	return newTable(in)
}

// firstByte tells how a file begins after white space.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		first, err := in.Peek(1)
		if errors.Is(err, io.EOF) {
			return 0, errors.New("the file is empty")
		}
		if err != nil {
			return 0, err
		}
		if !strings.ContainsRune(" \t\r\n", rune(first[0])) {
			return first[0], nil
		}
		_, _ = in.Discard(1)
	}
}

// Close closes the open file.
func (s *source) Close() (err error) {
	if open, ok := s.rows.(io.Closer); ok {
		err = open.Close()
	}
	s.rows = nil
	if s.file != nil {
		err = errors.Join(err, s.file.Close())
		s.file = nil
	}
	return err
}
