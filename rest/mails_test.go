package rest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/profile"
)

func mailing(mails string) string {
	return strings.Replace(strings.ReplaceAll(shelf, "shelf", "mailing"), "fixtures: {}", "mails: {"+mails+"}", 1)
}

// A landing must not overlap with a route or a landing of another file.
func TestMails_Overlaps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, mails, want string }{
		{
			"a route of another file", `verifyEmail: {landing: "/shelf/me?token={token}"}`,
			"b.yaml:13: GET /shelf/me overlaps with GET /shelf/me in a.yaml:15",
		},
		{
			"a more exact route of another file", `signIn: {landing: ["/in/{token}", "/shelf/{token}"]}`,
			"b.yaml:13: GET /shelf/{token} overlaps with GET /shelf/me in a.yaml:15",
		},
		{
			"the server's own", `signIn: {landing: "/readyz?token={token}"}`,
			"b.yaml:13: /readyz belongs to the server itself",
		},
		{
			"its own routes, neither more exact", `signIn: {landing: "/mailing/loans/1/{token}"}`,
			"neither is more exact",
		},
		{"a route of its own", `signIn: {landing: "/mailing/me?token={token}"}`, ""},
		{
			"two of one path", `signIn: {landing: "/in?token={token}"}, resetPassword: {landing: "/in?reset={token}"}`,
			"",
		},
		{"a free place", `signIn: {landing: "/in/{token}"}`, ""},
		{"no landing", `signIn: {ttl: 5m}`, ""},
	} {
		a, err := Parse("a.yaml", []byte(shelf))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse("b.yaml", []byte(mailing(c.mails)))
		if err != nil {
			t.Fatal(c.name, err)
		}
		switch _, err = engine(a, b); {
		case c.want == "" && err != nil, c.want != "" && !strings.Contains(fmt.Sprint(err), c.want):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	var both []*Dialect
	for i, text := range []string{
		mailing(`signIn: {landing: "/in/{token}"}`),
		strings.Replace(mailing(`verifyEmail: {landing: "/in/{token}"}`), "dialect: mailing", "dialect: other", 1),
	} {
		text = strings.Replace(text, "mounts: [/mailing]", fmt.Sprintf("mounts: [/m%d]", i), 1)
		d, err := Parse("x.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, d)
	}
	if _, err := engine(both...); err == nil || !strings.Contains(err.Error(),
		"GET /in/{token} overlaps with GET /in/{token}") {
		t.Errorf("two landings of two files: %v", err)
	}
}

// OT-07, OT-35: what mails link to is the page of the file, or of the public URL of the settings, with the token in the
// fragment.
func TestOT07_PagesInProfiles(t *testing.T) {
	t.Parallel()
	d := mustParse(t, mailing(`verifyEmail: {page: "{publicUrl}/app/in?lang=de", ttl: 48h}, signIn: {landing: `+
		`"/in/{token}"}, `+
		`resetPassword: {page: "https://app.example.com/#/reset/{token}", button: {en: Go on, DE: Weiter}}, `+
		`changeEmail: {button: Do it}`))
	got := Profiles([]*Dialect{d}, false, 8, "http://auth.example.com")["mailing"].Mails
	want := map[string]profile.Mail{
		"verifyEmail": {Page: "http://auth.example.com/app/in?lang=de#token={token}", TTL: 48 * time.Hour},
		"resetPassword": {
			Page:   "https://app.example.com/#/reset/{token}",
			Button: map[string]string{"en": "Go on", "de": "Weiter"},
		},
		"signIn":      {},
		"changeEmail": {Button: map[string]string{"": "Do it"}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// OT-35: a mail that would show its token to a server is refused before the server starts, and so is every other
// mistake about mails.
func TestOT35_Refuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, mails, want, mend string }{
		{
			"a page with the token in its path", "signIn: {page: 'https://a.example/{token}'}", "before the fragment",
			"#",
		},
		{
			"a page with the token in its query", "signIn: {page: 'https://a.example/?t={token}'}", "before the fragment",
			"#",
		},
		{
			"a page of ours with the token in its path", "signIn: {page: '{publicUrl}/in/{token}'}", "before the fragment",
			"#",
		},
		{"a page without TLS", "signIn: {page: 'http://a.example/in'}", "neither https", "https://"},
		{"a page that is a path", "signIn: {page: /in}", "no absolute URL", "https://"},
		{"a page that is a scheme", "signIn: {page: 'javascript:alert(1)'}", "no absolute URL", "https://"},
		{"a page with the address", "signIn: {page: 'https://a.example/#{token}&e={email}'}", "no other gap", "#"},
		{"a landing elsewhere", "signIn: {landing: 'https://example.com/{token}'}", "begins with /", "/reset/{token}"},
		{"a landing without a token", "signIn: {landing: /verify}", "{token} once", "/reset/{token}"},
		{"a piece of a segment", "signIn: {landing: '/verify-{token}'}", "not the path of a landing", "/reset/{token}"},
		{"a gap that nothing fills", "signIn: {landing: '/{user}/{token}'}", "cannot hold {user}", "{email} may be"},
		{"the address in its path", "signIn: {landing: '/{email}/{token}'}", "cannot hold {email}", "{email} may be"},
		{"the token twice", "signIn: {landing: '/{token}?token={token}'}", "{token} once", "/reset"},
		{"a fragment", "signIn: {landing: '/verify#token={token}'}", "not the path of a landing", "?token={token}"},
		{
			"a parameter twice", "signIn: {landing: '/verify?a={token}&a=1'}", `"a=1" is not a parameter`,
			"?token={token}",
		},
		{
			"a piece of a parameter", "signIn: {landing: '/verify?a=x{token}'}", "not a parameter of a landing",
			"?token=",
		},
		{"one landing twice", "signIn: {landing: ['/a/{token}', '/a/{token}']}", "stands here twice", "Take one"},
		{
			"one landing of two mails", "verifyEmail: {landing: '/a/{token}'}, signIn: {landing: ['/a/{token}']}",
			"verifyEmail and signIn have the same address", "another path",
		},
		{"a token of no time", "signIn: {ttl: 1s}", "not a duration", "1m"},
		{"a long button", "signIn: {button: " + strings.Repeat("x", 61) + "}", "too long for a button", "few words"},
		{"a button on two lines", `signIn: {button: "a\nb"}`, "too long for a button", "one line"},
		{"a button of no language", "signIn: {button: {english?: Go}}", "not the tag of a language", "pt-BR"},
		{"a mail of text", "signIn: '/in/{token}'", "must be a mapping", "landing, page"},
		{
			"an address as older files have it", "signIn: {url: '{publicUrl}/in/{token}'}", `no key "url"`,
			"landing, page",
		},
	} {
		_, err := load("a.yaml", mailing(c.mails))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.mend) ||
			!strings.HasPrefix(err.Error(), "a.yaml:") {
			t.Errorf("%s: %v, want %q and %q", c.name, err, c.want, c.mend)
		}
	}
}
