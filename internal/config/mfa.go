package config

import "strings"

func parseMfa(s *Settings, v string) bool {
	s.MfaOff, s.MfaRequired = v == "off", v == "required"
	return s.MfaOff || s.MfaRequired || v == "optional"
}

// parseMfaRoles takes the names of the roles that there are.
func parseMfaRoles(s *Settings, v string) bool {
	for name := range strings.SplitSeq(v, ",") {
		if name = strings.TrimSpace(name); name == "" && v == "" {
			continue
		}
		if name != "user" && name != "admin" {
			return false
		}
		s.MfaRoles = append(s.MfaRoles, name)
	}
	return true
}
