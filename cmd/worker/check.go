package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/custsync/custsync/internal/cli"
	"github.com/custsync/custsync/internal/config"
	"github.com/custsync/custsync/pkg/sinks"
)

func newCheckCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Tells every mistake in the configuration",
		Long: `Tells every mistake in the configuration, with its place and what to write
instead, and exits with 2; or what the destinations are.`,
		Args: cli.Exactly(0),
	}
	file, form := configFlag(c), cli.OutputFlag(c)
	online := c.Flags().Bool("online", false, "try each destination's credentials with a harmless call")
	sample := c.Flags().String("render", "", "print what each destination would send for the customers or events in `file`")
	shop := c.Flags().String("shop", "", "`shop` of bare customers in --render; the first that a destination names, or else \"shop\"")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadToDeliver(*file)
		if err != nil {
			return mistakesAs(*form, cmd.OutOrStdout(), err)
		}
		if *sample != "" {
			return renderFile(cmd.OutOrStdout(), *form, cfg, *sample, *shop)
		}
		return check(cmd.Context(), cmd.OutOrStdout(), *form, cfg, *online)
	}
	return c
}

// mistakesAs writes mistakes as JSON where that is wanted; otherwise they stay
// an error.
func mistakesAs(form cli.Output, w io.Writer, err error) error {
	mistakes, ok := errors.AsType[*config.Mistakes](err)
	if !ok || form != cli.JSON {
		return err
	}
	report := struct {
		File     string          `json:"file"`
		Valid    bool            `json:"valid"`
		Mistakes []mistakeReport `json:"mistakes"`
	}{File: mistakes.File}
	for _, m := range mistakes.List {
		report.Mistakes = append(report.Mistakes, mistakeReport(m))
	}
	if err := cli.WriteJSON(w, report); err != nil {
		return err
	}
	return &cli.UsageError{Err: cli.ErrTold}
}

type mistakeReport struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// destinationReport is what check says of a destination.
type destinationReport struct {
	Name     string   `json:"name"`
	Provider string   `json:"provider"`
	URL      string   `json:"url"`
	Shops    []string `json:"shops,omitempty"`
	When     string   `json:"when,omitempty"`
	Mapped   int      `json:"mapped_fields"`
	Shards   int      `json:"shards"`
	MaxRows  int      `json:"max_rows"`
	Hash     string   `json:"hash"`
	Online   string   `json:"online,omitempty"` // ok or refused
	Error    string   `json:"error,omitempty"`  // why it was refused
}

// check reports on a sound configuration.
func check(ctx context.Context, w io.Writer, form cli.Output, cfg *config.Config, online bool) error {
	reports := make([]destinationReport, len(cfg.Destinations))
	var probes sync.WaitGroup
	for i := range cfg.Destinations {
		d := &cfg.Destinations[i]
		sink, err := newSink(d, sinks.Caller{})
		if err != nil {
			return fmt.Errorf("open %s: %w", d.Name, err)
		}
		reports[i] = destinationReport{
			Name: d.Name, Provider: d.Provider, URL: d.URL, Shops: d.Shops, When: d.When, Mapped: len(d.Map),
			Shards: d.Shards, MaxRows: d.Batch.MaxRows, Hash: d.Hash(),
		}
		if limit := sink.Limits().MaxRows; limit > 0 {
			reports[i].MaxRows = min(limit, d.Batch.MaxRows)
		}
		if online {
			probes.Go(func() { reports[i].probe(ctx, sink, d) })
		}
	}
	probes.Wait()
	if err := writeCheck(w, form, cfg, reports); err != nil {
		return err
	}
	for _, r := range reports {
		if r.Online == refused {
			return cli.ErrTold
		}
	}
	return nil
}

const (
	accepted = "ok"
	refused  = "refused"
)

func (r *destinationReport) probe(ctx context.Context, sink provider, d *config.Destination) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	r.Online = accepted
	if err := sink.Probe(ctx); err != nil {
		r.Online, r.Error = refused, err.Error()
	}
}

func writeCheck(w io.Writer, form cli.Output, cfg *config.Config, reports []destinationReport) error {
	if form == cli.JSON {
		return cli.WriteJSON(w, struct {
			File         string              `json:"file"`
			Valid        bool                `json:"valid"`
			Partitions   int                 `json:"partitions"`
			Destinations []destinationReport `json:"destinations"`
		}{cfg.File(), true, cfg.Stream.Partitions, reports})
	}
	server := "NATS at " + cfg.NATS.URL
	if cfg.NATS.IsEmbedded() {
		server = "embedded NATS at " + cfg.NATS.Embedded.Listen
	}
	fmt.Fprintf(w, "%s is sound: %s, %d partitions, %d destinations\n", cfg.File(), server, cfg.Stream.Partitions, len(reports))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(reports) > 0 {
		fmt.Fprintln(table, "NAME\tPROVIDER\tURL\tSHOPS\tWHEN\tMAPPED\tSHARDS\tROWS A CALL\tONLINE")
	}
	for _, r := range reports {
		shops, when, online := strings.Join(r.Shops, ","), "yes", "not tried"
		if shops == "" {
			shops = "all"
		}
		if r.When == "" {
			when = "all"
		}
		if r.Online != "" {
			online = r.Online
		}
		if r.Error != "" {
			online += ": " + r.Error
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", r.Name, r.Provider, r.URL, shops, when, r.Mapped, r.Shards, r.MaxRows, online)
	}
	return table.Flush()
}
