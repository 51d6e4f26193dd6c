package credential

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sources(t testing.TB, forms ...string) []Source {
	t.Helper()
	var all []Source
	for _, form := range forms {
		s, err := Parse(form)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func TestParse(t *testing.T) {
	t.Parallel()
	for form, want := range map[string]Source{
		"bearer":                 {Kind: Bearer},
		"token":                  {Kind: Token},
		"bare":                   {Kind: Bare},
		"api-key":                {Kind: APIKey},
		"header X-Session-Token": {Kind: Header, Names: []string{"X-Session-Token"}},
		"cookie a":               {Kind: Cookie, Names: []string{"a"}},
		"cookie __Host-a b.c":    {Kind: Cookie, Names: []string{"__Host-a", "b.c"}},
	} {
		if got, err := Parse(form); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v", form, got, err)
		}
	}
	for form, mend := range map[string]string{
		"":                       "write bearer, token, bare",
		"Bearer":                 "write bearer, token, bare",
		"basic":                  "write bearer, token, bare",
		"bearer x":               `write "bearer" alone`,
		"api-key X-My-Key":       `write "api-key" alone`,
		"header":                 "header X-Session-Token",
		"header a b":             "header X-Session-Token",
		"header a:":              "header X-Session-Token",
		"header authorization":   "bearer, token or bare",
		"header x-api-key":       `"api-key"`,
		"header cookie":          `"cookie"`,
		"cookie":                 "cookie refreshToken",
		"cookie ":                "cookie refreshToken",
		"cookie a=b":             "cookie refreshToken",
		"cookie a grün":          "cookie refreshToken",
		"cookie refresh, access": "cookie refreshToken",
	} {
		if got, err := Parse(form); err == nil || !strings.Contains(err.Error(), mend) || got.Kind != "" {
			t.Errorf("%q: %+v %v", form, got, err)
		}
	}
}

// HT-05: one credential, in a form that is expected, or none, or no guess.
func TestHT05_Read(t *testing.T) {
	t.Parallel()
	const key, other, jwt = "sk_live_x", "sk_live_y", "eyJh.eyJz.c2ln"
	edge := sources(t, "bearer", "api-key")
	rails := sources(t, "bearer", "token", "header X-Session-Token")
	old := sources(t, "bare", "bearer", "cookie refreshToken userRefreshToken")
	auth := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	cookie := func(lines ...string) http.Header { return http.Header{"Cookie": lines} }
	const ambiguous = "?"
	for _, c := range []struct {
		name    string
		sources []Source
		header  http.Header
		want    string
	}{
		{"nothing", edge, http.Header{}, ""},
		{"no header at all", edge, nil, ""},
		{"no sources", nil, http.Header{"X-Api-Key": {key}, "Cookie": {"a=b"}}, ""},
		{"a scheme without sources", nil, auth("Bearer abc"), ambiguous},
		{"bearer", edge, auth("Bearer abc"), "abc"},
		{"the scheme in another case", edge, auth("bEARER abc"), "abc"},
		{"two spaces", edge, auth("Bearer  abc"), " abc"}, // which is no token
		{"basic", edge, auth("Basic YTpi"), ambiguous},
		{"token, not expected", edge, auth("Token abc"), ambiguous},
		{"no scheme", edge, auth("abc"), ambiguous},
		{"bearer of nothing", edge, auth("Bearer"), ambiguous},
		{"bearer of a space", edge, auth("Bearer "), ambiguous},
		{"bearer of spaces", edge, auth("Bearer   "), ambiguous},
		{"empty", edge, auth(""), ""},
		{"blank", edge, auth(" \t "), ""},
		{"empty beside one", edge, auth("", "Bearer abc"), "abc"},
		{"two bearers", edge, auth("Bearer abc", "Bearer abc"), ambiguous},
		{"bearer and basic", edge, auth("Bearer abc", "Basic YTpi"), ambiguous},
		{"key", edge, http.Header{"X-Api-Key": {key}}, key},
		{"key as bearer", edge, auth("Bearer " + key), key},
		{"no key", edge, http.Header{"X-Api-Key": {jwt}}, ambiguous},
		{"empty key", edge, http.Header{"X-Api-Key": {""}}, ambiguous},
		{"two keys", edge, http.Header{"X-Api-Key": {key, key}}, ambiguous},
		{"two different keys", edge, http.Header{"X-Api-Key": {key, other}}, ambiguous},
		{"key and bearer", edge, http.Header{"Authorization": {"Bearer abc"}, "X-Api-Key": {key}}, ambiguous},
		{"key and basic", edge, http.Header{"Authorization": {"Basic YTpi"}, "X-Api-Key": {key}}, ambiguous},
		{"key and no key", edge, http.Header{"Authorization": {"Bearer " + key}, "X-Api-Key": {"abc"}}, ambiguous},
		{"the same key twice", edge, http.Header{"Authorization": {"Bearer " + key}, "X-Api-Key": {key}}, key},
		{"key beside an empty header", edge, http.Header{"Authorization": {""}, "X-Api-Key": {key}}, key},
		{"key, not expected", rails, http.Header{"X-Api-Key": {key}}, ""},

		{"token", rails, auth("Token abc"), "abc"},
		{"token, another case", rails, auth("token abc"), "abc"},
		{"token named", rails, auth("Token token=abc"), "abc"},
		{"token quoted", rails, auth(`Token token="abc"`), "abc"},
		{"token alone and quoted", rails, auth(`Token "abc"`), "abc"},
		{"token with a nonce", rails, auth(`Token token="abc", nonce="def"`), "abc"},
		{"token with anything behind", rails, auth(`Token abc,,=,nonce`), "abc"},
		{"token with padding", rails, auth("Token token=abc=="), "abc=="},
		{"token spaced", rails, auth(`Token   token="abc"  , nonce=a`), "abc"},
		{"token of nothing", rails, auth("Token"), ambiguous},
		{"token named, of nothing", rails, auth("Token token="), ambiguous},
		{"token quoted, of nothing", rails, auth(`Token token=""`), ambiguous},
		{"token after a nonce", rails, auth(`Token nonce="def", token="abc"`), ambiguous},
		{"token twice", rails, auth(`Token token="abc", token="def"`), ambiguous},
		{"token, quote open", rails, auth(`Token token="abc`), ambiguous},
		{"token, a quote alone", rails, auth(`Token "`), ambiguous},
		{"token, quote within", rails, auth(`Token token="a"c"`), ambiguous},
		{"token, two words", rails, auth(`Token abc def`), ambiguous},
		{"header", rails, http.Header{"X-Session-Token": {"abc"}}, "abc"},
		{"header blank", rails, http.Header{"X-Session-Token": {" "}}, ""},
		{"header twice", rails, http.Header{"X-Session-Token": {"abc", "abc"}}, ambiguous},
		{
			"header and token", rails,
			http.Header{"X-Session-Token": {"abc"}, "Authorization": {`Token token="abc"`}},
			"abc",
		},
		{
			"header and another token", rails,
			http.Header{"X-Session-Token": {"abc"}, "Authorization": {"Token def"}},
			ambiguous,
		},

		{"bare", old, auth(jwt), jwt},
		{"bare, two words", old, auth("abc def"), ambiguous},
		{"bare, a tab", old, auth("abc\tdef"), ambiguous},
		{"bare is no scheme", old, auth("Bearer"), ambiguous},
		{"bare is no other scheme", old, auth("token"), ambiguous},
		{"bare beside bearer", old, auth("Bearer " + jwt), jwt},
		{"cookie", old, cookie("a=b; refreshToken=abc"), "abc"},
		{"cookie quoted", old, cookie(`refreshToken="abc"`), "abc"},
		{"cookie of the other name", old, cookie("userRefreshToken=abc"), "abc"},
		{"cookies alike", old, cookie("userRefreshToken=abc; refreshToken=abc"), "abc"},
		{"cookies of both names", old, cookie("userRefreshToken=abc; refreshToken=def"), ambiguous},
		{"cookie twice alike", old, cookie("refreshToken=abc; refreshToken=abc"), "abc"},
		{"cookie twice", old, cookie("refreshToken=abc; refreshToken=def"), ambiguous},
		{"cookie twice in two lines", old, cookie("refreshToken=abc", "refreshToken=def"), ambiguous},
		{"cookie empty", old, cookie("refreshToken="), ""},
		{"cookie empty beside one", old, cookie("refreshToken=; userRefreshToken=abc"), "abc"},
		{"cookie in another case", old, cookie("refreshtoken=abc"), ""},
		{"cookie beside a malformed one", old, cookie(`x={"a":1}; =; ;refreshToken=abc`), "abc"},
		{"cookie with an API key", old, cookie("refreshToken=" + key), ambiguous},
		{"cookie with an API key beside one", old, cookie("refreshToken=abc; userRefreshToken=" + key), ambiguous},
		{"cookie malformed", old, cookie(`refreshToken=a"c`), ""},
		{
			"cookie and bearer alike", old,
			http.Header{"Cookie": {"refreshToken=abc"}, "Authorization": {"Bearer abc"}},
			"abc",
		},
		{
			"cookie and bearer", old,
			http.Header{"Cookie": {"refreshToken=abc"}, "Authorization": {"Bearer def"}},
			ambiguous,
		},
		{
			"cookie and basic", old,
			http.Header{"Cookie": {"refreshToken=abc"}, "Authorization": {"Basic YTpi"}},
			ambiguous,
		},
		{"a cookie to those who read none", edge, cookie("refreshToken=abc"), ""},
	} {
		text, problem := Read(c.header, c.sources)
		unsure := problem != ""
		if unsure != (c.want == ambiguous) || !unsure && text != c.want || unsure && text != "" {
			t.Errorf("%s: %q %t, want %q", c.name, text, unsure, c.want)
		}
	}
}

// Whatever is sent: no panic, never a credential that is unsure, none out of nothing, and the order of the sources is
// all one.
func TestReadAnything(t *testing.T) {
	t.Parallel()
	all := sources(t, "bearer", "token", "bare", "api-key", "header X-Session-Token", "cookie a b")
	value := rapid.OneOf(rapid.String(),
		rapid.StringMatching(`(Bearer|Token|Basic|) ?(token=)?"?[a-c.]*"?(, ?token=b)?`),
		rapid.StringMatching(`[ab]="?[ab,;]{0,2}"?(; ?[ab]=[ab]?)?`), rapid.StringMatching(`(sk_live_)?[ab]?`))
	values := rapid.SliceOfN(value, 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		h := http.Header{}
		for _, name := range []string{"Authorization", "X-Api-Key", "X-Session-Token", "Cookie"} {
			if v := values.Draw(t, name); len(v) > 0 {
				h[name] = v
			}
		}
		some := rapid.Permutation(all).Draw(t, "sources")[:rapid.IntRange(0, len(all)).Draw(t, "many")]
		text, problem := Read(h, some)
		ambiguous := problem != ""
		if ambiguous && text != "" || text != "" && (len(some) == 0 || !appears(h, text)) {
			t.Errorf("%q %t", text, ambiguous)
		}
		again, other := Read(h, rapid.Permutation(some).Draw(t, "order"))
		if again != text || (other != "") != ambiguous {
			t.Errorf("in another order %q %q, not %q %q", again, other, text, problem)
		}
	})
}

func appears(h http.Header, text string) bool {
	for _, values := range h {
		if strings.Contains(strings.Join(values, "\n"), text) {
			return true
		}
	}
	return false
}
