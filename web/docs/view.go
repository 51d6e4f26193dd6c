package docs

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/dragoman-auth/dragoman/rest"
	"github.com/dragoman-auth/dragoman/web/assets"
)

// frame is the common part of all pages.
type frame struct {
	PublicURL string
	Bar       assets.Bar
	APIs      []link
}

type link struct {
	Name, Title string
	Current     bool
}

func newFrame(cfg Config, dialects []*rest.Description) frame {
	f := frame{
		PublicURL: cfg.Site.URL(""),
		Bar:       cfg.Bar.At(assets.Docs),
		APIs:      []link{{Name: "graphql", Title: "GraphQL API"}},
	}
	for _, d := range dialects {
		f.APIs = append(f.APIs, link{Name: d.Name, Title: d.Title})
	}
	return f
}

// at returns the frame for the page of one API.
func (f frame) at(name string) frame {
	apis := make([]link, len(f.APIs))
	for i, api := range f.APIs {
		api.Current = api.Name == name
		apis[i] = api
	}
	f.APIs = apis
	return f
}

// startPage is /docs.
type startPage struct {
	frame
	Cards []card
}

// card is a dialect on the start page.
type card struct {
	*rest.Description
	Sunset notice
}

func cardsOf(dialects []*rest.Description) []card {
	var all []card
	for _, d := range dialects {
		all = append(all, card{d, noticeOf(d.Sunset)})
	}
	return all
}

// dialectPage is /docs/NAME.
type dialectPage struct {
	frame
	*rest.Description
	Sunset notice
	Facts  []fact
	Common []errorRow // the errors that all routes share, and the errors of requests that no route serves
	Routes []routeView
	Keeps  string // what calls give for later calls, as JSON
}

// routeView is a route on the page of its dialect.
type routeView struct {
	*rest.Route
	Anchor   string
	Paths    []string // the path below each mount
	Accepts  string
	Sunset   notice
	Fields   []fieldView
	Errors   []errorRow // without the common ones
	Document []span
	Samples  []sampleView
}

type fieldView struct {
	Name, Kind, Place string
	Required          bool
}

type errorRow struct {
	rest.Error
	Text string
	Body []span
}

// sampleView is an example.
type sampleView struct {
	Title    string
	Settings []string
	Before   []stepView
	Call     []span
	Gaps     []string
	Status   int
	Reason   string
	Class    string // the class of the status: good, moved or bad
	Headers  []rest.Header
	Body     []span
	Varies   []string
	Try      string // the request as JSON, "" where nothing is tried from the page
}

// stepView is a step before an example.
type stepView struct {
	Name     string
	Wait     string
	Promote  string
	Mail     *rest.MailStep
	App      bool // whether the step reads the code of an authenticator app
	Call     []span
	Try      string // as in sampleView
	Captures []rest.Captured
}

func dialectPageOf(cfg Config, f frame, d *rest.Description) dialectPage {
	page := dialectPage{frame: f, Description: d, Sunset: noticeOf(d.Sunset), Facts: factsOf(cfg, d)}
	common := commonErrors(d)
	for _, e := range append(common, d.Errors...) {
		page.Common = append(page.Common, errorOf(e))
	}
	page.Common = withoutDuplicates(page.Common)
	if tries(cfg) {
		page.Keeps = keptOf(cfg.Site, d)
	}
	anchors := map[string]bool{}
	for _, r := range d.Routes {
		view := routeOf(cfg.Site.URL(""), r, common)
		view.Anchor = anchorOf(anchors, r)
		if r.Sunset == d.Sunset {
			view.Sunset = notice{} // the head of the page shows it
		}
		if tries(cfg) {
			for i, s := range r.Examples {
				view.Samples[i].Try = attemptOf(cfg.Site, s.Call(), credentialHeaders(d))
				for n, step := range s.Steps[:len(s.Steps)-1] {
					if step.Method != "" {
						view.Samples[i].Before[n].Try = attemptOf(cfg.Site, step, credentialHeaders(d))
					}
				}
			}
		}
		page.Routes = append(page.Routes, view)
	}
	return page
}

func anchorOf(taken map[string]bool, r *rest.Route) string {
	name := strings.ToLower(r.Method) + strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' {
			return c
		}
		return '-'
	}, strings.NewReplacer("{", "", "}", "").Replace(r.Path))
	as := name
	for n := 2; taken[as]; n++ {
		as = name + "-" + strconv.Itoa(n)
	}
	taken[as] = true
	return as
}

