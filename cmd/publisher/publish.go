package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/bulk"
	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/intake"
	"github.com/custsync/custsync/pkg/events"
)

// publishOptions are the flags of publish.
type publishOptions struct {
	nats     natsFlags
	shop     string
	columns  string
	format   string
	encoding string
	null     string
	timezone string
	asOf     string
	refused  string
	dryRun   bool
	patience time.Duration
	pending  int
}

const (
	// awayAtMost is how long a lost connection is waited for. The job goes on
	// where it was when it is run again.
	awayAtMost = 5 * time.Minute
	// toldRefusals are told one by one; a file without any right line must not
	// flood the terminal.
	toldRefusals = 10
)

func newPublishCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "publish --nats URL [--shop S] FILE...",
		Short: "Publishes files of customers",
		Long: `Publishes files of customers: NDJSON of events or bare customers, or CSV with a
header; plain, or packed with gzip or zstd; - is the standard input.

A line that is refused does not hold up the others: it goes to
FILE.refused.ndjson with its number and the reason. Run again after it was
interrupted, it goes on where it was, by FILE.custsync-progress, and stores
nothing twice.

Bare customers without a version get the time of the run, so that they win over
what was published before; with --as-of, changes since that time win over the
file.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("name the files to publish, - for the standard input")
			}
			return nil
		},
	}
	var o publishOptions
	o.nats.add(c)
	form := cli.OutputFlag(c)
	f := c.Flags()
	f.StringVar(&o.shop, "shop", "", "the customers' `shop`; without it each line names its own")
	f.StringVar(&o.columns, "columns", "", "YAML `file` that maps header names of CSV to fields")
	f.StringVar(&o.format, "format", "auto", "`form` of the files: ndjson, csv or auto")
	f.StringVar(&o.encoding, "encoding", "auto", "`character set` of the files: utf-8, utf-16, windows-1251 or auto")
	f.StringVar(&o.null, "null", "", "`cell` of CSV that clears its field, such as NULL; an empty one leaves it alone")
	f.StringVar(&o.timezone, "timezone", "", "`zone` of times in CSV that have none, such as Europe/Kyiv")
	f.StringVar(&o.asOf, "as-of", "", "`time` at which the files were exported, such as 2026-11-22T10:00:00Z")
	f.StringVar(&o.refused, "refused", "", "`file` for the refused lines")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say which lines would be refused")
	f.DurationVar(&o.patience, "patience", 10*time.Second, "how `long` to wait for a stream to answer")
	f.IntVar(&o.pending, "pending", 4096, "`events` in flight at most")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		p := publish{options: o, form: *form, files: args, stdin: cmd.InOrStdin(), stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
		return p.run(cmd.Context())
	}
	return c
}

// publish is one run of the verb.
type publish struct {
	options        publishOptions
	form           cli.Output
	files          []string
	stdin          io.Reader
	stdout, stderr io.Writer

	intake    intake.Options
	asOf      time.Time
	publisher *events.Publisher // nil: dry run
	screen    *screen
	sides     map[string]*bulk.Refusals
	told      int
}

func (p *publish) run(ctx context.Context) (err error) {
	if err := p.prepare(); err != nil {
		return err
	}
	// Little lives for long here, and collecting it often costs a third of the rate.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.screen = newScreen(p.stderr)
	if !p.options.dryRun {
		w := watcher{
			state:  p.screen.say,
			denied: func(err error) { cancel(fmt.Errorf("the server refuses this user: %w", err)) },
		}
		nc, err := p.options.nats.connect("custsync publisher publish", awayAtMost, w)
		if err != nil {
			return err
		}
		defer nc.Close()
		p.publisher = &events.Publisher{Conn: nc, Elsewhere: elsewhere(nc, w), MaxPending: p.options.pending, Patience: p.options.patience}
	}
	totals, err := p.all(ctx)
	if misused, ok := errors.AsType[*cli.UsageError](err); ok && totals == (bulk.Totals{}) {
		return misused // nothing was begun: figures would say that something was
	}
	if told := p.tell(totals); err == nil {
		err = told
	}
	if err == nil && totals.Refused > 0 {
		return cli.ErrTold
	}
	return err
}

// all publishes file by file, so that what one of them says twice of a customer
// ends in the order of the files.
func (p *publish) all(ctx context.Context) (sum bulk.Totals, err error) {
	p.sides = make(map[string]*bulk.Refusals)
	defer func() {
		for _, side := range p.sides {
			err = errors.Join(err, side.Close())
		}
	}()
	for _, name := range p.files {
		totals, err := p.file(ctx, name)
		sum = sum.Add(totals)
		if err != nil {
			return sum, p.explain(name, err)
		}
	}
	return sum, nil
}

func (p *publish) file(ctx context.Context, name string) (bulk.Totals, error) {
	input, size, progress, err := p.open(ctx, name)
	if err != nil {
		return bulk.Totals{}, err
	}
	defer input.Close()
	show := p.screen.begin(name, size)
	options := p.intake
	options.Notice = show.say
	job := &bulk.Job{
		Publisher: p.publisher, Input: &countingReader{r: input, n: &show.read}, Name: name, Options: options, Shop: p.options.shop,
		AsOf: p.asOf, Refusals: p.side(name), Progress: progress, Refused: func(r bulk.Refusal) { p.tellRefusal(show, r) },
	}
	stop := show.follow(job.Done)
	totals, err := job.Run(ctx)
	stop(err == nil)
	if !p.asOf.IsZero() { // what the next file says of a customer is newer
		p.asOf = p.asOf.Add(time.Duration(job.LastLine()) * time.Microsecond)
	}
	if err == nil && totals.Refused > 0 {
		p.screen.say(fmt.Sprintf("%s: %d refused, see %s", name, totals.Refused, job.Refusals.Path))
	}
	return totals, err
}

// explain says what a person can do.
func (p *publish) explain(name string, err error) error {
	if header, ok := errors.AsType[*intake.HeaderError](err); ok {
		return cli.Usagef("%s: %w", name, header)
	}
	again := ""
	if name != "-" && !p.options.dryRun {
		again = "; run again to go on from there"
	}
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("%s: NATS at %s has been away for %v%s", name, p.options.nats.servers(), awayAtMost, again)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted%s", name, again)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// tell prints the totals.
func (p *publish) tell(t bulk.Totals) error {
	if p.options.dryRun {
		would := t.Stored
		t.Stored = 0
		if p.form == cli.Text {
			_, err := fmt.Fprintf(p.stdout, "would publish %d, refused %d\n", would, t.Refused)
			return err
		}
	}
	if p.form == cli.JSON {
		return cli.WriteJSON(p.stdout, t)
	}
	_, err := fmt.Fprintf(p.stdout, "stored %d, duplicate %d, refused %d\n", t.Stored, t.Duplicate, t.Refused)
	return err
}
