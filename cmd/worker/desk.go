package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config/suggest"
	"github.com/custsync/custsync/internal/ops"
	"github.com/custsync/custsync/internal/worker"
	"github.com/custsync/custsync/pkg/stream"
)

// atDesk carries out a verb of operators at the streams of a running fleet.
func atDesk(cmd *cobra.Command, file string, do func(ctx context.Context, d *ops.Desk) error) error {
	cfg, err := load(file)
	if err != nil {
		return err
	}
	// What the connection tells meanwhile is for people; the verb's own end is told
	// by its error.
	log := newLogger(cfg.Log, cmd.ErrOrStderr()).Level(zerolog.WarnLevel)
	nc, err := worker.Dial(cfg, log)
	if err != nil {
		return err
	}
	defer nc.Close()
	streams, err := stream.Attach(cmd.Context(), nc)
	if err != nil {
		return err
	}
	defer streams.Close()
	err = do(cmd.Context(), &ops.Desk{Config: cfg, Streams: streams, By: operator(), Renderers: &ops.Renderers{Make: makeDestination}})
	if _, misused := errors.AsType[*ops.Misuse](err); misused {
		return &cli.UsageError{Err: err}
	}
	if unknown, ok := errors.AsType[*ops.UnknownDestination](err); ok {
		if hint := suggest.Hint(unknown.Name, unknown.Known); hint != "" {
			err = fmt.Errorf("%w; %s", err, hint)
		}
		return &cli.UsageError{Err: err}
	}
	return err
}

// operator is who runs the command, for the record of what people did.
func operator() string {
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return nameless(os.Getuid(), os.Hostname)
	}
	return u.Username
}

// nameless is what is known of one of whom the machine has no name, as in a container
// that runs under a bare number.
func nameless(uid int, hostname func() (string, error)) string {
	host, err := hostname()
	if err != nil || host == "" {
		host = "an unknown host"
	}
	return fmt.Sprintf("uid %d on %s", uid, host)
}

// destinationFlag adds --destination, without which the verb is wrongly used.
func destinationFlag(c *cobra.Command) func() (string, error) {
	name := c.Flags().String("destination", "", "the destination's `name`")
	return func() (string, error) {
		if *name == "" {
			return "", cli.Usagef("name the destination with --destination")
		}
		return *name, nil
	}
}

func noteFlag(c *cobra.Command) *string {
	return c.Flags().String("note", "", "`text` that says why, for the record; no customer data")
}

// progress tells a person how far it is, a few times a second; nil where nobody
// looks. The function returned ends the line.
func progress(w io.Writer, what string) (tell func(done int), end func()) {
	if !isTerminal(w) {
		return nil, func() {}
	}
	var last time.Time
	tell = func(done int) {
		if now := time.Now(); now.Sub(last) >= 200*time.Millisecond {
			last = now
			fmt.Fprintf(w, "\r%s: %d", what, done)
		}
	}
	return tell, func() {
		if !last.IsZero() {
			fmt.Fprint(w, "\r"+strings.Repeat(" ", len(what)+22)+"\r")
		}
	}
}

// age is how long ago something was, to two units: 3m12s, 2h5m, 4d3h.
func age(at, now time.Time) string {
	d := max(now.Sub(at), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

// ageOf is the age of a time that may not be known.
func ageOf(at *time.Time, now time.Time) string {
	if at == nil {
		return "-"
	}
	return age(*at, now)
}

// dash stands for what is empty.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// count says how many of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
