package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/ingress"
	"github.com/custsync/custsync/pkg/events"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	nats     natsFlags
	listen   string
	tokens   string
	requests int
	maxBody  int64
	maxLines int
	store    time.Duration
	grace    time.Duration
}

func newServeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve --nats URL --listen ADDR --tokens FILE",
		Short: "Takes customers over HTTP",
		Long: `Takes customers over HTTP and answers 202 once they are stored:

  POST   /v1/shops/{shop}/customers               one in JSON, or one a line (application/x-ndjson)
  DELETE /v1/shops/{shop}/customers/{id}?version=N

GET /openapi.json describes it all. The tokens file is YAML, a list of tokens for
each shop, as they are or as sha256: and their hash; it is read again on SIGHUP.
The traffic is not encrypted: off the machine, put a proxy that speaks TLS before
it.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usagef("serve takes no arguments, got %q", args[0])
			}
			return nil
		},
	}
	var o serveOptions
	o.nats.add(c)
	f := c.Flags()
	f.StringVar(&o.listen, "listen", "", "`address` to listen on, such as 127.0.0.1:8090")
	f.StringVar(&o.tokens, "tokens", "", "YAML `file` of the shops' tokens")
	f.IntVar(&o.requests, "requests", 256, "`requests` at once, three quarters of them one shop's at most; further ones get 429")
	f.Int64Var(&o.maxBody, "max-body", 32<<20, "`bytes` of NDJSON in one request")
	f.IntVar(&o.maxLines, "max-lines", 10_000, "`lines` of NDJSON in one request")
	f.DurationVar(&o.store, "store-timeout", 10*time.Second, "how `long` storing an event may take")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "how `long` requests under way may take when it is asked to stop")
	c.RunE = func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), o, cmd.ErrOrStderr()) }
	return c
}

func serve(ctx context.Context, o serveOptions, stderr io.Writer) error {
	switch {
	case o.listen == "":
		return cli.Usagef("name the address to listen on with --listen ADDR")
	case o.tokens == "":
		return cli.Usagef("name the file of the shops' tokens with --tokens FILE")
	case o.requests < 1 || o.maxBody < 1 || o.maxLines < 1 || o.store <= 0 || o.grace <= 0:
		return cli.Usagef("--requests, --max-body, --max-lines, --store-timeout and --grace are above 0")
	}
	var tokens atomic.Pointer[ingress.Tokens]
	read, err := readTokens(o.tokens)
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	tokens.Store(read)
	log := newLog(stderr)
	w := watcher{
		state:  func(s string) { log.Warn().Msg(s) },
		denied: func(err error) { log.Error().Err(err).Msg("the server refuses this user") },
	}
	nc, err := o.nats.connect("custsync publisher serve", 0, w)
	if err != nil {
		return err
	}
	defer nc.Close()
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &ingress.Server{
		Conn: nc, Publisher: &events.Publisher{Conn: nc, Elsewhere: elsewhere(nc, w), MaxPending: 4096, Patience: o.store}, Tokens: tokens.Load, Log: log,
		Requests: o.requests, MaxBody: o.maxBody, MaxLines: o.maxLines, Store: o.store,
	}
	log.Info().Stringer("address", listener.Addr()).Msg("listening")
	var reloads sync.WaitGroup
	reloadCtx, stop := context.WithCancel(ctx)
	reloads.Go(func() { reload(reloadCtx, o.tokens, &tokens, log) })
	err = server.Serve(ctx, listener, o.grace)
	stop()
	reloads.Wait()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	log.Info().Msg("stopped")
	return nil
}

func readTokens(path string) (*ingress.Tokens, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--tokens: %w", err)
	}
	tokens, err := ingress.ParseTokens(data)
	if err != nil {
		return nil, fmt.Errorf("--tokens: %s: %w", path, err)
	}
	return tokens, nil
}

// reload reads the tokens again on SIGHUP. A file that can't be used changes
// nothing: locking all shops out is worse than the tokens of a moment ago.
func reload(ctx context.Context, path string, tokens *atomic.Pointer[ingress.Tokens], log zerolog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		read, err := readTokens(path)
		if err != nil {
			log.Error().Err(err).Msg("the tokens stay as they were")
			continue
		}
		tokens.Store(read)
		log.Info().Msg("the tokens were read again")
	}
}

// newLog writes for people on a terminal, JSON elsewhere.
func newLog(w io.Writer) zerolog.Logger {
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
	}
	return zerolog.New(w).With().Timestamp().Logger()
}
