package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/pipeline"
	"github.com/custsync/custsync/pkg/sinks"
)

func newRunCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Delivers, until it is told to stop",
		Long: `Delivers customer changes to every destination of the configuration, with a
NATS server of its own where none is configured. SIGTERM or Ctrl-C: what is in
flight is finished, the rest handed back.`,
		Args: cli.Exactly(0),
	}
	file := configFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadToDeliver(*file)
		if err != nil {
			return err
		}
		log := newLogger(cfg.Log, cmd.ErrOrStderr())
		w := &worker.Worker{Config: cfg, Make: makeDestination, Site: newSite(cfg, log), Log: log}
		return w.Run(cmd.Context())
	}
	return c
}

// makeDestination makes the sink and the renderer of a destination whose
// configuration was found sound.
func makeDestination(d *config.Destination, caller sinks.Caller) (sinks.Sink, pipeline.Renderer, error) {
	sink, err := newSink(d, caller)
	if err != nil {
		return nil, nil, err
	}
	renderer, mistakes := newRenderer(d, sink)
	if len(mistakes) > 0 {
		return nil, nil, fmt.Errorf("expressions: %s", mistakes[0].Message)
	}
	return sink, renderer, nil
}

// newLogger writes as the configuration says.
func newLogger(c config.Log, w io.Writer) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel // cannot be: the configuration was checked
	}
	if c.Format == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !isTerminal(w)}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// isTerminal tells whether a person looks.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
