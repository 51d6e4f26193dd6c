package password

import "testing"

// PW-12: ReadForeign accepts what Verify can check, and names the kind.
func TestPW12_ReadForeign(t *testing.T) {
	t.Parallel()
	const rest = "$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaRFKnpAQ.7hoCbWqRfz1yzvO"
	for text, kind := range map[string]string{
		"$2a$05" + rest:             "bcrypt 5",
		"$2b$12" + rest:             "bcrypt 12",
		"$2y$14" + rest:             "bcrypt 14",
		"$2b$15" + rest:             "",
		"$2b$03" + rest:             "",
		"$2b$+5" + rest:             "",
		"$2c$05" + rest:             "",
		"$2$05" + rest:              "",
		"":                          "",
		"hunter2":                   "",
		"$2b$05" + rest[:52] + "\n": "",
	} {
		f, err := ReadForeign(text)
		if (err == nil) != (kind != "") || f.Kind != kind || err == nil && f.Text != text {
			t.Errorf("ReadForeign(%q) = %+v, %v", text, f, err)
		}
	}
}
