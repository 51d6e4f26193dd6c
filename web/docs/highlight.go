package docs

import (
	"regexp"
	"strings"
)

// The tokens that the documentation colours. Text that no token matches is kept without a colour.
var (
	jsonTokens = regexp.MustCompile(
		`"(?:[^"\\]|\\.)*"(\s*:)?|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\b(?:true|false|null)\b`)
	graphqlTokens = regexp.MustCompile(
		`#[^\n]*|"(?:[^"\\\n]|\\.)*"|\$\w+|@\w+|\b(?:query|mutation|fragment|on|true|false|null)\b|` +
			`\b[A-Z]\w*\b|-?\b\d+(?:\.\d+)?\b`)
)

// coloured splits a text into tokens with a class and the text between them.
func coloured(text string, tokens *regexp.Regexp, class func(token string) string) []span {
	var out []span
	end := 0
	for _, at := range tokens.FindAllStringIndex(text, -1) {
		if at[0] > end {
			out = append(out, span{"", text[end:at[0]]})
		}
		out = append(out, span{class(text[at[0]:at[1]]), text[at[0]:at[1]]})
		end = at[1]
	}
	if end < len(text) {
		out = append(out, span{"", text[end:]})
	}
	return out
}

func colouredJSON(text string) []span {
	return coloured(text, jsonTokens, func(token string) string {
		switch {
		case strings.HasSuffix(token, ":"):
			return "key"
		case strings.HasPrefix(token, `"`):
			return "str"
		}
		return "lit"
	})
}

func colouredGraphQL(text string) []span {
	return coloured(text, graphqlTokens, func(token string) string {
		switch token[0] {
		case '#':
			return "rem"
		case '"':
			return "str"
		case '$':
			return "gap"
		case '@':
			return "opt"
		}
		switch {
		case token[0] >= 'A' && token[0] <= 'Z':
			return "typ"
		case token[0] >= 'a':
			return "key"
		}
		return "lit"
	})
}
