package config

import (
	"net"
	"strconv"

	"github.com/dragoman-auth/dragoman/internal/secret"
)

func parseMetricsListen(s *Settings, v string) bool {
	s.MetricsListen = v
	if v == "" {
		return true
	}
	_, port, err := net.SplitHostPort(v)
	_, bad := strconv.ParseUint(port, 10, 16)
	return err == nil && bad == nil
}

func parseMetricsToken(s *Settings, v string) bool {
	s.MetricsToken = secret.Text(v)
	if v == "" {
		return true
	}
	_, err := secret.New([]byte(v)) // held to the same strength: it is all that stands before /metrics
	return err == nil
}

// MetricsOnMain tells whether /metrics is served beside everything else: where it has no listener of its own, and a
// token.
func (s *Settings) MetricsOnMain() bool { return s.MetricsListen == "" && s.MetricsToken != "" }

// MetricsEnabled tells whether anybody can read /metrics.
func (s *Settings) MetricsEnabled() bool { return s.MetricsListen != "" || s.MetricsToken != "" }
