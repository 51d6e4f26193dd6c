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
	_, err := secret.New([]byte(v)) // the token alone protects /metrics, so it must be as strong as a server secret
	return err == nil
}

// MetricsOnMain tells whether the main listeners serve /metrics: it has a token, and no separate listener.
func (s *Settings) MetricsOnMain() bool { return s.MetricsListen == "" && s.MetricsToken != "" }

// MetricsEnabled tells whether /metrics is served at all.
func (s *Settings) MetricsEnabled() bool { return s.MetricsListen != "" || s.MetricsToken != "" }
