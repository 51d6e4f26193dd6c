// Package assets is what the pages of the server share: the headers of their answers, the serving of embedded files,
// the fonts and the icon.
//
// A file is served under a name with a fingerprint of its content, so that it may be cached for good. Every file
// travels in the binary: a page is whole without the network.
package assets

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// shared holds the fonts, of other people, and the icon.
//
//go:embed *.woff2 icon.svg
var shared embed.FS

// contentTypes says what the files of pages are, by extension. The table of the system is not asked: it differs from
// machine to machine.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json; charset=utf-8",
	".svg":   "image/svg+xml; charset=utf-8",
	".woff2": "font/woff2",
}

// File is one file, kept compressed: nearly every client takes it so.
type File struct {
	gzipped     []byte
	contentType string
	cache       string // Cache-Control, "" for a file that never changes under its name
}

// NewPage keeps a page whose name stays while its content changes. Browsers ask each time whether it is still the same.
func NewPage(contentType string, content []byte) File {
	return File{gzipped: compress(content), contentType: contentType, cache: "no-cache"}
}

// Set is the files of a page, by the path that they are served at and by the name in the source. It starts with the
// icon.
type Set struct {
	prefix string // of their paths
	byPath map[string]File
	paths  map[string]string
}

// NewSet makes a set whose files are served below a path, which ends with a slash.
func NewSet(prefix string) *Set {
	s := &Set{prefix: prefix, byPath: map[string]File{}, paths: map[string]string{}}
	s.Add("icon.svg", Read(shared, "icon.svg"))
	return s
}

// Add takes a file in. Its name says what it is, by the extension.
func (s *Set) Add(name string, content []byte) { s.AddGzipped(name, compress(content)) }

// AddGzipped takes in a file that is compressed already; the name is without .gz.
func (s *Set) AddGzipped(name string, gzipped []byte) {
	ext := path.Ext(name)
	sum := sha256.Sum256(gzipped)
	served := s.prefix + strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	s.byPath[served] = File{gzipped: gzipped, contentType: contentTypes[ext]}
	s.paths[name] = served
}

// AddStyles takes in a style sheet and the shared fonts; it then names the fonts as they are served.
func (s *Set) AddStyles(name string, css []byte) {
	text := string(css)
	for _, font := range []string{"inter.woff2", "mono.woff2"} {
		s.Add(font, Read(shared, font))
		text = strings.ReplaceAll(text, `url("`+font+`")`, `url("`+s.paths[font]+`")`)
	}
	s.Add(name, []byte(text))
}

// Path is where the file of this name is served; a template asks for it.
func (s *Set) Path(name string) (string, error) {
	p, ok := s.paths[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return p, nil
}

// At gives the file that is served at this path.
func (s *Set) At(path string) (file File, ok bool) {
	file, ok = s.byPath[path]
	return file, ok
}

// All gives every file with the path that it is served at.
func (s *Set) All() iter.Seq2[string, File] { return maps.All(s.byPath) }

// Serve writes the file, compressed where the client takes that.
func (f File) Serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", cmp.Or(f.cache, "public, max-age=31536000, immutable"))
	h.Set("Content-Type", f.contentType)
	h.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		WriteBody(w, r, f.gzipped)
		return
	}
	plain, err := decompress(f.gzipped)
	if err != nil {
		panic(fmt.Sprintf("assets: embedded file: %v", err))
	}
	WriteBody(w, r, plain)
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3): gzip, x-gzip or *, unless its weight is zero. A named
// coding outweighs *.
func acceptsGzip(headers []string) bool {
	star := false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		accepted := true
		if q, ok := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q="); ok {
			weight, err := strconv.ParseFloat(q, 64)
			accepted = err == nil && weight > 0
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return accepted
		case "*":
			star = accepted
		}
	}
	return star
}

func compress(plain []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, _ = z.Write(plain) // a bytes.Buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

func decompress(gzipped []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(gzipped))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// Glob gives the names of the embedded files of a pattern. The pattern is fixed when the program is built, so a broken
// one is a mistake of the program.
func Glob(files fs.FS, pattern string) []string {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		panic(fmt.Sprintf("assets: %q: %v", pattern, err))
	}
	return names
}

// Read gives the content of an embedded file. That a file is missing is a mistake of the program.
func Read(files fs.FS, name string) []byte {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		panic(fmt.Sprintf("assets: %v", err))
	}
	return content
}
