package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// files holds other people's files, compressed (assets) and fonts (docs), and our own (playground, docs and pages).
//
//go:embed assets/*.gz playground docs pages
var files embed.FS

// contentTypes says what the files of pages are, by extension. The table of the system is not asked: it differs from
// machine to machine.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json; charset=utf-8",
	".svg":   "image/svg+xml; charset=utf-8",
	".woff2": "font/woff2",
}

// asset is one file, kept compressed: nearly every client takes it so.
type asset struct {
	gzipped     []byte
	contentType string
	cache       string // Cache-Control, "" for a file that never changes under its name
}

// assetSet is the files of a page, by the name that they are served under and by the name in the source.
type assetSet struct {
	prefix string // of their paths
	byName map[string]asset
	paths  map[string]string
}

func newAssetSet(prefix string) assetSet {
	return assetSet{prefix: prefix, byName: map[string]asset{}, paths: map[string]string{}}
}

// loadAssets reads the playground's embedded files. They are fixed when the program is built, so it panics on one that is broken.
func loadAssets() assetSet {
	set := newAssetSet(assetPrefix)
	for _, name := range glob("assets/*.gz") {
		set.add(strings.TrimSuffix(path.Base(name), ".gz"), mustRead(name))
	}
	for _, name := range append(glob("playground/*.js"), append(glob("playground/*.css"), glob("playground/*.svg")...)...) {
		set.add(path.Base(name), compress(mustRead(name)))
	}
	examples, err := json.Marshal(loadExamples())
	if err != nil {
		panic(fmt.Sprintf("web: examples: %v", err))
	}
	set.add("examples.json", compress(examples))
	return set
}

// add takes a file in under a name with a fingerprint of its content, so that it may be cached for good.
func (s assetSet) add(name string, gzipped []byte) {
	ext := path.Ext(name)
	sum := sha256.Sum256(gzipped)
	served := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
	s.byName[served] = asset{gzipped: gzipped, contentType: contentTypes[ext]}
	s.paths[name] = s.prefix + served
}

// path is where the file of this name is served; the page asks for it.
func (s assetSet) path(name string) (string, error) {
	p, ok := s.paths[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return p, nil
}

// serve writes the file, compressed where the client takes that.
func (a asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", cmp.Or(a.cache, "public, max-age=31536000, immutable"))
	h.Set("Content-Type", a.contentType)
	h.Add("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		writeBody(w, r, a.gzipped)
		return
	}
	plain, err := decompress(a.gzipped)
	if err != nil {
		panic(fmt.Sprintf("web: embedded file: %v", err))
	}
	writeBody(w, r, plain)
}

func writeBody(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that went away is nobody's concern
	}
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

func glob(pattern string) []string {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		panic(fmt.Sprintf("web: %q: %v", pattern, err))
	}
	return names
}

func mustRead(name string) []byte {
	content, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("web: %v", err))
	}
	return content
}
