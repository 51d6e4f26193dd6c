package app

import (
	"context"
	"net/http"
	"time"

	"github.com/dragoman-auth/dragoman/internal/edge"
)

// readyWithin is how long the database may take to answer for readiness.
const readyWithin = 2 * time.Second

// Drain makes /readyz answer 503 from now on. Other requests are still answered.
func (s *Server) Drain() { s.draining.Store(true) }

// ready answers /readyz: 503 while the server drains or the database does not answer (AV-04).
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	switch {
	case s.draining.Load():
		edge.Text(w, http.StatusServiceUnavailable, "draining")
	case s.DB.Ready(ctx) != nil:
		edge.Text(w, http.StatusServiceUnavailable, "the database does not answer")
	default:
		edge.Text(w, http.StatusOK, "ready")
	}
}
