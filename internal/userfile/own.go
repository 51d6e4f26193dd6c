package userfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// own reads the format of Dragoman.
func own(_ Options, r row) (*Record, *Problem) {
	var out Record
	for _, name := range slices.Sorted(maps.Keys(r.fields)) {
		read, known := columns[name]
		if !known {
			return nil, bad(name, "there is no such column%s; leave it out, or put the value into metadata",
				nearest(name))
		}
		if problem := read(&out, r, name); problem != nil {
			return nil, problem
		}
	}
	if note := out.wayIn(); note == noWayIn {
		out.Notes = append(out.Notes, note)
	}
	return &out, nil
}

// Parse reads one record in the format of Dragoman: a JSON object and nothing after it. where says where it stands.
func Parse(where string, text []byte) (*Record, *Problem) {
	fields, err := object(text)
	if err != nil {
		return nil, &Problem{Where: where, Reason: err.Error()}
	}
	record, problem := own(Options{}, row{where, fields})
	if problem != nil {
		problem.Where = where
		return nil, problem
	}
	record.Where = where
	return record, nil
}

type column func(out *Record, r row, name string) *Problem

func textColumn(field func(*Record) *string) column {
	return func(out *Record, r row, name string) (problem *Problem) {
		*field(out), problem = r.text(name)
		return problem
	}
}

func flagColumn(field func(*Record) *bool) column {
	return func(out *Record, r row, name string) (problem *Problem) {
		*field(out), problem = r.flag(name)
		return problem
	}
}

func objectColumn(field func(*Record) *map[string]any) column {
	return func(out *Record, r row, name string) (problem *Problem) {
		*field(out), problem = r.object(name)
		return problem
	}
}

// columns are those of the format, each with what reads it.
var columns = map[string]column{
	"id":                 textColumn(func(r *Record) *string { return &r.ID }),
	"externalId":         textColumn(func(r *Record) *string { return &r.ExternalID }),
	"number":             numberColumn,
	"email":              textColumn(func(r *Record) *string { return &r.Email }),
	"emailVerified":      flagColumn(func(r *Record) *bool { return &r.EmailVerified }),
	"emailVerifiedAt":    textColumn(func(r *Record) *string { return &r.EmailVerifiedAt }),
	"pendingEmail":       textColumn(func(r *Record) *string { return &r.PendingEmail }),
	"pendingEmailShown":  flagColumn(func(r *Record) *bool { return &r.PendingEmailShown }),
	"username":           textColumn(func(r *Record) *string { return &r.Username }),
	"name":               textColumn(func(r *Record) *string { return &r.Name }),
	"phone":              textColumn(func(r *Record) *string { return &r.Phone }),
	"phoneVerifiedAt":    textColumn(func(r *Record) *string { return &r.PhoneVerifiedAt }),
	"locale":             textColumn(func(r *Record) *string { return &r.Locale }),
	"role":               textColumn(func(r *Record) *string { return &r.Role }),
	"status":             textColumn(func(r *Record) *string { return &r.Status }),
	"metadata":           objectColumn(func(r *Record) *map[string]any { return &r.Metadata }),
	"appMetadata":        objectColumn(func(r *Record) *map[string]any { return &r.AppMetadata }),
	"invited":            flagColumn(func(r *Record) *bool { return &r.Invited }),
	"passwordHash":       textColumn(func(r *Record) *string { return &r.PasswordHash }),
	"passwordDisabledAt": textColumn(func(r *Record) *string { return &r.PasswordDisabledAt }),
	"devicesClearedAt":   textColumn(func(r *Record) *string { return &r.DevicesClearedAt }),
	"takenOverAt":        textColumn(func(r *Record) *string { return &r.TakenOverAt }),
	"totpSecret":         textColumn(func(r *Record) *string { return &r.TOTPSecret }),
	"identities":         identitiesColumn,
	"createdAt":          textColumn(func(r *Record) *string { return &r.CreatedAt }),
	"updatedAt":          textColumn(func(r *Record) *string { return &r.UpdatedAt }),
	"lastLoginAt":        textColumn(func(r *Record) *string { return &r.LastLoginAt }),
}

func numberColumn(out *Record, r row, name string) (problem *Problem) {
	text, problem := r.text(name)
	if problem != nil || text == "" {
		return problem
	}
	if out.Number = integer(text); out.Number == 0 {
		return bad(name, "it must be a whole number from 1 to 2147483647")
	}
	return nil
}

// integer reads a number that can be the number of an account, 0 for any other text.
func integer(text string) int {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != text {
		return 0
	}
	return int(n)
}

func identitiesColumn(out *Record, r row, name string) *Problem {
	items, problem := r.list(name)
	if problem != nil {
		return problem
	}
	for _, item := range items {
		var one Identity
		b, err := json.Marshal(item.fields)
		if err == nil {
			err = json.Unmarshal(b, &one)
		}
		if err != nil || one.Provider == "" || one.Subject == "" {
			return bad(name, "each needs a provider and a subject, both texts")
		}
		out.Identities = append(out.Identities, one)
	}
	return nil
}

// nearest proposes the column that a wrong name may mean: the one without case and separators.
func nearest(name string) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(s))
	}
	for known := range columns {
		if plain(known) == plain(name) {
			return fmt.Sprintf("; %s is meant, perhaps", known)
		}
	}
	return ""
}
