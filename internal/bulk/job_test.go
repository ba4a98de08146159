package bulk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/custsync/custsync/internal/intake"
	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/stream"
)

type fixture struct {
	t      *testing.T
	server *natstest.Server
	pub    *events.Publisher
	js     jetstream.JetStream
	dir    string
}

func start(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, server: natstest.Start(t), dir: t.TempDir()}
	nc := f.server.Connect()
	streams, err := stream.Open(t.Context(), nc, stream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	streams.Close()
	if f.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	f.pub = &events.Publisher{Conn: nc, MaxPending: 32, Timeout: time.Second}
	return f
}

func (f *fixture) job(input io.Reader) *Job {
	return &Job{Publisher: f.pub, Input: input, Name: "f.ndjson", Shop: "acme", Refusals: &Refusals{Path: filepath.Join(f.dir, "refused")},
		Progress: &Progress{Path: filepath.Join(f.dir, "progress")}}
}

// held are the messages of each customer.
func (f *fixture) held() (customers int, messages uint64) {
	f.t.Helper()
	s, err := f.js.Stream(f.t.Context(), stream.Customers)
	if err != nil {
		f.t.Fatal(err)
	}
	info, err := s.Info(f.t.Context(), jetstream.WithSubjectFilter("customers.*.acme.*"))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, n := range info.State.Subjects {
		messages += n
	}
	return len(info.State.Subjects), messages
}

func (f *fixture) refusals() int {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, "refused"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	return bytes.Count(data, []byte("\n"))
}

// input has n customers, and a line to be refused after each ten.
func input(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"id\":\"%d\"}\n", i)
		if i%10 == 9 {
			b.WriteString("?\n")
		}
	}
	return b.String()
}

// breaking fails after n bytes, as a disk does.
type breaking struct {
	r io.Reader
	n int
}

var errBroken = errors.New("broken")

func (b *breaking) Read(p []byte) (int, error) {
	if b.n == 0 {
		return 0, errBroken
	}
	n, err := b.r.Read(p[:min(len(p), b.n, 512)])
	b.n -= n
	return n, err
}

// However often a job breaks off, in the end each customer is stored once, each
// bad line told once, and the totals are the file's.
func TestGoesOn(t *testing.T) {
	f := start(t)
	text := input(1000)
	done := int64(0)
	for at := 1500; at < len(text); at += 3000 {
		totals, err := f.job(&breaking{strings.NewReader(text), at}).Run(t.Context())
		if !errors.Is(err, errBroken) || totals.Lines() < done {
			t.Fatalf("broken at %d: got %+v and %v, had %d", at, totals, err, done)
		}
		done = totals.Lines()
	}
	totals, err := f.job(strings.NewReader(text)).Run(t.Context())
	if want := (Totals{Stored: 1000, Refused: 100}); err != nil || totals != want {
		t.Errorf("got %+v and %v, want %+v", totals, err, want)
	}
	if customers, messages := f.held(); customers != 1000 || messages != 1000 || f.refusals() != 100 {
		t.Errorf("%d messages of %d customers, %d refusals", messages, customers, f.refusals())
	}
	if _, err := os.Stat(filepath.Join(f.dir, "progress")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("progress is still there: %v", err)
	}
}

// What was acknowledged but not yet noted is published again under the same id.
func TestRepeatsAreDuplicates(t *testing.T) {
	f := start(t)
	text := input(100)
	path := filepath.Join(f.dir, "progress")
	var early []byte
	job := f.job(&breaking{strings.NewReader(text), 600})
	began, err := job.Progress.load()
	if err != nil || began != nil {
		t.Fatalf("got %+v and %v", began, err)
	}
	if err := job.Progress.save(&state{AsOf: time.Now().UTC().Truncate(time.Microsecond)}); err != nil {
		t.Fatal(err)
	}
	if early, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	first, err := job.Run(t.Context())
	if !errors.Is(err, errBroken) || first.Stored == 0 {
		t.Fatalf("got %+v and %v", first, err)
	}
	if err := os.WriteFile(path, early, 0o600); err != nil { // as if it had been killed before
		t.Fatal(err)
	}
	totals, err := f.job(strings.NewReader(text)).Run(t.Context())
	if err != nil || totals.Duplicate != first.Stored || totals.Stored+totals.Duplicate != 100 {
		t.Errorf("got %+v and %v after %+v", totals, err, first)
	}
	if customers, messages := f.held(); customers != 100 || messages != 100 || f.refusals() != 10 {
		t.Errorf("%d messages of %d customers, %d refusals", messages, customers, f.refusals())
	}
}

