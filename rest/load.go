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

// shipped are the built-in dialects. Each is parsed once, when it is first used: parsing is most of the work of a
// start, and tests start hundreds of servers. Sharing them is safe, because engines never change a dialect.
var shipped = readers(shippedFiles, "dialects", "built-in")

// reader reads one file, once.
type reader struct {
	name string // the file name without its extension
	read func() (*Dialect, error)
}

// readers returns a reader for each dialect file of a folder. label names the folder in messages.
func readers(files embed.FS, folder, label string) []reader {
	entries, err := files.ReadDir(folder)
	if err != nil {
		panic(err) // the folder is embedded
	}
	var all []reader
	for _, entry := range entries {
		all = append(all, reader{
			name: strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name())),
			read: sync.OnceValues(func() (*Dialect, error) { return read(files, folder, entry.Name(), label) }),
		})
	}
	return all
}

// Load returns the built-in dialects and the dialects of a directory (*.yaml and *.yml; "" for no directory). A dialect
// of the directory replaces a built-in one of the same name. selected names the dialects to keep, nil for all; a name
// that no dialect has is an *UnknownError. The further dialects are always included.
func Load(dir string, selected []string, further ...*Dialect) ([]*Dialect, error) {
	var all []*Dialect
	for _, r := range shipped {
		if selected != nil && !slices.Contains(selected, r.name) { // a built-in file has the name of its dialect
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

// read reads one file of a folder. label names the folder in messages.
func read(files fs.FS, folder, name, label string) (*Dialect, error) {
	source, err := fs.ReadFile(files, path.Join(folder, name))
	if err != nil {
		return nil, fmt.Errorf("dialects: cannot read %s/%s: %w; check the file and its permissions", label, name, err)
	}
	return Parse(label+"/"+name, source)
}

// replace puts own into all: in the place of a dialect of the same name, otherwise at the end.
func replace(all, own []*Dialect) ([]*Dialect, error) {
	seen := map[string]string{}
	for _, d := range own {
		if other, twice := seen[d.Name]; twice {
			return nil, &Fault{
				File:   d.File,
				Line:   1,
				Reason: "the dialect " + d.Name + " is in " + other + " too",
				Mend:   "Give one of them another name.",
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

// UnknownError reports a selected name that no dialect has.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("%q is not a dialect; choose from %s", e.Name, strings.Join(e.Known, ", "))
}

// choose returns the selected dialects, in the order of selected.
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

// known returns the names of the built-in dialects and of all.
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
