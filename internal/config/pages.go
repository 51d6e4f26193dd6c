package config

import (
	"slices"
	"strings"

	"github.com/dragoman-auth/dragoman/internal/profile"
	"github.com/dragoman-auth/dragoman/internal/returnurl"
)

// pageKeys are the settings about pages of applications.
var pageKeys = []key{
	{
		"DRAGOMAN_MAIL_PAGES", "", "Pages of your application that mails link to, by kind: verifyEmail, " +
			"resetPassword, signIn, changeEmail. The token stands in the fragment. Default: the pages of the server.",
		"kind=URL with commas between, https or of this machine, for example " +
			"resetPassword=https://app.example.com/reset; {token} may stand in the fragment, else #token={token} is " +
			"added",
		false, parseMailPages,
	},
	{
		"DRAGOMAN_RETURN_URLS", "auto", "Where the link of a mail may lead back to (returnTo), compared by scheme, " +
			"host, port and " +
			"path. auto: every URL of this machine, while every listener, and the public URL if set, is a loopback " +
			"address; else none.",
		"auto, none, or absolute URLs without query and fragment, with commas between, for example " +
			"https://app.example.com/signed-in",
		false, parseReturnURLs,
	},
}

func parseMailPages(s *Settings, v string) bool {
	if v == "" {
		return true
	}
	s.MailPages = map[string]string{}
	for part := range strings.SplitSeq(v, ",") {
		kind, text, _ := strings.Cut(strings.TrimSpace(part), "=")
		page, err := profile.ParsePage(text)
		if err != nil || !slices.Contains(profile.MailKinds, kind) || s.MailPages[kind] != "" {
			return false
		}
		s.MailPages[kind] = page
	}
	return true
}

func parseReturnURLs(s *Settings, v string) bool {
	switch v {
	case "auto":
		return true
	case "none":
		s.ReturnURLs = []string{}
		return true
	}
	for part := range strings.SplitSeq(v, ",") {
		as, ok := returnurl.Parse(strings.TrimSpace(part))
		if !ok {
			return false
		}
		s.ReturnURLs = append(s.ReturnURLs, as)
	}
	return true
}

// Returns is where a sign-in by mail may return to.
func (s *Settings) Returns() returnurl.List {
	return returnurl.New(s.ReturnURLs, s.ReturnURLs == nil && s.Loopback())
}
