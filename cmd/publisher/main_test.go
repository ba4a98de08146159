package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	server := streamServer(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right, wrong, headless := file("right.ndjson", `{"id":"1"}`), file("wrong.ndjson", `{"id":1}`), file("headless.csv", "a,b\n")
	tokens, none := file("tokens.yaml", "acme: [t]\n"), file("none.yaml", "acme: []\n")
	nats := []string{"--nats", server.URL}
	for _, test := range []struct {
		args []string
		want int
	}{
		{append([]string{"publish", "--shop", "acme", right}, nats...), 0},
		{append([]string{"publish", "--shop", "acme", wrong}, nats...), 1},
		{append([]string{"publish", "--shop", "acme", "-"}, nats...), 0},
		{append([]string{"publish", "--shop", "acme", headless}, nats...), 2},
		{append([]string{"publish", "--shop", "acme", filepath.Join(dir, "gone")}, nats...), 2},
		{append([]string{"publish", "--shop", "acme", dir}, nats...), 2},
		{append([]string{"publish", "--shop", "acme", right, right}, nats...), 2},
		{append([]string{"publish", "--as-of", "2199-01-01T00:00:00Z", right}, nats...), 2},
		{append([]string{"publish", "--timezone", "Nowhere/Land", right}, nats...), 2},
		{append([]string{"publish", "-o", "xml", right}, nats...), 2},
		{[]string{"publish", "--nats", "nats://127.0.0.1:1", right}, 1},
		{[]string{"publish", right}, 2},
		{[]string{"publish"}, 2},
		{[]string{"serve", "--listen", "127.0.0.1:0", "--tokens", tokens}, 2},
		{append([]string{"serve", "--listen", "127.0.0.1:0", "--tokens", none}, nats...), 2},
		{append([]string{"serve", "--listen", "127.0.0.1:0"}, nats...), 2},
		{append([]string{"serve", "--tokens", tokens}, nats...), 2},
		{append([]string{"serve", "--tokens", tokens, "--listen", "127.0.0.1:999999"}, nats...), 1},
		{[]string{"serve", "--nats", "nats://127.0.0.1:1", "--listen", "127.0.0.1:0", "--tokens", tokens}, 1},
		{[]string{"--help"}, 0},
		{[]string{"serve", "--help"}, 0},
		{nil, 2},
	} {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), test.args, strings.NewReader(""), &stdout, &stderr); got != test.want {
			t.Errorf("publisher %q: got exit code %d, want %d\n%s%s", test.args, got, test.want, &stdout, &stderr)
		}
	}
}

// serve stores what it is posted, and ends with 0 when it is asked to.
func TestServe(t *testing.T) {
	server := streamServer(t)
	tokens := filepath.Join(t.TempDir(), "tokens.yaml")
	if err := os.WriteFile(tokens, []byte("acme: [right]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	stderr, told := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--nats", server.URL, "--listen", "127.0.0.1:0", "--tokens", tokens}, nil, io.Discard, told)
		told.Close()
	}()
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() {
		t.Fatal("it said nothing")
	}
	var first struct{ Address string }
	if err := json.Unmarshal(lines.Bytes(), &first); err != nil || first.Address == "" {
		t.Fatalf("it said %s", lines.Text())
	}
	rest := make(chan string, 1)
	go func() {
		var b strings.Builder
		for lines.Scan() {
			fmt.Fprintln(&b, lines.Text())
		}
		rest <- b.String()
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+first.Address+"/v1/shops/acme/customers", strings.NewReader(`{"id":"7","first_name":"Olga"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer right")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	stop()
	if got := <-code; resp.StatusCode != http.StatusAccepted || got != 0 {
		t.Errorf("got status %d and exit code %d", resp.StatusCode, got)
	}
	if said := <-rest; strings.Contains(said, "Olga") || !strings.Contains(said, "stopped") {
		t.Errorf("it said %s", said)
	}
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if list := storedEvents(check, server.Connect()); len(list) != 1 || list[0].Customer.ID != "7" {
		t.Errorf("stored %+v", list)
	}
}
