package natsd_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/custsync/custsync/internal/natsd"
	"github.com/custsync/custsync/internal/natsd/natstest"
	"github.com/nats-io/nats.go/jetstream"
)

func start(t *testing.T, c natsd.Config) *natsd.Server {
	t.Helper()
	s, err := natsd.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOneServerPerFolder(t *testing.T) {
	dir := t.TempDir()
	first := start(t, natsd.Config{Listen: "127.0.0.1:0", StoreDir: dir})
	_, err := natsd.Start(natsd.Config{Listen: "127.0.0.1:0", StoreDir: dir})
	if !errors.Is(err, natsd.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("second server: got error %v, want one that names %s and says that it is in use", err, dir)
	}
	if err := first.Shutdown(); err != nil {
		t.Fatal(err)
	}
	again := start(t, natsd.Config{Listen: "127.0.0.1:0", StoreDir: dir})
	if err := again.Shutdown(); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	_, err = natsd.Start(natsd.Config{Listen: l.Addr().String(), StoreDir: dir, Ready: 2 * time.Second})
	if err == nil {
		t.Fatal("got no error")
	}
	if !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got error %v, want the server's own words", err)
	}
	// What did not start holds nothing.
	s := start(t, natsd.Config{Listen: "127.0.0.1:0", StoreDir: dir})
	if err := s.Shutdown(); err != nil {
		t.Error(err)
	}
}

func TestRefusedConfig(t *testing.T) {
	for name, c := range map[string]natsd.Config{
		"no folder": {Listen: "127.0.0.1:0"},
		"no port":   {Listen: "127.0.0.1", StoreDir: t.TempDir()},
		"bad port":  {Listen: "127.0.0.1:x", StoreDir: t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := natsd.Start(c); err == nil {
				t.Errorf("got no error, and a server at %s", s.URL())
			}
		})
	}
}

func TestRestartKeepsStreams(t *testing.T) {
	server := natstest.StartSynced(t)
	js, err := jetstream.New(server.Connect())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "s", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	js, err = jetstream.New(server.Connect())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "S")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetLastMsgForSubject(t.Context(), "s")
	if err != nil || string(m.Data) != "kept" {
		t.Errorf("got %v and error %v, want what was stored before", m, err)
	}
}
