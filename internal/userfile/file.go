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
)

// Options say what a recipe cannot read from the files.
type Options struct {
	Firebase FirebaseHash // of the recipe firebase
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
	// open gives the rows of a file. A recipe without it reads NDJSON and CSV.
	open func(in *bufio.Reader, path string) (rows, error)
	// read makes a record of a row. It adds no Where.
	read func(o Options, r row) (*Record, *Problem)
}

// recipes are those of other systems, and "" is the format of our own.
var recipes = map[string]recipe{
	"": {about: "the format of Dragoman", read: own},
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
	s := &source{recipe: how, options: o, paths: []string{path}}
	if !info.IsDir() {
		return s, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	s.named, s.paths = true, nil
	for _, e := range entries {
		if !e.IsDir() && slices.Contains(endings, strings.ToLower(filepath.Ext(e.Name()))) {
			s.paths = append(s.paths, filepath.Join(path, e.Name()))
		}
	}
	if len(s.paths) == 0 {
		return nil, fmt.Errorf("%s: no file of this directory ends with %s", path, strings.Join(endings, ", "))
	}
	return s, nil
}

// source reads one file after another.
type source struct {
	recipe  recipe
	options Options
	paths   []string // of the files that are not open yet
	named   bool     // whether places name the file
	file    *os.File
	rows    rows
}

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
			s.rows = nil
			if err := s.Close(); err != nil {
				return nil, err
			}
			continue
		}
		if p, ok := errors.AsType[*Problem](err); ok {
			p.Where = s.place(p.Where)
			return nil, p
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.file.Name(), err)
		}
		return s.record(r)
	}
}

func (s *source) record(r row) (*Record, error) {
	record, problem := s.recipe.read(s.options, r)
	if problem != nil {
		problem.Where = s.place(r.where)
		return nil, problem
	}
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
	in := bufio.NewReaderSize(s.file, 64<<10)
	if mark, _ := in.Peek(3); string(mark) == "\xef\xbb\xbf" { // what some programs put before UTF-8
		_, _ = in.Discard(3)
	}
	if s.recipe.open != nil {
		s.rows, err = s.recipe.open(in, path)
		return err
	}
	s.rows, err = plain(in)
	return err
}

// plain opens NDJSON, a JSON array or CSV, by the first character of the file.
func plain(in *bufio.Reader) (rows, error) {
	for {
		first, err := in.Peek(1)
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		if err != nil {
			return nil, err
		}
		switch first[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = in.Discard(1)
			continue
		case '{':
			return newLines(in), nil
		case '[':
			return newArray(in, ""), nil
		}
		return newTable(in)
	}
}

// Close closes the open file.
func (s *source) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
