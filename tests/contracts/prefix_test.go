package contracts

import (
	"net/http"
	"net/http/cookiejar"
	"slices"
	"testing"

	"github.com/dragoman-auth/dragoman/tests/harness"
)

// browser is a transport with the jar of a browser. It demands that the jar sends what an example presents of the
// cookies that the server has set.
type browser struct {
	next    http.RoundTripper
	jar     *cookiejar.Jar
	set     map[string]bool // the values that the server has set
	cleared map[string]bool // the names that it has cleared
	t       *testing.T
}

func (b *browser) RoundTrip(r *http.Request) (*http.Response, error) {
	kept := b.jar.Cookies(r.URL)
	for _, c := range r.Cookies() {
		ours := b.set[c.Value] && !b.cleared[c.Name] // not made up, nor kept by somebody who steals
		if ours && !slices.ContainsFunc(kept, func(k *http.Cookie) bool { return k.Name == c.Name }) {
			b.t.Errorf("a browser does not send the cookie %s to %s", c.Name, r.URL.Path)
		}
	}
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	b.jar.SetCookies(r.URL, res.Cookies())
	for _, c := range res.Cookies() {
		b.set[c.Value], b.cleared[c.Name] = true, c.MaxAge < 0
	}
	return res, nil
}

// TestPG08_Contracts runs the examples of every dialect below a path prefix, behind each kind of proxy: the answers are
// those of the documents, and a browser sends the cookies back to the routes that read them.
func TestPG08_Contracts(t *testing.T) {
	t.Parallel()
	for _, d := range harness.AllDialects(t) {
		for name, strips := range harness.Proxies {
			t.Run(d.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				var fronts []*harness.Front
				servers := harness.ExampleServersBelow(d.Name, strips,
					func(f *harness.Front) { fronts = append(fronts, f) })
				for _, example := range d.Examples() {
					s := servers.For(t, example.Settings)
					t.Run(example.Call+"/"+example.Title, func(t *testing.T) {
						jar, err := cookiejar.New(nil)
						if err != nil {
							t.Fatal(err)
						}
						client := fronts[0].Client(nil)
						client.Transport = &browser{client.Transport, jar, map[string]bool{}, map[string]bool{}, t}
						runExample(t, d, example, s, s.URL, client)
					})
				}
				for _, f := range fronts {
					f.Whole(t)
				}
			})
		}
	}
}
