package mail

import (
	"errors"
	"fmt"
	html "html/template"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	text "text/template"

	"golang.org/x/text/language"
)

// source is one template file, under the name by which a mistake in it is reported.
type source struct{ name, content string }

// Load reads the templates: those of the program, and over them the files of a directory, "" for none. A file there
// replaces the one of the same name, and a further folder is a further language; one that lacks a kind is written to
// in English. The error names the file and the line: of a template that is broken, fails with a sample mail or leaves
// its link out, and of a file that is none.
func Load(dir string) (*Templates, error) {
	files, err := builtIn()
	if err != nil {
		return nil, err
	}
	if dir != "" {
		own, err := directory(dir)
		if err != nil {
			return nil, err
		}
		maps.Copy(files, own)
	}
	t := &Templates{words: map[string]map[string]*text.Template{}}
	if t.html, err = html.New(files["layout.html"].name).Parse(files["layout.html"].content); err != nil {
		return nil, err
	}
	if t.text, err = text.New(files["layout.txt"].name).Parse(files["layout.txt"].content); err != nil {
		return nil, err
	}
	for name, file := range files {
		folder, base := path.Split(name)
		if kind := strings.TrimSuffix(base, ".tmpl"); folder != "" && kind != common {
			if err := t.addWords(
				strings.TrimSuffix(folder, "/"), kind, files[folder+common+".tmpl"], file,
			); err != nil {
				return nil, err
			}
		}
	}
	t.tags = t.languages()
	t.match = language.NewMatcher(t.tags)
	if dir == "" {
		return t, nil // those of the program are checked when it is tested
	}
	return t, t.check()
}

func (t *Templates) addWords(lang, kind string, shared, own source) error {
	if shared.name == "" {
		return fmt.Errorf("%s: the language has no %s.tmpl beside it", own.name, common)
	}
	words := text.New(own.name)
	if _, err := words.New(shared.name).Parse(shared.content); err != nil {
		return err
	}
	if _, err := words.Parse(own.content); err != nil {
		return err
	}
	if words.Lookup("subject") == nil {
		return fmt.Errorf("%s: it does not define subject", own.name)
	}
	if t.words[lang] == nil {
		t.words[lang] = map[string]*text.Template{}
	}
	t.words[lang][kind] = words
	return nil
}

func builtIn() (map[string]source, error) {
	files := map[string]source{}
	err := fs.WalkDir(embedded, "templates", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := embedded.ReadFile(name)
		short := strings.TrimPrefix(name, "templates/")
		files[short] = source{short, string(content)}
		return err
	})
	return files, err
}

// directory reads the files of an operator: those directly in it and in its folders, through links. What begins with a
// dot is no file of theirs.
func directory(dir string) (map[string]source, error) {
	files := map[string]source{}
	var errs []error
	read := func(name string) {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if err := known(name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", at, err))
			return
		}
		content, err := os.ReadFile(at)
		if err != nil {
			errs = append(errs, err)
			return
		}
		files[name] = source{at, string(content)}
	}
	err := list(dir, func(name string, folder bool) {
		if !folder {
			read(name)
			return
		}
		if err := list(filepath.Join(dir, name), func(inner string, _ bool) { read(name + "/" + inner) }); err != nil {
			errs = append(errs, err)
		}
	})
	return files, errors.Join(append(errs, err)...)
}

func list(dir string, each func(name string, folder bool)) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		each(e.Name(), info.IsDir())
	}
	return nil
}

// known refuses the name of a file that nothing would read.
func known(name string) error {
	folder, base := path.Split(name)
	if folder == "" {
		if base == "layout.html" || base == "layout.txt" {
			return nil
		}
		return errors.New("no template is called so: here are layout.html, layout.txt and one folder for each language")
	}
	folder = strings.TrimSuffix(folder, "/")
	if tag, err := language.Parse(folder); err != nil || tag.String() != folder {
		return fmt.Errorf("the folder %s is not named after a language: such names are en, de or pt-BR", folder)
	}
	if kind, ok := strings.CutSuffix(base, ".tmpl"); ok {
		if _, is := kinds[kind]; is || kind == common {
			return nil
		}
	}
	return fmt.Errorf(
		"no template is called so: in a language there are %s.tmpl and %s.tmpl", common,
		strings.Join(slices.Sorted(maps.Keys(kinds)), ".tmpl, "),
	)
}
