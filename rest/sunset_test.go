package rest

import (
	"strings"
	"testing"
	"time"
)

// A route inherits each missing key from its dialect.
func TestSunset_RouteWins(t *testing.T) {
	t.Parallel()
	text := strings.Replace(shelf, "fixtures: {}", "deprecated: 2026-12-01\nsunset: 2027-06-30\nsuccessor: /graphql", 1)
	text = strings.Replace(text, "    status: 204\n", "    status: 204\n    sunset: \"2027-03-31\"\n    successor: "+
		"https://api.example.com/v2/loans?by=number#end\n", 1)
	d := mustParse(t, text)
	day := func(s string) time.Time {
		at, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	whole := Sunset{day("2026-12-01"), day("2027-06-30"), "/graphql"}
	own := Sunset{day("2026-12-01"), day("2027-03-31"), "https://api.example.com/v2/loans?by=number#end"}
	if d.Sunset != whole || d.routes[0].sunset != whole || d.routes[1].sunset != own {
		t.Errorf("%+v\n%+v\n%+v", d.Sunset, d.routes[0].sunset, d.routes[1].sunset)
	}
	if own.Past(day("2027-03-31").Add(-time.Second)) || !own.Past(day("2027-03-31")) ||
		(Sunset{}).Past(day("2027-03-31")) {
		t.Error("the day of the sunset begins at 0:00 UTC")
	}
}

func TestSunset_Notice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ says, want string }{
		{"", ""},
		{
			"deprecated: 2023-06-30\nsunset: 2024-06-30",
			"Deprecation: @1688083200|Sunset: Sun, 30 Jun 2024 00:00:00 GMT",
		},
		// Without deprecated:, Deprecation has the date of the sunset.
		{"sunset: 2024-06-30", "Deprecation: @1719705600|Sunset: Sun, 30 Jun 2024 00:00:00 GMT"},
		{"deprecated: 2023-06-30", "Deprecation: @1688083200"},
		{"successor: /graphql", `Link: </graphql>; rel="successor-version"`},
		{"successor: 'http://[::1]:8080/v2'", `Link: <http://[::1]:8080/v2>; rel="successor-version"`},
		{
			"deprecated: 2024-06-30\nsunset: 2024-06-30",
			"Deprecation: @1719705600|Sunset: Sun, 30 Jun 2024 00:00:00 GMT",
		},
	} {
		var got []string
		for _, pair := range mustParse(t, strings.Replace(shelf, "fixtures: {}", c.says, 1)).notice {
			got = append(got, pair[0]+": "+pair[1])
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s: %q, want %q", c.says, got, c.want)
		}
	}
}
