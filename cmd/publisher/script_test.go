package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/custsync/custsync/internal/outbox/pgtest"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/stream"
)

// The scripts in testdata run the publisher as a shop does.
func TestMain(m *testing.M) {
	testscript.Main(withCluster{m}, map[string]func(){"publisher": main})
}

// withCluster stops PostgreSQL after the tests, if one of them started it.
type withCluster struct{ m *testing.M }

var cluster pgtest.Cluster

func (w withCluster) Run() int {
	defer cluster.Stop()
	return w.m.Run()
}

// TestScripts gives each script a NATS server of its own at $NATS, with a stream
// as a worker makes it, and one without a stream at $BARE.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("NATS", streamServer(t).URL)
			e.Setenv("BARE", natstest.Start(t).URL)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"dump":  dump,
			"pack":  pack,
			"grow":  grow,
			"await": await,
			"held":  held,
		},
	})
}

// streamServer runs a server with the streams.
func streamServer(t testing.TB) *natstest.Server {
	t.Helper()
	server := natstest.Start(t)
	streams, err := stream.Open(t.Context(), server.Connect(), stream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	streams.Close()
	return server
}

// dump FILE writes what the stream holds: customer, type, version and data.
func dump(ts *testscript.TestScript, _ bool, args []string) {
	nc, err := nats.Connect(ts.Getenv("NATS"))
	ts.Check(err)
	defer nc.Close()
	var out strings.Builder
	for _, ev := range storedEvents(ts.Check, nc) {
		version := strconv.FormatInt(ev.Version, 10)
		if ev.TimeVersion {
			version = "time"
		}
		fmt.Fprintf(&out, "%s/%s %s %s %s\n", ev.Shop, ev.Customer.ID, ev.Type, version, ev.Data)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o600))
}

// await N waits until the stream has taken N events.
func await(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	nc, err := nats.Connect(ts.Getenv("NATS"))
	ts.Check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, stream.Customers, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: n})
	ts.Check(err)
	_, err = consumer.Next(jetstream.FetchContext(ctx))
	ts.Check(err)
}

// held N says that the stream holds N events, each of another customer.
func held(ts *testscript.TestScript, _ bool, args []string) {
	nc, err := nats.Connect(ts.Getenv("NATS"))
	ts.Check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := js.Stream(ctx, stream.Customers)
	ts.Check(err)
	info, err := s.Info(ctx, jetstream.WithSubjectFilter("customers.*.*.*"))
	ts.Check(err)
	var subjects, events uint64
	for _, n := range info.State.Subjects {
		subjects++
		events += n
	}
	if want := args[0]; strconv.FormatUint(events, 10) != want || subjects != events {
		ts.Fatalf("%d events of %d customers, want %s", events, subjects, want)
	}
}

// storedEvents are the customers' events in the stream, oldest first.
func storedEvents(check func(error), nc *nats.Conn) []events.Event {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	js, err := jetstream.New(nc)
	check(err)
	s, err := js.Stream(ctx, stream.Customers)
	check(err)
	var list []events.Event
	info, err := s.Info(ctx)
	check(err)
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		msg, err := s.GetMsg(ctx, seq)
		check(err)
		tokens := strings.Split(msg.Subject, ".")
		if len(tokens) != 4 {
			continue
		}
		var ev events.Event
		if events.Decode(msg.Data, tokens[2], tokens[3], time.Now(), &ev) == nil {
			list = append(list, ev)
		}
	}
	return list
}

// pack FORM FROM TO writes a file as exports come.
func pack(ts *testscript.TestScript, _ bool, args []string) {
	data := []byte(ts.ReadFile(args[1]))
	var err error
	switch args[0] {
	case "gzip":
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err = w.Write(data)
		ts.Check(err)
		ts.Check(w.Close())
		data = b.Bytes()
	case "zstd":
		w, err := zstd.NewWriter(nil)
		ts.Check(err)
		data = w.EncodeAll(data, nil)
	case "windows-1251":
		data, err = charmap.Windows1251.NewEncoder().Bytes(data)
		ts.Check(err)
	case "utf-16":
		data, err = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(data)
		ts.Check(err)
	case "bom":
		data = append([]byte("\xef\xbb\xbf"), data...)
	case "crlf":
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	default:
		ts.Fatalf("no form %s", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data, 0o600))
}

// grow N FILE writes N bare customers, and after each hundred a line to be refused.
func grow(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), customers(n), 0o600))
}

func customers(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `{"id":"%d","email":"c%d@example.com","first_name":"Olga","address":{"city":"Kyiv"},"attributes":{"n":%d}}`+"\n", i, i, i)
		if i%100 == 99 {
			b.WriteString("{\"id\":7}\n")
		}
	}
	return b.Bytes()
}
