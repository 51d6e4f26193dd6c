package gqlhttp

import (
	"errors"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// refuse makes the error list of a refused document.
func refuse(message string) gqlerror.List { return presented(fault.New(fault.BadUserInput, message)) }

// presented makes an error list of one refusal.
func presented(f *fault.Error) gqlerror.List {
	return gqlerror.List{{Err: f, Message: f.Message, Extensions: extensions(f)}}
}

// syntaxErrors gives the place of a syntax error without the message of the parser, which quotes the document.
func syntaxErrors(err error) gqlerror.List {
	found, ok := errors.AsType[*gqlerror.Error](err)
	if ok && strings.HasPrefix(found.Message, "exceeded token limit") {
		return presented(tooMuch("tokens", maxTokens))
	}
	list := refuse("Syntax error: the document is not valid GraphQL here.")
	if ok {
		list[0].Locations = found.Locations
	}
	return list
}

// validationErrors gives the first errors of validation. The messages of the rules quote names of the document and of
// the schema. The rule that quotes values gets a message without them.
func validationErrors(errs gqlerror.List) gqlerror.List {
	var list gqlerror.List
	for _, e := range errs[:min(len(errs), maxErrors)] {
		one := refuse(clip(ruleText(e)))
		one[0].Locations = e.Locations
		list = append(list, one...)
	}
	return list
}

func ruleText(e *gqlerror.Error) string {
	// ValuesOfCorrectType has two messages that quote names alone; all of its others quote the value.
	namesOnly := strings.HasPrefix(e.Message, `Field "`) || strings.HasPrefix(e.Message, `OneOf Input Object "`)
	switch {
	case e.Rule == "":
		return "The document is not valid."
	case e.Rule == rules.ValuesOfCorrectTypeRuleWithoutSuggestions.Name && !namesOnly:
		return "A value does not have the type that the schema asks for here."
	}
	return e.Message
}

// clip shortens a text that holds names chosen by the caller.
func clip(s string) string {
	const most = 300 // bytes
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
