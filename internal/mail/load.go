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

// source is one template file. Errors name it by name.
type source struct{ name, content string }

// Load reads the templates of the program and those of a directory, "" for none. A file of the directory replaces the
// file of the same name; a further folder adds a language. A kind that a language lacks is written in English. Load
// fails for a file with an unknown name, and for a template that is malformed, fails with a sample mail or leaves out
// its link. The error names the file, and the line where there is one.
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
		kind, lang := strings.TrimSuffix(base, ".tmpl"), strings.TrimSuffix(folder, "/")
		if lang == "" || kind == common {
			continue
		}
		if err := t.addWords(lang, kind, files[folder+common+".tmpl"], file); err != nil {
			return nil, err
		}
	}
	t.tags = t.languages()
	t.match = language.NewMatcher(t.tags)
	if dir == "" {
		return t, nil // TestLoad_BuiltIn checks the templates of the program
	}
	return t, t.check()
}

func (t *Templates) addWords(lang, kind string, shared, own source) error {
	if shared.name == "" {
		return fmt.Errorf("%s: the language has no %s.tmpl; add one", own.name, common)
	}
	words := text.New(own.name)
	if _, err := words.New(shared.name).Parse(shared.content); err != nil {
		return err
	}
	if _, err := words.Parse(own.content); err != nil {
		return err
	}
	if words.Lookup("subject") == nil {
		return fmt.Errorf("%s: the file does not define subject; add {{define \"subject\"}}", own.name)
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

// directory reads the files of an operator, in dir and in its folders, and follows symbolic links. Names that begin
// with a dot are skipped: Kubernetes and editors make them.
func directory(dir string) (map[string]source, error) {
	files := map[string]source{}
	var errs []error
	read := func(name string) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := checkName(name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			return
		}
		content, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, err)
			return
		}
		files[name] = source{file, string(content)}
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

// checkName refuses the name of a file that is no template: nothing would read it.
func checkName(name string) error {
	folder, base := path.Split(name)
	if folder == "" {
		if base == "layout.html" || base == "layout.txt" {
			return nil
		}
		return errors.New("not a template; this folder has layout.html, layout.txt and one folder for each language")
	}
	folder = strings.TrimSuffix(folder, "/")
	if tag, err := language.Parse(folder); err != nil || tag.String() != folder {
		return fmt.Errorf("the folder %s is not named after a language; use a tag such as en, de or pt-BR", folder)
	}
	if kind, ok := strings.CutSuffix(base, ".tmpl"); ok {
		if _, is := kinds[kind]; is || kind == common {
			return nil
		}
	}
	return fmt.Errorf("not a template; a language has %s.tmpl and %s.tmpl",
		common, strings.Join(slices.Sorted(maps.Keys(kinds)), ".tmpl, "))
}
