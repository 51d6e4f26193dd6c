package rest

import "context"

// Use is one answered request of a dialect.
type Use struct {
	Dialect string
	Route   string // the Name of a Call, or Unmatched: never the path of the request
	Refused bool   // whether the answer was an error
}

// Unmatched is the Route of a request that no route serves: an unknown path below a mount, or an unknown method.
const Unmatched = "unmatched"

// reportUse calls OnUse. It does not recover a panic, so deferring it lets the panic pass.
func (x *exchange) reportUse(route string) {
	if x.engine.onUse != nil {
		x.engine.onUse(context.WithoutCancel(x.req.Context()), Use{x.dialect.Name, route, x.failed})
	}
}
