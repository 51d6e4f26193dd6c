package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// OT-08: the setting, and what it means for the URLs of this machine.
func TestOT08_ReturnURLs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		value  string
		listed []string
		local  bool // whether every URL of this machine is allowed, on a loopback listener
	}{
		{"", nil, true},
		{"auto", nil, true},
		{"none", []string{}, false},
		{
			"https://App.example.com:443/done, http://localhost:1/in",
			[]string{"https://app.example.com/done", "http://localhost:1/in"},
			false,
		},
	} {
		s := mustLoad(t, "DRAGOMAN_RETURN_URLS="+c.value)
		if !slices.Equal(s.ReturnURLs, c.listed) || (s.ReturnURLs == nil) != (c.listed == nil) {
			t.Errorf("%q: %q", c.value, s.ReturnURLs)
		}
		if _, got := s.Returns().Allows("http://localhost:5173/x"); got != c.local {
			t.Errorf("%q: a page of this machine: %t", c.value, got)
		}
		open := mustLoad(t, "DRAGOMAN_RETURN_URLS="+c.value, "DRAGOMAN_LISTEN=:8080")
		if _, got := open.Returns().Allows("http://localhost:5173/x"); got {
			t.Errorf("%q: a page of this machine is allowed by a server for everybody", c.value)
		}
		for _, one := range c.listed {
			if _, ok := open.Returns().Allows(one + "?state=1"); !ok {
				t.Errorf("%q: %s is refused", c.value, one)
			}
		}
	}
	for _, bad := range []string{
		"*", "https://*.example.com/", "app.example.com", "https://app.example.com/?x=1", "https://a.example/,", "all",
		"https://a.example/#x", "auto,none", "myapp://done",
	} {
		if _, err := load("DRAGOMAN_RETURN_URLS=" + bad); err == nil ||
			!strings.Contains(err.Error(), "absolute URLs without query and fragment") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// OT-35: the pages of an application hold the token in the fragment.
func TestOT35_MailPages(t *testing.T) {
	t.Parallel()
	s := mustLoad(t, "DRAGOMAN_MAIL_PAGES=resetPassword=https://app.example.com/reset?a=b, "+
		"signIn=http://localhost:5173/#/in/{token}")
	want := map[string]string{
		"resetPassword": "https://app.example.com/reset?a=b#token={token}",
		"signIn":        "http://localhost:5173/#/in/{token}",
	}
	if !maps.Equal(s.MailPages, want) {
		t.Errorf("%v", s.MailPages)
	}
	for _, bad := range []string{
		"https://app.example.com/reset", "reset=https://app.example.com/reset", "resetPassword=", "resetPassword",
		"resetPassword=http://app.example.com/reset", "resetPassword=https://app.example.com/{token}",
		"resetPassword=https://app.example.com/?token={token}", "cancelEmailChange=https://app.example.com/",
		"signIn=https://a.example/,signIn=https://b.example/", "signIn=https://a.example/,",
	} {
		if _, err := load("DRAGOMAN_MAIL_PAGES=" + bad); err == nil || !strings.Contains(err.Error(), "kind=URL") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
