// Package assets has what all pages of the server share: the bar, the base style sheet, the fonts, the icon, the
// headers of their answers, and the serving of embedded files.
//
// The name of a served file has a fingerprint of its content, so caches may keep it for ever. All files are embedded in
// the binary: pages load nothing from other hosts.
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
	"sync"

	"github.com/dragoman-auth/dragoman/internal/edge"
)

// sharedFiles has the third-party fonts, the icon, the base style sheet and the scripts that pages share.
//
//go:embed *.woff2 *.js icon.svg favicon.ico base.css
var sharedFiles embed.FS

// SharedPrefix is the path of the files that all pages share.
const SharedPrefix = "/_/"

// Shared is the set of the files that pages share: base.css, the scripts, the fonts and the icon. Serve it at
// SharedPrefix. It is made once for all servers of a process, because compressing the files is a large part of a start.
var Shared = sync.OnceValue(func() *Set {
	s := NewSet(SharedPrefix)
	styles := string(Read(sharedFiles, "base.css"))
	for _, font := range Glob(sharedFiles, "*.woff2") {
		s.Add(font, Read(sharedFiles, font))
		// Relative, because a prefix of the public URL is not known here.
		styles = strings.ReplaceAll(styles, `url("`+font+`")`, `url("`+path.Base(s.paths[font])+`")`)
	}
	for _, name := range append(Glob(sharedFiles, "*.js"), "icon.svg") {
		s.Add(name, Read(sharedFiles, name))
	}
	s.Add("base.css", []byte(styles))
	return s
})

// contentTypes maps extensions to media types. The mime package is not used, because it reads the table of the system,
// which differs between machines.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json; charset=utf-8",
	".svg":   "image/svg+xml; charset=utf-8",
	".woff2": "font/woff2",
}

// File is one file. It is stored compressed, because nearly every client accepts gzip.
type File struct {
	gzipped     []byte
	contentType string
	cache       string // Cache-Control, "" for a file with a fingerprint in its name
}

// NewPage makes a file whose name has no fingerprint. Browsers revalidate it each time (Cache-Control: no-cache).
func NewPage(contentType string, content []byte) File {
	return File{gzipped: compress(content), contentType: contentType, cache: "no-cache"}
}

// Set has the files of a page.
type Set struct {
	prefix string            // of all paths
	byPath map[string]File   // by the path with the fingerprint
	paths  map[string]string // the paths by the names in the source
}

// NewSet makes an empty set. Its files are served below prefix, which ends with a slash.
func NewSet(prefix string) *Set {
	return &Set{prefix: prefix, byPath: map[string]File{}, paths: map[string]string{}}
}

// Add adds a file. The extension of its name, a key of contentTypes, decides the media type.
func (s *Set) Add(name string, content []byte) { s.AddGzipped(name, compress(content)) }

// AddGzipped is Add for a file that is compressed already. name is without .gz.
func (s *Set) AddGzipped(name string, gzipped []byte) {
	ext := path.Ext(name)
	sum := sha256.Sum256(gzipped)
	served := s.prefix + strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	s.byPath[served] = File{gzipped: gzipped, contentType: contentTypes[ext]}
	s.paths[name] = served
}

// Path returns the path at which a file is served. A file that is not in the set may be in Shared.
func (s *Set) Path(name string) (string, error) {
	p, ok := s.paths[name]
	if shared := Shared(); !ok && s != shared {
		return shared.Path(name)
	}
	if !ok {
		return "", fmt.Errorf("assets: %q is not in the set; add it first", name)
	}
	return p, nil
}

// At returns the file that is served at a path.
func (s *Set) At(path string) (file File, ok bool) {
	file, ok = s.byPath[path]
	return file, ok
}

// Handler serves the files of the set.
func (s *Set) Handler(notFound http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := s.At(r.URL.Path)
		if !ok {
			notFound(w, r)
			return
		}
		SetHeaders(w.Header(), "default-src 'none'; frame-ancestors 'none'")
		if edge.Allow(w, r, http.MethodGet, http.MethodHead) {
			file.Serve(w, r)
		}
	})
}

// Favicon serves the icon for browsers that ask for /favicon.ico.
var Favicon = sync.OnceValue(func() http.Handler {
	icon := File{
		gzipped: compress(Read(sharedFiles, "favicon.ico")), contentType: "image/x-icon",
		cache: "public, max-age=86400",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		SetHeaders(w.Header(), "default-src 'none'; frame-ancestors 'none'")
		if edge.Allow(w, r, http.MethodGet, http.MethodHead) {
			icon.Serve(w, r)
		}
	})
})

// All returns every file with its path.
func (s *Set) All() iter.Seq2[string, File] { return maps.All(s.byPath) }

// Serve writes the file, compressed if the client accepts gzip.
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
		panic(fmt.Sprintf("assets: decompress %s: %v", r.URL.Path, err))
	}
	WriteBody(w, r, plain)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3): gzip, x-gzip or * with a weight above zero. gzip and
// x-gzip take precedence over *.
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
	_, _ = z.Write(plain) // writing to a bytes.Buffer cannot fail
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

// Glob returns the names of the embedded files that match a pattern. It panics on a malformed pattern: patterns are
// constants.
func Glob(files fs.FS, pattern string) []string {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		panic(fmt.Sprintf("assets: match %q: %v", pattern, err))
	}
	return names
}

// Read returns the content of an embedded file. It panics if the file is missing: the names are constants.
func Read(files fs.FS, name string) []byte {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		panic(fmt.Sprintf("assets: %v", err))
	}
	return content
}
