package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"path"
	"time"
)

// Values of Cache-Control. The name of an asset holds a hash of its content,
// so one that is in a cache is never out of date; the page has a lasting name
// and is asked for anew.
const (
	immutable  = "public, max-age=31536000, immutable"
	revalidate = "no-cache"
)

// file is one embedded file, ready to be served.
type file struct {
	name         string
	body         []byte
	compressed   bool // body is gzip
	tag          string
	contentType  string
	cacheControl string
}

// newPage returns a file with a lasting name.
func newPage(name string, body []byte) file {
	return newFile(name, body, revalidate)
}

// newAsset returns a file whose name changes with its content, and whose body
// is given as gzip.
func newAsset(name string, body []byte) file {
	f := newFile(name, body, immutable)
	f.compressed = true
	return f
}

func newFile(name string, body []byte, cacheControl string) file {
	sum := sha256.Sum256(body)
	return file{
		name:         name,
		body:         body,
		tag:          hex.EncodeToString(sum[:16]),
		contentType:  contentType(name),
		cacheControl: cacheControl,
	}
}

// serve answers a GET or a HEAD request, a conditional or a range one as well.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.cacheControl)

	body, tag := f.body, f.tag
	if f.compressed {
		header.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header) {
			header.Set("Content-Encoding", "gzip")
			tag += "-gzip"
		} else {
			plain, err := gunzip(f.body)
			if err != nil {
				http.Error(w, "500 internal server error", http.StatusInternalServerError)
				return
			}
			body = plain
		}
	}
	header.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(body))
}

// gunzip is for the rare client that does not take gzip: it costs a few
// milliseconds each time, where a second copy of every file would cost the
// size of the binary.
func gunzip(compressed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// contentType is a table of its own, since the one in package mime depends on
// the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".ttf":
		return "font/ttf"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}
