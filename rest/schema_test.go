package rest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// schemaPlace is one kind of mapping in a dialect file.
type schemaPlace struct {
	pointer string // the JSON pointer to its object in dialect.schema.json
	heading string // the heading of its table in docs/dialects.md
	also    string // the heading of another table with keys of it
	prefix  string // the prefix of its keys in the table, "" for none
	file    string // a file with % in the place of a member
}

const (
	fileHead  = "dialect: some-api\ntitle: Some\nmounts: [/some]\n"
	fileRows  = "errors: {body: {e: =.message}}\n"
	fileRoute = "routes:\n- {route: GET /x, status: 200, body: {}"
	fileTail  = "routes: [{route: GET /x, body: {}}]\n"
	anAnswer  = "An answer"
)

var schemaPlaces = []schemaPlace{
	{"", "A dialect", "", "", "%\n" + fileHead + fileRows + fileTail},
	{"/properties/tokens", "`tokens`", "", "", fileHead + "tokens: {%}\n" + fileRows + fileTail},
	{"/properties/tokens/properties/access", "`tokens`", "", "access.", fileHead + "tokens: {access: {%}}\n" +
		fileRows + fileTail},
	{"/properties/tokens/properties/refresh", "`tokens`", "", "refresh.", fileHead + "tokens: {refresh: {%}}\n" +
		fileRows + fileTail},
	{"/properties/tokens/properties/session", "`tokens`", "", "session.", fileHead + "tokens: {session: {%}}\n" +
		fileRows + fileTail},
	{"/properties/password", "`password`", "", "", fileHead + "password: {%}\n" + fileRows + fileTail},
	{"/properties/secondFactor", "`secondFactor`", "", "", fileHead + "secondFactor: {%}\n" + fileRows + fileTail},
	{"/properties/mails", "`mails`", "", "", fileHead + "mails: {%}\n" + fileRows + fileTail},
	{"/$defs/mail", "A mail", "", "", fileHead + "mails: {signIn: {%}}\n" + fileRows + fileTail},
	{"/properties/cookies/additionalProperties", "A cookie", "", "", fileHead + "cookies: {c: {%}}\n" + fileRows +
		fileTail},
	{"/properties/renew", "`renew`", "", "", fileHead + "renew: {%}\n" + fileRows + fileTail},
	{"/properties/fixtures/additionalProperties", "A fixture", "", "", fileHead + "fixtures: {f: {%}}\n" + fileRows +
		fileTail},
	{"/properties/fixtures/additionalProperties/properties/mail", "The mail of a fixture", "", "", fileHead +
		"fixtures: {f: {mail: {%}}}\n" + fileRows + fileTail},
	{"/$defs/errors", "Codes", "", "", fileHead + "errors: {body: {}, %}\n" + fileTail},
	{"/$defs/row", "`errors`", anAnswer, "", fileHead + "errors: {body: {}, CONFLICT: {%}}\n" + fileTail},
	{"/$defs/route", "A route", anAnswer, "", fileHead + fileRows + "routes: [{route: GET /x, %}]\n"},
	{"/$defs/check", "A check", anAnswer, "", fileHead + fileRows + fileRoute + ", checks: [{when: '1', %}]}\n"},
	{"/$defs/check/properties/all/items", "A part of `all`", "", "", fileHead + fileRows + fileRoute +
		", checks: [{all: [{%}], body: {}}]}\n"},
	{"/$defs/outcome", "An outcome", anAnswer, "", fileHead + fileRows + fileRoute + ", outcomes: [{when: '1', %}]}\n"},
	{"/$defs/variant", "A variant", anAnswer, "", fileHead + fileRows + fileRoute +
		", variants: [{when: '1', body: {}, %}]}\n"},
	{"/$defs/example", "An example", "", "", fileHead + fileRows + fileRoute +
		", examples: [{title: t, answer: {}, %}]}\n"},
	{"/$defs/example/properties/answer", "The answer of an example", "", "", fileHead + fileRows + fileRoute +
		", examples: [{title: t, answer: {%}}]}\n"},
}

