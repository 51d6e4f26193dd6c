package docs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/gqlhttp"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// topic is a group of operations: a file of the schema.
type topic struct {
	Title      string
	Operations []operationLink
}

type operationLink struct {
	Name, Kind, Href string
	About            []piece // the first sentence
	Current          bool
}

// operationPage is /docs/graphql/NAME.
type operationPage struct {
	frame
	Name, Kind string
	Topics     []topic
	About      [][]piece
	Who        []piece
	Inputs     []inputView
	Answer     answerView
	Refusals   []refusalGroup
	Limits     []limitView
	Limited    bool // whether limits are on
	Example    *exampleView
}

// inputView is an argument. The fields of an input that is the only argument stand in its place.
type inputView struct {
	Name  string
	Type  typeRef
	About [][]piece
	Rows  []rowView
}

// rowView is a field of an input, an answer or a type.
type rowView struct {
	Name, Default string
	Type          typeRef
	Required      bool
	About         [][]piece
	Arguments     []rowView
}

type answerView struct {
	Type  typeRef
	Named string
	About [][]piece
	Rows  []rowView
}

// refusalGroup is the refusals of one place: userErrors or errors.
type refusalGroup struct {
	Place string
	Rows  []refusalView
}

type refusalView struct {
	Code, Href string
	Meaning    [][]piece
}

type limitView struct{ Name, Figure, By, Counts, Setting string }

// topicTitles are the headings of the files of the schema. A file without one has its own name.
var topicTitles = map[string]string{
	"common":          "This server",
	"user":            "Who is signed in",
	"account":         "The own account",
	"auth":            "Signing in and out",
	"mail":            "What goes through a mailbox",
	"sessions":        "Sessions",
	"apikeys":         "API keys",
	"admin":           "Administration",
	"mail_deliveries": "Mails of the server",
	"usage":           "Calls of REST APIs",
}

// contractView is the schema with what its pages share.
type contractView struct {
	*gqlhttp.Contract
	links    *linker
	types    map[string]gqlhttp.TypeDescription
	examples map[string]*exampleView
	cfg      Config
}

func newContractView(cfg Config) *contractView {
	c := &contractView{Contract: cfg.GraphQL.Describe(), cfg: cfg, types: map[string]gqlhttp.TypeDescription{}}
	c.links = newLinker(c.Contract)
	for _, t := range c.Types {
		c.types[t.Name] = t
	}
	c.examples = examplesOf(c)
	return c
}

func kindOf(op gqlhttp.OperationDescription) string {
	if op.Mutation {
		return "mutation"
	}
	return "query"
}

// topics groups the operations by the files of the schema. Signing in comes first.
func (c *contractView) topics(current string) []topic {
	var all []topic
	at := map[string]int{}
	for _, op := range c.Operations {
		i, ok := at[op.Topic]
		if !ok {
			title := topicTitles[op.Topic]
			if title == "" {
				title = strings.ReplaceAll(op.Topic, "_", " ")
			}
			i = len(all)
			at[op.Topic] = i
			all = append(all, topic{Title: title})
		}
		all[i].Operations = append(all[i].Operations, operationLink{
			Name: op.Name, Kind: kindOf(op), Href: operationPath(op.Name), Current: op.Name == current,
			About: c.firstSentence(op.About),
		})
	}
	first := slices.IndexFunc(all, func(t topic) bool { return t.Title == topicTitles["auth"] })
	if first > 0 {
		auth := all[first]
		all = slices.Insert(slices.Delete(all, first, first+1), 0, auth)
	}
	return all
}

// firstSentence is a description up to its first full stop or colon, without links: it stands in a link's place.
func (c *contractView) firstSentence(about string) []piece {
	paragraphs := c.links.prose(about, "")
	if len(paragraphs) == 0 {
		return nil
	}
	var out []piece
	for _, p := range paragraphs[0] {
		p.Href = ""
		if end := strings.IndexAny(p.Text+" ", ".:;"); !p.Code && end >= 0 && end < len(p.Text) {
			p.Text = p.Text[:end] + "."
			return append(out, p)
		}
		out = append(out, p)
	}
	return out
}

func (c *contractView) operationPageOf(f frame, op gqlhttp.OperationDescription) operationPage {
	self := operationPath(op.Name)
	page := operationPage{
		frame: f, Name: op.Name, Kind: kindOf(op), Topics: c.topics(op.Name),
		About:   c.links.prose(op.About, self),
		Who:     c.links.prose(whoOf(op), self)[0],
		Inputs:  c.inputsOf(op),
		Limits:  c.limitsOf(op),
		Limited: c.cfg.Limits != nil,
		Example: c.examples[op.Name],
	}
	answer := c.types[op.Named]
	page.Answer = answerView{
		Type: c.links.typeOf(op.FieldDescription), Named: op.Named,
		About: c.links.prose(answer.About, self), Rows: c.rowsOf(answer.Fields, self),
	}
	for _, r := range op.Refusals {
		place := "userErrors"
		if r.TopLevel {
			place = "errors"
		}
		last := len(page.Refusals) - 1
		if last < 0 || page.Refusals[last].Place != place {
			page.Refusals = append(page.Refusals, refusalGroup{Place: place})
			last++
		}
		page.Refusals[last].Rows = append(page.Refusals[last].Rows,
			refusalView{r.Code, c.links.names[r.Code], c.links.prose(r.Meaning, self)})
	}
	return page
}

