package config

import (
	"slices"
	"strings"
	"testing"
)

// HT-06: each value of the setting, and whether it allows the origins of this machine.
func TestCORSOrigins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value  string
		listed []string
		local  bool // whether pages of this machine are trusted, on a loopback listener
	}{
		{"", nil, true},
		{"auto", nil, true},
		{"none", []string{}, false},
		{"https://app.example.com", []string{"https://app.example.com"}, false},
		{
			"https://App.example.com:443, http://localhost:5173",
			[]string{"https://app.example.com", "http://localhost:5173"},
			true,
		},
	} {
		s := mustLoad(t, "DRAGOMAN_CORS_ORIGINS="+c.value)
		if !slices.Equal(s.CORSOrigins, c.listed) || (s.CORSOrigins == nil) != (c.listed == nil) {
			t.Errorf("%q: %q", c.value, s.CORSOrigins)
		}
		if got := s.Origins().Allows("http://localhost:5173"); got != c.local {
			t.Errorf("%q: a page of this machine: %t", c.value, got)
		}
		open := mustLoad(t, "DRAGOMAN_CORS_ORIGINS="+c.value, "DRAGOMAN_LISTEN=:8080")
		want := slices.Contains(c.listed, "http://localhost:5173")
		if got := open.Origins().Allows("http://localhost:5173"); got != want {
			t.Errorf("%q: a page of this machine, to a server for everybody: %t", c.value, got)
		}
	}
	for _, bad := range []string{
		"*", "null", "https://*.example.com", "app.example.com", "https://app.example.com/",
		"https://a.example,", "auto,none", "all",
	} {
		if _, err := load("DRAGOMAN_CORS_ORIGINS=" + bad); err == nil ||
			!strings.Contains(err.Error(), "exact origins") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
