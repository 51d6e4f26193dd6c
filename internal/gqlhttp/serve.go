package gqlhttp

import (
	"context"
	"fmt"
	"net/http"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/dragoman-auth/dragoman/internal/fault"
	"github.com/dragoman-auth/dragoman/internal/limit"
	"github.com/dragoman-auth/dragoman/internal/visit"
)

// ServeHTTP answers POST, and GET for queries, by the GraphQL-over-HTTP specification. The context of the request must
// hold the visit. Headers that resolvers set in the visit are sent with the answer.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	media := negotiate(r.Header)
	a, allow := h.answer(w, r, media)
	if media == "" {
		media = plainJSON
	}
	visit.From(ctx).CopyHeaders(w.Header())
	if allow != "" {
		w.Header().Set("Allow", allow)
	}
	if err := a.write(w, media); err != nil {
		_ = answerTo(media, nil, h.list(ctx, err)).write(w, media)
	}
}

// answer makes the answer and, for 405, the header Allow. It recovers panics outside of resolvers; gqlgen recovers
// those inside.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, media string) (a answer, allow string) {
	ctx := r.Context()
	defer func() {
		if p := recover(); p != nil {
			a = answerTo(media, nil, h.list(ctx, recovered(ctx, p)))
		}
	}()
	if media == "" {
		return failed(media, bad(http.StatusNotAcceptable,
			"The header Accept allows neither application/graphql-response+json nor application/json, which the "+
				"answer is."))
	}
	if v := visit.From(ctx); v.SessionCookie && v.Foreign {
		// The browser adds the cookie to requests of any page, wanted by its user or not (HT-03).
		err := fault.New(fault.Forbidden, "Pages of this origin may not use the session cookie here.")
		return failed(media, &problem{status: http.StatusForbidden, err: err})
	}
	req, p := read(w, r)
	if p != nil {
		return failed(media, p)
	}
	doc, errs := h.document(req.query)
	if errs != nil {
		return answerTo(media, nil, errs), ""
	}
	op, f := doc.operation(req.operationName)
	if f != nil {
		return answerTo(media, nil, presented(f)), ""
	}
	if r.Method == http.MethodGet && op.definition.Operation != ast.Query {
		p := bad(http.StatusMethodNotAllowed, "A GET request may hold a query alone: send a mutation by POST.")
		p.allow = http.MethodPost
		return failed(media, p)
	}
	data, errs := h.runLimited(ctx, doc, op, req.variables)
	return answerTo(media, data, errs), ""
}

// runLimited runs an operation from outside, after it checked the limits that do not hold for stored documents.
func (h *Handler) runLimited(
	ctx context.Context, doc *Document, op *operation, given map[string]any,
) ([]byte, gqlerror.List) {
	if len(op.credentials) > 1 {
		return nil, refuse(fmt.Sprintf("One request may hold one field that checks a secret, and this one holds %d: "+
			"send them one by one.", len(op.credentials)))
	}
	variables, f := h.coerce(op, given)
	total := 0
	if f == nil {
		total, f = op.checkCost(h.schema.Schema(), variables)
	}
	if f != nil {
		return nil, presented(f)
	}
	return h.execute(limit.WithCost(ctx, total), doc, op, variables)
}

func failed(media string, p *problem) (answer, string) {
	a := answerTo(media, nil, presented(p.err))
	if p.status != 0 {
		a.status = p.status
	}
	return a, p.allow
}

var _ http.Handler = (*Handler)(nil)
