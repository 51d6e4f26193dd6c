package strictjson

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

const secret = "hunter2-canary"

func nested(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }

// HT-11: one reading of a text or none, and nothing of it in the error.
func TestHT11_Decode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]any{
		`null`:                           nil,
		`true`:                           true,
		` "a" `:                          "a",
		`-0.10e+2`:                       stdjson.Number("-0.10e+2"),
		`12345678901234567890`:           stdjson.Number("12345678901234567890"),
		"\n{\"a\":[1,{}],\"A\":false}\t": map[string]any{"a": []any{stdjson.Number("1"), map[string]any{}}, "A": false},
		`"\ud83d\ude00 \\ud800"`:         `😀 \ud800`,
		`1e308`:                          stdjson.Number("1e308"),
		`1e-999`:                         stdjson.Number("1e-999"),
	} {
		if got, err := Decode([]byte(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v %v", text, got, err)
		}
	}
	if got, err := Decode([]byte(nested(MaxDepth))); err != nil || got == nil {
		t.Errorf("as deep as may be: %v", err)
	}
	const a = `{"a":"` + secret + `"`
	for _, text := range []string{
		``, ` `, `{`, a, a + `,`, a + `,}`, a + `}}`, a + `}{}`, a + `} 1`, a + `/**/}`, `{'a':1}`, `{a:1}`, `[1,]`,
		`[1 2]`, `[,1]`, `[1`,
		`01`, `+1`, `.5`, `1.`, `0x1`, `NaN`, `Infinity`, `-`, `True`, `nul`, `"a`, "\"\n\"", `"\x41"`, `"\u12"`, `'a'`,
		"\"\xff\"",
		"\"\xc0\x80\"", "\"\xed\xa0\x80\"", `"\ud800"`, `"\udc00\ud800"`, "\ufeff{}", "{}\x00", a + `,"a":1}`, a +
			`,"\u0061":1}`,
		`{"b":{"c":1,"c":1}}`, `{"\udc00":1}`, nested(MaxDepth + 1), nested(60_000), strings.Repeat(`{"a":`, 60_000),
	} {
		got, err := Decode([]byte(text))
		if !errors.Is(err, ErrNotStrict) || fault.From(err) != nil || got != nil ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%.50q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{
		`"` + secret + `\u0000"`, `{"a\u0000":1}`, `[["\u0000"]]`, `1e999`, `-1e999`, `{"n":[` +
			strings.Repeat("9", 400) + `]}`,
	} {
		got, err := Decode([]byte(text))
		if !fault.Is(err, fault.BadUserInput) || errors.Is(err, ErrNotStrict) || got != nil ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%.50q: %v %v", text, got, err)
		}
	}
}

// GQ-17: an error says where a text is wrong and how, for whoever wrote it.
func TestGQ17_SyntaxErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":         "is empty.",
		" \n":      "is empty.",
		"\ufeff{}": "begins with a byte order mark (U+FEFF), which JSON does not have: send UTF-8 without it.",
		`{"a": "` + secret: "is not JSON at line 1, column 22: it ends here, and a string, an object or an array is " +
			"still " +
			"open.",
		"{\"ä\": 1,\n}":     "is not JSON at line 1, column 8: a comma stands before the closing bracket.",
		`{"a": 1} {"a": 2}`: "is not JSON at line 1, column 10: the value ends before, and nothing may follow it.",
		"{\n  'a': 1}":      "is not JSON at line 2, column 3: strings and names stand in double quotes.",
		`{a: 1}`: "is not JSON at line 1, column 2: a name or string has no double quotes, or is none of true, false " +
			"and " +
			"null.",
		`{"a": 1 /* one */}`: "is not JSON at line 1, column 9: JSON has no comments.",
		`{"a": "\x"}`:        "is not JSON at line 1, column 8: this escape stands for no character.",
		"{\"a\": \"\n\"}": "is not JSON at line 1, column 8: a string holds a line break or control character that " +
			"is not " +
			"escaped.",
		"{\"a\": \"\xff\"}": "is not JSON at line 1, column 8: a character is not valid UTF-8.",
		`[1 2]`: "is not JSON at line 1, column 4: this character is not expected here; a comma, a colon or a " +
			"bracket may " +
			"be missing before it.",
		"{\n\"a\": 1,\n\"a\": 2}": "is not JSON at line 3, column 1: an object has this name twice.",
		nested(MaxDepth + 1): "is not JSON at line 1, column 34: objects and arrays are nested deeper than 32 " +
			"levels.",
	} {
		if _, err := Decode([]byte(text)); !errors.Is(err, ErrNotStrict) || err.Error() != want {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// Values of this process are known, refused, or something that only its JSON tells.
func TestCheck(t *testing.T) {
	t.Parallel()
	deep := func(levels int) any {
		var v any = "x"
		for range levels {
			v = map[string]any{"a": v}
		}
		return v
	}
	for _, known := range []any{
		nil, true, "a", "é\n", 1, -1, 0.5, math.MaxFloat64, stdjson.Number("1e3"), stdjson.Number("-0"),
		[]any{},
		[]any{nil, []any{1}},
		map[string]any{"a": map[string]any{"b": false}},
		deep(MaxDepth),
	} {
		if ok, err := Check(known); !ok || err != nil {
			t.Errorf("%#v: %t %v", known, ok, err)
		}
	}
	for _, unknown := range []any{
		int64(1), float32(1),
		[]string{"a"},
		map[string]string{},
		struct{}{},
		&struct{}{}, math.NaN(), math.Inf(-1), make(chan int),
		stdjson.Number(""), stdjson.Number("NaN"), stdjson.Number("0x1"), stdjson.Number(" 1"), stdjson.Number("01"),
		stdjson.Number(`"a"`),
		stdjson.Number("true"), stdjson.Number("1\x00"),
		[]any{1, []any{int64(1)}},
		map[string]any{"a": 1, "b": error(nil), "c": uint(1)},
	} {
		if ok, err := Check(unknown); ok || err != nil {
			t.Errorf("%#v: %t %v", unknown, ok, err)
		}
	}
	for _, refused := range []any{
		secret + "\x00", secret + "\xff",
		map[string]any{"\x00": 1},
		map[string]any{"\xff": 1},
		[]any{[]any{"\x00"}},
		stdjson.Number("1e999"), deep(MaxDepth + 1),
		[]any{int64(1), "\x00"},
		map[string]any{"a": int64(1), "b": "\xff", "c": int64(1)},
	} {
		if _, err := Check(refused); !fault.Is(err, fault.BadUserInput) || strings.Contains(err.Error(), secret) {
			t.Errorf("%#v: %v", refused, err)
		}
	}
}

// FuzzDecode looks for a text that is read otherwise than the standard library reads it, or whose value Check refuses.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-2.5e3,"\ud83d\ude00",null,{}]}`, `{"a":1,"a":2}`, `"\u0000"`, `1e999`,
		nested(33), `[1,]`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Decode(text)
		if err != nil {
			if errors.Is(err, ErrNotStrict) == fault.Is(err, fault.BadUserInput) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		d := stdjson.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		var want any
		if err := d.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, and the standard library %v %v", text, got, want, err)
		}
		if known, err := Check(got); !known || err != nil {
			t.Errorf("%q: %t %v", text, known, err)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	value := map[string]any{"input": map[string]any{
		"email": "ada@example.com", "password": strings.Repeat("x", 30),
		"n": 1,
	}}
	b.ReportAllocs()
	for b.Loop() {
		if known, err := Check(value); !known || err != nil {
			b.Fatal(fmt.Sprint(known, err))
		}
	}
}
