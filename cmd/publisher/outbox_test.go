package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/internal/outbox/pgtest"
	"github.com/custsync/custsync/pkg/stream"
)

// shopDatabase is a prepared database of a shop beside a NATS server.
type shopDatabase struct {
	t    *testing.T
	dsn  string
	db   *pgx.Conn
	nats *natstest.Server
}

func newShopDatabase(t *testing.T) *shopDatabase {
	t.Helper()
	s := &shopDatabase{t: t, dsn: filepath.Join(t.TempDir(), "dsn"), nats: streamServer(t)}
	url := cluster.Database(t)
	if err := os.WriteFile(s.dsn, []byte(url+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out := s.publisher("outbox", "migrate", "--dsn-file", s.dsn); code != 0 {
		t.Fatal(out)
	}
	var err error
	if s.db, err = pgx.Connect(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close(t.Context()) })
	return s
}

func (s *shopDatabase) publisher(args ...string) (code int, out string) {
	var b bytes.Buffer
	code = run(s.t.Context(), args, nil, &b, &b)
	return code, b.String()
}

func (s *shopDatabase) insert(from, to int) {
	s.t.Helper()
	_, err := s.db.Exec(s.t.Context(), `INSERT INTO custsync_outbox (shop, customer, data)
		SELECT 'acme', n, jsonb_build_object('id', n::text, 'first_name', 'Olga') FROM generate_series($1::int, $2::int) n`, from, to)
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shopDatabase) waiting() (n int) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), "SELECT count(*) FROM custsync_outbox").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *shopDatabase) until(what string, within time.Duration, is func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(within)
	for !is() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (s *shopDatabase) drained(within time.Duration) {
	s.t.Helper()
	s.until("the outbox is empty", within, func() bool { return s.waiting() == 0 })
}

// events is how many the stream has ever stored.
func (s *shopDatabase) events() uint64 {
	s.t.Helper()
	js, err := jetstream.New(s.nats.Connect())
	if err != nil {
		s.t.Fatal(err)
	}
	info, err := js.Stream(s.t.Context(), stream.Customers)
	if err != nil {
		s.t.Fatal(err)
	}
	return info.CachedInfo().State.LastSeq
}

// process is a relay as a process of its own.
type process struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	said strings.Builder
	done chan struct{}
}

func (s *shopDatabase) start(args ...string) *process {
	s.t.Helper()
	p := &process{done: make(chan struct{})}
	p.cmd = exec.CommandContext(s.t.Context(), "publisher", append([]string{"outbox", "--nats", s.nats.URL, "--dsn-file", s.dsn}, args...)...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.said, lines.Text())
			p.mu.Unlock()
		}
		_ = p.cmd.Wait()
	}()
	s.t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		<-p.done
		if strings.Contains(p.log(), pgtest.Password) || strings.Contains(p.log(), "Olga") {
			s.t.Errorf("it said %s", p.log())
		}
	})
	return p
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// actives counts how often it became the active one.
func (p *process) actives() int { return strings.Count(p.log(), `"message":"active"`) }