func routeOf(publicURL string, r *rest.Route, common []rest.Error) routeView {
	view := routeView{
		Route:    r,
		Accepts:  acceptsOf(r),
		Sunset:   noticeOf(r.Sunset),
		Document: colouredGraphQL(r.Document),
	}
	for _, mount := range r.Mounts {
		view.Paths = append(view.Paths, strings.TrimSuffix(mount, "/")+r.Path)
	}
	for _, p := range r.Params {
		view.Fields = append(view.Fields, fieldView{p.Name(), p.Kind, "path", true})
	}
	for _, f := range r.Fields {
		view.Fields = append(view.Fields, fieldView{f.Name(), f.Kind, placeOf(r), f.Required})
	}
	for _, name := range r.Headers {
		view.Fields = append(view.Fields, fieldView{name, "string", "header", false})
	}
	for _, name := range r.Cookies {
		view.Fields = append(view.Fields, fieldView{name, "string", "cookie", false})
	}
	for _, e := range r.Errors {
		if !isCommon(common, e) {
			view.Errors = append(view.Errors, errorOf(e))
		}
	}
	for _, s := range r.Examples {
		view.Samples = append(view.Samples, sampleOf(publicURL, s))
	}
	return view
}

// commonErrors returns the errors that every route answers in the same way.
func commonErrors(d *rest.Description) []rest.Error {
	var all []rest.Error
	for _, e := range d.Routes[0].Errors {
		everywhere := true
		for _, r := range d.Routes[1:] {
			everywhere = everywhere && isCommon(r.Errors, e)
		}
		if everywhere {
			all = append(all, e)
		}
	}
	return all
}

func isCommon(list []rest.Error, e rest.Error) bool {
	for _, other := range list {
		if other.Code == e.Code && other.Status == e.Status && other.Media == e.Media && other.Body == e.Body {
			return true
		}
	}
	return false
}

// withoutDuplicates keeps the first of equal rows.
func withoutDuplicates(rows []errorRow) []errorRow {
	var out []errorRow
	var seen []rest.Error
	for _, row := range rows {
		if !isCommon(seen, row.Error) {
			out, seen = append(out, row), append(seen, row.Error)
		}
	}
	return out
}

func errorOf(e rest.Error) errorRow {
	row := errorRow{Error: e}
	switch {
	case e.Media == "":
	case strings.HasPrefix(e.Media, "text/"):
		row.Text = strings.TrimSpace(e.Body)
	default:
		row.Body = colouredJSON(e.Body)
	}
	return row
}

func sampleOf(publicURL string, s *rest.Sample) sampleView {
	call := s.Call()
	view := sampleView{
		Title:   s.Title,
		Call:    curl(publicURL, call),
		Gaps:    gapsOf(call),
		Status:  s.Answer.Status,
		Reason:  http.StatusText(s.Answer.Status),
		Class:   "good",
		Headers: s.Answer.Headers,
		Varies:  s.Answer.Varies,
	}
	switch {
	case view.Status >= 400:
		view.Class = "bad"
	case view.Status >= 300:
		view.Class = "moved"
	}
	for _, name := range sortedKeys(s.Settings) {
		view.Settings = append(view.Settings, name+"="+s.Settings[name])
	}
	for _, step := range s.Steps[:len(s.Steps)-1] {
		view.Before = append(view.Before, stepOf(publicURL, step))
	}
	if call.Wait > 0 {
		view.Before = append(view.Before, stepView{Wait: formatDuration(call.Wait)})
	}
	switch {
	case s.Answer.JSON:
		view.Body = colouredJSON(pretty(s.Answer.Body))
	case s.Answer.Body != "":
		view.Body = []span{{"", strings.TrimRight(s.Answer.Body, "\n")}}
	}
	return view
}

func stepOf(publicURL string, r rest.Request) stepView {
	view := stepView{Name: r.Name, Promote: r.Promote, Mail: r.Mail, App: len(r.TOTP) > 0, Captures: r.Captures}
	if r.Wait > 0 {
		view.Wait = formatDuration(r.Wait)
	}
	if r.Method != "" {
		view.Call = curl(publicURL, r)
	}
	return view
}

// gapsOf returns the names of the gaps in a request.
func gapsOf(r rest.Request) []string {
	all := append(rest.Text{}, r.Path...)
	all = append(append(all, r.JSON...), r.Body...)
	for _, list := range [][]rest.Header{r.Query, r.Headers, r.Form} {
		for _, h := range list {
			all = append(all, h.Value...)
		}
	}
	return all.Gaps()
}
