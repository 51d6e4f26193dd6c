package main

import (
	"bufio"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
)

const metricsToken = "Kt7Vq2Zx9Rw4Nb6Mj1Hg8Fd3Sa5Lp0Cy-Te"

// scrape reads the figures. Their keys are name{label="value",…} as Prometheus writes them.
func scrape(t testing.TB, url, token string) (figures map[string]float64, page string) {
	t.Helper()
	res, page := fetched(t, http.MethodGet, url+"/metrics", "", "", "Authorization", "Bearer "+token)
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("/metrics: %d %v %s", res.StatusCode, res.Header, page)
	}
	figures = map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(page)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "} "); ok {
			figures[key+"}"], _ = strconv.ParseFloat(value, 64)
		} else if key, value, ok := strings.Cut(lines.Text(), " "); ok && key != "#" {
			figures[key], _ = strconv.ParseFloat(value, 64)
		}
	}
	return figures, page
}

// TestMetrics_Access is who reads /metrics: nobody by default; with a token, whoever presents it; on a listener of its own,
// whoever reaches that.
func TestMetrics_Access(t *testing.T) {
	t.Parallel()
	t.Run("off", func(t *testing.T) {
		t.Parallel()
		s := start(t, dbtest.SQLite(t))
		if res, body := fetched(t, "GET", s.URL+"/metrics", "", ""); res.StatusCode != 404 || !strings.Contains(body, "nothing here") {
			t.Errorf("%d %s", res.StatusCode, body)
		}
	})
	t.Run("by token", func(t *testing.T) {
		t.Parallel()
		s := start(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+metricsToken)
		scrape(t, s.URL, metricsToken)
		ada := s.register(t, "ada@example.com")
		for _, wrong := range []string{"", "Bearer", "Bearer ", "Bearer " + metricsToken[:34], "Bearer " + metricsToken + "x", metricsToken, "Bearer " + ada.Access} {
			var header []string
			if wrong != "" {
				header = []string{"Authorization", wrong}
			}
			res, body := fetched(t, "GET", s.URL+"/metrics", "", "", header...)
			if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "Bearer" || strings.Contains(body, "dragoman_") {
				t.Errorf("%q: %d %s", wrong, res.StatusCode, body)
			}
		}
		if res, _ := fetched(t, "POST", s.URL+"/metrics", "", "", "Authorization", "Bearer "+metricsToken); res.StatusCode != 405 {
			t.Errorf("POST: %d", res.StatusCode)
		}
		if strings.Contains(s.log.String(), metricsToken) {
			t.Error("the token is in the log")
		}
	})
	t.Run("on a listener of its own", func(t *testing.T) {
		t.Parallel()
		for _, token := range []string{"", metricsToken} {
			address := "127.0.0.1:" + freePort(t)
			p := spawn(t, "DRAGOMAN_DATA_DIR="+t.TempDir(), "DRAGOMAN_METRICS_LISTEN="+address, "DRAGOMAN_METRICS_TOKEN="+token)
			scrape(t, "http://"+address, token)
			for url, want := range map[string]int{p.URL + "/metrics": 404, "http://" + address + "/graphql": 404, "http://" + address + "/": 404} {
				if res, _ := fetched(t, "GET", url, "", ""); res.StatusCode != want {
					t.Errorf("%s: %d", url, res.StatusCode)
				}
			}
			if res, _ := fetched(t, "GET", "http://"+address+"/metrics", "", ""); token != "" && res.StatusCode != 401 {
				t.Errorf("without the token: %d", res.StatusCode)
			}
			got := command(t, t.TempDir(), []string{"DRAGOMAN_LISTEN=localhost:FREEPORT", "DRAGOMAN_METRICS_LISTEN=" + address})
			if got.code != 1 || !strings.Contains(got.stderr, "DRAGOMAN_METRICS_LISTEN") || !strings.Contains(got.stderr, "in use") {
				t.Errorf("a second one: %+v", got)
			}
		}
	})
}

