package console

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestHandler(t *testing.T) {
	for target, want := range map[string]struct {
		status int
		kind   string
	}{
		"/":                       {200, "text/html; charset=utf-8"},
		"/assets/js/app.js":       {200, "text/javascript; charset=utf-8"},
		"/assets/css/base.css":    {200, "text/css; charset=utf-8"},
		"/assets/icon.svg":        {200, "image/svg+xml"},
		"/assets/":                {404, ""},
		"/assets/js":              {404, ""},
		"/assets/../console.go":   {404, ""},
		"/console.go":             {404, ""},
		"/index.html":             {404, ""},
		"/api/v1/nothing-such":    {404, ""},
		"/assets/js/nothing.js":   {404, ""},
		"/assets/js/app.js/":      {404, ""},
		"/assets//js/app.js":      {404, ""},
		"/assets/%2e%2e/index.go": {404, ""},
	} {
		answer := get(t, target)
		if answer.StatusCode != want.status {
			t.Errorf("%s: got status %d, want %d", target, answer.StatusCode, want.status)
		}
		if want.status != 200 {
			continue
		}
		h := answer.Header
		if got := h.Get("Content-Type"); got != want.kind {
			t.Errorf("%s: got type %q, want %q", target, got, want.kind)
		}
		if p := h.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none';") || strings.Contains(p, "unsafe") || strings.Contains(p, "http") {
			t.Errorf("%s: got policy %q, want one that admits nothing but the worker's own files", target, p)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s: got headers %v, want nosniff and DENY", target, h)
		}
		if again := get(t, target, "If-None-Match", h.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: got status %d for what is known, want 304", target, again.StatusCode)
		}
	}
}

// What a file refers to has to be among the files, and nothing may lie elsewhere
// or stand in the page itself: the browser would refuse it.
func TestFilesReferToFiles(t *testing.T) {
	served, err := load()
	if err != nil {
		t.Fatal(err)
	}
	imports := regexp.MustCompile(`(?m)^import .*?"([^"]+)";$`)
	links := regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	used := map[string]bool{"/assets/index.html": true}
	err = fs.WalkDir(files, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text := string(served["/"+name].body)
		var refers []string
		for _, m := range imports.FindAllStringSubmatch(text, -1) {
			refers = append(refers, path.Join("/", path.Dir(name), m[1]))
		}
		if path.Ext(name) == ".html" {
			for _, m := range links.FindAllStringSubmatch(text, -1) {
				refers = append(refers, m[1])
			}
			if regexp.MustCompile(`(?i)<style|<script>|<script [^>]*>[^<]|\sstyle=|\son[a-z]+=`).MatchString(text) {
				t.Errorf("%s holds a script or a style of its own", name)
			}
		}
		for _, to := range refers {
			if served[to] == nil {
				t.Errorf("%s refers to %s, which is not there", name, to)
			}
			used[to] = true
		}
		for _, no := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "@import", "url(", "sessionStorage", "document.cookie", "console.log"} {
			if strings.Contains(text, no) {
				t.Errorf("%s has %q", name, no)
			}
		}
		if m := regexp.MustCompile(`https?://[^\s"')]+`).FindString(text); m != "" && m != "http://www.w3.org/2000/svg" {
			t.Errorf("%s names %s, outside of the worker", name, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range served {
		if !used[name] {
			t.Errorf("%s is used by nothing", name)
		}
	}
}
