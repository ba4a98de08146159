// Package console is the worker's page for people: what the destinations do,
// what wants a person, and where a customer is. It is files alone; what they
// show and do goes through the HTTP API, with the reader's own rights.
//
// Promises: nothing is fetched from anywhere but the worker, and the browser is
// told to refuse it; no script or style stands in the page itself; nothing about
// a customer is stored in the browser.
package console

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var files embed.FS

// policy is what the browser may load and run: the worker's own files. Trusted
// types make it refuse every way to turn a text into markup, so that no
// customer's name is ever read as such.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// file is one file as it is answered.
type file struct {
	kind, tag string
	body      []byte
}

// Handler serves the console, to GET and HEAD: the page at /, its parts at
// /assets/, and 404 for all else.
func Handler() http.Handler {
	served, err := load()
	if err != nil {
		panic(err) // the files are part of the program
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "the console's files are only read", http.StatusMethodNotAllowed)
			return
		}
		name := r.URL.Path
		if name == "/" {
			name = "/assets/index.html"
		}
		f, ok := served[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Type", f.kind)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// A worker of another version may answer next: ask every time, send what changed.
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", f.tag)
		if strings.Contains(r.Header.Get("If-None-Match"), f.tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(f.body)
	})
}

// load reads the files once, by the path that they are asked for with.
func load() (map[string]*file, error) {
	served := map[string]*file{}
	err := fs.WalkDir(files, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		served["/"+name] = &file{kindOf(name), fmt.Sprintf("%q", base64.RawURLEncoding.EncodeToString(sum[:12])), body}
		return nil
	})
	return served, err
}

// kindOf is a file's content type, which a machine's own tables must not change.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".html":
		return "text/html; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}
