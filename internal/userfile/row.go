package userfile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxRow is the length in bytes of the longest row that is read.
const maxRow = 1 << 20

// row is one object of a file before a recipe reads it. The texts of CSV are strings, and an empty one is absent.
type row struct {
	where  string
	fields map[string]any // as encoding/json gives them with UseNumber
}

// rows gives the rows of one file. Its errors are those of Source.
type rows interface{ next() (row, error) }

// lines reads NDJSON: a JSON object on each line. Empty lines are passed over.
type lines struct {
	in   *bufio.Reader
	line int
}

func newLines(in *bufio.Reader) rows { return &lines{in: in} }

func (l *lines) next() (row, error) {
	for {
		text, err := l.read()
		where := "line " + strconv.Itoa(l.line)
		if p, ok := errors.AsType[*Problem](err); ok {
			p.Where = where
			return row{}, p
		}
		if err != nil {
			return row{}, err
		}
		if text = bytes.TrimSpace(text); len(text) == 0 {
			continue
		}
		fields, err := object(text)
		if err != nil {
			return row{}, &Problem{Where: where, Reason: err.Error()}
		}
		return row{where, fields}, nil
	}
}

// read gives the next line without keeping more than maxRow bytes of it.
func (l *lines) read() (text []byte, err error) {
	l.line++
	for {
		part, err := l.in.ReadSlice('\n')
		if len(text) <= maxRow {
			text = append(text, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(text) > 0, err == nil:
			if len(text) > maxRow {
				return nil, bad("", "the line is longer than 1 MiB")
			}
			return text, nil
		}
		return nil, err
	}
}

// object reads one JSON object and nothing after it.
func object(text []byte) (map[string]any, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("this is not UTF-8; convert the file")
	}
	if json.Valid(text) && !jsontext.Value(text).IsValid(jsontext.AllowInvalidUTF8(true)) {
		return nil, errors.New("a name stands twice in the JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var fields map[string]any
	err := d.Decode(&fields)
	if err == nil && fields == nil {
		err = errors.New("null")
	}
	if err != nil {
		return nil, errors.New("this is not a JSON object" + at(err))
	}
	if d.More() {
		return nil, errors.New("something follows the JSON object; write one object a line")
	}
	return fields, nil
}

// at says where JSON is wrong, without a word of the file: a line may hold a secret.
func at(err error) string {
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf(": it is wrong at byte %d", s.Offset)
	}
	for _, of := range []error{errLong, errBomb, gzip.ErrChecksum, gzip.ErrHeader} { // of the file and not of the text
		if errors.Is(err, of) {
			return ": " + of.Error()
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ": it ends too early"
	}
	return ""
}

// table reads CSV (RFC 4180) with a header.
type table struct {
	in     *csv.Reader
	header []string
}

func newTable(in *bufio.Reader) (*table, error) {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; CSV begins with a line of column names")
	}
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	t := &table{in: r}
	seen := map[string]bool{}
	for _, name := range header {
		name = strings.TrimSpace(name)
		if name == "" || seen[name] {
			return nil, fmt.Errorf("line 1: the column %q is empty or there twice", name)
		}
		seen[name] = true
		t.header = append(t.header, name)
	}
	return t, nil
}

func (t *table) next() (row, error) {
	cells, err := t.in.Read()
	if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
		reason := wrong.Err.Error()
		if errors.Is(err, csv.ErrFieldCount) {
			reason = fmt.Sprintf("it has %d columns and the header %d", len(cells), len(t.header))
		}
		where := "line " + strconv.Itoa(wrong.StartLine)
		if wrong.Line > wrong.StartLine { // a quote that nothing closes takes all rows up to there
			where = fmt.Sprintf("lines %d to %d", wrong.StartLine, wrong.Line)
		}
		return row{}, &Problem{Where: where, Reason: reason}
	}
	if err != nil {
		return row{}, err
	}
	line, _ := t.in.FieldPos(0)
	where := "line " + strconv.Itoa(line)
	fields := make(map[string]any, len(cells))
	for i, cell := range cells {
		if !utf8.ValidString(cell) {
			return row{}, &Problem{where, t.header[i], "this is not UTF-8; convert the file"}
		}
		if len(cell) > maxRow {
			return row{}, &Problem{where, t.header[i], "it is longer than 1 MiB"}
		}
		if cell != "" {
			fields[t.header[i]] = strings.Clone(cell)
		}
	}
	return row{where, fields}, nil
}

// array reads the objects of an array: the document itself, or the value of a name in it. It holds one object at once.
type array struct {
	in    *json.Decoder
	value *budget
	name  string // of the array, "" for the document itself
	count int
	open  bool
}

