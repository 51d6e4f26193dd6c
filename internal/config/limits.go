package config

import (
	"fmt"

	"github.com/dragoman-auth/dragoman/internal/limit"
)

// limitKeys are the settings of the table of limits, one for each rule.
func limitKeys() (all []key) {
	for _, e := range limit.Table() {
		all = append(all, key{
			e.Setting, e.Rule.String(),
			fmt.Sprintf("Tries for each %s. %s", e.By, e.Counts),
			"tries from 1 to 1000000, a slash, and a time from 1s to 24h, for example 60/15m", false,
			func(s *Settings, v string) bool {
				rule, ok := limit.Parse(e.Name, v)
				if s.Limits == nil {
					s.Limits = map[string]limit.Rule{}
				}
				s.Limits[e.Name] = rule
				return ok
			},
		})
	}
	return all
}
