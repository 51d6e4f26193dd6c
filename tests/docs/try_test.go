package docs

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// attempt is what a page says of a request that a reader may send.
type attempt struct {
	Method, Target, Kind, Body, Query, Variables string
	Headers                                      []string
	Gaps                                         []struct {
		Name       string
		Credential bool
	}
}

// TestPG05_Attempts compares, for every example of every dialect and of GraphQL, the request that the page sends with
// the one that the shown command sends: method, target, the headers of the example, and body.
func TestPG05_Attempts(t *testing.T) {
	t.Parallel()
	harness.NeedCurl(t)
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_DIALECTS_DIR="+harness.TutorialFiles)
	var sent *http.Request
	var body string
	recorder := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		sent, body = r, string(text)
	}))
	t.Cleanup(recorder.Close)
	var paths []string
	for _, d := range s.App.Dialects {
		paths = append(paths, "/docs/"+d.Name)
	}
	for _, name := range operationNames() {
		paths = append(paths, "/docs/graphql/"+name)
	}
	tried, seen := 0, map[string]bool{}
	for _, path := range paths {
		page := parsed(t, s.URL+path)
		for _, e := range slices.Concat(all(page, "details", "example"), all(page, "section", "examples"),
			all(page, "li", "")) {
			if attr(e, "data-try") == "" || seen[attr(e, "data-try")] { // many examples begin alike
				continue
			}
			seen[attr(e, "data-try")] = true
			tried++
			var a attempt
			if err := json.Unmarshal([]byte(attr(e, "data-try")), &a); err != nil {
				t.Fatal(err)
			}
			commands := all(e, "div", "command")
			command := words(all(commands[len(commands)-1], "code", "")[0])
			env := os.Environ()
			for _, gap := range a.Gaps {
				env = append(env, gap.Name+"=VALUE-"+gap.Name)
			}
			entered(t, strings.ReplaceAll(command, s.URL, recorder.URL), env)
			compare(t, path+" "+command, a, sent, body)
		}
	}
	if tried < 200 {
		t.Errorf("only %d examples can be tried", tried)
	}
}

// compare holds an attempt against a request that curl sent.
func compare(t *testing.T, name string, a attempt, sent *http.Request, body string) {
	t.Helper()
	filled := func(text string) string {
		for _, gap := range a.Gaps {
			text = strings.ReplaceAll(text, "{"+gap.Name+"}", "VALUE-"+gap.Name)
		}
		return text
	}
	if a.Method != sent.Method || filled(a.Target) != sent.RequestURI {
		t.Errorf("%s: the page sends %s %s, and curl %s %s", name, a.Method, filled(a.Target), sent.Method,
			sent.RequestURI)
	}
	for _, line := range a.Headers {
		key, value, _ := strings.Cut(filled(line), ":")
		if got := sent.Header.Get(key); got != strings.TrimSpace(value) {
			t.Errorf("%s: the page sends %s, and curl %q", name, line, got)
		}
	}
	got := filled(a.Body)
	switch a.Kind {
	case "form":
		form, _ := url.ParseQuery(body)
		for line := range strings.SplitSeq(got, "\n") {
			key, value, _ := strings.Cut(line, "=")
			if form.Get(key) != value {
				t.Errorf("%s: the page sends %s, and curl %s", name, line, body)
			}
		}
		return
	case "graphql":
		var text struct {
			Query     string          `json:"query"`
			Variables json.RawMessage `json:"variables,omitempty"`
		}
		text.Query, text.Variables = strings.Join(strings.Fields(a.Query), " "), json.RawMessage(a.Variables)
		written, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got = string(written)
	}
	if compact(got) != compact(body) {
		t.Errorf("%s: the page sends %s, and curl %s", name, got, body)
	}
}

func compact(text string) string {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return text
	}
	out, _ := json.Marshal(value)
	return string(out)
}

// TestPG05_Hidden finds nothing to try, and the reason, where the playground is not shown.
func TestPG05_Hidden(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_PLAYGROUND=off")
	for _, path := range []string{"/docs/generic-v1", "/docs/graphql/login"} {
		_, page := harness.Fetched(t, "GET", s.URL+path, "", "")
		if strings.Contains(page, "data-try") || strings.Contains(page, "try-form") ||
			!strings.Contains(page, "DRAGOMAN_PLAYGROUND") {
			t.Errorf("%s: something can be tried, or nothing says why not", path)
		}
	}
}
