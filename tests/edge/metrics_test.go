package edge

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dragoman-auth/dragoman/db/dbtest"
	"github.com/dragoman-auth/dragoman/tests/harness"
)

// TestMetrics_Figures does one thing of each kind and finds it counted, on both databases.
func TestMetrics_Figures(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, dsn string) {
		s := harness.Start(t, dsn, "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken, "DRAGOMAN_RATE_LIMITS=on",
			"DRAGOMAN_SLOW_STATEMENT=1ns")
		ada := s.Register(t, "ada@example.com")
		s.Login(t, ada.Email, harness.GoodPass)
		s.Login(t, ada.Email, "a wrong password")
		s.Refresh(t, ada.Refresh)
		s.Refresh(t, "nonsense")
		s.GraphQL(t, ada.Access, harness.MeDoc, nil)
		s.GraphQL(t, "", harness.SessionsDoc, nil)
		s.GraphQL(t, "", `{ __typename`, nil)
		s.GraphQL(t, ada.Access, `{ me { id } other: me { id } serverInfo { version } }`, nil)
		harness.Fetched(t, "GET", s.URL+"/nowhere", "", "")
		harness.Fetched(t, "GET", s.URL+"/api/v1/auth/keys", "", "", "Authorization", "Bearer "+ada.Access)
		for range 61 {
			if a := s.GraphQL(t, "", harness.AskMagicDoc,
				harness.InputOf("email", "nobody@example.com")); a.Status == 429 {
				break
			}
		}
		s.Clock.Add(48 * time.Hour * 31)
		if err := s.App.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, page := harness.Scrape(t, s.URL, harness.MetricsToken)
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
			`dragoman_graphql_fields_total{code="RATE_LIMITED",field="requestMagicLink",operation="mutation"}`: 1,
			`dragoman_limit_refusals_total{rule="recovery"}`:                                                   1,
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
			`dragoman_db_statements_total{result="ok"}`, `dragoman_db_slow_statements_total`,
			`dragoman_db_connections_open{pool="` + pool + `"}`,
			`dragoman_db_connections_max{pool="` + pool + `"}`, `dragoman_sweep_rows_total{kind="expired sessions"}`,
			`dragoman_sweep_duration_seconds`,
			`dragoman_sweep_last_success_timestamp_seconds`, `go_goroutines`, `process_resident_memory_bytes`,
			`dragoman_http_request_duration_seconds_count{class="2xx",transport="graphql"}`,
		} {
			if got[key] <= 0 {
				t.Errorf("%s is %v", key, got[key])
			}
		}
		if !strings.Contains(page, `dragoman_build_info{go="go1.`) ||
			!strings.Contains(page, `version="`+harness.Version+`"`) {
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
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken, harness.MailWaits)
	vary := func(n int) {
		for i := range n {
			harness.Fetched(t, "GET", fmt.Sprintf("%s/path/%d", s.URL, i), "", "")
			harness.Fetched(t, "GET", fmt.Sprintf("%s/api/v1/auth/%d", s.URL, i), "", "")
			harness.Fetched(t, "DELETE", fmt.Sprintf("%s/api/v1/auth/keys/%d", s.URL, i), "", "")
			harness.Fetched(t, fmt.Sprintf("METHOD%d", i), s.URL+"/graphql", "", "")
			s.GraphQL(t, "", fmt.Sprintf("query Name%d { alias%d: me { id } }", i, i), nil)
			s.Refresh(t, fmt.Sprint("rt1.", i))
		}
	}
	vary(1)
	harness.Scrape(t, s.URL, harness.MetricsToken) // which counts itself the next time
	before, _ := harness.Scrape(t, s.URL, harness.MetricsToken)
	vary(30)
	after, page := harness.Scrape(t, s.URL, harness.MetricsToken)
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
	s := harness.Start(t, dbtest.SQLite(t), "DRAGOMAN_METRICS_TOKEN="+harness.MetricsToken, "DRAGOMAN_RATE_LIMITS=on")
	ada := s.Register(t, "ada@example.com")
	s.Login(t, ada.Email, harness.GoodPass)
	s.Refresh(t, ada.Refresh)
	harness.Fetched(t, "GET", s.URL+"/api/v1/auth/keys", "", "")
	for range 61 {
		s.GraphQL(t, "", harness.AskMagicDoc, harness.InputOf("email", "nobody@example.com"))
	}
	if err := s.App.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, page := harness.Scrape(t, s.URL, harness.MetricsToken)
	var there []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (dragoman_\w+) `).FindAllStringSubmatch(page, -1) {
		there = append(there, m[1])
	}
	var told []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(dragoman_\\w+)").FindAllStringSubmatch(harness.ReadFile(t,
		"docs/operations.md"), -1) {
		told = append(told, m[1])
	}
	slices.Sort(there)
	slices.Sort(told)
	if !slices.Equal(there, told) {
		t.Errorf("docs/operations.md tells of %s, and there are %s", told, there)
	}
}