// Progress of another file or of other settings is no use, and says why.
func TestProgressOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "progress")
	mine := Progress{Path: path, Input: Fingerprint{Size: 1, Head: "a"}, Settings: "s"}
	if err := mine.save(&state{Encoding: "utf-8"}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		p    Progress
		line int
		why  string
	}{
		{Progress{Path: path, Input: mine.Input, Settings: "s"}, 1, ""},
		{Progress{Path: path, Input: Fingerprint{Size: 2, Head: "a"}, Settings: "s"}, 0, "the file has changed"},
		{Progress{Path: path, Input: Fingerprint{Size: 1, Head: "b"}, Settings: "s"}, 0, "the file has changed"},
		{Progress{Path: path, Input: mine.Input, Settings: "t"}, 0, "the server or the settings are others"},
	} {
		if line, why, err := tc.p.Resumes(); line != tc.line || why != tc.why || err != nil {
			t.Errorf("%+v: got %d, %q and %v", tc.p, line, why, err)
		}
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if line, why, err := mine.Resumes(); line != 0 || why != "the progress file can't be read" || err != nil {
		t.Errorf("got %d, %q and %v", line, why, err)
	}
}

// Among equal versions the later line is the newest, so it must not be overtaken.
func TestKeepsOrder(t *testing.T) {
	f := start(t)
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, `{"id":"%d","version":1,"note":"%d"}`+"\n", i%2, i)
	}
	if _, err := f.job(strings.NewReader(b.String())).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := f.js.Stream(t.Context(), stream.Customers)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range []string{`"198"`, `"199"`} {
		token := fmt.Sprint(id)
		msg, err := s.GetLastMsgForSubject(t.Context(), events.StoredSubject(events.Partition("acme", token, 32), "acme", token))
		if err != nil || !strings.Contains(string(msg.Data), `"note":`+want) {
			t.Errorf("customer %d: got %s and %v", id, msg.Data, err)
		}
	}
}

func TestWindowHoldsBack(t *testing.T) {
	w := window{}
	w.begin(&state{})
	a, b, c := &mark{}, &mark{}, &mark{}
	made := func(version int64) (m intake.Made) { m.Shop, m.Customer, m.Version = "acme", "1", version; return m }
	if !w.depart(a, made(5)) || w.depart(b, made(5)) || w.depart(b, made(4)) || !w.depart(c, made(6)) {
		t.Fatal("only a version above the one in flight may depart")
	}
	w.land(c)
	if w.depart(b, made(6)) {
		t.Error("one of two has landed, and the highest version is forgotten")
	}
	w.land(a)
	if !w.depart(b, made(1)) || len(w.flying) != 1 {
		t.Error("all have landed, and the customer is held back")
	}
}

// A server that goes away for a while costs time only.
func TestServerRestarts(t *testing.T) {
	f := start(t)
	text := input(2000)
	restarted := make(chan struct{})
	half := &pausing{r: strings.NewReader(text), left: len(text) / 2, wait: restarted}
	half.pause = func() {
		go func() {
			defer close(restarted)
			f.server.Stop()
			f.server.Restart()
		}()
	}
	totals, err := f.job(half).Run(t.Context())
	if err != nil || totals.Stored+totals.Duplicate != 2000 || totals.Refused != 200 {
		t.Errorf("got %+v and %v", totals, err)
	}
	if customers, messages := f.held(); customers != 2000 || messages != 2000 {
		t.Errorf("%d messages of %d customers", messages, customers)
	}
}

// pausing does something in the middle of its reading.
type pausing struct {
	r     io.Reader
	left  int
	pause func()
	wait  chan struct{}
}

func (p *pausing) Read(b []byte) (int, error) {
	if p.left <= 0 && p.pause != nil {
		p.pause()
		p.pause = nil
	}
	n, err := p.r.Read(b[:min(len(b), 256)])
	if p.left -= n; err == io.EOF {
		<-p.wait // so that the restart is within the job
	}
	return n, err
}

// A job that is asked to end says so, and goes on the next time.
func TestEnds(t *testing.T) {
	f := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	reader, feed := io.Pipe()
	go func() {
		fmt.Fprint(feed, input(10))
		cancel()
		feed.CloseWithError(context.Canceled)
	}()
	totals, err := f.job(reader).Run(ctx)
	if !errors.Is(err, context.Canceled) || totals.Lines() > 11 {
		t.Errorf("got %+v and %v", totals, err)
	}
	totals, err = f.job(strings.NewReader(input(10))).Run(t.Context())
	if err != nil || totals.Stored+totals.Duplicate != 10 || totals.Refused != 1 {
		t.Errorf("got %+v and %v", totals, err)
	}
}

