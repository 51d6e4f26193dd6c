package config

import (
	"strings"
	"testing"
)

// The error of a misspelt setting names it and the likely setting, and does not quote its value.
func TestCheckNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"DRAGOMAN_LISTN":            "did you mean DRAGOMAN_LISTEN?",
		"DRAGOMAN_LISTENS":          "did you mean DRAGOMAN_LISTEN?",
		"DRAGOMAN_SECRETS":          "did you mean DRAGOMAN_SECRET?",
		"DRAGOMAN_SECRET_FIEL":      "did you mean DRAGOMAN_SECRET_FILE?",
		"DRAGOMAN_RATELIMITS":       "did you mean DRAGOMAN_RATE_LIMITS?",
		"DRAGOMAN_RATE_LIMIT":       "did you mean DRAGOMAN_RATE_LIMITS?",
		"DRAGOMAN_TRUSTED_PROXY":    "did you mean DRAGOMAN_TRUSTED_PROXIES?",
		"DRAGOMAN_PUBLIC_URI":       "did you mean DRAGOMAN_PUBLIC_URL?",
		"DRAGOMAN_SESION_TTL":       "did you mean DRAGOMAN_SESSION_TTL?",
		"DRAGOMAN_METRIC_TOKEN":     "did you mean DRAGOMAN_METRICS_TOKEN?",
		"DRAGOMAN_LOGLEVEL":         "did you mean DRAGOMAN_LOG_LEVEL?",
		"DRAGOMAN_LISTEN_FILE":      "only secrets are read from files; set DRAGOMAN_LISTEN",
		"DRAGOMAN_SOMETHING_ELSE":   "is not a setting; see dragoman --help",
		"DRAGOMAN_":                 "is not a setting; see dragoman --help",
		"DRAGOMAN_DATABASE_URL":     "is not a setting; see dragoman --help",
		"DRAGOMAN_PASSWORD_MIN_LEN": "did you mean DRAGOMAN_PASSWORD_MIN_LENGTH?",
	} {
		err := CheckNames([]string{"PATH=/bin", name + "=the-value"})
		if err == nil || !strings.HasPrefix(err.Error(), name+" is not a setting") ||
			!strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "the-value") {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// All settings pass, and so do the variables that Kubernetes sets for a service of the name dragoman.
func TestCheckNames_Known(t *testing.T) {
	t.Parallel()
	environ := []string{
		"PATH=/bin", "HOME=/", "DRAGOMANIA=1", "dragoman_listn=x", "DRAGOMAN=1", "=C:=x", "",
		"DRAGOMAN_SERVICE_HOST=10.0.0.1", "DRAGOMAN_SERVICE_PORT=80", "DRAGOMAN_SERVICE_PORT_HTTP=80",
		"DRAGOMAN_PORT=tcp://10.0.0.1:80",
		"DRAGOMAN_PORT_80_TCP=tcp://10.0.0.1:80", "DRAGOMAN_PORT_80_TCP_PROTO=tcp", "DRAGOMAN_PORT_80_TCP_PORT=80",
		"DRAGOMAN_PORT_80_TCP_ADDR=10.0.0.1",
		"DRAGOMAN_METRICS_SERVICE_HOST=10.0.0.2", "DRAGOMAN_METRICS_PORT_9090_TCP_ADDR=10.0.0.2",
	}
	for _, name := range settingNames() {
		environ = append(environ, name+"=x")
		if injected.MatchString(name) {
			t.Errorf("%s looks like a variable of Kubernetes", name)
		}
	}
	if err := CheckNames(environ); err != nil {
		t.Error(err)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"kitten", "sitting", 3},
		{"abc", "abc", 0},
		{"abc", "acb", 2},
		{"ab", "b", 1},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
