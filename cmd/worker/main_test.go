package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// Nobody listens on port 1.
	const destination = "destinations: [{name: a, provider: thulium, url: 'http://127.0.0.1:1', auth: {username: a, password: b}}]\n"
	sound, mistaken := file("sound.yaml", "log: {level: info}\n"+destination), file("mistaken.yaml", "lgo: {}\n")
	idle, refusing := file("idle.yaml", "log: {level: info}\n"), file("refusing.yaml", destination)
	for _, test := range []struct {
		args []string
		want int
	}{
		{[]string{"check", "-c", sound}, 0},
		{[]string{"--help"}, 0},
		{[]string{"check", "-c", refusing}, 0},
		{[]string{"check", "-c", refusing, "--online"}, 1},
		{[]string{"check", "-c", refusing, "--online", "-o", "json"}, 1},
		{[]string{"check", "-c", mistaken}, 2},
		{[]string{"check", "-c", idle}, 2},
		{[]string{"run", "-c", idle}, 2},
		{[]string{"check", "-c", mistaken, "-o", "json"}, 2},
		{[]string{"check", "-c", filepath.Join(dir, "gone.yaml")}, 2},
		{[]string{"check", "-c", sound, "--render", filepath.Join(dir, "gone.ndjson")}, 2},
		{[]string{"check"}, 2},
		{[]string{"check", "-c"}, 2},
		{[]string{"check", "-c", sound, "more"}, 2},
		{[]string{"check", "-c", sound, "-o", "xml"}, 2},
		{[]string{"chek"}, 2},
		{nil, 2},
	} {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), test.args, &stdout, &stderr); got != test.want {
			t.Errorf("worker %q: got exit code %d, want %d\n%s%s", test.args, got, test.want, &stdout, &stderr)
		}
	}
}