// Lines that are no text are kept byte by byte.
func TestRefusalKeepsBytes(t *testing.T) {
	for raw, want := range map[string]string{
		"a\"<b": `{"file":"f","line":3,"reason":"r","raw":"a\"<b"}`,
		"\xff":  `{"file":"f","line":3,"reason":"r","raw_base64":"/w=="}`,
	} {
		path := filepath.Join(t.TempDir(), "r")
		r := Refusals{Path: path}
		if _, err := r.write([]*Refusal{{File: "f", Line: 3, Reason: "r", Raw: []byte(raw)}}); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != want+"\n" || err != nil {
			t.Errorf("got %s and %v, want %s", got, err, want)
		}
	}
}

// Refusals that were written but not settled are read again, and stand there once.
func TestRefusalsGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	first := Refusals{Path: path}
	settled, err := first.write([]*Refusal{{Line: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.write([]*Refusal{{Line: 2}}); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		keep    bool
		settled int64
		want    string
	}{
		"anew":              {false, 0, "3"},
		"from there":        {false, settled, "13"},
		"shared with other": {true, settled, "123"},
	} {
		t.Run(name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "r")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied, data, 0o600); err != nil {
				t.Fatal(err)
			}
			again := Refusals{Path: copied, Keep: tc.keep}
			if err := again.begin(tc.settled); err != nil {
				t.Fatal(err)
			}
			if _, err := again.write([]*Refusal{{Line: 3}}); err != nil {
				t.Fatal(err)
			}
			if data, err = os.ReadFile(copied); err != nil {
				t.Fatal(err)
			}
			got := ""
			for line := range strings.Lines(string(data)) {
				_, after, _ := strings.Cut(line, `"line":`)
				got += after[:1]
			}
			if got != tc.want {
				t.Errorf("got lines %s, want %s", got, tc.want)
			}
		})
	}
}

// Where refused lines find no room, progress stays before them.
func TestNoRoomForRefusals(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	job := &Job{Refusals: &Refusals{Path: "/dev/full"}, Progress: &Progress{Path: filepath.Join(dir, "progress")}}
	if _, err := job.begin(); err != nil {
		t.Fatal(err)
	}
	refused := job.window.add(intake.Record{Line: 1, End: intake.Position{Line: 1, Offset: 2}})
	job.refuse(refused, []byte("?"), errBroken)
	if err := job.settle(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want that there is no room", err)
	}
	job.end(job.window.add(intake.Record{Line: 2, End: intake.Position{Line: 2, Offset: 4}}), stored)
	if err := job.settle(); err != nil {
		t.Errorf("told twice: %v", err)
	}
	if state, err := job.Progress.load(); err != nil || state.At.Line > 0 || state.Totals.Refused > 0 {
		t.Errorf("got %+v and %v, want to go on at the first line", state, err)
	}
}

// Refused lines may be sent nowhere, or through a link: what is no file of refused
// lines stays what it was.
func TestRefusalsLeaveWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe, file, link := filepath.Join(dir, "pipe"), filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil { // as /dev/null, of a kind that anybody may make
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(file, []byte("of an earlier run\n"), 0o600), os.Symlink(file, link)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, link} {
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, settled := range []int64{0, 7} {
			r := Refusals{Path: path}
			if err := r.begin(settled); err != nil {
				t.Fatal(err)
			}
		}
		if after, err := os.Lstat(path); err != nil || after.Mode() != before.Mode() {
			t.Errorf("%s: got %v and %v, want it to be there still", filepath.Base(path), after, err)
		}
	}
	if data, err := os.ReadFile(file); len(data) > 0 || err != nil {
		t.Errorf("got %q and %v, want the earlier run's lines to be gone", data, err)
	}
}

// Customers without a version get the time that the job is given, so that later
// changes win over an older export.
func TestAsOf(t *testing.T) {
	f := start(t)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	job := f.job(strings.NewReader("{\"id\":\"1\"}\n{\"id\":\"2\"}\n"))
	job.AsOf = at
	if _, err := job.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := f.js.Stream(t.Context(), stream.Customers)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := s.GetLastMsgForSubject(t.Context(), events.StoredSubject(events.Partition("acme", "2", 32), "acme", "2"))
	if err != nil {
		t.Fatal(err)
	}
	var ev events.Event
	if err := events.Decode(msg.Data, "acme", "2", time.Now(), &ev); err != nil || ev.Version != at.UnixMicro()+2 {
		t.Errorf("got version %d and %v, want %d", ev.Version, err, at.UnixMicro()+2)
	}
}
