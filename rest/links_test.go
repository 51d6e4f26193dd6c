package rest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/internal/profile"
)

func linked(links string) string {
	return strings.Replace(strings.ReplaceAll(shelf, "shelf", "linked"), "fixtures: {}", "links: {"+links+"}", 1)
}

// A link must not overlap with a route or a link of another file.
func TestLinks_Overlaps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, links, want string }{
		{
			"a route of another file", `verifyEmail: "{publicUrl}/shelf/me?token={token}"`,
			"b.yaml:13: GET /shelf/me overlaps with GET /shelf/me in a.yaml:15",
		},
		{
			"a more exact route of another file", `signIn: "{publicUrl}/shelf/{token}"`,
			"b.yaml:13: GET /shelf/{token} overlaps with GET /shelf/me in a.yaml:15",
		},
		{
			"the server's own", `signIn: "{publicUrl}/readyz?token={token}"`,
			"b.yaml:13: /readyz belongs to the server itself",
		},
		{"its own routes, neither more exact", `signIn: "{publicUrl}/linked/loans/1/{token}"`, "neither is more exact"},
		{"a route of its own", `signIn: "{publicUrl}/linked/me?token={token}"`, ""},
		{
			"two of one path", `signIn: "{publicUrl}/in?token={token}", resetPassword: "{publicUrl}/in?reset={token}"`,
			"",
		},
		{"a free place", `signIn: "{publicUrl}/in/{token}"`, ""},
	} {
		a, err := Parse("a.yaml", []byte(shelf))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Parse("b.yaml", []byte(linked(c.links)))
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
		linked(`signIn: "{publicUrl}/in/{token}"`),
		strings.Replace(linked(`verifyEmail: "{publicUrl}/in/{token}"`), "dialect: linked", "dialect: other", 1),
	} {
		text = strings.Replace(text, "mounts: [/linked]", fmt.Sprintf("mounts: [/m%d]", i), 1)
		d, err := Parse("x.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, d)
	}
	_, err := engine(both...)
	if !strings.Contains(fmt.Sprint(err), "GET /in/{token} overlaps with GET /in/{token}") {
		t.Errorf("two links of two files: %v", err)
	}
}

// OT-07: links in mails begin with the public URL of the settings.
func TestOT07_LinksInProfiles(t *testing.T) {
	t.Parallel()
	d := mustParse(t, linked(
		`verifyEmail: {url: "{publicUrl}/in/{token}", ttl: 48h}, signIn: "{publicUrl}/in?a={email}&b={token}"`))
	got := Profiles([]*Dialect{d}, false, 8, "https://auth.example.com")["linked"].Mails
	want := map[string]profile.Mail{
		"verifyEmail": {Link: "https://auth.example.com/in/{token}", TTL: 48 * time.Hour},
		"signIn":      {Link: "https://auth.example.com/in?a={email}&b={token}"},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
