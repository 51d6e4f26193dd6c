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
	// A shipped file is named for its dialect, so one that was not asked for need not be read: that is most of the work of a start.
	all, err := loadFrom(shipped, "dialects", "built-in", func(name string) bool { return selected == nil || slices.Contains(selected, name) })
	if err != nil {
		return nil, err
	}
	if dir != "" {
		own, err := loadFrom(os.DirFS(dir), ".", dir, func(string) bool { return true })
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

// loadFrom reads those files of a folder of dialects whose name without its ending is wanted. label is what messages call it.
func loadFrom(files fs.FS, folder, label string, wanted func(name string) bool) ([]*Dialect, error) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, fmt.Errorf("the dialects in %s cannot be read: %w", label, err)
	}
	var all []*Dialect
	for _, entry := range entries {
		ext := filepath.Ext(entry.Name())
		if entry.IsDir() || ext != ".yaml" && ext != ".yml" || !wanted(strings.TrimSuffix(entry.Name(), ext)) {
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
			return nil, &UnknownError{Name: name, Known: known(all)}
		}
		kept = append(kept, all[i])
	}
	return kept, nil
}

// known are the names of all shipped dialects and of those that are there.
func known(all []*Dialect) []string {
	var names []string
	entries, _ := shipped.ReadDir("dialects")
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name())))
	}
	for _, d := range all {
		if !slices.Contains(names, d.Name) {
			names = append(names, d.Name)
		}
	}
	return names
}
