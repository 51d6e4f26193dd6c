package rest

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

//go:embed dialects/*.yaml
var shippedFiles embed.FS

// shipped are the dialects that come with the server, each parsed at its first use and once: most of the work of a
// start, and tests start hundreds of servers. An engine changes nothing of a dialect.
var shipped = readers(shippedFiles, "dialects", "built-in")

// reader reads one file.
type reader struct {
	name string // of the file, without its ending
	read func() (*Dialect, error)
}

// readers are those of the dialect files of a folder, each of which reads its file once. label is what messages call
// the folder.
func readers(files embed.FS, folder, label string) []reader {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic(err) // of a folder that is part of the program
	}
	var all []reader
	for _, entry := range entries {
		all = append(all, reader{
			strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name())),
			sync.OnceValues(func() (*Dialect, error) {
				return read(files, folder, entry.Name(), label)
			}),
		})
	}
	return all
}

// Load reads the dialects that come with the server, and those of a directory (*.yaml and *.yml; "" for none), of which
// one replaces a shipped one of the same name. selected names the ones to keep, nil for all; further ones come on top.
func Load(dir string, selected []string, further ...*Dialect) ([]*Dialect, error) {
	var all []*Dialect
	for _, r := range shipped {
		if selected != nil && !slices.Contains(selected, r.name) { // a shipped file is named for its dialect
			continue
		}
		d, err := r.read()
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	if dir != "" {
		own, err := loadFrom(dir)
		if err != nil {
			return nil, err
		}
		if all, err = replace(all, own); err != nil {
			return nil, err
		}
	}
	kept, err := choose(all, selected)
	if err != nil {
		return nil, err
	}
	return replace(kept, further)
}

// loadFrom reads the dialect files of a directory.
func loadFrom(dir string) ([]*Dialect, error) {
	files := os.DirFS(dir)
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("dialects: cannot read %s: %w; check DRAGOMAN_DIALECTS_DIR", dir, err)
	}
	var all []*Dialect
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		d, err := read(files, ".", entry.Name(), dir)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// read reads one file of a folder, which messages call by label.
func read(files fs.FS, folder, name, label string) (*Dialect, error) {
	source, err := fs.ReadFile(files, path.Join(folder, name))
	if err != nil {
		return nil, fmt.Errorf("dialects: cannot read %s/%s: %w; check the file and its permissions", label, name, err)
	}
	return Parse(label+"/"+name, source)
}

// replace puts own dialects in the place of shipped ones of the same name, and behind them.
func replace(all, own []*Dialect) ([]*Dialect, error) {
	seen := map[string]string{}
	for _, d := range own {
		if other, twice := seen[d.Name]; twice {
			return nil, &Fault{
				File: d.File, Line: 1, Reason: "the dialect " + d.Name + " stands in " + other + " too",
				Mend: "Give one of them another name.",
			}
		}
		seen[d.Name] = d.File
		if i := slices.IndexFunc(all, func(s *Dialect) bool { return s.Name == d.Name }); i >= 0 {
			all[i] = d
		} else {
			all = append(all, d)
		}
	}
	return all, nil
}

// UnknownError is a name that no dialect has.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no dialect %q; there are %s", e.Name, strings.Join(e.Known, ", "))
}

// choose keeps the selected ones.
func choose(all []*Dialect, selected []string) ([]*Dialect, error) {
	if selected == nil {
		return all, nil
	}
	var kept []*Dialect
	for _, name := range selected {
		i := slices.IndexFunc(all, func(d *Dialect) bool { return d.Name == name })
		if i < 0 {
			return nil, &UnknownError{Name: name, Known: known(all)}
		}
		kept = append(kept, all[i])
	}
	return kept, nil
}

// known are the names of all shipped dialects and of those that are there.
func known(all []*Dialect) []string {
	var names []string
	for _, r := range shipped {
		names = append(names, r.name)
	}
	for _, d := range all {
		if !slices.Contains(names, d.Name) {
			names = append(names, d.Name)
		}
	}
	return names
}
