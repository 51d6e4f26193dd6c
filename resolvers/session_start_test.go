package resolvers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// makers lists what makes a session or its tokens, and the functions that may name it. Every sign-in method goes
// through startSession, which holds the conditions for every sign-in. refresh, and reissue for updateMe, make tokens
// for a live session.
var makers = map[string][]string{
	"db.NewSession":      {"startSession"},
	"db.Session{}":       {}, // what db.NewSession is for
	"graph.AuthTokens{}": {"accessAlone"},
	"tokens":             {"handOut", "refresh", "reissue"},
	"handOut":            {"startSession", "verifyMfa", "confirmed"},
	"accessAlone":        {"tokens", "reissue"},
	"accessToken":        {"accessAlone", "validateClaims"},
	"refreshToken":       {"tokens"},
	"setCookie":          {"tokens"},
	"SetCookie":          {"setCookie", "deliverDevice"},
	"deliverDevice":      {"handOut", "registerConfirmed"},
	"Issuer.Issue":       {"accessToken"},
	"Codec.Refresh":      {"refreshToken"},
	"Codec.RefreshJWT":   {"refreshToken"},
	"Codec.Session":      {"tokens", "setCookie"},
	"Codec.Device":       {"deliverDevice"},
}

// ways are the sign-in methods. A further one is a decision.
var ways = []string{"afterReset", "loginByMail", "loginBySMS", "loginOnce", "registerOpen"}

// names gives the keys of makers that an expression could match: its last part, and its last two parts.
func names(n ast.Node) []string {
	if literal, ok := n.(*ast.CompositeLit); ok {
		if t, ok := literal.Type.(*ast.SelectorExpr); ok {
			return []string{names(t)[1] + "{}"}
		}
		return nil
	}
	selector, ok := n.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	before := ""
	switch x := selector.X.(type) {
	case *ast.Ident:
		before = x.Name
	case *ast.SelectorExpr:
		before = x.Sel.Name
	}
	return []string{selector.Sel.Name, before + "." + selector.Sel.Name}
}

// TestStartSession_IsTheOneWayToTokens finds every use of makers in the source of the package, called or not.
func TestStartSession_IsTheOneWayToTokens(t *testing.T) {
	t.Parallel()
	sources, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	found, callers := map[string]bool{}, map[string]bool{}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			in := "a declaration that is no function"
			if f, ok := declaration.(*ast.FuncDecl); ok {
				in = f.Name.Name
			}
			ast.Inspect(declaration, func(n ast.Node) bool {
				for _, maker := range names(n) {
					if maker == "startSession" {
						callers[in] = true
					}
					allowed, watched := makers[maker]
					if !watched {
						continue
					}
					found[maker] = true
					if !slices.Contains(allowed, in) {
						t.Errorf("%s: %s uses %s; a sign-in method calls startSession instead",
							files.Position(n.Pos()), in, maker)
					}
				}
				return true
			})
		}
	}
	for maker, allowed := range makers {
		if len(allowed) > 0 && !found[maker] {
			t.Errorf("%s is used nowhere: the test looks for the wrong thing", maker)
		}
	}
	if got := slices.Sorted(maps.Keys(callers)); !slices.Equal(got, ways) {
		t.Errorf("startSession is called by %q, want %q", got, ways)
	}
}
