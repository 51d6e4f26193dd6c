package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	module = "github.com/dragoman-auth/dragoman"
	marker = "DRAGOMAN_TEST_FULL" // whatever a test reads it through, it has a full size
)

// name is a function or a variable of a package, by the folder of the package.
type name struct{ dir, ident string }

// declared are the functions and variables of all tests and of what only tests import, with the names that they use.
type declared map[name]map[name]bool

// declarations reads the files that tests are made of.
func declarations() (declared, error) {
	all := declared{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(file, "_test.go") && !(strings.HasPrefix(file, "tests/") &&
			strings.HasSuffix(file, ".go")) {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err == nil {
			all.add(filepath.ToSlash(filepath.Dir(file)), parsed)
		}
		return err
	})
	return all, err
}

func (all declared) add(dir string, file *ast.File) {
	imports := map[string]string{} // the folders of this module by the names of their packages
	for _, i := range file.Imports {
		whole, _ := strconv.Unquote(i.Path.Value)
		if within, ok := strings.CutPrefix(whole, module+"/"); ok {
			imports[path.Base(within)] = within
			if i.Name != nil {
				imports[i.Name.Name] = within
			}
		}
	}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			all.uses(name{dir, d.Name.Name}, d.Body, imports)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for _, ident := range v.Names {
						all.uses(name{dir, ident.Name}, v, imports)
					}
				}
			}
		}
	}
}

func (all declared) uses(who name, in ast.Node, imports map[string]string) {
	if all[who] == nil {
		all[who] = map[name]bool{}
	}
	if in == (*ast.BlockStmt)(nil) {
		return
	}
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && imports[x.Name] != "" {
				all[who][name{imports[x.Name], n.Sel.Name}] = true
				return false
			}
			ast.Inspect(n.X, func(inner ast.Node) bool { // a field is not the variable of the same name
				if ident, ok := inner.(*ast.Ident); ok {
					all[who][name{who.dir, ident.Name}] = true
				}
				return true
			})
			return false
		case *ast.Ident:
			all[who][name{who.dir, n.Name}] = true
		case *ast.BasicLit:
			if n.Value == strconv.Quote(marker) {
				all[who][name{"", marker}] = true
			}
		}
		return true
	})
}

// reach tells which names lead to the marker.
func (all declared) reach() map[name]bool {
	found := map[name]bool{{"", marker}: true}
	for before := 0; before != len(found); {
		before = len(found)
		for who, used := range all {
			for one := range used {
				if found[one] {
					found[who] = true
				}
			}
		}
	}
	return found
}

// tests are the names of tests that a pattern matches, in order.
func (all declared) tests(pattern *regexp.Regexp, and map[name]bool) []name {
	var found []name
	for who := range all {
		if strings.HasPrefix(who.ident, "Test") && who.ident != "TestMain" && pattern.MatchString(who.ident) &&
			(and == nil || and[who]) {
			found = append(found, who)
		}
	}
	slices.SortFunc(found, func(a, b name) int { return strings.Compare(a.dir+" "+a.ident, b.dir+" "+b.ident) })
	return found
}

// list prints the experiments.
func list(pattern *regexp.Regexp, out io.Writer) (bool, error) {
	all, err := declarations()
	if err != nil {
		return false, err
	}
	for _, t := range all.tests(pattern, all.reach()) {
		fmt.Fprintln(out, path.Join(t.dir, t.ident))
	}
	return true, nil
}

// where prints the packages with tests that a pattern matches, as arguments for `go test`.
func where(pattern *regexp.Regexp, out io.Writer) (bool, error) {
	all, err := declarations()
	if err != nil {
		return false, err
	}
	dirs := map[string]bool{}
	for _, t := range all.tests(pattern, nil) {
		dirs[strings.TrimSuffix("./"+t.dir, "/.")] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		fmt.Fprintln(out, dir)
	}
	if len(dirs) == 0 {
		err = fmt.Errorf("no test is called %s", pattern)
	}
	return err == nil, err
}
