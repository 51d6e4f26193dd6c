package rest

import (
	"maps"
	"net/http"
	pathpkg "path"
	"regexp"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/token"
)

var (
	methods   = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
	routePath = regexp.MustCompile(`^(/([A-Za-z0-9._~-]+|\{[A-Za-z][A-Za-z0-9_]*\}))+$`)
	parameter = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9_]*)\}`)
)

// decodeRoute reads a route. `POST, PUT /path` makes one route for each method.
func (d *Dialect) decodeRoute(n *node) error {
	r := &route{
		at:     n,
		params: map[string]string{},
		answer: &answer{at: n},
		errors: &errorTable{rows: map[string]*row{}},
	}
	var line string
	var aliases []string
	table := r.answer.keys()
	maps.Copy(table, r.sunset.keys())
	maps.Copy(table, keys{
		"route":        text(&line),
		"aliases":      texts(&aliases),
		"title":        text(&r.title),
		"about":        text(&r.about),
		"mounts":       d.decodeMounts(&r.mounts),
		"accepts":      r.decodeAccepts,
		"changesState": boolean(&r.changesState),
		"params":       entries(r.decodeParam),
		"fields":       entries(r.decodeField),
		"checks":       items(r.decodeCheck),
		"variables":    pairsOf(&r.variables),
		"document":     r.decodeDocument,
		"outcomes":     items(r.decodeOutcome),
		"variants":     items(r.decodeVariant),
		"errors":       r.errors.decode,
		"examples":     items(r.decodeExample),
	})
	if err := n.decode("a route", table); err != nil {
		return err
	}
	if err := n.require("a route", "route"); err != nil {
		return err
	}
	verbs, path, ok := cutLast(line)
	if !ok || !routePath.MatchString(path) || pathpkg.Clean(path) != path {
		return n.get("route").fault("Write it like POST /login or GET /keys/{id}.", "%q is not a route", line)
	}
	verb := strings.FieldsFunc(verbs, func(c rune) bool { return c == ',' || c == ' ' })
	if len(verb) == 0 {
		return n.get("route").fault("Write it like POST /login.", "%q has no method", line)
	}
	for _, method := range verb {
		if !slices.Contains(methods, method) {
			return n.get("route").fault("The methods are "+strings.Join(methods, ", ")+".",
				"%q is not a method of routes", method)
		}
		one := *r
		one.method, one.path, one.examples = method, path, nil
		for _, e := range r.examples {
			own := *e
			own.Call = method + " " + path
			one.examples = append(one.examples, &own)
		}
		d.routes = append(d.routes, &one)
		if err := d.addAliases(n, &one, aliases); err != nil {
			return err
		}
	}
	return nil
}

// addAliases adds a copy of a route for each further path. A copy has no examples: they would show the same.
func (d *Dialect) addAliases(n *node, r *route, aliases []string) error {
	for i, alias := range aliases {
		if !routePath.MatchString(alias) || pathpkg.Clean(alias) != alias || !sameParameters(r.path, alias) {
			return n.get("aliases").items[i].fault(
				"Write a further path, with the parameters of route: in it, for example /users/{id}.",
				"%q cannot be an alias of %s", alias, r.path)
		}
		other := *r
		other.path, other.examples = alias, nil
		d.routes = append(d.routes, &other)
	}
	return nil
}

// sameParameters tells whether two paths have the same parameters, in any order.
func sameParameters(a, b string) bool {
	names := func(path string) []string {
		found := parameter.FindAllString(path, -1)
		slices.Sort(found)
		return found
	}
	return slices.Equal(names(a), names(b))
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, ' ')
	if i < 0 {
		return "", "", false
	}
	return strings.TrimSpace(s[:i]), s[i+1:], true
}

func (r *route) decodeDocument(n *node) error {
	r.documentAt = n
	if err := text(&r.document)(n); err != nil {
		return err
	}
	r.document, _ = n.text() // with leading empty lines, so that the line numbers of errors are right
	return nil
}

func (r *route) decodeAccepts(n *node) error {
	r.accepts = accepts{}
	return items(oneOf(func(s string) {
		switch s {
		case "json":
			r.accepts.json = true
		case "form":
			r.accepts.form = true
		case "query":
			r.accepts.query = true
		}
	}, "json", "form", "query"))(n)
}

func (r *route) decodeParam(m member) error {
	return oneOf(func(s string) { r.params[m.key] = s }, "string", "integer")(m.value)
}

func (r *route) decodeCheck(n *node) error {
	c := &check{at: n, answer: &answer{at: n}}
	table := c.answer.keys()
	table["when"] = condition(&c.when)
	table["error"] = oneOf(func(s string) { c.code = s }, knownCodes()...)
	table["message"] = treeOf(&c.says)
	table["all"] = items(func(n *node) error {
		f := &finding{}
		if err := n.decode("a part of a check", keys{"when": condition(&f.when), "add": treeOf(&f.add)}); err != nil {
			return err
		}
		c.all = append(c.all, f)
		return n.require("a part of a check", "when", "add")
	})
	if err := n.decode("a check", table); err != nil {
		return err
	}
	r.checks = append(r.checks, c)
	if (c.when == nil) == (c.all == nil) {
		return n.fault("Give when: a condition, or all: a list of {when, add}.", "a check needs one of when and all")
	}
	return oneAnswer(n, c.code, c.answer)
}

func (r *route) decodeOutcome(n *node) error {
	o := &outcome{answer: &answer{at: n}}
	table := o.answer.keys()
	table["when"] = condition(&o.when)
	table["error"] = oneOf(func(s string) { o.code = s }, knownCodes()...)
	if err := n.decode("an outcome", table); err != nil {
		return err
	}
	if err := n.require("an outcome", "when"); err != nil {
		return err
	}
	r.outcomes = append(r.outcomes, o)
	return oneAnswer(n, o.code, o.answer)
}

// oneAnswer rejects a check or an outcome that has both a code and an answer of its own, or neither.
func oneAnswer(n *node, code string, a *answer) error {
	if code != "" && (a.status != nil || len(a.headers)+len(a.cookies) > 0) {
		return n.fault("Put them into the row of the code.",
			"error: takes its status, headers and cookies from the row")
	}
	if (code == "") == !a.hasBody() {
		return n.fault("Give error: a code of the table of errors, or status: with body:, text: or empty:.",
			"this needs exactly one answer")
	}
	return nil
}

// completeRoute checks a route as a whole, and fills in the defaults.
func (d *Dialect) completeRoute(r *route) error {
	at := r.at.get("route")
	r.sunset = r.sunset.within(d.Sunset)
	if err := r.sunset.check(r.at); err != nil {
		return err
	}
	r.notice = r.sunset.notice()
	if r.at.get("accepts") == nil {
		if r.method != http.MethodGet && r.method != http.MethodDelete {
			return at.fault(
				"Add accepts: with json, form and query as it applies, or accepts: [] for a route without parameters.",
				"%s %s does not say where its parameters are", r.method, r.path)
		}
		r.accepts.query = true
	}
	if (r.method == http.MethodGet) && (r.accepts.json || r.accepts.form) {
		return at.fault("Take json and form away.", "a GET request has no body")
	}
	if r.changesState && r.method != http.MethodGet {
		return at.fault("Take it away.", "changesState is for GET; every other method changes state anyway")
	}
	for name := range r.params {
		if !strings.Contains(r.path, "{"+name+"}") {
			return r.at.get("params").fault("Use the names in {…} of the route.", "the path has no parameter %q", name)
		}
	}
	for _, found := range parameter.FindAllStringSubmatch(r.path, -1) {
		if strings.Count(r.path, found[0]) > 1 {
			return at.fault("Give each its own name.", "the path has the parameter %q twice", found[1])
		}
		if r.params[found[1]] == "" {
			r.params[found[1]] = "string"
		}
	}
	if err := d.completeAnswers(r); err != nil {
		return err
	}
	if err := d.checkFields(r); err != nil {
		return err
	}
	return d.completeVariants(r)
}

// completeAnswers checks the answers of a route or a variant.
func (d *Dialect) completeAnswers(r *route) error {
	at := r.place()
	if r.document == "" && !r.answer.hasBody() {
		return at.fault("Add document:, or an answer: body:, text:, redirect: or empty: true.",
			"the route does nothing")
	}
	if r.answer.status == nil && !r.answer.hasBody() {
		return at.fault("Add body:, or status: 204 if the answer is empty.",
			"%s %s does not say what it answers", r.method, r.path)
	}
	for _, a := range r.answers() {
		if err := a.check(d); err != nil {
			return err
		}
	}
	return nil
}

// answers returns all answers of a route, except those of its variants.
func (r *route) answers() []*answer {
	list := []*answer{r.answer}
	for _, c := range r.checks {
		list = append(list, c.answer)
	}
	for _, o := range r.outcomes {
		list = append(list, o.answer)
	}
	for _, row := range r.errors.rows {
		list = append(list, row.answer)
	}
	return list
}

// decodeClaims reads the additional claims of access tokens.
func (d *Dialect) decodeClaims(n *node) error {
	var claims []pairTree
	if err := pairsOf(&claims)(n); err != nil {
		return err
	}
	for _, c := range claims {
		if token.ReservedClaim(c.key) {
			return c.value.at.fault("Take it away; every token has it.", "the claim %q is set by the server", c.key)
		}
		d.claims = append(d.claims, c.key)
		if d.idClaim == "" && c.value.expr != nil && slices.Equal(c.value.expr.path, []string{"user", "id"}) {
			d.idClaim = c.key
		}
	}
	d.Profile.Access.Claims = evalClaims(claims)
	return nil
}

// mountOf returns the first mount of the called route.
func (d *Dialect) mountOf(call string) string {
	method, path, _ := strings.Cut(call, " ")
	for _, r := range d.routes {
		if r.method == method && r.path == path {
			return r.mounts[0]
		}
	}
	return d.Mounts[0]
}
