package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// told is how many failures the head of a report names, so that all of it fits into ten lines.
const told = 7

// report reads `go test -json` and says what came of it. It is ok when nothing failed and nothing was skipped.
func report(in io.Reader, out io.Writer) (ok bool, err error) {
	all, err := read(in)
	if err != nil {
		return false, err
	}
	var failed, skipped []*result
	passed, cutOff := 0, 0
	for _, r := range all {
		switch {
		case r.Action == "skip" && r.Test != "":
			skipped = append(skipped, r)
		case r.Action == "pass" && r.Test != "":
			passed++
		case r.Action == "" && r.Test != "":
			cutOff++
		case r.Action == "" && r.Package != "go": // a package whose end was not heard
			failed = append(failed, r)
		case r.Action == "fail" && (!r.within || r.late):
			failed = append(failed, r)
		}
	}
	rules := loadRules("docs/rules.md")
	if len(failed) > 0 {
		head(out, failed, rules)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped, %d cut off\n", passed, len(failed), len(skipped), cutOff)
	for _, r := range skipped {
		fmt.Fprintf(out, "SKIPPED %s %s: %s\n", short(r.Package), r.Test, r.why())
	}
	for _, r := range failed {
		fmt.Fprintf(out, "\n=== %s %s (%.1f s)\n%s", r.Package, r.Test, r.Elapsed, strings.Join(r.output, ""))
	}
	for _, r := range all {
		if r.Package == "go" && (len(failed) > 0 || passed == 0) {
			fmt.Fprintf(out, "\n=== go test\n%s", strings.Join(r.output, ""))
		}
	}
	fmt.Fprintln(out)
	for _, r := range all {
		if r.Test == "" && r.Action != "" && r.Elapsed > 0 {
			fmt.Fprintf(out, "%-5s %-50s %6.1f s\n", r.Action, short(r.Package), r.Elapsed)
		}
	}
	return len(failed) == 0 && len(skipped) == 0 && passed > 0, nil
}

// head names the rules that broke, and each failure in a line.
func head(out io.Writer, failed []*result, rules rules) {
	var broken []string
	for _, r := range failed {
		for _, id := range ids(r.Test) {
			if !slices.Contains(broken, id) {
				broken = append(broken, id)
			}
		}
	}
	line := fmt.Sprintf("%d failed", len(failed))
	if len(broken) > 0 {
		line += "; broken: " + strings.Join(broken, ", ")
	}
	fmt.Fprintln(out, cut(line, 200))
	for i, r := range failed {
		if i == told && len(failed) > told+1 {
			fmt.Fprintf(out, "  … and %d more\n", len(failed)-told)
			break
		}
		line := "  " + short(r.Package) + " " + r.Test
		for _, id := range ids(r.Test) {
			if text := rules[id]; text != "" {
				line += " [" + id + " " + cut(text, 90) + "]"
			}
		}
		fmt.Fprintln(out, line+": "+cut(r.why(), 120))
	}
}

func short(pkg string) string { return strings.TrimPrefix(pkg, "github.com/dragoman-auth/dragoman/") }

// cut shortens a text for one line.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return text
}

var (
	assertion = regexp.MustCompile(`^\s+\S+\.go:\d+: \S`)
	breakdown = regexp.MustCompile(`^(panic: |fatal error: |WARNING: DATA RACE|\S+\.go:\d+:\d+: )`)
	running   = regexp.MustCompile(`^\t\t(Test\S+ \(\S+\))`)
	said      = regexp.MustCompile(`\S`)
	framework = regexp.MustCompile(`^(\s*(=== |--- |FAIL|PASS|ok\s|exit status)|# |\s*$)`)
)

// why is the line that says best what went wrong.
func (r *result) why() string {
	for _, kind := range []*regexp.Regexp{breakdown, assertion, said} {
		if line := r.find(kind); line != "" {
			return strings.Join(append([]string{line}, r.under()...), " ")
		}
	}
	return "it says nothing"
}

// under are the tests that a program had under way when its time was over.
func (r *result) under() (all []string) {
	for _, line := range r.output {
		if m := running.FindStringSubmatch(line); m != nil {
			all = append(all, m[1])
		}
	}
	return all
}

// find is the first line of a kind.
func (r *result) find(kind *regexp.Regexp) string {
	for _, line := range r.output {
		if kind.MatchString(line) && !framework.MatchString(line) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

var (
	inName = regexp.MustCompile(`([A-Z]{2})-?([0-9]{2})`)
	inText = regexp.MustCompile(`\b[A-Z]{2}-[0-9]{2}\b`)
)

// ids are the rules that the name of a test says it proves: SE-09 for TestSE09_….
func ids(test string) (all []string) {
	name, _, _ := strings.Cut(test, "/")
	for _, m := range inName.FindAllStringSubmatch(strings.TrimPrefix(name, "Test"), -1) {
		all = append(all, m[1]+"-"+m[2])
	}
	return all
}

// rules are the texts of the catalogue by id.
type rules map[string]string

// loadRules takes the first line that an id stands in, without its marks. It is empty where there is no catalogue.
func loadRules(path string) rules {
	all := rules{}
	file, err := os.Open(path)
	if err != nil {
		return all
	}
	defer file.Close() //nolint:errcheck // read to its end
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		id := inText.FindString(lines.Text())
		if _, known := all[id]; id == "" || known {
			continue
		}
		_, text, _ := strings.Cut(lines.Text(), id)
		text = strings.Trim(text, " |*#:—–-`\t")
		text, _, _ = strings.Cut(text, " | ") // the rest of a table says which tests there are
		all[id] = text
	}
	return all
}
