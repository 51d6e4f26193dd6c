package assets

import "testing"

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		"":                       false,
		"identity":               false,
		"gzip":                   true,
		"br, GZIP":               true,
		"x-gzip":                 true,
		"*":                      true,
		"gzip;q=0":               false,
		"gzip; q=0.000, *":       false,
		"*;q=0":                  false,
		"*, gzip;q=0":            false,
		"deflate, gzip ; q=0.5":  true,
		"gzip;q=nonsense":        false,
		"gzipped":                false,
		"br;q=1.0, identity;q=0": false,
	}
	for header, want := range cases {
		if got := acceptsGzip([]string{header}); got != want {
			t.Errorf("%q: %t", header, got)
		}
	}
}
