package userfile

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"strings"
)

const (
	// mostUnpacked and freeUnpacked bound what a packed file may become: exports become ten or twenty times as long,
	// and what was made to fill a machine a thousand times.
	mostUnpacked = 200      // times the bytes that were read
	freeUnpacked = 16 << 20 // bytes beside that

	// maxValue is the length in bytes of the longest value of a JSON document that is held in memory.
	maxValue = 64 << 20
)

var (
	errBomb = errors.New("it unpacks to more than 200 times its size; unpack it, see what it is, and name that file")
	errLong = errors.New("a value of the JSON document is longer than 64 MiB")
)

// packings are the first bytes of files that are not read, each with what such a file is.
var packings = map[string]string{
	"PK\x03\x04":         "a ZIP archive; unpack it",
	"\x28\xb5\x2f\xfd":   "packed by zstd; unpack it",
	"\xfd7zXZ\x00":       "packed by xz; unpack it",
	"BZh91AY&SY":         "packed by bzip2; unpack it",
	"\xff\xfe":           "UTF-16; convert it to UTF-8",
	"\xfe\xff":           "UTF-16; convert it to UTF-8",
	"%PDF":               "a PDF; export CSV or JSON",
	"\xd0\xcf\x11\xe0":   "a file of an office program; export CSV or JSON",
	"PGDMP":              "a dump by pg_dump; export the table of accounts as CSV or NDJSON",
	"-- PostgreSQL data": "a dump by pg_dump; export the table of accounts as CSV or NDJSON",
	"-- MySQL dump":      "a dump by mysqldump; export the table of accounts as CSV or NDJSON",
	"-- MariaDB dump":    "a dump by mariadb-dump; export the table of accounts as CSV or NDJSON",
}

// unpacked gives the text of an open file, out of gzip where it is packed by that.
func unpacked(file *os.File) (*bufio.Reader, error) {
	packed := &counter{in: file}
	in := bufio.NewReaderSize(packed, 64<<10)
	if start, _ := in.Peek(2); string(start) == "\x1f\x8b" {
		unzip, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		in = bufio.NewReaderSize(&bounded{in: unzip, packed: packed}, 64<<10)
	}
	if mark, _ := in.Peek(3); string(mark) == "\xef\xbb\xbf" { // what some programs put before UTF-8
		_, _ = in.Discard(3)
	}
	for start, what := range packings {
		if text, _ := in.Peek(len(start)); string(text) == start {
			return nil, errors.New("this is " + what)
		}
	}
	return in, nil
}

// isPacked tells whether the name of a file says that it is packed in a way that is read.
func isPacked(name string) bool {
	return strings.HasSuffix(name, ".gz") && !strings.HasSuffix(name, ".tar.gz")
}

// counter counts what was read.
type counter struct {
	in   io.Reader
	read int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.read += int64(n)
	return n, err
}

// bounded ends where a packed file becomes longer than any export does.
type bounded struct {
	in     io.Reader
	packed *counter
	given  int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	if b.given += int64(n); b.given > freeUnpacked+mostUnpacked*b.packed.read {
		return 0, errBomb
	}
	return n, err
}

// budget ends a document with a value that is too long to be held. Whoever reads a value renews it before.
type budget struct {
	in   io.Reader
	left int
}

func (b *budget) renew() { b.left = maxValue }

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.in.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
