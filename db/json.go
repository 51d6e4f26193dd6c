package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"

	"github.com/dragoman-auth/dragoman/internal/fault"
)

// JSONObject is free data of the application: a JSON object, kept as jsonb on Postgres and as text on SQLite.
type JSONObject map[string]any

// Value gives the JSON text, NULL for nil.
func (o JSONObject) Value() (driver.Value, error) {
	if o == nil {
		return nil, nil
	}
	return jsonText(map[string]any(o))
}

// Scan reads the JSON text, nil for NULL.
func (o *JSONObject) Scan(src any) error {
	*o = nil
	return scanJSON(src, (*map[string]any)(o))
}

// MarshalGQL writes the object as JSON.
func (o JSONObject) MarshalGQL(w io.Writer) {
	_ = json.NewEncoder(w).Encode(map[string]any(o))
}

// UnmarshalGQL takes nothing but an object.
func (o *JSONObject) UnmarshalGQL(v any) error {
	m, ok := v.(map[string]any)
	if !ok {
		return fault.New(fault.BadUserInput, "It must be a JSON object.")
	}
	*o = m
	return nil
}

// list is a short list of names in one jsonb column.
type list[T ~string] []T

// Value gives the JSON text.
func (l list[T]) Value() (driver.Value, error) { return jsonText([]T(l)) }

// Scan reads the JSON text.
func (l *list[T]) Scan(src any) error {
	*l = nil
	return scanJSON(src, (*[]T)(l))
}

// jsonText is a string and not bytes: pgx takes a string for jsonb as it is, and SQLite stores it as text.
func jsonText(v any) (driver.Value, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func scanJSON(src, dest any) error {
	switch v := src.(type) {
	case nil:
		return nil
	case []byte:
		return json.Unmarshal(v, dest)
	case string:
		return json.Unmarshal([]byte(v), dest)
	}
	return fmt.Errorf("db: JSON can not be read from %T", src)
}
