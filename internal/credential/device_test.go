package credential

import (
	"net/http"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/site"
)

func TestLG21_DeviceOfRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header http.Header
		cookie string
		want   string
	}{
		"nothing":             {http.Header{}, "device", ""},
		"header":              {http.Header{"X-Device-Token": {"a"}}, "device", "a"},
		"header, no cookies":  {http.Header{"X-Device-Token": {"a"}}, "", "a"},
		"cookie":              {http.Header{"Cookie": {"x=y; device=a"}}, "device", "a"},
		"cookie, not read":    {http.Header{"Cookie": {"device=a"}}, "", ""},
		"both":                {http.Header{"X-Device-Token": {"a"}, "Cookie": {"device=b"}}, "device", "a"},
		"blank header":        {http.Header{"X-Device-Token": {" "}, "Cookie": {"device=b"}}, "device", "b"},
		"two headers":         {http.Header{"X-Device-Token": {"a", "b"}, "Cookie": {"device=b"}}, "device", ""},
		"two cookies":         {http.Header{"Cookie": {"device=a; device=b"}}, "device", ""},
		"the session's place": {http.Header{"Authorization": {"Bearer a"}}, "device", ""},
	} {
		if got := Device(c.header, c.cookie); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestLG21_DeviceCookie(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://auth.example":  "__Host-device",
		"http://localhost:8080": "device",
		"http://127.0.0.1":      "device",
		"http://auth.example":   "",
	} {
		c := NewDeviceCookie(site.Parse(url))
		if c.Name != want {
			t.Errorf("%s: %q", url, c.Name)
		}
		set := c.SetDevice("x")
		if c.Name != "" && (!set.HttpOnly || set.SameSite != http.SameSiteLaxMode || set.Path != "/" ||
			set.Domain != "" ||
			set.Secure != (want == "__Host-device") || set.MaxAge != int((365*24*time.Hour).Seconds())) {
			t.Errorf("%s: %v", url, set)
		}
	}
}
