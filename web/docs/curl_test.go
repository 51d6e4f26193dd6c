package docs

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dragoman-auth/dragoman/rest"
)

// asTyped runs a command in a shell where curl is a function that prints its arguments. It returns the arguments.
func asTyped(t interface{ Fatal(...any) }, shell, text string, env ...string) []string {
	c := exec.Command(shell, "-c", `curl() { printf '%s\0' "$@"; }`+"\n"+text)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatal(text, err, string(out))
	}
	args := strings.Split(string(out), "\x00")
	return args[:len(args)-1]
}

func textOf(spans []span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
	}
	return b.String()
}

// The shell passes any value of a request to curl unchanged, and runs nothing else.
func TestCurlIsQuoted(t *testing.T) {
	t.Parallel()
	nasty := rapid.OneOf(
		rapid.StringOf(rapid.RuneFrom([]rune("'\"`$\\!@#&|;<>(){}[]*?~= \t\n\r-aé漢😀%{token}$(id)"))),
		rapid.SampledFrom([]string{
			"", "'", `\`, "$(touch /tmp/x)", "`id`", "${HOME}", "@/etc/passwd", "-o", "a'b\"c",
			"\n", "!!", "{token}", "%41", "~root", "\u202e",
		}),
		rapid.String(),
	).Filter(func(s string) bool { return !strings.ContainsRune(s, 0) })
	shells := []string{"bash", "sh"}
	rapid.Check(t, func(r *rapid.T) {
		value := func(label string) (rest.Text, string) {
			a, b := nasty.Draw(r, label), nasty.Draw(r, label)
			var text rest.Text
			if a != "" {
				text = append(text, rest.Piece{Literal: a})
			}
			if !rapid.Bool().Draw(r, "with a gap") {
				return text, a
			}
			text = append(text, rest.Piece{Gap: "token"})
			if b != "" {
				text = append(text, rest.Piece{Literal: b})
			}
			return text, a + "$VALUE" + b
		}
		gap := nasty.Draw(r, "gap")
		filled := func(s string) string { return strings.Replace(s, "$VALUE", gap, 1) }
		head, headText := value("header")
		form, formText := value("form")
		raw, rawText := value("raw")
		request := rest.Request{
			Method: "POST", Path: rest.Text{{Literal: "/x"}},
			Headers: []rest.Header{{Name: "X-A", Value: head}},
		}
		want := []string{"http://h/x", "-H", "X-A: " + filled(headText)}
		if head == nil {
			want[2] = "X-A;"
		}
		if rapid.Bool().Draw(r, "is a form") {
			request.Form = []rest.Header{{Name: "a&b", Value: form}}
			want = append(want, "--data-urlencode", "a%26b="+filled(formText))
		} else if raw != nil {
			request.Body = raw
			want = append(want, "-H", "Content-Type:", "--data-raw", filled(rawText))
		} else {
			want = append([]string{"-X", "POST"}, want...)
		}
		text := textOf(curl("http://h", request))
		got := asTyped(r, shells[rapid.IntRange(0, 1).Draw(r, "shell")], text, "token="+gap)
		if !slices.Equal(got, want) {
			r.Fatalf("%s\ngives %q\nwant  %q", text, got, want)
		}
	})
}

func TestCurl(t *testing.T) {
	t.Parallel()
	plain := func(s string) rest.Text { return rest.Text{{Literal: s}} }
	for want, r := range map[string]rest.Request{
		"curl http://h/a":                   {Method: "GET", Path: plain("/a")},
		"curl -X POST http://h/a":           {Method: "POST", Path: plain("/a")},
		"curl -X DELETE http://h/a":         {Method: "DELETE", Path: plain("/a")},
		"curl --path-as-is http://h/a/../b": {Method: "GET", Path: plain("/a/../b")},
		"curl 'http://h/a?b=c+%26%5B&d=%7D'": {
			Method: "GET", Path: plain("/a"),
			Query: []rest.Header{{Name: "b", Value: plain("c &[")}, {Name: "d", Value: plain("}")}},
		},
		`curl "http://h/a/$id"`: {Method: "GET", Path: rest.Text{{Literal: "/a/"}, {Gap: "id"}}},
		`curl "http://h/a/${id}-x/$id/b"`: {
			Method: "GET",
			Path:   rest.Text{{Literal: "/a/"}, {Gap: "id"}, {Literal: "-x/"}, {Gap: "id"}, {Literal: "/b"}},
		},
		"curl -X PUT http://h/a \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"a\":\"'\"$id\"'\"}'": {
			Method: "PUT", Path: plain("/a"), JSON: rest.Text{{Literal: `{"a":"`}, {Gap: "id"}, {Literal: `"}`}},
		},
		"curl http://h/a \\\n  -H 'Content-Type: text/x' \\\n  --data-raw @x": {
			Method: "POST", Path: plain("/a"), Headers: []rest.Header{{Name: "Content-Type", Value: plain("text/x")}},
			Body: plain("@x"),
		},
		"curl http://h/a \\\n  -H 'Content-Type: application/json' \\\n  -d '{\n  \"first\": \"a value of some " +
			"length\",\n  \"second\": \"it'\\''s another\"\n}'": {
			Method: "POST", Path: plain("/a"),
			JSON: plain(`{"first":"a value of some length","second":"it's another"}`),
		},
	} {
		if got := textOf(curl("http://h", r)); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}

// Colouring does not change the text.
func TestColoursKeepTheText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.OneOf(rapid.String(),
			rapid.StringOf(rapid.RuneFrom([]rune("\"\\{}[]:,.-0123eE#$@ \nquerytruenull")))).Draw(r, "text")
		if got := textOf(colouredJSON(text)); got != text {
			r.Errorf("JSON: %q", got)
		}
		if got := textOf(colouredGraphQL(text)); got != text {
			r.Errorf("GraphQL: %q", got)
		}
	})
}