func newArray(in *bufio.Reader, name string) rows {
	value := &budget{in: in, left: maxValue}
	d := json.NewDecoder(value)
	d.UseNumber()
	return &array{in: d, value: value, name: name}
}

func (a *array) next() (row, error) {
	if !a.open {
		if err := a.find(); err != nil {
			return row{}, err
		}
		a.open = true
	}
	if !a.in.More() {
		if _, err := a.in.Token(); err != nil {
			return row{}, errors.New("this is not JSON" + at(err))
		}
		return row{}, io.EOF
	}
	a.count++
	where := fmt.Sprintf("entry %d", a.count)
	var raw json.RawMessage
	a.value.renew()
	if err := a.in.Decode(&raw); err != nil {
		return row{}, fmt.Errorf("%s: this is not JSON%s", where, at(err))
	}
	if len(raw) > maxRow {
		return row{}, &Problem{Where: where, Reason: "it is longer than 1 MiB"}
	}
	fields, err := object(raw)
	if err != nil {
		return row{}, &Problem{Where: where, Reason: err.Error()}
	}
	return row{where, fields}, nil
}

// find reads up to the array.
func (a *array) find() error {
	missing := errors.New("the document is no JSON array")
	if a.name != "" {
		missing = fmt.Errorf("the JSON document has no array %q", a.name)
	}
	first, err := a.in.Token()
	if err != nil {
		return errors.New("this is not JSON" + at(err))
	}
	if first == json.Delim('[') {
		return nil
	}
	if first != json.Delim('{') || a.name == "" {
		return missing
	}
	for a.in.More() {
		name, err := a.in.Token()
		if err != nil {
			return errors.New("this is not JSON" + at(err))
		}
		if name == a.name {
			if open, err := a.in.Token(); err != nil || open != json.Delim('[') {
				return missing
			}
			return nil
		}
		var passed json.RawMessage
		a.value.renew()
		if err := a.in.Decode(&passed); err != nil {
			return errors.New("this is not JSON" + at(err))
		}
	}
	return missing
}

// The accessors below read a field of a row. An absent field and null are the zero value. The Problem names the column.

// text reads a text or a number.
func (r row) text(name string) (string, *Problem) {
	switch v := r.fields[name].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	return "", bad(name, "it must be a text")
}

// flag reads true or false, in the spellings that databases export.
func (r row) flag(name string) (bool, *Problem) {
	switch v := r.fields[name].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case json.Number:
		if v == "0" || v == "1" {
			return v == "1", nil
		}
	case string:
		switch strings.ToLower(v) {
		case "true", "t", "1", "yes":
			return true, nil
		case "false", "f", "0", "no", "":
			return false, nil
		}
	}
	return false, bad(name, "it must be true or false")
}

// object reads an object, or the JSON text of one.
func (r row) object(name string) (map[string]any, *Problem) {
	switch v := r.fields[name].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	case string:
		if fields, err := object([]byte(v)); err == nil {
			return fields, nil
		}
	}
	return nil, bad(name, "it must be a JSON object")
}

// list reads an array of objects, or the JSON text of one.
func (r row) list(name string) ([]row, *Problem) {
	wrong := bad(name, "it must be a JSON array of objects")
	v := r.fields[name]
	if text, ok := v.(string); ok {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil || d.More() {
			return nil, wrong
		}
	}
	if v == nil {
		return nil, nil
	}
	items, ok := v.([]any)
	if !ok {
		return nil, wrong
	}
	var all []row
	for _, item := range items {
		fields, ok := item.(map[string]any)
		if !ok {
			return nil, wrong
		}
		all = append(all, row{r.where, fields})
	}
	return all, nil
}

// dates are the layouts that databases export, in UTC where they name no zone.
var dates = []string{
	time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07",
	"2006-01-02 15:04:05.999999999 UTC", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
	"2006-01-02",
}

// leastSeconds is the first number that is taken for seconds since 1970, in March 1973: 20240101 is a date.
const leastSeconds = 100_000_000

// Time reads a time in a form that databases export, or seconds, milliseconds or microseconds since 1970. The result is
// in UTC.
func Time(text string) (time.Time, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= leastSeconds {
		switch {
		case n < 1e11:
			return time.Unix(n, 0).UTC(), nil
		case n < 1e14:
			return time.UnixMilli(n).UTC(), nil
		}
		return time.UnixMicro(n).UTC(), nil
	}
	for _, layout := range dates {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 10000 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("this is not a time such as 2026-11-29T12:00:00Z")
}
