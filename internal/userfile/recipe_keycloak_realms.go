package userfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// realms gives the objects of every array `users` of a document that is a realm or an array of realms. It holds one
// account at once, or one other value of the realm.
type realms struct {
	in      *json.Decoder
	value   *budget
	partial bool // whether a file without users is as it should be
	begun   bool
	many    bool // whether the document is an array
	inRealm bool
	inUsers bool
	found   bool
	count   int
}

func openKeycloak(in *bufio.Reader, alone bool) (rows, error) {
	value := &budget{in: in, left: maxValue}
	d := json.NewDecoder(value)
	d.UseNumber()
	return &realms{in: d, value: value, partial: !alone}, nil
}

func (r *realms) next() (row, error) {
	if !r.begun {
		first, err := r.in.Token()
		if err != nil {
			return row{}, errors.New("this is not JSON" + at(err))
		}
		r.begun, r.many, r.inRealm = true, first == json.Delim('['), first == json.Delim('{')
		if !r.many && !r.inRealm {
			return row{}, errors.New("this is no export of a realm: it is neither an object nor an array")
		}
	}
	r.value.renew()
	for !r.inUsers || !r.in.More() {
		if err := r.step(); err != nil {
			return row{}, err
		}
	}
	r.count++
	where := fmt.Sprintf("entry %d", r.count)
	var raw json.RawMessage
	if err := r.in.Decode(&raw); err != nil {
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

// step goes on to the next array of users, out of the current array, or from realm to realm.
func (r *realms) step() error {
	more := r.in.More()
	switch {
	case r.inUsers: // and through
		r.inUsers = false
		return r.expect(json.Delim(']'))
	case r.inRealm && more:
		return r.member()
	case r.inRealm:
		r.inRealm = false
		return r.expect(json.Delim('}'))
	case r.many && more:
		r.inRealm = true
		return r.expect(json.Delim('{'))
	case r.many:
		r.many = false
		return r.expect(json.Delim(']'))
	case !r.found && !r.partial:
		return errors.New("the realm has no array users; export with --users realm_file, or name the whole directory")
	}
	return io.EOF
}

// member reads one member of a realm: into its users, or past anything else.
func (r *realms) member() error {
	name, err := r.in.Token()
	if err != nil {
		return errors.New("this is not JSON" + at(err))
	}
	if name == "users" {
		r.inUsers, r.found = true, true
		return r.expect(json.Delim('['))
	}
	var passed json.RawMessage
	r.value.renew()
	if err := r.in.Decode(&passed); err != nil {
		return errors.New("this is not JSON" + at(err))
	}
	return nil
}

func (r *realms) expect(want json.Delim) error {
	switch got, err := r.in.Token(); {
	case err != nil:
		return errors.New("this is not JSON" + at(err))
	case got != want:
		return fmt.Errorf("this is no export of a realm: a %q is missing", want.String())
	}
	return nil
}
