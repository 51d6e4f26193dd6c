package gqlhttp

import (
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// refuse makes the error list of a refused document.
func refuse(message string) gqlerror.List { return presented(fault.New(fault.BadUserInput, message)) }

// presented makes an error list of one refusal.
func presented(f *fault.Error) gqlerror.List {
	return gqlerror.List{{Err: f, Message: f.Message, Extensions: extensions(f)}}
}

// clip shortens a text that holds names chosen by the caller.
func clip(s string) string {
	const most = 300 // bytes
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
