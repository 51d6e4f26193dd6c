package userfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// auth0Joined gives the accounts of the user export with their hashes, then the hashes without one in the export. It
// keeps the hashes in memory, and reads the files three times.
type auth0Joined struct {
	paths  []string
	files  *chain
	hashes map[string]string // by the id of the account; those not given yet
	last   bool              // whether the accounts are through
}

func joinAuth0(paths []string) rows { return &auth0Joined{paths: paths} }

func (j *auth0Joined) next() (row, error) {
	if j.hashes == nil {
		if err := j.index(); err != nil {
			return row{}, err
		}
		j.files = &chain{paths: j.paths}
	}
	for {
		r, err := j.files.next()
		_, isProblem := errors.AsType[*Problem](err)
		switch {
		case errors.Is(err, io.EOF) && !j.last:
			j.last, j.files = true, &chain{paths: j.paths}
			continue
		case isProblem && j.last: // given already
			continue
		case err != nil:
			return row{}, err
		}
		if r, ok := j.take(r); ok {
			return r, nil
		}
	}
}

// index reads the hashes. What is wrong in the files is told by the second reading.
func (j *auth0Joined) index() error {
	j.hashes = map[string]string{}
	j.files = &chain{paths: j.paths}
	for {
		r, err := j.files.next()
		if _, isProblem := errors.AsType[*Problem](err); isProblem {
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f := fieldsOf(r)
		if hash := f.text("passwordHash"); isAuth0Hash(r) && hash != "" && f.problem == nil {
			j.hashes[auth0Key(f)] = hash
		}
	}
}

// take tells whether a row is an account of this reading, and adds the hash to it.
func (j *auth0Joined) take(r row) (row, bool) {
	f := fieldsOf(r)
	if isAuth0Hash(r) {
		key := auth0Key(f)
		if _, left := j.hashes[key]; !left && hasValue(r.fields["passwordHash"]) || !j.last {
			return r, false
		}
		delete(j.hashes, key)
		return r, true
	}
	if j.last {
		return r, false
	}
	keys := []string{f.text("user_id")}
	for _, item := range f.list("identities") {
		if i := fieldsOf(item); i.text("provider") == "auth0" {
			keys = append(keys, "auth0|"+i.text("user_id"))
		}
	}
	for _, key := range keys {
		if hash, ok := j.hashes[key]; ok && !hasValue(r.fields["passwordHash"]) {
			r.fields["passwordHash"] = hash
		}
		delete(j.hashes, key)
	}
	return r, true
}

// Close closes the open file.
func (j *auth0Joined) Close() error {
	if j.files == nil {
		return nil
	}
	return j.files.Close()
}

// chain gives the rows of files of Auth0, one file after another. Places name the file.
type chain struct {
	paths []string
	file  *os.File
	rows  rows
}

func (c *chain) next() (row, error) {
	for {
		if c.rows == nil {
			if len(c.paths) == 0 {
				return row{}, io.EOF
			}
			if err := c.open(c.paths[0]); err != nil {
				return row{}, errors.Join(errors.New(c.paths[0]), err)
			}
			c.paths = c.paths[1:]
		}
		name := filepath.Base(c.file.Name()) + ", "
		r, err := c.rows.next()
		if errors.Is(err, io.EOF) {
			if err := c.Close(); err != nil {
				return row{}, err
			}
			continue
		}
		if p, ok := errors.AsType[*Problem](err); ok {
			p.Where = name + p.Where
		}
		r.where = name + r.where
		return r, err
	}
}

func (c *chain) open(path string) (err error) {
	if c.file, err = os.Open(path); err != nil {
		return err
	}
	c.rows, err = auth0.rows(c.file, false)
	return err
}

// Close closes the open file.
func (c *chain) Close() error {
	c.rows = nil
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
