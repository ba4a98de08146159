package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"
)

// publishing measures publisher publish, and beside it what nats.go reaches with
// the same events, encoded before, and as many in flight.
type publishing struct {
	Events int
	Runs   int
	Sync   string
}

func newPublishCommand() *cobra.Command {
	var p publishing
	var format string
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Measure publisher publish beside the raw asynchronous rate",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &report{out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), json: format == "json"}
			return errors.Join(p.run(cmd.Context(), r), r.flush())
		},
	}
	f := cmd.Flags()
	f.IntVar(&p.Events, "events", 200_000, "events of a file")
	f.IntVar(&p.Runs, "runs", 3, "runs of each measurement; the median is shown")
	f.StringVar(&p.Sync, "sync", syncDefault, "how the broker syncs: default, always")
	f.StringVarP(&format, "output", "o", "table", "table or json")
	return cmd
}

// publishSlots is how many events are in flight, here as there.
const publishSlots = 4096

// inputs are the forms that a file may have, by its name.
func inputs() []string { return []string{"events.ndjson", "customers.ndjson", "customers.csv"} }

func (p publishing) run(ctx context.Context, r *report) (err error) {
	folder, err := os.MkdirTemp("", "custsync-bench-publish-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	program, err := buildPublisher(ctx, folder)
	if err != nil {
		return err
	}
	for _, name := range inputs() {
		if err := writeInput(filepath.Join(folder, name), p.Events); err != nil {
			return err
		}
	}
	samples := make(map[string][]sample)
	for range p.Runs { // by turns, so that what disturbs the machine disturbs all
		ways := append([]string{"nats.go"}, inputs()...)
		for _, way := range ways {
			s, err := p.once(ctx, way, program, folder)
			if err != nil {
				return fmt.Errorf("%s: %w", way, err)
			}
			samples[way] = append(samples[way], s)
		}
	}
	raw := newFigure("publish", "nats.go, asynchronous, encoded before", p.Sync, samples["nats.go"])
	errs := r.add(raw)
	for _, name := range inputs() {
		f := newFigure("publish", "publisher publish "+name, p.Sync, samples[name])
		errs = errors.Join(errs, r.add(f))
		fmt.Fprintf(r.progress, "publisher publish %s: %.0f %% of nats.go\n", name, 100*f.PerSecond/raw.PerSecond)
	}
	return errs
}

// once measures one way against a broker of its own.
func (p publishing) once(ctx context.Context, way, program, folder string) (taken sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, runTakes)
	defer cancel()
	s, nc, end, err := openBroker(ctx, p.Sync)
	if err != nil {
		return sample{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if way == "nats.go" {
		return p.raw(ctx, s, nc)
	}
	m, err := startMeter(s)
	if err != nil {
		return sample{}, err
	}
	cmd := exec.CommandContext(ctx, program, "publish", "--nats", s.URL, "--shop", shop, "--pending", fmt.Sprint(publishSlots), "-o", "json", filepath.Join(folder, way))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return sample{}, fmt.Errorf("%w\n%s", err, said.String())
	}
	if taken, err = m.stop(p.Events); err != nil {
		return sample{}, err
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	taken.Client, taken.Others = used, max(0, taken.Others-used)
	var totals struct{ Stored int }
	if err := json.Unmarshal(out, &totals); err != nil || totals.Stored != p.Events {
		return sample{}, fmt.Errorf("it said %s, %w", out, err)
	}
	return taken, nil
}

// raw publishes what is encoded already, by nats.go alone.
func (p publishing) raw(ctx context.Context, s *server, nc *nats.Conn) (sample, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(publishSlots))
	if err != nil {
		return sample{}, err
	}
	messages := make([]*nats.Msg, p.Events)
	for i := range messages {
		messages[i] = &nats.Msg{
			Subject: customerSubject(i), Data: change{Customer: i, Version: 1}.event(),
			Header: nats.Header{jetstream.MsgIDHeader: {fmt.Sprintf("%s.e-%08d-1", shop, i)}},
		}
	}
	m, err := startMeter(s)
	if err != nil {
		return sample{}, err
	}
	for _, msg := range messages {
		if _, err := js.PublishMsgAsync(msg, jetstream.WithStallWait(runTakes)); err != nil {
			return sample{}, err
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-ctx.Done():
		return sample{}, ctx.Err()
	}
	return m.stop(p.Events)
}

func buildPublisher(ctx context.Context, folder string) (string, error) {
	path := filepath.Join(folder, "publisher")
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/custsync/custsync/cmd/publisher")
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build publisher: %w\n%s", err, said)
	}
	return path, nil
}

// writeInput writes a file of the form that its name says.
func writeInput(path string, n int) error {
	var b bytes.Buffer
	if strings.HasSuffix(path, ".csv") {
		b.WriteString("id,version,email,phone,first_name,last_name,consents.email,address.street,address.building,address.city,address.country,total_spent,note\n")
	}
	for i := range n {
		event := change{Customer: i, Version: 1}.event()
		switch {
		case strings.HasSuffix(path, ".csv"):
			fmt.Fprintf(&b, "c%08[1]d,1,c%08[1]d@example.org,+4822%07[1]d,Given,Family,true,Long Street,1,Town,PL,12.5,%[2]s\n", i, strings.Repeat("n", 150))
		case strings.HasPrefix(filepath.Base(path), "customers"):
			var ev struct{ Data json.RawMessage }
			if err := json.Unmarshal(event, &ev); err != nil {
				return err
			}
			b.Write(append(ev.Data, '\n'))
		default:
			b.Write(append(event, '\n'))
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, &b)
	return errors.Join(err, f.Close())
}
