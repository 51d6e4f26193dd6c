package credential

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/token"
)

const (
	authorization = "Authorization"
	apiKey        = "X-Api-Key"
)

// Problem says why the credentials of a request are ambiguous. "" means that they are not.
type Problem string

// The problems that there are.
const (
	Several     Problem = "several"        // two credentials that differ, or a header that was sent twice
	NoScheme    Problem = "no scheme"      // an Authorization header with a text alone, where a scheme is asked for
	OtherScheme Problem = "another scheme" // an Authorization header in another form that none of the sources has
	NoToken     Problem = "no token"       // an Authorization header with a scheme alone
	NoAPIKey    Problem = "no key"         // an X-API-Key that is no API key
	NoCookie    Problem = "no cookie"      // a session cookie that holds no session token
)

// Read returns the credential that a request presents in one of the sources, verbatim, "" for none.
//
// The same text in two places counts once. Two different ones are ambiguous, and so are a header that is sent twice, an
// Authorization header in a form that none of the sources has, and an X-API-Key that is no API key. Then text is "".
// A header of Authorization or of a source's name counts as absent when it is blank, a cookie when it is empty: that is
// how clients that have nothing to say often say it.
func Read(h http.Header, sources []Source) (text string, problem Problem) {
	var f find
	f.authorization(h, sources)
	for _, s := range sources {
		switch s.Kind {
		case APIKey:
			f.apiKey(h)
		case Header:
			f.headers(h, s.Names)
		case Cookie:
			f.cookies(h, s.Names)
		case Bearer, Token, Bare: // are in the one header
		}
	}
	if f.problem != "" {
		return "", f.problem
	}
	return f.text, ""
}

// find collects the credentials found so far.
type find struct {
	text    string
	problem Problem // the first
}

func (f *find) add(text string) {
	if f.text != "" && f.text != text {
		f.fail(Several)
	}
	f.text = text
}

func (f *find) fail(problem Problem) { f.problem = cmp.Or(f.problem, problem) }

// one returns the value of a header that may be sent once, "" if it is absent or blank.
func (f *find) one(h http.Header, name string) string {
	values := slices.DeleteFunc(slices.Clone(h.Values(name)), blank)
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	f.fail(Several)
	return ""
}

func (f *find) headers(h http.Header, names []string) {
	for _, name := range names {
		if text := f.one(h, name); text != "" {
			f.add(text)
		}
	}
}

func (f *find) apiKey(h http.Header) {
	values := h.Values(apiKey)
	switch {
	case len(values) == 0:
	case len(values) > 1:
		f.fail(Several)
	case token.Kind(values[0]) != token.KindAPIKey:
		f.fail(NoAPIKey)
	default:
		f.add(values[0])
	}
}

// cookies reads cookies like a net/http request, which skips malformed ones. http.ParseCookie would fail on them, and
// any script of the same site can set one.
func (f *find) cookies(h http.Header, names []string) {
	r := http.Request{Header: http.Header{"Cookie": h["Cookie"]}}
	for _, c := range r.Cookies() {
		switch {
		case !slices.Contains(names, c.Name) || c.Value == "":
		case token.Kind(c.Value) == token.KindAPIKey:
			f.fail(NoCookie) // a key is for programs, and what a browser sends by itself is none (AK-13)
		default:
			f.add(c.Value)
		}
	}
}

// authorization reads the header by the schemes that the sources name.
func (f *find) authorization(h http.Header, sources []Source) {
	value := f.one(h, authorization)
	if value == "" {
		return
	}
	scheme, rest, _ := strings.Cut(value, " ")
	has := func(k Kind) bool { return slices.ContainsFunc(sources, func(s Source) bool { return s.Kind == k }) }
	text := ""
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		if has(Bearer) {
			text = rest
		}
	case strings.EqualFold(scheme, "Token"):
		if has(Token) {
			text = tokenScheme(rest)
		}
	case has(Bare) && !strings.ContainsAny(value, " \t"):
		text = value
	}
	if blank(text) {
		f.fail(unread(scheme, rest))
		return
	}
	f.add(text)
}

// unread says what is wrong with an Authorization header in which no credential was found.
func unread(scheme, rest string) Problem {
	known := strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Token")
	switch {
	case known && blank(rest):
		return NoToken
	case rest == "":
		return NoScheme
	}
	return OtherScheme
}

// tokenScheme reads what follows the scheme Token: a token, or parameters of which the first is the token and the
// others say nothing about who is calling. "" when it is neither.
func tokenScheme(rest string) string {
	const name = "token="
	first, others, _ := strings.Cut(rest, ",")
	for other := range strings.SplitSeq(others, ",") {
		if strings.HasPrefix(strings.TrimSpace(other), name) {
			return "" // a second token
		}
	}
	first = strings.TrimPrefix(strings.TrimSpace(first), name)
	if inner, ok := strings.CutPrefix(first, `"`); ok {
		if first, ok = strings.CutSuffix(inner, `"`); !ok {
			return ""
		}
	}
	if strings.ContainsAny(first, " \t\"") {
		return ""
	}
	return first
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }
