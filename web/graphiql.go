package web

import (
	"bytes"
	"embed"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// assetsPath is where the page looks for its scripts, styles and fonts. The
// build writes it into the page as well: "base" in graphiql/vite.config.js.
const assetsPath = "/graphiql/assets/"

// schemeElement tells the page how to send an access token: it stands in
// graphiql/index.html and is written anew where the server is set otherwise.
const schemeElement = `<meta name="authorization-scheme" content="Bearer">`

// GraphiQL returns a handler that serves the GraphiQL page at / and at
// /graphiql, and what the page needs under /graphiql/assets/. Every other path
// is 404, and every method but GET and HEAD is 405.
//
// The page sends its operations to /graphql of the origin that it came from,
// and talks to no other. Passwords and access tokens stay in the memory of the
// browser tab; signing in leaves the refresh token in the server's cookie. The
// scheme is what stands before an access token in the Authorization header, as
// in "Bearer".
func GraphiQL(scheme string) http.Handler {
	files, err := load(dist, scheme)
	if err != nil {
		panic("web: embedded GraphiQL: " + err.Error())
	}
	return files
}

// graphiql maps the path of a request to the file that answers it.
type graphiql map[string]file

func (g graphiql) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setSecurityHeaders(w.Header())
	f, ok := g[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
		return
	}
	f.serve(w, r)
}

// load reads the build. The page itself and the licence notices are stored as
// they are; all that is in assets/ is stored compressed.
func load(build fs.FS, scheme string) (graphiql, error) {
	index, err := fs.ReadFile(build, "dist/index.html")
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(index, []byte(schemeElement)) {
		return nil, errors.New("index.html does not name the scheme of the Authorization header")
	}
	named := strings.Replace(schemeElement, "Bearer", html.EscapeString(scheme), 1)
	index = bytes.Replace(index, []byte(schemeElement), []byte(named), 1)
	page := newPage("index.html", index)
	files := graphiql{"/": page, "/graphiql": page}

	notices, err := fs.ReadFile(build, "dist/LICENSES.txt")
	if err != nil {
		return nil, err
	}
	files[assetsPath+"LICENSES.txt"] = newPage("LICENSES.txt", notices)

	names, err := fs.Glob(build, "dist/assets/*.gz")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		compressed, err := fs.ReadFile(build, name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimSuffix(path.Base(name), ".gz")
		files[assetsPath+base] = newAsset(base, compressed)
	}
	return files, nil
}
