package edge

import "regexp"

// secrets are what the tokens of this server look like.
var secrets = regexp.MustCompile(`(?i)(?:[ors]t1\.|sk_live_|eyJ)[^/]*`)

// logged is a path as the log may hold it: the links of some mails have their token in it, and whoever reads the log shall not be
// able to follow one (AU-02, HT-17).
func logged(path string) string { return secrets.ReplaceAllLiteralString(path, "…") }
