package gqlhttp

import (
	"path"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
)

// Contract describes the schema for its documentation. It is a copy: changing it does not change what is served.
type Contract struct {
	About      string
	Operations []OperationDescription // queries before mutations, in the order of the schema
	Types      []TypeDescription      // sorted by name, without Query, Mutation and the types of introspection
}

// OperationDescription is a field of Query or Mutation.
type OperationDescription struct {
	FieldDescription
	Topic    string // the file of the schema without its number and extension, for example auth
	Mutation bool

	// Who may call it. Public is everybody. Scope is what an API key needs, "" where no API key passes. Permission is
	// what the caller needs, "" for any signed-in person.
	Public            bool
	Scope, Permission string
	Sudo              bool

	Refusals []Refusal
	Limits   []string // the names of the rules that a call counts against; see internal/limit
}

// Refusal is a code that an operation can end with.
type Refusal struct {
	Code, Meaning string
	TopLevel      bool // an entry of errors, and not of userErrors
}

// TypeDescription is a type of the schema. Kind is object, interface, enum, input, scalar or union.
type TypeDescription struct {
	Name, Kind, About string
	Implements        []string // of an object
	Members           []string // the objects of an interface or union
	SpecifiedBy       string   // of a scalar
	Fields            []FieldDescription
	Values            []ValueDescription
}

// FieldDescription is a field, or an argument of a field. Default is GraphQL, "" for none.
type FieldDescription struct {
	Name, About   string
	Type          string // as the schema writes it, for example [Session!]!
	Named         string // the type without its wrapping, for example Session
	Required      bool   // of an argument or a field of an input: it has no default and may not be null
	Default       string
	Cost          string // of @cost, "" for 1
	Arguments     []FieldDescription
	DeprecatedFor string
}

// ValueDescription is a value of an enum.
type ValueDescription struct{ Name, About string }

// topLevelMeanings explains the codes of top-level errors. The enum ErrorCode explains the others.
var topLevelMeanings = map[fault.Code]string{
	fault.Unauthenticated: "There is no credential, or none that is good: sign in, or refresh and repeat the call.",
	fault.Forbidden:       "The credential is good, and may not do this.",
	fault.SudoRequired: "The person has to prove themselves again: call `sudo`, or sign in, and repeat the call. " +
		"An API key can not.",
	fault.RateLimited: "Too many calls. `extensions.retryAfterSeconds` and the header `Retry-After` say how long to " +
		"wait. HTTP answers 429.",
	fault.BadUserInput: "A value does not have the type that the schema asks for, or is out of its range.",
	fault.Internal:     "Something went wrong on the side of the server. The log has the reason, by the request id.",
	fault.Unavailable: "Too many passwords are being checked at this moment; the header `Retry-After` says how long " +
		"to wait. HTTP answers 503.",
}

// Describe describes the schema that the handler serves.
func (h *Handler) Describe() *Contract {
	schema := h.schema.Schema()
	c := &Contract{About: schema.Description}
	for _, root := range []*ast.Definition{schema.Query, schema.Mutation} {
		if root == nil {
			continue
		}
		for _, field := range root.Fields {
			if !strings.HasPrefix(field.Name, "__") {
				c.Operations = append(c.Operations, describeOperation(schema, root, field))
			}
		}
	}
	for _, def := range schema.Types {
		if def != schema.Query && def != schema.Mutation && !strings.HasPrefix(def.Name, "__") {
			c.Types = append(c.Types, describeType(schema, def))
		}
	}
	slices.SortFunc(c.Types, func(a, b TypeDescription) int { return strings.Compare(a.Name, b.Name) })
	return c
}

func describeOperation(schema *ast.Schema, root *ast.Definition, field *ast.FieldDefinition) OperationDescription {
	out := OperationDescription{
		FieldDescription: describeField(field, false),
		Mutation:         root == schema.Mutation,
		Public:           field.Directives.ForName("public") != nil,
		Scope:            argument(field.Directives, "requiresAuth", "scope"),
		Permission:       argument(field.Directives, "requiresPermission", "permission"),
		Sudo:             field.Directives.ForName("sudo") != nil,
		Limits:           limitsOf(root == schema.Mutation, field),
	}
	if field.Position != nil && field.Position.Src != nil {
		name := strings.TrimSuffix(path.Base(field.Position.Src.Name), path.Ext(field.Position.Src.Name))
		out.Topic = strings.TrimLeft(name, "0123456789_")
	}
	codes := append(refusesOf(field), fault.Internal)
	if len(field.Arguments) > 0 {
		codes = append(codes, fault.BadUserInput)
	}
	slices.Sort(codes)
	for _, code := range slices.Compact(codes) {
		out.Refusals = append(out.Refusals, describeRefusal(schema, code))
	}
	slices.SortStableFunc(out.Refusals, func(a, b Refusal) int {
		switch {
		case a.TopLevel == b.TopLevel:
			return 0
		case b.TopLevel:
			return -1
		}
		return 1
	})
	return out
}