// TestMetrics_Figures does one thing of each kind and finds it counted, on both databases.
func TestMetrics_Figures(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn, "DRAGOMAN_METRICS_TOKEN="+metricsToken, "DRAGOMAN_RATE_LIMITS=on", "DRAGOMAN_SLOW_STATEMENT=1ns")
		ada := s.register(t, "ada@example.com")
		s.login(t, ada.Email, goodPass)
		s.login(t, ada.Email, "a wrong password")
		s.refresh(t, ada.Refresh)
		s.refresh(t, "nonsense")
		s.graphql(t, ada.Access, meDoc, nil)
		s.graphql(t, "", sessionsDoc, nil)
		s.graphql(t, "", `{ __typename`, nil)
		s.graphql(t, ada.Access, `{ me { id } other: me { id } serverInfo { version } }`, nil)
		fetched(t, "GET", s.URL+"/nowhere", "", "")
		fetched(t, "GET", s.URL+"/api/v1/auth/keys", "", "", "Authorization", "Bearer "+ada.Access)
		for range 61 {
			if a := s.graphql(t, "", registerDoc, inputOf("email", "x", "password", goodPass)); a.Status == 429 {
				break
			}
		}
		s.clock.add(48 * time.Hour * 31)
		if err := s.app.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, page := scrape(t, s.URL, metricsToken)
		pool := "postgres"
		if strings.HasPrefix(dsn, "sqlite:") {
			pool = "writer"
		}
		for key, want := range map[string]float64{
			`dragoman_logins_total{outcome="OK"}`:                                                              1,
			`dragoman_logins_total{outcome="INVALID_CREDENTIALS"}`:                                             1,
			`dragoman_refreshes_total{outcome="OK"}`:                                                           1,
			`dragoman_refreshes_total{outcome="INVALID_TOKEN"}`:                                                1,
			`dragoman_graphql_fields_total{code="OK",field="me",operation="query"}`:                            3,
			`dragoman_graphql_fields_total{code="OK",field="serverInfo",operation="query"}`:                    1,
			`dragoman_graphql_fields_total{code="UNAUTHENTICATED",field="sessions",operation="query"}`:         1,
			`dragoman_graphql_fields_total{code="OK",field="register",operation="mutation"}`:                   1,
			`dragoman_graphql_fields_total{code="RATE_LIMITED",field="register",operation="mutation"}`:         1,
			`dragoman_limit_refusals_total{rule="register"}`:                                                   1,
			`dragoman_dialect_requests_total{dialect="generic-v1",outcome="ok",route="GET /api/v1/auth/keys"}`: 1,
			`dragoman_http_request_duration_seconds_count{class="4xx",transport="other"}`:                      1,
			`dragoman_http_request_duration_seconds_count{class="2xx",transport="generic-v1"}`:                 1,
			`dragoman_http_requests_in_flight`:                                                                 1,
			`dragoman_hash_wait_seconds_count`:                                                                 3,
			`dragoman_hash_working`:                                                                            0,
			`dragoman_hash_waiting`:                                                                            0,
			`dragoman_db_statements_total{result="failed"}`:                                                    0,
			`dragoman_sweep_failures_total`:                                                                    0,
		} {
			if got[key] != want {
				t.Errorf("%s is %v, want %v", key, got[key], want)
			}
		}
		for _, key := range []string{
			`dragoman_db_statements_total{result="ok"}`, `dragoman_db_slow_statements_total`, `dragoman_db_connections_open{pool="` + pool + `"}`,
			`dragoman_db_connections_max{pool="` + pool + `"}`, `dragoman_sweep_rows_total{kind="expired sessions"}`, `dragoman_sweep_duration_seconds`,
			`dragoman_sweep_last_success_timestamp_seconds`, `go_goroutines`, `process_resident_memory_bytes`,
			`dragoman_http_request_duration_seconds_count{class="2xx",transport="graphql"}`,
		} {
			if got[key] <= 0 {
				t.Errorf("%s is %v", key, got[key])
			}
		}
		if !strings.Contains(page, `dragoman_build_info{go="go1.`) || !strings.Contains(page, `version="`+version+`"`) {
			t.Error("the build is not named")
		}
		// AU-02: nothing about anybody.
		for _, private := range []string{ada.ID, ada.Session, ada.Email, "ada@", "127.0.0.1", "nowhere", "nonsense"} {
			if strings.Contains(page, private) {
				t.Errorf("the figures tell %q", private)
			}
		}
	})
}

// TestMetrics_Cardinality sends what a caller can vary, and finds not one series more.
func TestMetrics_Cardinality(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+metricsToken, mailWaits)
	vary := func(n int) {
		for i := range n {
			fetched(t, "GET", fmt.Sprintf("%s/path/%d", s.URL, i), "", "")
			fetched(t, "GET", fmt.Sprintf("%s/api/v1/auth/%d", s.URL, i), "", "")
			fetched(t, "DELETE", fmt.Sprintf("%s/api/v1/auth/keys/%d", s.URL, i), "", "")
			fetched(t, fmt.Sprintf("METHOD%d", i), s.URL+"/graphql", "", "")
			s.graphql(t, "", fmt.Sprintf("query Name%d { alias%d: me { id } }", i, i), nil)
			s.refresh(t, fmt.Sprint("rt1.", i))
		}
	}
	vary(1)
	scrape(t, s.URL, metricsToken) // which counts itself the next time
	before, _ := scrape(t, s.URL, metricsToken)
	vary(30)
	after, page := scrape(t, s.URL, metricsToken)
	for key := range after {
		if _, ok := before[key]; !ok && strings.HasPrefix(key, "dragoman_") {
			t.Errorf("a new series: %s", key)
		}
	}
	if len(after) > 400 || strings.Contains(page, "alias") || strings.Contains(page, "Name1") {
		t.Errorf("%d series", len(after))
	}
}

// TestMetrics_Documented holds the list in docs/operations.md to what there is.
func TestMetrics_Documented(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+metricsToken, "DRAGOMAN_RATE_LIMITS=on")
	ada := s.register(t, "ada@example.com")
	s.login(t, ada.Email, goodPass)
	s.refresh(t, ada.Refresh)
	fetched(t, "GET", s.URL+"/api/v1/auth/keys", "", "")
	for range 61 {
		s.graphql(t, "", registerDoc, inputOf("email", "x", "password", goodPass))
	}
	if err := s.app.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, page := scrape(t, s.URL, metricsToken)
	var there []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (dragoman_\w+) `).FindAllStringSubmatch(page, -1) {
		there = append(there, m[1])
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(dragoman_\\w+)").FindAllStringSubmatch(readDoc(t, "docs/operations.md"), -1) {
		told = append(told, m[1])
	}
	slices.Sort(there)
	slices.Sort(told)
	if !slices.Equal(there, told) {
		t.Errorf("docs/operations.md tells of %s, and there are %s", told, there)
	}
}
