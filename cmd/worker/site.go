package main

import (
	"context"
	"net/http"

	"github.com/rs/zerolog"

	"github.com/custsync/custsync/internal/api"
	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/console"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/stream"
)

// newSite is what a worker serves to operators: the HTTP below /api/v1/, and the
// console.
func newSite(cfg *config.Config, log zerolog.Logger) worker.Site {
	return func(ctx context.Context, streams *stream.Streams, connected func() bool) http.Handler {
		server := &api.Server{
			Config: cfg, Streams: streams, Renderers: &ops.Renderers{Make: makeDestination},
			Connected: connected, Stop: ctx, Log: log,
		}
		mux := http.NewServeMux()
		mux.Handle("/api/v1/", server.Handler())
		mux.Handle("/", console.Handler())
		return mux
	}
}
