package rest

import (
	"slices"
	"strings"
	"testing"
)

// renewing is a valid renew: for the shelf.
const renewing = `renew:
  cookie: session
  variables: {token: =.cookies.session}
  document: |
    mutation Renew($token: String!) {
      refresh(input: {refreshToken: $token}) { tokens { accessToken refreshToken } userErrors { code message } }
    }
  credential: =.refresh.tokens.accessToken
  cookies: {session: =.refresh.tokens.refreshToken}
`

func TestLoad_RefusesRenewals(t *testing.T) {
	t.Parallel()
	const cookies = "cookies: {session: {path: /}}\n"
	if _, err := load("shelf.yaml", strings.Replace(shelf, cookies, cookies+renewing, 1)); err != nil {
		t.Fatal(err)
	}
	// line is a part of the line that the message must name.
	for _, row := range []struct{ name, old, new, line, reason, mend string }{
		{"no cookie", "  cookie: session\n", "", "variables:", "needs the key cookie", "Add cookie:"},
		{"an unknown cookie", "cookie: session", "cookie: sesion", "cookie: sesion", `no cookie "sesion"`, "cookies:"},
		{"no document", "  document: |\n", "  other: |\n", "other:", `no key "other"`, "document"},
		{
			"no credential", "  credential: =.refresh.tokens.accessToken\n", "", "cookie: session",
			"needs the key credential", "Add credential:",
		},
		{
			"no cookies", "  cookies: {session: =.refresh.tokens.refreshToken}\n", "", "cookie: session",
			"needs the key cookies", "Add cookies:",
		},
		{
			"one credential for all", "=.refresh.tokens.accessToken", "st1.secret", "st1.secret",
			"the same for everybody", "expression",
		},
		{"a cookie that is none", "{session: =.ref", "{sesion: =.ref", "sesion: =", `no cookie "sesion"`, "cookies:"},
		{"a variable that is none", "{token: =.cookies", "{tokn: =.cookies", "tokn:", "no variable $tokn", "Declare"},
		{
			"a document without its variable", "  variables: {token: =.cookies.session}\n", "", "document:",
			"needs the variable $token", "variables:",
		},
		{
			"a document without refusals", " userErrors { code message }", "", "refresh(input",
			"Ask refresh for userErrors", "userErrors",
		},
		{"a document that is none", "refresh(input", "refesh(input", "refesh(input", "the schema refuses", "schema"},
		{
			"headers", "  cookie: session\n", "  headers: {}\n  cookie: session\n", "headers:", `no key "headers"`,
			"cookie",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(renewing, row.old) != 1 {
				t.Fatalf("%q stands %d times", row.old, strings.Count(renewing, row.old))
			}
			lines := strings.Split(strings.Replace(renewing, row.old, row.new, 1), "\n")
			lines[slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, row.line) })] += "#!"
			text := strings.Replace(shelf, cookies, cookies+strings.Join(lines, "\n"), 1)
			broken{row.name, "", text, row.reason, row.mend}.check(t)
		})
	}
	const access = "tokens: {access: {ttl: 1h}}\n"
	once := strings.Replace(shelf, access, "tokens: {refresh: {reuse: refuse}}\n", 1)
	marked := strings.Replace(renewing, "cookie: session\n", "cookie: session#!\n", 1)
	once = strings.Replace(once, cookies, cookies+marked, 1)
	broken{"single use", "", once, "two requests", "reuse:"}.check(t)
}

func TestLoad_Aliases(t *testing.T) {
	t.Parallel()
	const route = "  - route: GET /me\n"
	d := mustParse(t, strings.Replace(shelf, route, route+"    aliases: [/myself, /self/now]\n", 1))
	if d.Routes() != 4 {
		t.Errorf("%d routes", d.Routes())
	}
	for _, b := range []broken{
		{
			"an alias without a slash", route, route + "    aliases: [myself]#!\n", "cannot be an alias of /me",
			"/users/{id}",
		},
		{
			"an alias with a parameter more", route, route + "    aliases: ['/{me}']#!\n", "cannot be an alias of /me",
			"parameters",
		},
		{
			"an alias with a parameter less", "    accepts: [json]\n",
			"    accepts: [json]\n    aliases: [/loans/end]#!\n", "cannot be an alias of", "parameters",
		},
		{
			"an alias that is a route already", route, strings.Replace(route, "\n", "#!\n", 1) + "    aliases: [/me]\n",
			"", "",
		},
	} {
		t.Run(b.name, func(t *testing.T) { t.Parallel(); b.check(t) })
	}
}
