package app

import (
	"log/slog"
	"net/http"
	"time"
)

// HTTPServer makes the HTTP server, for any number of listeners.
func (s *Server) HTTPServer() *http.Server { return httpServer(s.Handler, s.options.Log) }

// httpServer sets the limits for slow and large requests (HT-10).
func httpServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}
