package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/natsd"
	"github.com/custsync/custsync/internal/sandbox"
	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/events"
	"github.com/custsync/custsync/pkg/stream"
)

// stage is everything around the worker, and the worker.
type stage struct {
	folder, file string
	customers    int
	providers    []*provider
	shop         *shop
	config       *config.Config
	worker       *worker.Worker

	log     *os.File
	server  *natsd.Server
	nc      *nats.Conn
	streams *stream.Streams
	http    net.Listener

	serving   sync.WaitGroup
	stopServe context.CancelFunc
	served    error
}

// build sets all up but for the worker's run. Whether or not it returns an
// error, close is to be called.
func (s *stage) build(ctx context.Context, d *Demo) error {
	var err error
	if s.log, err = os.Create(s.logPath()); err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	if s.http, err = listen(); err != nil {
		return err
	}
	url, err := s.serveProviders(ctx)
	if err != nil {
		return err
	}
	// Nothing of it is to outlive the process, so no write waits for the disk.
	log := zerolog.New(s.log).With().Timestamp().Logger()
	s.server, err = natsd.Start(natsd.Config{Listen: "127.0.0.1:0", StoreDir: filepath.Join(s.folder, "nats"), Unsynced: true, Log: log})
	if err != nil {
		return err
	}
	s.file = filepath.Join(s.folder, "demo.yaml")
	if err = os.WriteFile(s.file, s.text(url), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	if s.config, err = d.Load(s.file); err != nil {
		return err
	}
	if s.nc, err = nats.Connect(s.server.URL(), nats.Name("custsync demo")); err != nil {
		return fmt.Errorf("connect to nats: %w", err)
	}
	layout := s.config.Stream
	s.streams, err = stream.Open(ctx, s.nc, stream.Config{
		Partitions: layout.Partitions, Replicas: layout.Replicas, History: layout.HistoryPerCustomer,
	})
	if err != nil {
		return err
	}
	s.shop = newShop(&events.Publisher{Conn: s.nc}, s.customers)
	s.worker = &worker.Worker{Config: s.config, Make: d.Make, Log: d.Logger(s.config.Log, s.log), Name: "demo", Listener: s.http}
	if d.Site != nil {
		s.worker.Site = d.Site(s.config, s.worker.Log)
	}
	return nil
}

// listen takes the address that the manual names, or a free one where that is
// taken, perhaps by another demo.
func listen() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("http: listen: %w", err)
	}
	return l, nil
}

// serveProviders starts the stand-ins and returns the URL below which they are.
func (s *stage) serveProviders(ctx context.Context) (url string, err error) {
	s.providers = providers()
	server := &sandbox.Server{Providers: map[string]sandbox.Provider{}}
	for _, p := range s.providers {
		server.Providers[p.name] = p.standIn
	}
	if url, err = server.Listen(); err != nil {
		return "", fmt.Errorf("stand-ins: %w", err)
	}
	// They serve until the worker has ended, whenever ctx does.
	ctx, s.stopServe = context.WithCancel(context.WithoutCancel(ctx))
	s.serving.Go(func() { s.served = server.Serve(ctx) })
	return url, nil
}

// text is the configuration file.
func (s *stage) text(url string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `# What the demo runs with. The stand-ins and the NATS server are inside of its
# process: this file is of use to other commands while the demo runs.
nats: {url: %q}
http: {listen: %q}
log: {level: debug, format: console}
workers: {lease: 10s, grace: 1s}  # alone in its fleet: no take-over has to be quick
destinations:
`, s.server.URL(), s.http.Addr().String())
	for _, p := range s.providers {
		b.WriteString(p.text(url+"/"+p.name, s.customers))
	}
	return []byte(b.String())
}

func (s *stage) logPath() string { return filepath.Join(s.folder, "worker.log") }

func (s *stage) httpURL() string { return "http://" + s.http.Addr().String() + "/" }

// close ends what build started, in reverse.
func (s *stage) close() error {
	var err error
	if s.streams != nil {
		s.streams.Close()
	}
	if s.nc != nil {
		s.nc.Close()
	}
	if s.server != nil {
		err = s.server.Shutdown()
	}
	if s.stopServe != nil {
		s.stopServe()
		s.serving.Wait()
		err = errors.Join(err, s.served)
	}
	if s.http != nil {
		if e := s.http.Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e) // else the worker did
		}
	}
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	return err
}
