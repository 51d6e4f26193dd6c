package rest

import "context"

// Used is a request that was answered in the name of a dialect.
type Used struct {
	Dialect string
	Route   string // the Name of a Call, or Unmatched: never a path as it was called
	Refused bool   // whether it was refused, or failed
}

// Unmatched stands for what no route has: a path below a mount, or a method.
const Unmatched = "unmatched"

// tell counts the request. A panic that is under way goes on.
func (x *exchange) tell(route string) {
	if x.engine.used != nil {
		x.engine.used(context.WithoutCancel(x.req.Context()), Used{x.dialect.Name, route, x.refused})
	}
}
