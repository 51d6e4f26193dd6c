package userfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// guess names the recipe for a row that another one does not understand, "" where none is known by its columns.
func guess(fields map[string]any) string {
	names := slices.Sorted(maps.Keys(recipes))
	slices.Reverse(names) // supabase has the columns of devise too
	for _, name := range names {
		for _, mark := range recipes[name].marks {
			if !slices.ContainsFunc(mark, func(column string) bool { _, has := fields[column]; return !has }) {
				return name
			}
		}
	}
	return ""
}

func looksLike(recipe string) error {
	return fmt.Errorf("this looks like an export of %s; pass --from=%s", recipes[recipe].about, recipe)
}

// foreignDocument tells of documents that are no rows of anything, and that another recipe reads.
func foreignDocument(r rows) error {
	text, ok := r.(*lines)
	if !ok {
		return nil
	}
	start, _ := text.in.Peek(text.in.Size()) // of a whole document in one object
	for _, sign := range []struct{ text, recipe string }{
		{`"localId"`, "firebase"},
		{`"realm"`, "keycloak"},
		{`"createdTimestamp"`, "keycloak"},
	} {
		if bytes.Contains(start, []byte(sign.text)) {
			return looksLike(sign.recipe)
		}
	}
	return nil
}

// withSQLite names the recipes that read SQLite files.
func withSQLite() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(recipes)) {
		if recipes[name].sqlite != "" {
			names = append(names, name)
		}
	}
	return names
}
