// Command tests is what the scripts beside it need to know about tests.
//
//	go test -json ./... | tests report     what failed and which rule broke, in the first lines, then the details
//	tests full [pattern]                   the experiments at their full size, in turn, and a table of them
//	tests list [pattern]                   their names
//	tests where pattern                    the packages with tests whose names match
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	args := append(slices.Clone(os.Args[1:]), "", "")
	pattern, err := regexp.Compile(args[1])
	ok := false
	if err == nil {
		switch args[0] {
		case "report":
			ok, err = report(os.Stdin, os.Stdout)
		case "full":
			ok, err = full(pattern, os.Stdout)
		case "list":
			ok, err = list(pattern, os.Stdout)
		case "where":
			ok, err = where(pattern, os.Stdout)
		default:
			err = fmt.Errorf("%q: no such command; report, full, list and where are", args[0])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tests:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// event is a line of `go test -json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// result is what became of a test, or with Test "" of a package; with Action "" it did not end,
// because its program did.
type result struct {
	Package, Test, Action string
	Elapsed               float64
	output                []string
	within                bool // a part of it failed, which says why
	late                  bool // its time was over
}

// read gathers the results in the order of their begin. The output of what passed is let go.
func read(r io.Reader) ([]*result, error) {
	var all []*result
	named := map[[2]string]*result{}
	of := func(pkg, test string) *result {
		key := [2]string{pkg, test}
		if named[key] == nil {
			named[key] = &result{Package: pkg, Test: test}
			all = append(all, named[key])
		}
		return named[key]
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		var e event
		if !strings.HasPrefix(lines.Text(), "{") || json.Unmarshal(lines.Bytes(), &e) != nil {
			of("go", "").output = append(of("go", "").output, lines.Text()+"\n") // what the command itself says
			continue
		}
		pkg := e.Package
		if _, tested, ok := strings.Cut(e.ImportPath, " ["); ok { // of a build: "a/b_test [a/b.test]"
			pkg = strings.TrimSuffix(tested, ".test]")
		} else if e.ImportPath != "" {
			pkg = e.ImportPath
		}
		one := of(pkg, e.Test)
		switch e.Action {
		case "output", "build-output":
			one.output = append(one.output, e.Output)
		case "build-fail":
			one.Action = "fail"
		case "pass", "skip", "fail":
			one.Elapsed = e.Elapsed
			if one.Action != "fail" { // the build of a package comes before the package
				one.Action = e.Action
			}
			if e.Action == "pass" && e.Test != "" {
				one.output = nil
			}
		}
		if e.Action == "fail" && e.Test != "" {
			of(e.Package, "").within = true
			for name := e.Test; strings.Contains(name, "/"); {
				name = name[:strings.LastIndexByte(name, '/')]
				of(e.Package, name).within = true
			}
		}
	}
	for _, r := range all {
		switch line := r.find(breakdown); {
		case r.Test == "" || r.Action != "" || line == "":
		case strings.Contains(line, "test timed out"): // which is that of the program, whatever test spoke last
			program := of(r.Package, "")
			program.output, program.late, r.output = append(r.output, program.output...), true, nil
		default: // the last one to speak when the program died
			r.Action = "fail"
			of(r.Package, "").within = true
		}
	}
	return all, lines.Err()
}