// Killed in the middle again and again, it publishes every row, and the stream
// stores each once.
func TestOutboxKilled(t *testing.T) {
	s := newShopDatabase(t)
	const rows = 20_000
	s.insert(1, rows)
	for left := rows; left > rows/4; left = s.waiting() {
		p := s.start("--batch", "500")
		s.until("it is in the middle", 30*time.Second, func() bool { return s.waiting() <= left-1000 })
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-p.done
	}
	p := s.start()
	s.drained(30 * time.Second)
	if got := s.events(); got != rows {
		t.Errorf("%d events are stored, want %d", got, rows)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.done
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || !strings.Contains(p.log(), "stopped") {
		t.Errorf("it ended with %d and said %s", code, p.log())
	}
}

// Two instances: one is killed, the other one takes over at once; then that one
// stands still, and the lock is taken from it; when it goes on it stands by.
func TestOutboxTakeOver(t *testing.T) {
	t.Parallel()
	s := newShopDatabase(t)
	first := s.start()
	s.until("the first is active", 10*time.Second, func() bool { return first.actives() == 1 })
	second := s.start()
	s.until("the second stands by", 10*time.Second, func() bool { return strings.Contains(second.log(), "standing by") })

	s.insert(1, 1000)
	s.drained(10 * time.Second)
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.insert(1001, 2000)
	killed := time.Now()
	s.drained(15 * time.Second)
	t.Logf("killed: taken over and drained after %v", time.Since(killed))

	third := s.start()
	s.until("the third stands by", 10*time.Second, func() bool { return strings.Contains(third.log(), "standing by") })
	if err := second.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.insert(2001, 3000)
	frozen := time.Now()
	s.drained(20 * time.Second)
	t.Logf("frozen: taken over and drained after %v", time.Since(frozen))
	if err := second.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.until("the second stands by again", 10*time.Second, func() bool { return strings.Count(second.log(), "standing by") == 2 })
	s.insert(3001, 4000)
	s.drained(10 * time.Second)
	if got := s.events(); got != 4000 || second.actives() != 1 || third.actives() != 1 {
		t.Errorf("%d events are stored, want 4000; active were %d and %d times", got, second.actives(), third.actives())
	}
}

// The verbs beside the relay, its health and its figures.
func TestOutboxVerbs(t *testing.T) {
	s := newShopDatabase(t)
	if code, out := s.publisher("outbox", "migrate", "--print"); code != 0 || !strings.Contains(out, "CREATE TABLE IF NOT EXISTS custsync_outbox") {
		t.Errorf("got %d and %s", code, out)
	}
	if _, err := s.db.Exec(t.Context(), `INSERT INTO custsync_outbox (shop, customer, data) VALUES ('acme', '7', '{"id": 7}'), ('acme', '8', '{"id": "8"}')`); err != nil {
		t.Fatal(err)
	}
	p := s.start("--listen", "127.0.0.1:0", "--poll", "100ms")
	s.drained(10 * time.Second)
	var first struct{ Address string }
	line, _, _ := strings.Cut(p.log(), "\n")
	if err := json.Unmarshal([]byte(line), &first); err != nil {
		t.Fatal(err, line)
	}
	for path, want := range map[string]string{
		"/healthz": "ok\n",
		"/readyz":  "active\n",
		"/metrics": "custsync_outbox_active 1\n",
	} {
		if got := get(t, "http://"+first.Address+path); !strings.Contains(got, want) {
			t.Errorf("%s says %s", path, got)
		}
	}
	s.until("the figures are told", 20*time.Second, func() bool {
		got := get(t, "http://"+first.Address+"/metrics")
		return strings.Contains(got, "custsync_outbox_refused 1\n") && strings.Contains(got, `custsync_outbox_events_total{end="stored"} 1`) &&
			strings.Contains(got, "custsync_outbox_waiting 0\n") && strings.Contains(got, "custsync_outbox_lag_seconds 0\n")
	})
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"outbox", "refused"}, 0, "id: want string, got number"},
		{[]string{"outbox", "refused", "-o", "json"}, 0, `"customer":"7"`},
		{[]string{"outbox", "refused", "--retry", "--discard"}, 2, "not both"},
		{[]string{"outbox", "refused", "5"}, 2, "say with --retry or --discard"},
		{[]string{"outbox", "refused", "--retry", "x"}, 2, "want the numbers of rows"},
		{[]string{"outbox", "refused", "--retry", "-o", "json"}, 0, `{"put_back":1}`},
		{[]string{"outbox", "refused", "--discard", "999"}, 1, "not among the refused"},
		{[]string{"outbox", "migrate"}, 0, "prepared"},
		{[]string{"outbox", "--nats", s.nats.URL, "--batch", "0"}, 2, "--batch"},
		{[]string{"outbox", "--nats", s.nats.URL, "--dsn", "postgres://" + pgtest.Password + "@%zz"}, 2, "name the database"},
	} {
		if code, out := s.publisher(append(test.args, "--dsn-file", s.dsn)...); code != test.code || !strings.Contains(out, test.want) {
			t.Errorf("%q ended with %d and said %s", test.args, code, out)
		}
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
