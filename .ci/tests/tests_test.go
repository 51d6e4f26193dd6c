package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// write makes the files of a folder and goes there.
func write(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for file, text := range files {
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// stream makes lines of `go test -json`: "a Test fail" for an end, "a Test: text" for output, - for no test.
func stream(lines ...string) string {
	var out strings.Builder
	for _, line := range lines {
		who, text, output := strings.Cut(line, ": ")
		f := strings.Fields(who)
		action := "output"
		if !output {
			action = f[2]
		}
		out.WriteString(`{"Action":"` + action + `","Package":"` + module + "/" + f[0] + `","Test":"` +
			strings.TrimPrefix(f[1], "-") +
			`","Elapsed":1,"Output":"` + text + `\n"}` + "\n")
	}
	return out.String()
}

func TestReport(t *testing.T) {
	write(t,
		map[string]string{"docs/rules.md": "# Rules\n\n| **SE-09** | A refresh token is good once. | TestSE09 |\n"})
	build := `{"ImportPath":"` + module + `/c_test [` + module +
		`/c.test]","Action":"build-output","Output":"c/c_test.go:3:28: undefined: x\n"}
{"ImportPath":"` + module + `/c_test [` + module + `/c.test]","Action":"build-fail"}
{"Action":"fail","Package":"` + module + `/c","Elapsed":0,"FailedBuild":"` + module + `/c_test [` + module + `/c.test]"}
`
	for name, c := range map[string]struct {
		in   string
		ok   bool
		want []string // the first lines
	}{
		"all passed": {stream("a TestX pass", "a - pass"), true, []string{"1 passed, 0 failed, 0 skipped, 0 cut off"}},
		"nothing": {"no packages\n", false, []string{
			"0 passed, 0 failed, 0 skipped, 0 cut off", "", "=== go test",
			"no packages",
		}},
		"skipped": {
			stream("a TestX pass", "a TestY:     a_test.go:1: no Postgres", "a TestY skip", "a - pass"), false,
			[]string{
				"1 passed, 0 failed, 1 skipped, 0 cut off", "SKIPPED a TestY: a_test.go:1: no Postgres",
			},
		},
		"a part failed": {
			stream("a TestSE09_LG16_X/sqlite:     a_test.go:7: it answered 200", "a TestSE09_LG16_X/sqlite fail",
				"a TestSE09_LG16_X/postgres pass", "a TestSE09_LG16_X fail", "a - fail"),
			false,
			[]string{
				"1 failed; broken: SE-09, LG-16",
				"  a TestSE09_LG16_X/sqlite [SE-09 A refresh token is good once.]: a_test.go:7: it answered 200",
				"1 passed, 1 failed, 0 skipped, 0 cut off",
			},
		},
		"no build": {build, false, []string{"1 failed", "  c : c/c_test.go:3:28: undefined: x"}},
		"a panic": {
			stream("a TestOther: === RUN TestOther", "a TestAV01_X: panic: nil map", "a TestAV01_X fail", "a - fail"),
			false,
			[]string{
				"1 failed; broken: AV-01", "  a TestAV01_X: panic: nil map",
				"0 passed, 1 failed, 0 skipped, 1 cut off",
			},
		},
		"out of time": {
			stream("a TestLG10_X: panic: test timed out after 2s", `a TestLG10_X: \t\tTestSE09_Y/sqlite (2s)`,
				"a - fail"), false,
			[]string{
				"1 failed", "  a : panic: test timed out after 2s TestSE09_Y/sqlite (2s)",
				"0 passed, 1 failed, 0 skipped, 1 cut off",
			},
		},
		"out of time, and a failure": {
			stream("a TestLG10_X:     a_test.go:1: no", "a TestLG10_X fail",
				"a TestSE09_Y: panic: test timed out after 2s", "a - fail"), false,
			[]string{
				"2 failed; broken: LG-10", "  a TestLG10_X: a_test.go:1: no",
				"  a : panic: test timed out after 2s",
			},
		},
		"go test was killed": {
			stream("a - start", "a TestX pass"), false,
			[]string{"1 failed", "  a : it says nothing", "1 passed, 1 failed, 0 skipped, 0 cut off"},
		},
		"no test failed": {
			stream("a TestX pass", "a -: exit status 3", "a -: the server stayed", "a - fail"), false,
			[]string{"1 failed", "  a : the server stayed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			ok, err := report(strings.NewReader(c.in), &out)
			lines := strings.Split(out.String(), "\n")
			if err != nil || ok != c.ok || !slices.Equal(lines[:min(len(c.want), len(lines))], c.want) {
				t.Errorf("%v %v\n%s", ok, err, out.String())
			}
		})
	}
}

// However many fail, their names are in the first ten lines of a run: two of them are the script's.
func TestReport_TenLines(t *testing.T) {
	write(t, nil)
	var lines []string
	for _, name := range strings.Fields("A B C D E F G H I J") {
		lines = append(lines, "a TestXX01_"+name+":     a_test.go:1: no", "a TestXX01_"+name+" fail")
	}
	lines = append(lines, "a - fail")
	var out strings.Builder
	if ok, err := report(strings.NewReader(stream(lines...)), &out); ok || err != nil {
		t.Fatal(ok, err)
	}
	head, _, _ := strings.Cut(out.String(), "0 passed")
	if n := strings.Count(head, "\n"); n > 9 || !strings.Contains(head, "10 failed; broken: XX-01\n") ||
		!strings.Contains(head, "and 3 more") {
		t.Errorf("%d lines: %s", n, head)
	}
}

// A test has a full size when it reads the variable, itself or through functions and variables of its package or of
// another.
func TestDiscovery(t *testing.T) {
	write(t, map[string]string{
		"tests/harness/amount.go": "package harness\nimport \"os\"\nvar full = os.Getenv(\"DRAGOMAN_TEST_FULL\") == " +
			"\"1\"\n" +
			"func Amount(a, b int) int { if full { return b }; return a }\nfunc Start() {}\n",
		"tests/mail/soak_test.go": "package mail_test\nimport h \"" + module + "/tests/harness\"\n" +
			"func TestOT02_Soak() { h.Amount(1, 2) }\nfunc TestPlain() { h.Start() }\ntype thing struct{ rounds int " +
			"}\nfunc TestField() { _ = thing{}.rounds }\n" +
			"func rounds() int { return h.Amount(1, 2) }\nfunc TestRounds() { rounds() }\n",
		"a/a_test.go": "package a\nimport \"os\"\nfunc TestOwn() { os.Getenv(\"DRAGOMAN_TEST_FULL\") }\nfunc " +
			"rounds() {}\nfunc TestRounds() { rounds() }\n",
		".hidden/a_test.go": "no go",
	})
	var out strings.Builder
	if _, err := list(regexp.MustCompile(""), &out); err != nil ||
		out.String() != "a/TestOwn\ntests/mail/TestOT02_Soak\ntests/mail/TestRounds\n" {
		t.Errorf("%v: %s", err, out.String())
	}
	out.Reset()
	if _, err := where(regexp.MustCompile("OT02|Own"), &out); err != nil || out.String() != "./a\n./tests/mail\n" {
		t.Errorf("%v: %s", err, out.String())
	}
	if ok, err := where(regexp.MustCompile("Nothing"), &out); ok || err == nil {
		t.Error("no test was found, and nobody told")
	}
}
