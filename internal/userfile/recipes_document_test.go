package userfile

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// MI-25: where docs/moving-in.md lists columns to select, it names every column that its recipe makes something of.
func TestMI25_Columns(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/moving-in.md")
	if err != nil {
		t.Fatal(err)
	}
	for recipe, heading := range map[string]string{"devise": "## Devise\n", "laravel": "## Laravel\n"} {
		_, section, _ := strings.Cut(string(page), heading)
		section, _, _ = strings.Cut(section, "\n## ")
		read := 0
		for _, name := range columnsOf(t, recipe) {
			if !changes(recipe, name) {
				continue
			}
			read++
			if !strings.Contains(section, "'"+name+"'") && !strings.Contains(section, "`"+name+"`") {
				t.Errorf("%s reads %s, and the section has no word of it", recipe, name)
			}
		}
		if read < 10 {
			t.Errorf("%s reads %d columns", recipe, read)
		}
	}
}

// columnsOf gives what may be a column in the code of a recipe and of what Rails has for all.
func columnsOf(t *testing.T, recipe string) (all []string) {
	t.Helper()
	for _, name := range []string{"recipe_" + recipe + ".go", "recipe_devise.go"} {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(string(code), -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// changes tells whether a recipe makes another record of a row that has the column too.
func changes(recipe, column string) bool {
	record := func(fields map[string]any) string {
		out, problem := recipes[recipe].read(Options{}, row{fields: fields})
		b, _ := json.Marshal(out)
		return string(b) + map[bool]string{true: "wrong"}[problem != nil] +
			map[bool]string{true: "passed over"}[out != nil && out.PassedOver != ""]
	}
	without := map[string]any{"id": "1", "email": "a@example.com", "uid": "7", "provider": "github"}
	if column == "failed_attempts" {
		without["locked_at"] = "2024-03-01 09:14:40"
	}
	delete(without, column)
	bare := record(without)
	for _, v := range []string{"1", "2024-03-01 09:14:40", "de"} {
		without[column] = v
		if record(without) != bare {
			return true
		}
	}
	return false
}