func describeRefusal(schema *ast.Schema, code fault.Code) Refusal {
	if enum := schema.Types["ErrorCode"]; enum != nil {
		if value := enum.EnumValues.ForName(string(code)); value != nil {
			return Refusal{string(code), prose(value.Description), false}
		}
	}
	return Refusal{string(code), topLevelMeanings[code], true}
}

// limitsOf gives the rules that a call of a root field counts against, in the order in which they are asked.
func limitsOf(mutation bool, field *ast.FieldDefinition) (rules []string) {
	if c, is := credentialOf(field); is {
		rules = append(rules, c.Limit)
		if limit.OfStrangers(c.Limit) {
			rules = append(rules, limit.Network)
		}
	} else if mutation {
		rules = append(rules, limit.Mutation)
	}
	key := argument(field.Directives, "requiresAuth", "scope") != "" ||
		field.Directives.ForName("requiresPermission") != nil
	person := key || field.Directives.ForName("requiresAuth") != nil
	limited := slices.Contains(declared(field), fault.RateLimited) // it reads the caller where there is one
	switch {
	case mutation && (person || limited):
		rules = append(rules, limit.AccountMutation)
	case person || limited:
		rules = append(rules, limit.AccountQuery)
		key = key || limited
	}
	switch {
	case key && mutation:
		rules = append(rules, limit.KeyMutation)
	case key:
		rules = append(rules, limit.KeyQuery)
	}
	return rules
}

func describeType(schema *ast.Schema, def *ast.Definition) TypeDescription {
	kinds := map[ast.DefinitionKind]string{
		ast.Object: "object", ast.Interface: "interface", ast.Enum: "enum", ast.InputObject: "input",
		ast.Scalar: "scalar", ast.Union: "union",
	}
	out := TypeDescription{
		Name: def.Name, Kind: kinds[def.Kind], About: prose(def.Description),
		Implements:  slices.Clone(def.Interfaces),
		SpecifiedBy: argument(def.Directives, "specifiedBy", "url"),
	}
	if def.Kind == ast.Interface || def.Kind == ast.Union {
		for _, member := range schema.GetPossibleTypes(def) {
			out.Members = append(out.Members, member.Name)
		}
		slices.Sort(out.Members)
	}
	for _, field := range def.Fields {
		out.Fields = append(out.Fields, describeField(field, def.Kind == ast.InputObject))
	}
	for _, value := range def.EnumValues {
		out.Values = append(out.Values, ValueDescription{value.Name, prose(value.Description)})
	}
	return out
}

func describeField(field *ast.FieldDefinition, input bool) FieldDescription {
	out := FieldDescription{
		Name: field.Name, About: prose(field.Description),
		Type: field.Type.String(), Named: field.Type.Name(),
		Cost:          argument(field.Directives, "cost", "weight"),
		DeprecatedFor: argument(field.Directives, "deprecated", "reason"),
	}
	if field.DefaultValue != nil {
		out.Default = field.DefaultValue.String()
	}
	out.Required = input && field.Type.NonNull && field.DefaultValue == nil
	for _, a := range field.Arguments {
		out.Arguments = append(out.Arguments, describeField(&ast.FieldDefinition{
			Name: a.Name, Description: a.Description, Type: a.Type, DefaultValue: a.DefaultValue,
			Directives: a.Directives,
		}, true))
	}
	return out
}

// argument gives an argument of a directive as the schema writes it, "" for none.
func argument(directives ast.DirectiveList, directive, name string) string {
	d := directives.ForName(directive)
	if d == nil {
		return ""
	}
	if a := d.Arguments.ForName(name); a != nil && a.Value != nil {
		return a.Value.Raw
	}
	return ""
}

// prose joins the lines of a description. An empty line stays, between paragraphs.
func prose(text string) string {
	paragraphs := strings.Split(strings.TrimSpace(text), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.Join(strings.Fields(p), " ")
	}
	return strings.Join(paragraphs, "\n\n")
}
