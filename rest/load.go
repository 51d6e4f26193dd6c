package rest

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed dialects/*.yaml
var shipped embed.FS

// Load reads the dialects that come with the server, and those of a directory (*.yaml and *.yml; "" for none), of which
// one replaces a shipped one of the same name. selected names the ones to keep, nil for all; further ones come on top.
func Load(dir string, selected []string, further ...*Dialect) ([]*Dialect, error) {
	all, err := loadFrom(shipped, "dialects", "built-in")
	if err != nil {
		return nil, err
	}
	if dir != "" {
		own, err := loadFrom(os.DirFS(dir), ".", dir)
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

// loadFrom reads a folder of dialects. label is what messages call it.
func loadFrom(files fs.FS, folder, label string) ([]*Dialect, error) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, fmt.Errorf("the dialects in %s cannot be read: %w", label, err)
	}
	var all []*Dialect
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); entry.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		source, err := fs.ReadFile(files, strings.TrimPrefix(folder+"/"+entry.Name(), "./"))
		if err != nil {
			return nil, fmt.Errorf("a dialect in %s cannot be read: %w", label, err)
		}
		d, err := Parse(label+"/"+entry.Name(), source)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// replace puts own dialects in the place of shipped ones of the same name, and behind them.
func replace(all, own []*Dialect) ([]*Dialect, error) {
	seen := map[string]string{}
	for _, d := range own {
		if other, twice := seen[d.Name]; twice {
			return nil, &Fault{File: d.File, Line: 1, Reason: "the dialect " + d.Name + " stands in " + other + " too", Mend: "Give one of them another name."}
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
			var names []string
			for _, d := range all {
				names = append(names, d.Name)
			}
			return nil, &UnknownError{Name: name, Known: names}
		}
		kept = append(kept, all[i])
	}
	return kept, nil
}
