// Standin serves the stand-ins of all five providers, each below a path with its
// name, until it is told to stop.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/custsync/custsync/internal/sandbox"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to serve at")
	trace := flag.String("trace", "", "`file` to write a line for each call to: when, from whom, what, how it ended")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen, *trace); err != nil {
		fmt.Fprintf(os.Stderr, "standin: %v\n", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, listen, trace string) error {
	var handler http.Handler = &sandbox.Server{Providers: map[string]sandbox.Provider{
		"thulium":    &sandbox.Thulium{},
		"cartum":     &sandbox.Cartum{},
		"aplaut":     &sandbox.Aplaut{},
		"virtualpos": &sandbox.VirtualPOS{},
		"ecomcharge": &sandbox.EComCharge{},
	}}
	if trace != "" {
		file, err := os.Create(trace)
		if err != nil {
			return err
		}
		defer file.Close()
		handler = &tracer{handler: handler, to: file}
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	server := http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