// whoOf says who may call an operation.
func whoOf(op gqlhttp.OperationDescription) string {
	reads := slices.ContainsFunc(op.Refusals, func(r gqlhttp.Refusal) bool { return r.Code == "UNAUTHENTICATED" })
	sudo := slices.ContainsFunc(op.Refusals, func(r gqlhttp.Refusal) bool { return r.Code == "SUDO_REQUIRED" })
	var text string
	switch {
	case op.Public && !reads:
		text = "Everybody: no credential is needed."
	case op.Public:
		text = "Everybody; a credential that is presented has to be good."
	case op.Permission != "" && op.Sudo:
		text = "A person whose role holds `" + op.Permission + "`. No API key."
	case op.Permission != "":
		text = "A person whose role holds `" + op.Permission + "`, or an API key of such a person with that scope."
	case op.Scope != "":
		text = "A signed-in person, or an API key with the scope `" + op.Scope + "`."
	default:
		text = "A signed-in person. No API key."
	}
	switch {
	case op.Sudo:
		return text + " It takes a sign-in, or `sudo`, of the last minutes."
	case sudo:
		return text + " Some of it takes a sign-in, or `sudo`, of the last minutes."
	}
	return text
}

func (c *contractView) inputsOf(op gqlhttp.OperationDescription) []inputView {
	self := operationPath(op.Name)
	if len(op.Arguments) != 1 || c.types[op.Arguments[0].Named].Kind != "input" {
		if len(op.Arguments) == 0 {
			return nil
		}
		return []inputView{{Rows: c.rowsOf(op.Arguments, self)}}
	}
	a := op.Arguments[0]
	t := c.types[a.Named]
	return []inputView{{
		Name: a.Name, Type: c.links.typeOf(a),
		About: c.links.prose(t.About, self), Rows: c.rowsOf(t.Fields, self),
	}}
}

func (c *contractView) rowsOf(fields []gqlhttp.FieldDescription, self string) []rowView {
	var rows []rowView
	for _, f := range fields {
		rows = append(rows, rowView{
			Name: f.Name, Default: f.Default, Required: f.Required, Type: c.links.typeOf(f),
			About: c.links.prose(f.About, self), Arguments: c.rowsOf(f.Arguments, self),
		})
	}
	return rows
}

func (c *contractView) limitsOf(op gqlhttp.OperationDescription) []limitView {
	var all []limitView
	for _, e := range limit.Table() {
		rule, on := c.cfg.Limits[e.Name]
		if !on || !slices.Contains(op.Limits, e.Name) {
			continue
		}
		all = append(all, limitView{
			Name: e.Name, By: string(e.By), Counts: e.Counts, Setting: e.Setting,
			Figure: fmt.Sprintf("%d in %s", rule.Burst, formatDuration(rule.Window)),
		})
	}
	return all
}

// typesPage is /docs/graphql/types.
type typesPage struct {
	frame
	Groups []typeGroup
}

type typeGroup struct {
	Title string
	Types []typeView
}

type typeView struct {
	Name, Kind, SpecifiedBy string
	Elsewhere               string // the page of the operation that describes it
	About                   [][]piece
	Implements, Members     []typeRef
	Rows                    []rowView
	Values                  []valueView
}

type valueView struct {
	Name  string
	About [][]piece
}

// builtIn are the scalars of GraphQL itself. Nothing links to them.
var builtIn = []string{"Boolean", "Float", "ID", "Int", "String"}

func (c *contractView) typesPageOf(f frame) typesPage {
	page := typesPage{frame: f}
	for _, group := range []struct{ title, kind string }{
		{"Objects", "object"},
		{"Interfaces", "interface"},
		{"Unions", "union"},
		{"Enums", "enum"},
		{"Inputs", "input"},
		{"Scalars", "scalar"},
	} {
		var views []typeView
		for _, t := range c.Types {
			if t.Kind == group.kind {
				views = append(views, c.typeOf(t))
			}
		}
		if views != nil {
			page.Groups = append(page.Groups, typeGroup{group.title, views})
		}
	}
	return page
}

func (c *contractView) typeOf(t gqlhttp.TypeDescription) typeView {
	self := typesPath + "#" + t.Name
	view := typeView{Name: t.Name, Kind: t.Kind, SpecifiedBy: t.SpecifiedBy, About: c.links.prose(t.About, self)}
	if href := c.links.types[t.Name]; href != "" && href != self {
		view.Elsewhere = href
		return view
	}
	for _, name := range t.Implements {
		view.Implements = append(view.Implements, c.links.typeNamed(name))
	}
	for _, name := range t.Members {
		view.Members = append(view.Members, c.links.typeNamed(name))
	}
	view.Rows = c.rowsOf(t.Fields, self)
	for _, v := range t.Values {
		view.Values = append(view.Values, valueView{v.Name, c.links.prose(v.About, self)})
	}
	return view
}
