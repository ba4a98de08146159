// Standin serves the stand-ins of all five providers, each below a path with its
// name, until it is told to stop.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/custsync/custsync/internal/sandbox"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "`address` to serve at")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen); err != nil {
		fmt.Fprintf(os.Stderr, "standin: %v\n", err)
		os.Exit(1)
	}
}

func serve(ctx context.Context, listen string) error {
	s := sandbox.Server{Addr: listen, Providers: map[string]sandbox.Provider{
		"thulium":    &sandbox.Thulium{},
		"cartum":     &sandbox.Cartum{},
		"aplaut":     &sandbox.Aplaut{},
		"virtualpos": &sandbox.VirtualPOS{},
		"ecomcharge": &sandbox.EComCharge{},
	}}
	url, err := s.Listen()
	if err != nil {
		return err
	}
	fmt.Println(url)
	return s.Serve(ctx)
}