func schemaText(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("dialect.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schemaText(t))))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("dialect.schema.json", value); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("dialect.schema.json") // validates it against the metaschema
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON turns a file into the JSON value that an editor validates.
func asJSON(t *testing.T, file string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(file), &value); err != nil {
		t.Fatalf("%v\n%s", err, file)
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	value, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// at returns the object at a pointer of the schema.
func at(t *testing.T, pointer string) map[string]any {
	t.Helper()
	var value any
	if err := json.Unmarshal(schemaText(t), &value); err != nil {
		t.Fatal(err)
	}
	for _, step := range strings.Split(pointer, "/")[1:] {
		value = value.(map[string]any)[step]
	}
	found, ok := value.(map[string]any)
	if !ok {
		t.Fatalf("the schema has no %s", pointer)
	}
	return found
}

func sortedKeys(m map[string]any) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The built-in dialects are valid against the schema.
func TestSchema_TakesDialects(t *testing.T) {
	t.Parallel()
	schema := compiled(t)
	var files []string
	for _, pattern := range []string{"dialects/*.yaml", "../docs/examples/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatal(pattern, err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, string(text))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

var keysHere = regexp.MustCompile(`The keys here are (.*)\.`)

// The loader, the schema and docs/dialects.md have the same keys in every place.
func TestSchema_Keys(t *testing.T) {
	t.Parallel()
	schema := compiled(t)
	tables := tablesOf(t)
	for _, p := range schemaPlaces {
		object := at(t, p.pointer)
		properties, _ := object["properties"].(map[string]any)
		want := sortedKeys(properties)
		if object["additionalProperties"] != false {
			t.Errorf("%s is open to other keys", p.pointer)
		}
		file := strings.Replace(p.file, "%", "zzz: 1", 1)
		_, err := Parse("x.yaml", []byte(file))
		found := keysHere.FindStringSubmatch(fmt.Sprint(err))
		if found == nil || strings.Join(want, ", ") != found[1] {
			t.Errorf("%s: the schema has %v, and the loader says %v", p.pointer, want, err)
		}
		if schema.Validate(asJSON(t, file)) == nil {
			t.Errorf("%s: the schema takes the key zzz", p.pointer)
		}
		if shown := documented(tables, p); !slices.Equal(shown, want) {
			t.Errorf("%s: the schema has %v, and the page %v", p.pointer, want, shown)
		}
	}
}

// documented returns the keys of a place in docs/dialects.md, sorted.
func documented(tables map[string][]string, p schemaPlace) (shown []string) {
	for _, key := range slices.Concat(tables[p.heading], tables[p.also]) {
		first, last, nested := strings.Cut(key, ".")
		switch {
		case p.prefix == first+".":
			shown = append(shown, last)
		case p.prefix == "" && !(nested && slices.Contains(shown, first)):
			shown = append(shown, first)
		}
	}
	if p.heading == "Codes" {
		shown = append(shown, "body") // the page describes it in a sentence
	}
	slices.Sort(shown)
	return shown
}

var firstColumn = regexp.MustCompile("^\\| `([^`]+)` \\|")

// tablesOf reads the first columns of the tables in docs/dialects.md, by the heading above.
func tablesOf(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../docs/dialects.md")
	if err != nil {
		t.Fatal(err)
	}
	tables, heading := map[string][]string{}, ""
	for line := range strings.SplitSeq(string(page), "\n") {
		if strings.HasPrefix(line, "## ") || strings.HasPrefix(line, "### ") {
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
		if found := firstColumn.FindStringSubmatch(line); found != nil && heading != "" {
			tables[heading] = append(tables[heading], found[1])
		}
	}
	return tables
}

// schemaPlaces has every object of the schema that names its keys.
func TestSchema_Places(t *testing.T) {
	t.Parallel()
	var walk func(pointer string, value any)
	walk = func(pointer string, value any) {
		object, ok := value.(map[string]any)
		if !ok {
			return
		}
		if object["additionalProperties"] == false && !strings.HasPrefix(pointer, "/$defs/tree/") {
			if !slices.ContainsFunc(schemaPlaces, func(p schemaPlace) bool { return p.pointer == pointer }) {
				t.Errorf("nothing compares %s with the loader", pointer)
			}
		}
		for name, inner := range object {
			walk(pointer+"/"+name, inner)
		}
	}
	walk("", at(t, ""))
}

// words are the places that accept one of several words.
var words = []struct{ pointer, file string }{
	{"/properties/tokens/properties/access/properties/alg", fileHead + "tokens: {access: {alg: zzz}}\n"},
	{"/properties/tokens/properties/refresh/properties/form", fileHead + "tokens: {refresh: {form: zzz}}\n"},
	{"/properties/tokens/properties/refresh/properties/reuse", fileHead + "tokens: {refresh: {reuse: zzz}}\n"},
	{"/properties/password/properties/blocklist", fileHead + "password: {blocklist: zzz}\n"},
	{"/properties/cookies/additionalProperties/properties/sameSite", fileHead + "cookies: {c: {sameSite: zzz}}\n"},
	{"/properties/emailChange", fileHead + "emailChange: zzz\n"},
	{"/properties/sensitiveChanges", fileHead + "sensitiveChanges: zzz\n"},
	{"/properties/fixtures/additionalProperties/properties/mail/properties/kind", fileHead +
		"fixtures: {f: {mail: {kind: zzz}}}\n"},
	{"/properties/contentType", fileHead + "contentType: zzz\n"},
	{"/$defs/route/properties/accepts/items", "routes: [{route: GET /x, accepts: [zzz]}]\n"},
	{"/$defs/route/properties/params/additionalProperties", "routes: [{route: 'GET /{a}', params: {a: zzz}}]\n"},
	{"/$defs/code", "routes: [{route: GET /x, checks: [{when: '1', error: zzz}]}]\n"},
	{"/$defs/code", "routes: [{route: GET /x, outcomes: [{when: '1', error: zzz}]}]\n"},
}

var wordsHere = regexp.MustCompile(`Write one of (.*)\.`)

// The loader and the schema accept the same words.
func TestSchema_Words(t *testing.T) {
	t.Parallel()
	compare := func(place string, got []any, want []string) {
		t.Helper()
		var known []string
		for _, word := range got {
			known = append(known, word.(string))
		}
		slices.Sort(known)
		slices.Sort(want)
		if !slices.Equal(known, want) {
			t.Errorf("%s: the schema has %v, and the loader %v", place, known, want)
		}
	}
	for _, w := range words {
		_, err := Parse("x.yaml", []byte(w.file))
		found := wordsHere.FindStringSubmatch(fmt.Sprint(err))
		if found == nil {
			t.Errorf("%s: %v", w.pointer, err)
			continue
		}
		enum, _ := at(t, w.pointer)["enum"].([]any)
		compare(w.pointer, enum, strings.Split(found[1], ", "))
	}
	codes := []string{
		malformedRequest, unsupportedMedia, bodyTooLarge, unknownRoute, methodNotAllowed, crossSite, mfaRequired,
	}
	for _, code := range fault.Codes() {
		codes = append(codes, string(code))
	}
	enum, _ := at(t, "/$defs/code")["enum"].([]any)
	compare("the codes", enum, codes)
	kinds := at(t, "/$defs/route/properties/fields/additionalProperties")["pattern"]
	if kinds != "^("+strings.Join(fieldKinds, "|")+")!?$" {
		t.Errorf("the types of fields are %v", kinds)
	}
}

// docs/dialects.md lists the standard answers and the additional jq functions.
func TestSchema_PageOfCodes(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/dialects.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range knownCodes() {
		answer := ""
		if s, ok := standards[code]; ok {
			answer = strconv.Itoa(s.status) + " " + s.message
		}
		line := strings.TrimRight("| `"+code+"` | "+answer, " ") + " |"
		if strings.Count(string(page), "\n"+line) != 1 {
			t.Errorf("the page has no line %q", line)
		}
	}
	for _, word := range []string{"blank", "epoch", "seconds", "is_email"} {
		if _, err := compile(&node{}, word); err != nil || !strings.Contains(string(page), "\n| `"+word+"` |") {
			t.Errorf("%s: %v", word, err)
		}
	}
}

// wrongFiles are rejected by both the loader and the schema.
var wrongFiles = map[string]string{
	"nothing in it":                  "{}",
	"a list":                         "[]",
	"no name":                        "title: Some\nmounts: [/some]\n" + fileRows + fileTail,
	"a name in capitals":             "dialect: Some\ntitle: Some\nmounts: [/some]\n" + fileRows + fileTail,
	"a name of one letter":           "dialect: s\ntitle: Some\nmounts: [/some]\n" + fileRows + fileTail,
	"the name of GraphQL":            "dialect: graphql\ntitle: Some\nmounts: [/some]\n" + fileRows + fileTail,
	"no title":                       "dialect: some-api\nmounts: [/some]\n" + fileRows + fileTail,
	"a number for a title":           "dialect: some-api\ntitle: 7\nmounts: [/some]\n" + fileRows + fileTail,
	"no mounts":                      "dialect: some-api\ntitle: Some\n" + fileRows + fileTail,
	"an empty list of mounts":        "dialect: some-api\ntitle: Some\nmounts: []\n" + fileRows + fileTail,
	"one mount without a list":       "dialect: some-api\ntitle: Some\nmounts: /some\n" + fileRows + fileTail,
	"a mount without a slash":        "dialect: some-api\ntitle: Some\nmounts: [some]\n" + fileRows + fileTail,
	"a mount with a slash behind":    "dialect: some-api\ntitle: Some\nmounts: [/some/]\n" + fileRows + fileTail,
	"a mount with a parameter":       "dialect: some-api\ntitle: Some\nmounts: ['/{a}']\n" + fileRows + fileTail,
	"no errors":                      fileHead + fileTail,
	"no routes":                      fileHead + fileRows,
	"routes that are no list":        fileHead + fileRows + "routes: {route: GET /x}\n",
	"an unknown credential":          fileHead + "credentials: [basic]\n" + fileRows + fileTail,
	"a header without a name":        fileHead + "credentials: [header]\n" + fileRows + fileTail,
	"tokens that live for a word":    fileHead + "tokens: {access: {ttl: soon}}\n" + fileRows + fileTail,
	"tokens that live for a number":  fileHead + "tokens: {access: {ttl: 60}}\n" + fileRows + fileTail,
	"an unknown algorithm":           fileHead + "tokens: {access: {alg: none}}\n" + fileRows + fileTail,
	"the subject as a further claim": fileHead + "tokens: {access: {claims: {sub: x}}}\n" + fileRows + fileTail,
	"passwords of no length":         fileHead + "password: {minLength: 0}\n" + fileRows + fileTail,
	"passwords too long":             fileHead + "password: {minLength: 65}\n" + fileRows + fileTail,
	"a length as a text":             fileHead + "password: {minLength: '8'}\n" + fileRows + fileTail,
	"an unknown mail":                fileHead + "mails: {welcome: {}}\n" + fileRows + fileTail,
	"a landing without the token":    fileHead + "mails: {signIn: {landing: '/in'}}\n" + fileRows + fileTail,
	"a landing elsewhere": fileHead + "mails: {signIn: {landing: 'https://a.example/{token}'}}\n" +
		fileRows + fileTail,
	"a landing of a part of a segment": fileHead + "mails: {signIn: {landing: '/in-{token}'}}\n" + fileRows +
		fileTail,
	"a landing with a fragment": fileHead + "mails: {signIn: {landing: '/in#{token}'}}\n" + fileRows +
		fileTail,
	"a landing with two tokens": fileHead + "mails: {signIn: {landing: '/{token}?t={token}'}}\n" + fileRows +
		fileTail,
	"a landing with another gap": fileHead + "mails: {signIn: {landing: '/{token}/{name}'}}\n" + fileRows +
		fileTail,
	"a landing with the address in it": fileHead + "mails: {signIn: {landing: '/{token}/{email}'}}\n" + fileRows +
		fileTail,
	"a landing with a half parameter": fileHead + "mails: {signIn: {landing: '/in?t=x{token}'}}\n" + fileRows +
		fileTail,
	"a landing at the root": fileHead + "mails: {signIn: {landing: '/?t={token}'}}\n" + fileRows +
		fileTail,
	"a landing that is a number": fileHead + "mails: {signIn: {landing: [7]}}\n" + fileRows + fileTail,
	"a page with the token before the #": fileHead + "mails: {signIn: {page: 'https://a.example/{token}'}}\n" +
		fileRows + fileTail,
	"a page with the token in the query": fileHead + "mails: {signIn: {page: 'https://a.example/?t={token}'}}\n" +
		fileRows + fileTail,
	"a page without TLS":    fileHead + "mails: {signIn: {page: 'http://a.example/in'}}\n" + fileRows + fileTail,
	"a page that is a path": fileHead + "mails: {signIn: {page: /in}}\n" + fileRows + fileTail,
	"a page with a gap of its own": fileHead + "mails: {signIn: {page: 'https://a.example/#{token}{email}'}}\n" +
		fileRows + fileTail,
	"a mail that lives for a word": fileHead + "mails: {signIn: {ttl: long}}\n" + fileRows + fileTail,
	"a button that is a list":      fileHead + "mails: {signIn: {button: [Go]}}\n" + fileRows + fileTail,
	"a button of a book": fileHead + "mails: {signIn: {button: " + strings.Repeat("x", 61) + "}}\n" +
		fileRows + fileTail,
	"a sign-in after a word": fileHead + "signInAfterReset: 'yes'\n" + fileRows + fileTail,
	"a mail to nobody":       fileHead + "fixtures: {f: {mail: {kind: signIn}}}\n" + fileRows + fileTail,
	"a mail of no kind":      fileHead + "fixtures: {f: {mail: {to: a@example.com}}}\n" + fileRows + fileTail,
	"a mail beside a call": fileHead + "fixtures: {f: {call: GET /x, mail: {kind: signIn, to: " +
		"a@example.com}}}\n" + fileRows + fileTail,
	"a variant without a condition":  fileHead + fileRows + fileRoute + ", variants: [{body: {}}]}\n",
	"a date in another order":        fileHead + "sunset: 31.01.2027\n" + fileRows + fileTail,
	"a month that there is not":      fileHead + "deprecated: 2027-13-01\n" + fileRows + fileTail,
	"a date of long ago":             fileHead + "deprecated: 1969-12-31\n" + fileRows + fileTail,
	"a successor in words":           fileHead + "successor: the new one\n" + fileRows + fileTail,
	"a successor of another scheme":  fileHead + "successor: 'ftp://a.example/v2'\n" + fileRows + fileTail,
	"a successor without a scheme":   fileHead + "successor: //a.example/v2\n" + fileRows + fileTail,
	"a successor with a parameter":   fileHead + fileRows + fileRoute + ", successor: '/v2/{id}'}\n",
	"a cookie without a mapping":     fileHead + "cookies: {c: x}\n" + fileRows + fileTail,
	"a cookie of no name":            fileHead + "cookies: {c: {names: []}}\n" + fileRows + fileTail,
	"a cookie of an impossible name": fileHead + "cookies: {c: {names: ['a b']}}\n" + fileRows + fileTail,
	"httpOnly as a text":             fileHead + "cookies: {c: {httpOnly: 'no'}}\n" + fileRows + fileTail,
	"an unknown code":                fileHead + "errors: {body: {}, TEAPOT: {status: 418}}\n" + fileTail,
	"a row that is a number":         fileHead + "errors: {body: {}, CONFLICT: 409}\n" + fileTail,
	"a status that is a text":        fileHead + fileRows + "routes: [{route: GET /x, status: ok, body: {}}]\n",
	"a status below 200":             fileHead + fileRows + "routes: [{route: GET /x, status: 101, body: {}}]\n",
	"a status above 599":             fileHead + fileRows + "routes: [{route: GET /x, status: 600, body: {}}]\n",
	"two bodies":                     fileHead + fileRows + "routes: [{route: GET /x, body: {}, text: x}]\n",
	"a header of the server": fileHead + fileRows + "routes: [{route: GET /x, body: {}, headers: " +
		"{content-length: 1}}]\n",
	"a header of the sunset": fileHead + fileRows + "routes: [{route: GET /x, body: {}, headers: {Sunset: " +
		"soon}}]\n",
	"a route without a route":      fileHead + fileRows + "routes: [{body: {}}]\n",
	"a route without a method":     fileHead + fileRows + "routes: [{route: /x, body: {}}]\n",
	"a route of an unknown method": fileHead + fileRows + "routes: [{route: FETCH /x, body: {}}]\n",
	"a route without a slash":      fileHead + fileRows + "routes: [{route: GET x, body: {}}]\n",
	"a field of an unknown type":   fileHead + fileRows + "routes: [{route: GET /x, fields: {a: date}, body: {}}]\n",
	"a field of an impossible name": fileHead + fileRows + "routes: [{route: GET /x, fields: {a b: string}, body: " +
		"{}}]\n",
	"a check without a condition": fileHead + fileRows + fileRoute + ", checks: [{error: CONFLICT}]}\n",
	"a check with two conditions": fileHead + fileRows + fileRoute + ", checks: [{when: '1', all: [{when: '1', " +
		"add: 1}], error: CONFLICT}]}\n",
	"a check without an answer": fileHead + fileRows + fileRoute + ", checks: [{when: '1'}]}\n",
	"a check with two answers": fileHead + fileRows + fileRoute +
		", checks: [{when: '1', error: CONFLICT, body: {}}]}\n",
	"a part that adds nothing": fileHead + fileRows + fileRoute +
		", checks: [{all: [{when: '1'}], body: {}}]}\n",
	"an outcome without a condition": fileHead + fileRows + fileRoute + ", outcomes: [{error: CONFLICT}]}\n",
	"an outcome without an answer":   fileHead + fileRows + fileRoute + ", outcomes: [{when: '1'}]}\n",
	"a condition that is no text": fileHead + fileRows + fileRoute +
		", outcomes: [{when: true, error: CONFLICT}]}\n",
	"an example without a title":   fileHead + fileRows + fileRoute + ", examples: [{answer: {}}]}\n",
	"an example without an answer": fileHead + fileRows + fileRoute + ", examples: [{title: t}]}\n",
	"an answer that is two things": fileHead + fileRows + fileRoute +
		", examples: [{title: t, answer: {json: {}, text: x}}]}\n",
	"a form of objects": fileHead + fileRows + fileRoute +
		", examples: [{title: t, form: {a: {}}, answer: {}}]}\n",
	"a header of nothing": fileHead + fileRows + fileRoute +
		", examples: [{title: t, headers: {a: null}, answer: {}}]}\n",
	"a fixture that does two things": fileHead + "fixtures: {f: {call: GET /x, graphql: '{ me { id } }'}}\n" +
		fileRows + fileTail,
	"a fixture that waits for a word": fileHead + "fixtures: {f: {wait: long}}\n" + fileRows + fileTail,
	"=each without =item":             fileHead + fileRows + "routes: [{route: GET /x, body: {=each: .a}}]\n",
	"an unknown key with =":           fileHead + fileRows + "routes: [{route: GET /x, body: {=all: .a}}]\n",
}

func TestSchema_WrongFiles(t *testing.T) {
	t.Parallel()
	schema := compiled(t)
	for _, good := range []string{fileHead + fileRows + fileTail, fileHead + fileRows + fileRoute + "}\n"} {
		if _, err := Parse("x.yaml", []byte(good)); err != nil || schema.Validate(asJSON(t, good)) != nil {
			t.Fatalf("not even the file around is right: %v\n%s", err, good)
		}
	}
	for name, file := range wrongFiles {
		if _, err := Parse("x.yaml", []byte(file)); err == nil {
			t.Errorf("the loader takes %s", name)
		}
		if schema.Validate(asJSON(t, file)) == nil {
			t.Errorf("the schema takes %s", name)
		}
	}
}
