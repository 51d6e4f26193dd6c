package program

import (
	"strings"
	"testing"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestMetrics_Access is who reads /metrics: nobody by default; with a token, whoever presents it; on a listener of its
// own, whoever reaches that.
func TestMetrics_Access(t *testing.T) {
	t.Parallel()
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t, dbtest.SQLite(t))
		if res, body := harness.Fetched(t, "GET", s.URL+"/metrics", "", ""); res.StatusCode != 404 ||
			!strings.Contains(body, "nothing at this path") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	t.Run("by token", func(t *testing.T) {
		t.Parallel()
		s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken)
		harness.Scrape(t, s.URL, harness.MetricsToken)
		ada := s.Register(t, "ada@example.com")
		for _, wrong := range []string{"", "Bearer", "Bearer ", "Bearer " + harness.MetricsToken[:34], "Bearer " +
			harness.MetricsToken + "x", harness.MetricsToken, "Bearer " + ada.Access} {
			var header []string
			if wrong != "" {
				header = []string{"Authorization", wrong}
			}
			res, body := harness.Fetched(t, "GET", s.URL+"/metrics", "", "", header...)
			if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "Bearer" ||
				strings.Contains(body, "dragoman_") {
				t.Errorf("%q: %d %s", wrong, res.StatusCode, body)
			}
		}
		if res, _ := harness.Fetched(t, "POST", s.URL+"/metrics", "", "", "Authorization", "Bearer "+
			harness.MetricsToken); res.StatusCode != 405 {
			t.Errorf("POST: %d", res.StatusCode)
		}
		if strings.Contains(s.Logged.String(), harness.MetricsToken) {
			t.Error("the token is in the log")
		}
	})
	t.Run("on a listener of its own", func(t *testing.T) {
		t.Parallel()
		for _, token := range []string{"", harness.MetricsToken} {
			address := "127.0.0.1:" + freePort(t)
			p := harness.Spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_METRICS_LISTEN="+address,
				"DRAGOMAN_METRICS_TOKEN="+token)
			harness.Scrape(t, "http://"+address, token)
			for url, want := range map[string]int{
				p.URL + "/metrics": 404, "http://" + address + "/graphql": 404,
				"http://" + address + "/": 404,
			} {
				if res, _ := harness.Fetched(t, "GET", url, "", ""); res.StatusCode != want {
					t.Errorf("%s: %d", url, res.StatusCode)
				}
			}
			if res, _ := harness.Fetched(t, "GET", "http://"+address+"/metrics", "", ""); token != "" &&
				res.StatusCode != 401 {
				t.Errorf("without the token: %d", res.StatusCode)
			}
			got := command(t, t.TempDir(), []string{"DRAGOMAN_LISTEN=localhost:FREEPORT", "DRAGOMAN_METRICS_LISTEN=" +
				address})
			if got.code != 1 || !strings.Contains(got.stderr, "DRAGOMAN_METRICS_LISTEN") ||
				!strings.Contains(got.stderr, "in use") {
				t.Errorf("a second one: %+v", got)
			}
		}
	})
}
